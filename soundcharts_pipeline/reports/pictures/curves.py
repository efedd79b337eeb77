"""Series and positions over days: lines, their scales and their ticks."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from soundcharts_pipeline.reports.pictures.canvas import COLOURS, MARGIN, WIDE, Canvas, short_number
from soundcharts_pipeline.reports.pictures.sparklines import Points, parts_of
from soundcharts_pipeline.reports.pictures.ticks import date_ticks, short_numbers, value_ticks

# In pixels.
PANEL_HEIGHT, RACE_HEIGHT = 150, 300
LEFT, BOTTOM, BETWEEN = 50, 24, 38
LINE_HEIGHT = 14
# Of the words below the last day.
HALF_DATE = 24
# So much of a scale lies beyond the least value, and beyond the largest.
ROOM = 0.06
# Ranks beyond which the scale is logarithmic, so that the top keeps its room.
LINEAR_RANKS = 20
RANK_TICKS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)


class Line(NamedTuple):
    """One line and its name; points are oldest first, at most one a day. `is_whole`: no day is missing between them."""

    label: str
    points: Points
    is_whole: bool = False


class Panel(NamedTuple):
    """What one metric's lines share an axis for; `unit` says what the values are."""

    unit: str
    lines: Sequence[Line]
    from_zero: bool = False


class Span(NamedTuple):
    """The days that a picture shows."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


@dataclass(frozen=True, slots=True)
class Area:
    """Where lines are drawn, in pixels from the top left; `down` is a value's place, from 0 on top to 1."""

    top: float
    height: float
    right: float
    span: Span
    down: Callable[[int], float]

    def x(self, day: date) -> float:
        """A single day stands in the middle."""
        days = (self.span.last - self.span.first).days
        share = (day - self.span.first).days / days if days else 0.5
        return LEFT + (0.01 + 0.98 * share) * (self.right - LEFT)

    def y(self, value: int) -> float:
        return self.top + self.down(value) * self.height


def series_figure(title: str, panels: Sequence[Panel], *, width: int = WIDE) -> str:
    """A platform's metrics over days, one below the other. A missing day is a gap in its line."""
    canvas, span = Canvas(width), _span(line.points for panel in panels for line in panel.lines)
    top = _head(canvas, title, span)
    for number, panel in enumerate(panels):
        values = [value for line in panel.lines for _, value in line.points]
        low, high = 0 if panel.from_zero else min(values), max(values)
        labelled = len(panel.lines) > 1
        right = width - (_label_width(width) if labelled else HALF_DATE)
        area = Area(top, PANEL_HEIGHT, right, span, _linear(low, high))
        canvas.text(LEFT, top - 5, panel.unit, most=width - LEFT - MARGIN)
        _value_axis(canvas, area, low, high)
        _draw_lines(canvas, area, panel.lines, prefix=f"line-{number}")
        if labelled:
            _label_ends(canvas, area, [(line, line.label) for line in panel.lines])
        if number == len(panels) - 1:
            _date_axis(canvas, area)
        top += PANEL_HEIGHT + BETWEEN
    units = ", ".join(panel.unit for panel in panels)
    return canvas.finish(top - BETWEEN + BOTTOM, title, f"{units}; {span}")


def rank_figure(title: str, lines: Sequence[Line], *, width: int = WIDE) -> str:
    """Positions over days, the first on top; each line's end says its last position."""
    canvas, span = Canvas(width), _span(line.points for line in lines)
    deepest = max(position for line in lines for _, position in line.points)
    area = Area(_head(canvas, title, span), RACE_HEIGHT, width - _label_width(width), span, _ranks(deepest))
    for tick in (tick for tick in RANK_TICKS if tick <= deepest):
        _value_tick(canvas, area, tick, str(tick))
    _draw_lines(canvas, area, lines, prefix="line")
    _label_ends(canvas, area, [(line, f"{line.points[-1][1]} {line.label}") for line in lines])
    _date_axis(canvas, area)
    return canvas.finish(area.top + RACE_HEIGHT + BOTTOM, title, f"position by day, the first on top; {span}")


def _linear(low: int, high: int) -> Callable[[int], float]:
    # Whole numbers are subtracted first: beside a large one, a small difference is lost among decimals.
    return lambda value: ROOM + (1 - 2 * ROOM) * ((high - value) / (high - low) if high > low else 0.5)


def _ranks(deepest: int) -> Callable[[int], float]:
    if deepest > LINEAR_RANKS:
        top, bottom = math.log(0.9), math.log(deepest * 1.1)
        return lambda rank: (math.log(rank) - top) / (bottom - top)
    return lambda rank: (rank - 0.5) / max(deepest, 3)


def _span(series: Iterable[Points]) -> Span:
    days = [day for points in series for day, _ in points]
    return Span(min(days), max(days))


def _label_width(width: int) -> int:
    return max(width // 4, 120)


def _head(canvas: Canvas, title: str, span: Span) -> int:
    """The title, with the days beside it or below. Returns where the first area begins."""
    is_wide = canvas.width >= WIDE
    beside = 142 if is_wide else 0
    canvas.text(MARGIN, 16, title, size=13, look="bold", most=canvas.width - 2 * MARGIN - beside)
    if is_wide:
        canvas.text(canvas.width - MARGIN, 16, str(span), size=10, most=beside, anchor="end")
    else:
        canvas.text(MARGIN, 31, str(span), size=10, most=canvas.width - 2 * MARGIN)
    return 46 if is_wide else 58


def _draw_lines(canvas: Canvas, area: Area, lines: Sequence[Line], *, prefix: str) -> None:
    for number, line in enumerate(lines):
        colour, dashes = _look(number)
        parts = [line.points] if line.is_whole else parts_of(line.points)
        places = [[(area.x(day), area.y(value)) for day, value in part] for part in parts]
        canvas.line(places, colour, dashes=dashes, name=f"{prefix}-{number}")


def _look(number: int) -> tuple[str, str]:
    """The colour and the dashes of the n-th line."""
    return COLOURS[number % len(COLOURS)], ("", "6 3", "1.6 3")[number // len(COLOURS) % 3]


def _value_axis(canvas: Canvas, area: Area, low: int, high: int) -> None:
    ticks = value_ticks(low, high)
    # Of a single value all digits would be said.
    words = short_numbers(ticks) if low < high else [short_number(low)]
    for tick, text in zip(ticks, words, strict=True):
        _value_tick(canvas, area, tick, text)


def _value_tick(canvas: Canvas, area: Area, value: int, text: str) -> None:
    y = round(area.y(value), 1)
    canvas.rule(LEFT, y, to_x=area.right, to_y=y)
    canvas.text(LEFT - 4, y + 3.5, text, size=10, most=LEFT - 4, anchor="end")


def _date_axis(canvas: Canvas, area: Area) -> None:
    for day, text in date_ticks(*area.span, most=8 if canvas.width >= WIDE else 5):
        canvas.text(round(area.x(day), 1), area.top + area.height + 16, text, size=10, most=LEFT, anchor="middle")


def _label_ends(canvas: Canvas, area: Area, labels: Sequence[tuple[Line, str]]) -> None:
    """Each line's label right of the area beside its end, moved as far as the labels need room."""
    ends = []
    for number, (line, text) in enumerate(labels):
        day, value = line.points[-1]
        ends.append((area.y(value), area.x(day), number, text))
    ends.sort()
    places = spread([end[0] for end in ends], LINE_HEIGHT, low=area.top, high=area.top + area.height)
    for (y, x, number, text), place in zip(ends, places, strict=True):
        canvas.line([[(x, y), (area.right + 10, place)]], _look(number)[0], width=0.8)
        x_text = area.right + 13
        canvas.text(x_text, round(place + 4, 1), text, size=10.5, most=canvas.width - x_text)


def spread(wanted: Sequence[float], gap: float, *, low: float, high: float) -> list[float]:
    """Places at least `gap` apart, in order, near the wanted ones (ascending) and within the bounds while they fit."""
    places: list[float] = []
    for place in wanted:
        places.append(max(place, places[-1] + gap if places else low))
    limit = high
    for number in reversed(range(len(places))):
        places[number] = min(places[number], limit)
        limit = places[number] - gap
    return places

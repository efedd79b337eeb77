"""Series and positions over days, drawn by matplotlib.

Importing this module costs a second and 40 MB (matplotlib): import it where one is drawn.
"""

import io
import math
import re
import threading
import warnings
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator
from matplotlib.typing import RcKeyType

from soundcharts_pipeline.reports.pictures.canvas import COLOURS, STYLE, UNITS, WIDE, plain_text, short_number
from soundcharts_pipeline.reports.pictures.sparklines import Points, parts_of

# In pixels.
PANEL_HEIGHT, RACE_HEIGHT = 150, 300
LEFT, BOTTOM, BETWEEN = 50, 24, 38
LINE_HEIGHT = 14
# Stands for the colour of the page's text until the picture is finished; nothing else is drawn in it.
INK, CURRENT = "#010203", "currentColor"
# Ranks beyond which the scale is logarithmic, so that the top keeps its room.
LINEAR_RANKS = 20
RANK_TICKS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)
_EPOCH = date(1970, 1, 1)
_SVG = "http://www.w3.org/2000/svg"
_RC: dict[RcKeyType, object] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "soundcharts",
    "path.simplify": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
}
# Matplotlib's settings and fonts are of the whole process.
_drawing = threading.Lock()

ElementTree.register_namespace("", _SVG)
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")


class Line(NamedTuple):
    """One line and its name; points are oldest first, at most one a day."""

    label: str
    points: Points


class Panel(NamedTuple):
    """What one metric's lines share an axis for; `unit` says what the values are."""

    unit: str
    lines: Sequence[Line]


def series_figure(title: str, panels: Sequence[Panel], *, width: int = WIDE) -> str:
    """A platform's metrics over days, one below the other. A missing day is a gap in its line."""
    first = _top(width)
    height = first + len(panels) * (PANEL_HEIGHT + BETWEEN) - BETWEEN + BOTTOM
    with _drawing, rc_context(_RC):
        figure = Figure((width / 72, height / 72), dpi=72)
        span = _span(line.points for panel in panels for line in panel.lines)
        _head(figure, title, span)
        for number, panel in enumerate(panels):
            top = first + number * (PANEL_HEIGHT + BETWEEN)
            labelled = len(panel.lines) > 1
            axes = _axes(figure, top, PANEL_HEIGHT, right=_label_width(width) if labelled else 12)
            _text(figure, LEFT, top - 5, panel.unit, size=11, most=(width - LEFT) // 7)
            _draw_lines(axes, panel.lines, prefix=f"line-{number}")
            _value_axis(axes, [value for line in panel.lines for _, value in line.points])
            _date_axis(figure, axes, span, labels=number == len(panels) - 1)
            if labelled:
                _label_ends(figure, axes, [(line, line.label) for line in panel.lines])
        units = ", ".join(panel.unit for panel in panels)
        return _finish(figure, title, f"{units}; {_days(span)}")


def rank_figure(title: str, lines: Sequence[Line], *, width: int = WIDE) -> str:
    """Positions over days, the first on top; each line's end says its last position."""
    with _drawing, rc_context(_RC):
        figure = Figure((width / 72, (_top(width) + RACE_HEIGHT + BOTTOM) / 72), dpi=72)
        span = _span(line.points for line in lines)
        _head(figure, title, span)
        axes = _axes(figure, _top(width), RACE_HEIGHT, right=_label_width(width))
        _draw_lines(axes, lines, prefix="line")
        deepest = max(position for line in lines for _, position in line.points)
        if deepest > LINEAR_RANKS:
            axes.set_yscale("log")
            axes.set_ylim(deepest * 1.1, 0.9)
        else:
            axes.set_ylim(max(deepest, 3) + 0.5, 0.5)
        shown = [tick for tick in RANK_TICKS if tick <= deepest]
        axes.set_yticks(shown, [str(tick) for tick in shown])
        axes.yaxis.set_minor_locator(NullLocator())
        _date_axis(figure, axes, span, labels=True)
        _label_ends(figure, axes, [(line, f"{line.points[-1][1]} {line.label}") for line in lines])
        return _finish(figure, title, f"position by day, the first on top; {_days(span)}")


def _span(series: Iterable[Points]) -> tuple[date, date]:
    days = [day for points in series for day, _ in points]
    return min(days), max(days)


def _days(span: tuple[date, date]) -> str:
    return f"{span[0]} to {span[1]}"


def _number(day: date) -> int:
    return (day - _EPOCH).days


def _top(width: int) -> int:
    """Room for the title, with the days beside it or below."""
    return 46 if width >= WIDE else 58


def _label_width(width: int) -> int:
    return max(width // 4, 120)


def _axes(figure: Figure, top: int, height: int, *, right: int) -> Axes:
    """An axes at a place in pixels, with no frame but a grid."""
    wide, high = figure.get_size_inches() * 72
    axes = figure.add_axes((LEFT / wide, 1 - (top + height) / high, (wide - LEFT - right) / wide, height / high))
    axes.patch.set_visible(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.grid(axis="y", color=INK, alpha=0.18, linewidth=0.8)
    axes.tick_params(which="both", length=0, colors=INK, labelsize=10)
    return axes


def _text(figure: Figure, x: float, y: float, text: str, *, most: int, size: float, weight: str = "normal") -> None:
    """Plain text at pixels from the top left: no line breaks, no mathematics, nothing that XML cannot hold."""
    plain = plain_text(text)
    short = plain if len(plain) <= most else f"{plain[: most - 1]}…"
    wide, high = figure.get_size_inches() * 72
    figure.text(x / wide, 1 - y / high, short, color=INK, fontsize=size, fontweight=weight, parse_math=False)


def _head(figure: Figure, title: str, span: tuple[date, date]) -> None:
    wide = figure.get_size_inches()[0] * 72
    _text(figure, 6, 16, title, size=13, weight="bold", most=int(wide // 8))
    _text(figure, 6 if wide < WIDE else wide - 148, 16 if wide >= WIDE else 31, _days(span), size=10, most=30)


def _draw_lines(axes: Axes, lines: Sequence[Line], *, prefix: str) -> None:
    for number, line in enumerate(lines):
        colour, style = _look(number)
        xs: list[float] = []
        ys: list[float] = []
        for part in parts_of(line.points):
            xs += [*(_number(day) for day, _ in part), math.nan]
            ys += [*(float(value) for _, value in part), math.nan]
            if len(part) == 1:
                axes.plot(xs[-2:-1], ys[-2:-1], color=colour, marker="o", markersize=2.5, linestyle="none")
        axes.plot(xs[:-1], ys[:-1], color=colour, linestyle=style, linewidth=1.6, gid=f"{prefix}-{number}")


def _look(number: int) -> tuple[str, str]:
    """The colour and the dashes of the n-th line."""
    return COLOURS[number % len(COLOURS)], ("-", "--", ":")[number // len(COLOURS) % 3]


def _value_axis(axes: Axes, values: Sequence[int]) -> None:
    low, high = min(values), max(values)
    # An axis of no height cannot be drawn; beside a large number, half of one is none.
    room = max((high - low) * 0.06, high * 1e-12, 0.5)
    axes.set_ylim(low - room, high + room)
    if low == high:
        # The locator would find parts of it, which all read as it does.
        axes.set_yticks([low], [short_number(low)])
        return
    ticks = [float(tick) for tick in MaxNLocator(4, integer=True).tick_values(low, high)]
    shown = [tick for tick in ticks if low - room <= tick <= high + room]
    axes.set_yticks(shown, short_numbers(shown))


def short_numbers(ticks: Sequence[float]) -> list[str]:
    """Evenly spaced numbers as `1.25M`, all in one unit and with as many decimals as tell them apart."""
    largest = max((abs(tick) for tick in ticks), default=0.0)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else largest / 100 or 1.0
    fitting = [(unit, name) for unit, name in UNITS if unit <= largest < unit * 10_000 and step >= unit / 1000]
    unit, name = fitting[0] if fitting else (1.0, "")
    decimals = next((n for n in range(4) if round(step / unit * 10**n, 6) % 1 == 0), 3)
    return [f"{tick / unit:,.{decimals}f}{name}" if tick else "0" for tick in ticks]


def _date_axis(figure: Figure, axes: Axes, span: tuple[date, date], *, labels: bool) -> None:
    first, last = map(_number, span)
    room = max((last - first) * 0.01, 0.01)
    axes.set_xlim(first - room, last + room)
    if last - first < 2:
        # Between so few days the locator would find hours.
        days = dict.fromkeys(span)
        axes.set_xticks([_number(day) for day in days], [f"{day:%b-%d}" for day in days])
    else:
        most = 5 if figure.get_size_inches()[0] * 72 < WIDE else 8
        locator = AutoDateLocator(minticks=2, maxticks=most)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))  # type: ignore[no-untyped-call]
    axes.tick_params(axis="x", labelbottom=labels)


def _label_ends(figure: Figure, axes: Axes, labels: Sequence[tuple[Line, str]]) -> None:
    """Each line's label right of the axes beside its end, moved as far as the labels need room."""
    wide, high = figure.get_size_inches() * 72
    area = axes.get_position()
    right = area.x1 * wide
    ends = []
    for number, (line, text) in enumerate(labels):
        day, value = line.points[-1]
        x, y = axes.transData.transform((_number(day), value))
        ends.append((high - y, x, number, text))
    ends.sort()
    wanted = [end[0] for end in ends]
    places = spread(wanted, LINE_HEIGHT, low=(1 - area.y1) * high, high=(1 - area.y0) * high)
    for (y, x, number, text), place in zip(ends, places, strict=True):
        leader = Line2D(
            [x / wide, (right + 10) / wide], [1 - y / high, 1 - place / high], color=_look(number)[0], linewidth=0.8
        )
        figure.add_artist(leader)
        _text(figure, right + 13, place + 4, text, size=10.5, most=int((wide - right - 13) // 6.3))


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


def _finish(figure: Figure, title: str, description: str) -> str:
    """The figure as SVG in the page's ink, with a title and a description for those who cannot see it."""
    figure.patch.set_visible(False)
    drawn = io.BytesIO()
    with warnings.catch_warnings():
        # Of glyphs that the measuring font lacks; the browser's fonts draw the text.
        warnings.simplefilter("ignore", UserWarning)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(drawn, metadata=nothing)  # type: ignore[no-untyped-call]
    root = ElementTree.fromstring(drawn.getvalue())  # noqa: S314  # matplotlib wrote it
    for parent in root.iter():
        for child in [child for child in parent if child.tag == f"{{{_SVG}}}metadata"]:
            parent.remove(child)
        if style := parent.get("style"):
            parent.set("style", re.sub(r"; font-family: [^;]*", "", style).replace(INK, CURRENT))
    wide, high = figure.get_size_inches() * 72
    root.attrib |= {"width": f"{wide:.0f}", "height": f"{high:.0f}", "role": "img", "aria-labelledby": "title desc"}
    for number, (tag, text) in enumerate((("title", title), ("desc", description), ("style", STYLE))):
        element = ElementTree.Element(f"{{{_SVG}}}{tag}")
        element.text = plain_text(text)
        if tag != "style":
            element.set("id", tag)
        root.insert(number, element)
    return ElementTree.tostring(root, encoding="unicode")

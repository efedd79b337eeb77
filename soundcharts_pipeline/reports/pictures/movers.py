"""Who moved on a chart: the largest climbs and falls as bars from a middle line, and who came."""

from collections.abc import Sequence
from typing import NamedTuple

from soundcharts_pipeline.reports.pictures.canvas import FALL, MARGIN, MINUS, RISE, WIDE, Canvas, brief

ROW, HEADING, BAR, BETWEEN = 19, 27, 11, 28
# From where to where the bars and their numbers reach.
BARS, NARROW_BARS = (310, 562), (158, 290)


class Mover(NamedTuple):
    """One track on its new place; `old` is None for one that entered."""

    name: str
    credit: str
    old: int | None
    position: int


class MoverGroup(NamedTuple):
    """Those that moved alike, the foremost first; `total` counts the ones too that are not shown."""

    heading: str
    total: int
    movers: Sequence[Mover]


def movers_figure(
    title: str, about: str, moved: Sequence[MoverGroup], entered: Sequence[MoverGroup], *, width: int = WIDE
) -> str:
    """A row for each mover: name, places gained or lost, and from which place to which. Those that entered stand
    below, in two columns where there is room."""
    canvas = Canvas(width)
    y = canvas.head(title, about)
    largest = max((abs(_change(mover)) for group in moved for mover in group.movers), default=1)
    for group in moved:
        y = _heading(canvas, group, x=MARGIN, y=y, width=width - 2 * MARGIN)
        for mover in group.movers:
            _bar(canvas, mover, y=y, largest=largest)
            y += ROW
    columns = len(entered) if width >= WIDE else 1
    column = (width - 2 * MARGIN - BETWEEN * (columns - 1)) / max(columns, 1)
    feet = [y]
    for number, group in enumerate(entered):
        x, top = MARGIN + number % columns * (column + BETWEEN), y if columns > 1 else feet[-1]
        top = _heading(canvas, group, x=x, y=top, width=column)
        for mover in group.movers:
            canvas.text(x, top + 14, mover.name, most=column - 56, after=mover.credit)
            canvas.text(x + column, top + 14, f"at {mover.position}", most=50, anchor="end")
            top += ROW
        feet.append(top)
    told = "; ".join(f"{group.heading}: {', '.join(map(_told, group.movers))}" for group in (*moved, *entered))
    return canvas.finish(max(feet) + 8, title, f"{about}. {told}")


def _heading(canvas: Canvas, group: MoverGroup, *, x: float, y: float, width: float) -> float:
    """Returns where the rows begin."""
    shown = len(group.movers)
    words = group.heading if group.total == shown else f"{group.heading}, {shown} of {group.total}"
    canvas.text(x, y + HEADING - 5, words, size=11.5, look="bold", most=width)
    canvas.rule(x, y + HEADING, to_x=x + width, to_y=y + HEADING)
    return y + HEADING


def _bar(canvas: Canvas, mover: Mover, *, y: float, largest: int) -> None:
    left, right = BARS if canvas.width >= WIDE else NARROW_BARS
    foot, change = y + 14, _change(mover)
    canvas.text(MARGIN, foot, mover.name, most=left - MARGIN - 4, after=mover.credit)
    middle, length = (left + right) / 2, ((right - left) / 2 - 34) * abs(change) / largest
    is_rise = change > 0
    canvas.bar(middle if is_rise else middle - length, y + 4, length, BAR, RISE if is_rise else FALL)
    canvas.text(
        middle + (length + 4 if is_rise else -length - 4),
        foot,
        f"{'+' if is_rise else MINUS}{abs(change)}",
        size=10.5,
        look="rise" if is_rise else "fall",
        anchor="start" if is_rise else "end",
        most=40,
    )
    places = f"{mover.old} → {mover.position}"
    canvas.text(canvas.width - MARGIN, foot, places, most=canvas.width - right, anchor="end")


def _change(mover: Mover) -> int:
    return 0 if mover.old is None else mover.old - mover.position


def _told(mover: Mover) -> str:
    return f"{brief(mover.name)} at {mover.position}" + ("" if mover.old is None else f" from {mover.old}")

"""Series as tiny lines, drawn by hand, and where a series has gaps."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from statistics import median

# In pixels.
WIDTH, HEIGHT = 96, 20
SCALE = 2

# Oldest first, at most one a day.
Points = Sequence[tuple[date, int]]


def sparkline(points: Points, *, first_on_top: bool = False) -> str:
    """A tiny line without axes, to stand inside a page beside the numbers it repeats."""
    span = (points[0][0], points[-1][0])
    path = line_path(points, width=WIDTH, height=HEIGHT, span=span, first_on_top=first_on_top)
    return (
        f'<svg class="sparkline" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * SCALE} {HEIGHT * SCALE}"'
        f' width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="currentColor" stroke-width="{1.5 * SCALE:g}"'
        f' stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="{path}"/></svg>'
    )


def line_path(points: Points, *, width: int, height: int, span: tuple[date, date], first_on_top: bool = False) -> str:
    """The line, in `SCALE` times the pixels of a box which is as wide as the days of the span; a stretch for each part
    between gaps. Whole numbers and differences are half as long as places to a tenth of a pixel."""
    values = [value for _, value in points]
    least, most = min(values), max(values)
    wide, high = max((span[1] - span[0]).days, 1), max(most - least, 1)

    def place(point: tuple[date, int]) -> tuple[int, int]:
        down = (point[1] - least) / high if first_on_top else (most - point[1]) / high
        across = (point[0] - span[0]).days / wide
        return round(SCALE * (2 + across * (width - 4))), round(SCALE * (2 + down * (height - 4)))

    drawn = []
    for part in parts_of(points):
        places = [place(point) for point in part]
        steps = [(to[0] - begin[0], to[1] - begin[1]) for begin, to in pairwise(places)]
        # A line of no length with round ends is a dot.
        line = "l" + " ".join(f"{x}{y}" if y < 0 else f"{x} {y}" for x, y in steps) if steps else "h0"
        drawn.append(f"M{places[0][0]} {places[0][1]}{line}")
    return "".join(drawn)


def parts_of(points: Points) -> list[Points]:
    """The points between gaps. A gap is wider than one and a half times the usual distance, for a small account has
    a value every third day and a weekly chart one a week."""
    steps = [(after[0] - before[0]).days for before, after in pairwise(points)]
    usual = median(steps) if steps else 1
    cuts = [number + 1 for number, step in enumerate(steps) if step > 1.5 * usual]
    return [points[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(points)], strict=True)]

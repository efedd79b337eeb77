"""Series as tiny lines, drawn by hand, and where a series has gaps."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from statistics import median

# In pixels.
WIDTH, HEIGHT = 96, 20

# Oldest first, at most one a day.
Points = Sequence[tuple[date, int]]


def sparkline(points: Points, *, first_on_top: bool = False) -> str:
    """A tiny line without axes, to stand inside a page beside the numbers it repeats."""
    first, last, values = points[0][0], points[-1][0], [value for _, value in points]
    wide, high = max((last - first).days, 1), max(max(values) - min(values), 1)

    def place(point: tuple[date, int]) -> str:
        down = (point[1] - min(values)) / high if first_on_top else (max(values) - point[1]) / high
        across = (point[0] - first).days / wide
        return f"{2 + across * (WIDTH - 4):.1f},{2 + down * (HEIGHT - 4):.1f}"

    drawn = []
    for part in parts_of(points):
        # A line of no length with round ends is a dot.
        places = " ".join(place(point) for point in (part if len(part) > 1 else [*part, *part]))
        drawn.append(f'<polyline points="{places}"/>')
    return (
        f'<svg class="sparkline" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}"'
        f' height="{HEIGHT}" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round"'
        f' stroke-linejoin="round" aria-hidden="true">{"".join(drawn)}</svg>'
    )


def parts_of(points: Points) -> list[Points]:
    """The points between gaps. A gap is wider than one and a half times the usual distance, for a small account has
    a value every third day and a weekly chart one a week."""
    steps = [(after[0] - before[0]).days for before, after in pairwise(points)]
    usual = median(steps) if steps else 1
    cuts = [number + 1 for number, step in enumerate(steps) if step > 1.5 * usual]
    return [points[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(points)], strict=True)]

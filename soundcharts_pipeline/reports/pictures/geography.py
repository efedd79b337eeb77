"""Where an audience is: bars of countries and of cities."""

import textwrap
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from soundcharts_pipeline.reports.pictures.canvas import BLUE, COLOURS, MARGIN, WIDE, Canvas, brief, share, short_number

ROW, BAR, MOST_PLACES = 17, 10, 8
VIOLET = COLOURS[3]

# Largest first.
Places = Sequence[tuple[str, int]]


class Located(NamedTuple):
    """One series on one day; places that are not drawn count in the shares."""

    heading: str
    day: date
    countries: Places
    cities: Places


def geography_figure(title: str, note: str, located: Sequence[Located], *, width: int = WIDE) -> str:
    """A section for each series: countries, and cities beside or below them. Shares are those of the listed ones."""
    canvas = Canvas(width)
    is_wide = width >= WIDE
    y = canvas.head(title, *textwrap.wrap(note, 104 if is_wide else 58)) + 4
    panel = (width - 2 * MARGIN - 24) / 2 if is_wide else width - 2 * MARGIN
    for of in located:
        y += 22
        day = f"of {of.day}"
        canvas.text(MARGIN, y, of.heading, size=12, look="bold", most=width - 2 * MARGIN - 90)
        canvas.text(width - MARGIN, y, day, size=10.5, look="soft", most=90, anchor="end")
        canvas.rule(MARGIN, y + 6, to_x=width - MARGIN, to_y=y + 6)
        y += 8
        left = _bars(canvas, "Countries", of.countries, x=MARGIN, y=y, panel=panel, colour=BLUE)
        x, top = (MARGIN + panel + 24, y) if is_wide and of.countries else (MARGIN, left if of.countries else y)
        y = max(left, _bars(canvas, "Cities", of.cities, x=x, y=top, panel=panel, colour=VIOLET))
    return canvas.finish(y + 10, title, f"{note} {'; '.join(map(_told, located))}")


def _bars(canvas: Canvas, heading: str, places: Places, *, x: float, y: float, panel: float, colour: str) -> float:
    """Returns where they end."""
    if not places:
        return y
    shown, whole, largest = places[:MOST_PLACES], sum(value for _, value in places), max(places[0][1], 1)
    of = f"{heading}: {len(shown)} of {len(places)} listed" if len(shown) < len(places) else f"{heading} listed"
    canvas.text(x, y + 14, of, size=10.5, look="soft", most=panel)
    label, numbers = panel * 0.42, 84
    for number, (name, value) in enumerate(shown):
        top = y + 19 + number * ROW
        canvas.text(x, top + 10, name, most=label - 6)
        canvas.bar(x + label, top + 1, (panel - label - numbers) * value / largest, BAR, colour)
        words = f"{short_number(value)} · {share(value, whole or 1)}"
        canvas.text(x + panel, top + 10, words, size=10.5, most=numbers, anchor="end")
    return y + 19 + len(shown) * ROW


def _told(of: Located) -> str:
    places = [*of.countries[:MOST_PLACES], *of.cities[:MOST_PLACES]]
    told = ", ".join(f"{brief(name)} {short_number(value)}" for name, value in places)
    return f"{brief(of.heading)} of {of.day}: {told}"

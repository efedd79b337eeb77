"""The last thirty days of a chart as a small picture: colour and height both tell the state, words tell it too."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from itertools import groupby

from markupsafe import Markup

from soundcharts_pipeline.monitoring.health import DayState

Strip = tuple[tuple[date, DayState], ...]

WIDTH, GAP, HEIGHT = 6, 2, 20
# Top and height of a day's bar: what is there stands on the ground line, what is missing is a gap with a frame.
_BARS: dict[DayState, tuple[float, float]] = {
    "complete": (0, 20),
    "running": (6, 14),
    "partial": (10, 10),
    "failed": (0, 20),
    "missing": (12.5, 7),
    "offered": (15, 5),
    "not published": (18, 2),
}


@lru_cache(maxsize=2048)
def strip_svg(strip: Strip) -> Markup:
    """The picture with its text alternative. Days of one state that follow one another are one shape with one
    title: a page of a thousand charts has thirty thousand days."""
    days = groupby(enumerate(strip), key=lambda one: one[1][1])
    bars = Markup("").join(_bars([(place, day) for place, (day, _) in of_state], state) for state, of_state in days)
    width = len(strip) * (WIDTH + GAP) - GAP
    return Markup(
        '<svg class="strip" role="img" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}">{}</svg>'
    ).format(strip_text(strip), width, HEIGHT, width, HEIGHT, bars)


def strip_text(strip: Strip) -> str:
    """`Last 30 days: 27 complete, 2 not published, 1 failed (2026-11-20)`."""
    days: dict[DayState, list[date]] = {}
    for day, state in strip:
        days.setdefault(state, []).append(day)
    said = [
        f"{len(of_state)} {state}" + (f" ({', '.join(map(str, of_state[-3:]))})" if state == "failed" else "")
        for state, of_state in sorted(days.items(), key=lambda one: -len(one[1]))
    ]
    return f"Last {len(strip)} days: {', '.join(said)}"


def bar_svg(state: DayState) -> Markup:
    """One bar by itself, for a legend."""
    return _bars([(0, None)], state)


def _bars(days: Sequence[tuple[int, date | None]], state: DayState) -> Markup:
    """The bars of days that follow one another, at their places; a day that is None is not told."""
    (_, first), (_, last) = days[0], days[-1]
    said = f"{first}" if first == last else f"{first} to {last}"
    title = Markup("<title>{}: {}</title>").format(said, state) if first else Markup("")
    lefts = [place * (WIDTH + GAP) for place, _ in days]
    top, height = _BARS[state]
    # A frame is drawn half outside its box.
    inset = 0.5 if state == "missing" else 0
    width = WIDTH - 2 * inset
    bars = "".join(f"M{left + inset:g} {top:g}h{width:g}v{height:g}h{-width:g}z" for left in lefts)
    crosses = "".join(f"M{left + 1.5} 7l3 6m0-6l-3 6" for left in lefts) if state == "failed" else ""
    cross = Markup('<path class="cross" d="{}"/>').format(crosses) if crosses else Markup("")
    return Markup('<g class="{}">{}<path d="{}"/>{}</g>').format(state.replace(" ", "-"), title, bars, cross)

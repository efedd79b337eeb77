"""The last thirty days of a chart as a small picture: colour and height both tell the state, words tell it too."""

from datetime import date
from functools import lru_cache

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
    """The picture with its text alternative. A strip changes with a run or a day, and is shown every two seconds."""
    bars = Markup("").join(_bar(place, day, state) for place, (day, state) in enumerate(strip))
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
    return _bar(0, None, state)


def _bar(place: int, day: date | None, state: DayState) -> Markup:
    left = place * (WIDTH + GAP)
    top, height = _BARS[state]
    title = Markup("<title>{}: {}</title>").format(day, state) if day else Markup("")
    # A frame is drawn half outside its box.
    inset = 0.5 if state == "missing" else 0
    cross = Markup('<path d="M{} 7l3 6m0-6l-3 6"/>').format(left + 1.5) if state == "failed" else Markup("")
    return Markup('<g class="{}">{}<rect x="{}" y="{}" width="{}" height="{}" rx="1"/>{}</g>').format(
        state.replace(" ", "-"), title, left + inset, top, WIDTH - 2 * inset, height, cross
    )

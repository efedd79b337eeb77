"""Which days of a series are still to be asked: pure arithmetic over answered windows.

A day is settled when no later answer can change it: it is older than the publishing delay as of the answer, or
the answer held its point and so did every day of that window before it. A settled day without a point is known
to be absent. Everything else is asked again, from the day after the last settled one, when a target needs it and
it was not asked within the recheck time.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from soundcharts_pipeline.models import Window

# A point appears 2 to 15 days after its day.
PUBLISHING_DELAY_DAYS = 15
# Radio plays are counted as they air; the count of a day that ended is given one more day to come in.
SPINS_DELAY_DAYS = 2

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ask:
    """One answered window; `settled` is the last day of its settled beginning, if it has one."""

    window: Window
    settled: date | None
    asked_at: datetime

    @property
    def open_from(self) -> date:
        """The first day that is not settled (the day after the window's end when all are)."""
        return self.window.start if self.settled is None else self.settled + ONE_DAY


def targets_of(days: Iterable[date], history_days: int) -> list[Window]:
    """The `history_days` days that end on each of the given days, as few disjoint windows."""
    return _merged(Window(day - timedelta(days=history_days - 1), day) for day in days)


def due_windows(
    targets: Sequence[Window],
    asks: Sequence[Ask],
    *,
    now: datetime,
    recheck: timedelta,
    longest: int,
) -> list[Window]:
    """The fewest windows of at most `longest` days that hold every open day, less those without a due day.

    A day is open when no ask has settled it, and due when no ask within the recheck time held it. A window may
    run over settled days between open ones: one call for both ends is cheaper than two.
    """
    settled = [Window(ask.window.start, ask.settled) for ask in asks if ask.settled is not None]
    recent = [Window(ask.open_from, ask.window.end) for ask in asks if ask.asked_at > now - recheck]
    open_days = _without(targets, settled)
    due_days = _without(open_days, recent)
    return [w for w in _cover(open_days, longest) if any(d.start <= w.end and d.end >= w.start for d in due_days)]


def answered(
    asks: Sequence[Ask], window: Window, present: Collection[date], *, now: datetime, delay_days: int
) -> list[Ask]:
    """The asks of a series after one more answer; `present` are the days that came with all their points.

    Asks that the new one makes superfluous are folded into it, so a series that is followed day by day stays
    one row.
    """
    horizon = now.date() - timedelta(days=delay_days)
    settled: date | None = min(horizon, window.end) if horizon >= window.start else None
    day = window.start if settled is None else settled + ONE_DAY
    while day <= window.end and day in present:
        settled, day = day, day + ONE_DAY
    new, others = Ask(window, settled, now), list(asks)
    # An ask folded in may have made another one superfluous that was not so before, hence until nothing folds.
    while (foldable := next(((old, both) for old in others if (both := _folded(new, old))), None)) is not None:
        old, new = foldable
        others.remove(old)
    return sorted([*others, new], key=lambda ask: ask.window)


def _folded(new: Ask, old: Ask) -> Ask | None:
    """Both as one ask, when the settled beginnings touch and the new answer renewed all that was open."""
    tail_renewed = old.open_from > old.window.end or (
        new.window.start <= old.open_from and old.window.end <= new.window.end
    )
    if not tail_renewed:
        return None
    if old.settled is None:
        return new
    if new.settled is None:
        # The settled days of the old ask lead up to the new window.
        touches = old.settled + ONE_DAY >= new.window.start and old.window.start <= new.window.start
    else:
        touches = old.window.start <= new.open_from and old.open_from >= new.window.start
    if not touches:
        return None
    return Ask(
        Window(min(old.window.start, new.window.start), max(new.window.end, old.settled)),
        max(old.settled, new.settled or old.settled),
        new.asked_at,
    )


def _merged(windows: Iterable[Window]) -> list[Window]:
    merged: list[Window] = []
    for window in sorted(windows):
        if merged and window.start <= merged[-1].end + ONE_DAY:
            merged[-1] = Window(merged[-1].start, max(merged[-1].end, window.end))
        else:
            merged.append(window)
    return merged


def _without(windows: Iterable[Window], taken: Iterable[Window]) -> list[Window]:
    """The days of `windows` that are in none of `taken`."""
    left = _merged(windows)
    for hole in _merged(w for w in taken if w.start <= w.end):
        parts: list[Window] = []
        for window in left:
            before = Window(window.start, min(window.end, hole.start - ONE_DAY))
            after = Window(max(window.start, hole.end + ONE_DAY), window.end)
            parts += [part for part in (before, after) if part.start <= part.end]
        left = parts
    return left


def _cover(open_days: Sequence[Window], longest: int) -> list[Window]:
    """Greedy from the left, which is optimal for intervals on a line."""
    cover: list[Window] = []
    for window in open_days:
        start = window.start
        while start <= window.end:
            reach = cover[-1].start + timedelta(days=longest - 1) if cover else None
            if reach is not None and start <= reach:
                end = min(window.end, reach)
                cover[-1] = Window(cover[-1].start, end)
            else:
                end = min(window.end, start + timedelta(days=longest - 1))
                cover.append(Window(start, end))
            start = end + ONE_DAY
    return cover

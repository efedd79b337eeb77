"""Which days of a series are still to be asked: pure arithmetic over answered windows.

A day is settled when no later answer can change it: it is older than the publishing delay as of the answer, or
the answer held its point and so did every day of that window before it. A settled day without a point is known
to be absent. Everything else is asked again, from the day after the last settled one, when a target needs it and
it was not asked within the recheck time.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta

from soundcharts_pipeline.models import ONE_DAY, AnsweredWindow, Window

# Radio plays are counted as they air; the count of a day that ended is given one more day to come in.
SPINS_DELAY_DAYS = 2


def targets_of(days: Iterable[date], history_days: int, *, last: date = date.max) -> list[Window]:
    """The `history_days` days that end on each of the given days, as few disjoint windows; none of them goes beyond
    `last`. A ranking may be dated ahead of its time, and of days to come nothing is known: they are neither asked for
    nor noted as absent."""
    targets: list[Window] = []
    before, start, end = timedelta(days=history_days - 1), date.max, date.min
    for day in sorted(days):
        first = day - before
        if start <= end and first > end + ONE_DAY:
            targets.append(Window(start, end))
            start = first
        start, end = min(start, first), min(day, last)
    return [*targets, Window(start, end)] if start <= end else targets


def due_windows(
    targets: Sequence[Window],
    known: Sequence[AnsweredWindow],
    *,
    now: datetime,
    recheck: timedelta,
    longest: int,
    known_since: datetime | None = None,
) -> list[Window]:
    """The fewest windows of at most `longest` days that hold every open day, less those without a due day.

    A day is open when no answer has settled it, and due when no answer within the recheck time held it. A window may
    run over settled days between open ones: one call for both ends is cheaper than two. Answers from before
    `known_since` count for nothing.
    """
    known = [one for one in known if known_since is None or one.asked_at >= known_since]
    settled = [Window(one.start, one.settled) for one in known if one.settled is not None]
    recent = [Window(one.open_from, one.end) for one in known if one.asked_at > now - recheck]
    open_days = _without(targets, settled)
    due_days = _without(open_days, recent)
    return [w for w in _cover(open_days, longest) if any(d.start <= w.end and d.end >= w.start for d in due_days)]


def reaching_back(
    windows: Sequence[Window], known: Sequence[AnsweredWindow], *, longest: int, known_since: datetime | None = None
) -> list[Window]:
    """The same windows, of which the first begins at the first day that no answer has settled, if it can hold it.

    A short history may begin after days that were still to come, or not out yet, when the series was asked last: they
    come with a call that is made anyway.
    """
    begun = [one for one in known if known_since is None or one.asked_at >= known_since]
    begun = [one for one in begun if windows and one.start < windows[0].start]
    if not begun:
        return [*windows]
    first, since = windows[0], max(one.open_from for one in begun)
    since = max(since, first.end - timedelta(days=longest - 1))
    return [Window(min(since, first.start), first.end), *windows[1:]]


def answered(
    known: Sequence[AnsweredWindow],
    window: Window,
    present: Collection[date],
    *,
    now: datetime,
    delay_days: int,
    asked_on: date | None = None,
    known_since: datetime | None = None,
) -> list[AnsweredWindow]:
    """The answered windows of a series after one more answer; `present` are the days that came with all their points.

    `asked_on` is the UTC day on which it was asked (by default that of `now`): an answer that is saved after midnight
    tells of the day before.

    Windows that the new one makes superfluous are folded into it, so a series that is followed day by day stays
    one row. Those from before `known_since` are not, for their other days are still to be asked again: they keep what
    lies outside the window.
    """
    horizon = (asked_on or now.date()) - timedelta(days=delay_days)
    settled: date | None = min(horizon, window.end) if horizon >= window.start else None
    day = window.start if settled is None else settled + ONE_DAY
    while day <= window.end and day in present:
        settled, day = day, day + ONE_DAY
    old = [one for one in known if known_since is not None and one.asked_at < known_since]
    new = AnsweredWindow(window.start, window.end, settled, now)
    others = [one for one in known if one not in old]
    # One folded in may have made another one superfluous that was not so before, hence until nothing folds.
    while (foldable := next(((one, both) for one in others if (both := _folded(new, one))), None)) is not None:
        one, new = foldable
        others.remove(one)
    outside = [part for one in old for part in _outside(one, window)]
    # Of two that became the same the one that was asked last says what is known.
    by_window = {
        Window(one.start, one.end): one for one in (*sorted(outside, key=lambda one: one.asked_at), *others, new)
    }
    return [by_window[window] for window in sorted(by_window)]


def _outside(one: AnsweredWindow, window: Window) -> list[AnsweredWindow]:
    """What it says of the days before and after the window."""
    parts = [
        Window(one.start, min(one.end, window.start - ONE_DAY)),
        Window(max(one.start, window.end + ONE_DAY), one.end),
    ]
    return [
        AnsweredWindow(part.start, part.end, _settled_within(one, part), one.asked_at)
        for part in parts
        if part.start <= part.end
    ]


def _settled_within(one: AnsweredWindow, part: Window) -> date | None:
    return min(one.settled, part.end) if one.settled and one.settled >= part.start else None


def _folded(new: AnsweredWindow, old: AnsweredWindow) -> AnsweredWindow | None:
    """Both as one, when the settled beginnings touch and the new answer renewed all that was open."""
    tail_renewed = old.open_from > old.end or (new.start <= old.open_from and old.end <= new.end)
    if not tail_renewed:
        return None
    if old.settled is None:
        return new
    if new.settled is None:
        # The settled days of the old one lead up to the new window.
        touches = old.settled + ONE_DAY >= new.start and old.start <= new.start
    else:
        touches = old.start <= new.open_from and old.open_from >= new.start
    if not touches:
        return None
    return AnsweredWindow(
        min(old.start, new.start),
        max(new.end, old.settled),
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

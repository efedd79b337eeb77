"""Which published days of a chart are due: what status holds against a chart, and what the healing sensor requests.

Soundcharts has more than anybody asked for: a day is wanted once somebody, or the chart's own schedule, asked for it,
and no more when a person stopped the run that was at it. Pure; imports nothing of ours. Times are aware and UTC.
"""

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta

# A day found published this recently is the schedule's: its run is only being created.
LEAVE_TO_SCHEDULE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What was asked of one chart. `asked`: days that a run was for which nobody canceled, and days whose ranking is
    there. `stopped`: days whose newest run was canceled. `by_itself`: the chart is active, and its schedule or the
    healing sensor has requested runs, so that all that charts.yaml follows is asked for."""

    asked: Set[date]
    stopped: Set[date]
    by_itself: bool


def followed_days(published: Collection[date], *, first_date: date, sync_history: bool) -> set[date]:
    """The published days that charts.yaml follows: all since the first date, or the newest of them alone."""
    days = {day for day in published if day >= first_date}
    return days if sync_history or not days else {max(days)}


def wanted_days(followed: Collection[date], wishes: Wishes) -> set[date]:
    """Those of the days that follow from charts.yaml that somebody or the schedule asked for, and nobody stopped."""
    wanted = set(followed) if wishes.by_itself else set(followed) & wishes.asked
    return wanted - wishes.stopped


def due_days(followed: Mapping[date, datetime], wishes: Wishes, *, since: date, now: datetime) -> list[date]:
    """The wanted days from `since` on that should be there by now, oldest first. `followed`: when each day was found to
    be published; one that nobody asked for yet is left to the schedule for ten minutes."""
    return sorted(
        day
        for day in wanted_days(followed, wishes)
        if day >= since and (day in wishes.asked or followed[day] < now - LEAVE_TO_SCHEDULE)
    )

"""Which windows of which series a chart's days still need: the worklist of the audience assets."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from sqlalchemy import Connection

from soundcharts_pipeline.api.pages import WINDOW_DAYS
from soundcharts_pipeline.clock import DAYS_AHEAD, PUBLISHING_DELAY_DAYS
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import ONE_DAY, AnsweredWindow, ChartDays, Window
from soundcharts_pipeline.storage.controls import answered_series
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.storage.queries.worklists import SILENT
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.coverage import (
    SPINS_DELAY_DAYS,
    due_windows,
    reaching_back,
    targets_of,
)

AIRPLAY = "airplay"
# A ranking dated a week ahead is followed by the next one when its day is over.
COUNT_LATER = timedelta(days=2 * DAYS_AHEAD)


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """One kind of series: whose, where, and what is counted."""

    entity: str
    platform: str
    metric: str

    @property
    def scope(self) -> str:
        return f"{self.platform}/{self.metric}"

    @property
    def whole_scope(self) -> str:
        """`artist/spotify/followers`: what is noted of all entities alike."""
        return f"{self.entity}/{self.scope}"

    @property
    def by_day(self) -> bool:
        """Radio plays are counted day by day; every other series comes in windows."""
        return self.entity == "track" and self.platform == AIRPLAY

    def last_day(self, today: date) -> date:
        """The last day that is asked for: today; of plays the last that is over, for only then the count is whole."""
        return today - ONE_DAY if self.by_day else today

    @property
    def delay_days(self) -> int:
        return SPINS_DELAY_DAYS if self.by_day else PUBLISHING_DELAY_DAYS


@dataclass(frozen=True, slots=True)
class Question:
    """One window of one entity's series: one call. `unconfirmed` says that absence is not confirmed by silence yet;
    `settles`, that days without a value are known to have none once they are old.

    `wanted` are the days of the chart, oldest first, on which the entity's history is wanted; `found_on` is the UTC day
    on which the question was found.
    """

    key: SeriesKey
    uuid: str
    window: Window
    unconfirmed: bool = False
    settles: bool = True
    wanted: Sequence[date] = field(default=(), compare=False, repr=False)
    history_days: int = field(default=1, compare=False, repr=False)
    found_on: date = field(default=date.max, compare=False, repr=False)

    @property
    def days(self) -> Sequence[date]:
        """Those of the wanted days whose history reaches into the window."""
        # By bisection: a long range has tens of thousands of questions, each wanted on up to all of its days.
        last = self.window.end + timedelta(days=self.history_days - 1)
        return self.wanted[bisect_left(self.wanted, self.window.start) : bisect_right(self.wanted, last)]

    @property
    def subject(self) -> str:
        """The series as a whole: what is known of it is one state, which one run at a time may change."""
        return f"{self.key.entity}/{self.uuid}/{self.key.scope}"


def audience_worklist(ctx: SyncContext, key: SeriesKey, chart: ChartSettings, days: Sequence[date]) -> list[Question]:
    """Questions in the order of the chart, the entities still ranked and those that left lately alike."""
    today, first, after = ctx.clock().date(), days[0], ctx.believed_since(chart)
    with ctx.warehouse.read() as conn:
        if key.by_day:
            days = [*_days_to_count(conn, chart.slug, first), *days]
        span = ChartDays(chart.slug, days[0] - timedelta(days=chart.follow_days), days[-1])
        find = worklists.ranked_tracks if key.entity == "track" else worklists.ranked_artists
        ranked = find(conn, span, gone_after=after)
        of_chart = worklists.entities(span, key.entity)
        asks = worklists.asks_of(conn, key.entity, key.platform, key.metric, of_chart)
        tombstones = worklists.tombstones_of(conn, of_chart, key.entity, key.scope, after=after)
        released = worklists.release_dates(conn, span) if key.entity == "track" else {}
    newly_released_since = today - timedelta(days=PUBLISHING_DELAY_DAYS)
    history_days = 1 if key.by_day else chart.history_days
    questions = []
    for uuid, wanted in _days_wanted(ranked, days, chart.follow_days).items():
        if tombstones.get(uuid, SILENT) != SILENT:
            continue
        unconfirmed = released.get(uuid, date.min) > newly_released_since
        targets = targets_of(wanted, history_days, last=key.last_day(today))
        questions += [
            Question(
                key, uuid, window, unconfirmed=unconfirmed, wanted=wanted, history_days=history_days, found_on=today
            )
            for window in _windows(ctx, key, chart, targets, asks.get(uuid, ()), first=first, silent=uuid in tombstones)
        ]
    # Oldest windows first: the days of a long range are complete one after the other, not all at the very end.
    return sorted(questions, key=lambda question: question.window.start)


def _windows(
    ctx: SyncContext,
    key: SeriesKey,
    chart: ChartSettings,
    targets: Sequence[Window],
    known: Sequence[AnsweredWindow],
    *,
    first: date,
    silent: bool,
) -> list[Window]:
    """What one series still needs for days from `first` on; `silent`: nothing came of it lately."""
    longest = 1 if key.by_day else WINDOW_DAYS
    recheck, since = timedelta(hours=chart.recheck_hours), ctx.known_since
    windows = due_windows(targets, known, now=ctx.clock(), recheck=recheck, longest=longest, known_since=since)
    if silent:
        # It is left alone for a while, but for history from before anything that was asked of it.
        silent_since = min((ask.start for ask in known), default=date.max)
        windows = [window for window in windows if window.start < silent_since]
    if key.by_day:
        # Those of an earlier ranking were left for when their day would be over, and are asked once.
        return [window for window in windows if window.start >= first or not _is_counted(window.start, known)]
    return reaching_back(windows, known, longest=longest, known_since=since)


def _days_to_count(conn: Connection, slug: str, before: date) -> list[date]:
    """Days whose ranking was stored before they were over, so that their plays could not be counted then."""
    known = worklists.ranking_days(conn, ChartDays(slug, before - COUNT_LATER, before - ONE_DAY))
    return sorted(day for day, of in known.items() if of.saved_at and of.saved_at.date() <= day)


def _is_counted(day: date, asks: Sequence[AnsweredWindow]) -> bool:
    """Whether the plays of the day were asked for when it was over."""
    return any(ask.start <= day <= ask.end and ask.asked_at.date() > day for ask in asks)


def still_due(
    ctx: SyncContext, conn: Connection, questions: Sequence[Question], chart: ChartSettings
) -> list[Question]:
    """The questions less what has been answered since they were found, each no longer than it still has to be."""
    due, now = [], ctx.clock()
    for key, of_key in _by_series(questions).items():
        uuids = {question.uuid for question in of_key}
        asks = worklists.asks_of(conn, key.entity, key.platform, key.metric, uuids)
        after = ctx.believed_since(chart)
        tombstones = worklists.tombstones_of(conn, uuids, key.entity, key.scope, after=after)
        for question in of_key:
            windows = due_windows(
                [question.window],
                asks.get(question.uuid, ()),
                now=now,
                recheck=timedelta(hours=chart.recheck_hours),
                longest=WINDOW_DAYS,
                known_since=ctx.known_since,
            )
            # An early window without data says nothing of a later one; an account that does not exist does.
            if tombstones.get(question.uuid, SILENT) == SILENT:
                due += [replace(question, window=window) for window in windows]
    return due


def controls(conn: Connection, question: Question) -> list[Question]:
    """One day of two series of the same scope that have points: they tell a refused entity from a refusing server."""
    key = question.key
    found = answered_series(conn, key.entity, key.platform, key.metric, most=2)
    return [Question(key, uuid, Window(end, end)) for uuid, end in found if uuid != question.uuid]


def _by_series(questions: Iterable[Question]) -> dict[SeriesKey, list[Question]]:
    by_series: dict[SeriesKey, list[Question]] = defaultdict(list)
    for question in questions:
        by_series[question.key].append(question)
    return by_series


def _days_wanted(ranked: Iterable[tuple[str, date]], days: Sequence[date], follow_days: int) -> dict[str, list[date]]:
    """For each entity the days (of `days`) on which it is ranked or was at most `follow_days` before."""
    seen: dict[str, set[date]] = defaultdict(set)
    for uuid, ranked_on in ranked:
        seen[uuid].add(ranked_on)
    wanted = {uuid: days_followed(ranked_on, days, follow_days) for uuid, ranked_on in seen.items()}
    return {uuid: of_entity for uuid, of_entity in wanted.items() if of_entity}


def days_followed(ranked_on: Collection[date], days: Sequence[date], follow_days: int) -> list[date]:
    """Those of `days` (oldest first) that are one of the others or at most `follow_days` after one."""
    # By bisection: a long range has tens of thousands of entities, each of which is ranked on a few of its days.
    found: list[date] = []
    place = 0
    for day in sorted(ranked_on):
        place = bisect_left(days, day, lo=place)
        end = bisect_right(days, day + ONE_DAY * follow_days, lo=place)
        found += days[place:end]
        place = end
    return found

"""Which windows of which series a chart's days still need: the worklist of the audience assets."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from soundcharts_pipeline.api.pages import WINDOW_DAYS
from soundcharts_pipeline.models import Window
from soundcharts_pipeline.settings import ChartSettings
from soundcharts_pipeline.storage import worklists
from soundcharts_pipeline.storage.worklists import SILENT, ChartDays
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.coverage import (
    ONE_DAY,
    PUBLISHING_DELAY_DAYS,
    SPINS_DELAY_DAYS,
    Ask,
    due_windows,
    targets_of,
)

AIRPLAY = "airplay"


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
    def by_day(self) -> bool:
        """Radio plays are counted day by day; every other series comes in windows."""
        return self.entity == "track" and self.platform == AIRPLAY

    @property
    def delay_days(self) -> int:
        return SPINS_DELAY_DAYS if self.by_day else PUBLISHING_DELAY_DAYS


@dataclass(frozen=True, slots=True)
class Question:
    """One window of one entity's series: one call. `young` says that absence is not confirmed by silence yet.

    `wanted` are the days of the chart, oldest first, on which the entity's history is wanted.
    """

    key: SeriesKey
    uuid: str
    window: Window
    young: bool = False
    wanted: Sequence[date] = field(default=(), compare=False, repr=False)
    history_days: int = field(default=1, compare=False, repr=False)

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
    now = ctx.clock()
    span = ChartDays(chart.slug, days[0] - timedelta(days=chart.follow_days), days[-1])
    with ctx.warehouse.read() as conn:
        ranked = (worklists.ranked_tracks if key.entity == "track" else worklists.ranked_artists)(conn, span)
        of_chart = worklists.entities(span, key.entity)
        asks = worklists.asks_of(conn, key.entity, key.platform, key.metric, of_chart)
        after = now - timedelta(days=chart.metadata_refresh_days)
        buried = worklists.buried(conn, of_chart, key.entity, key.scope, after=after)
        released = worklists.release_dates(conn, span) if key.entity == "track" else {}
    young_since = now.date() - timedelta(days=PUBLISHING_DELAY_DAYS)
    history_days = 1 if key.by_day else chart.history_days
    questions = []
    for uuid, wanted in _days_wanted(ranked, days, chart.follow_days).items():
        if buried.get(uuid, SILENT) != SILENT:
            continue
        known = [Ask(Window(a.start, a.end), a.settled, a.asked_at) for a in asks.get(uuid, ())]
        windows = due_windows(
            targets_of(wanted, history_days),
            known,
            now=now,
            recheck=timedelta(hours=chart.recheck_hours),
            longest=1 if key.by_day else WINDOW_DAYS,
        )
        if uuid in buried:
            # A silent series is left alone for a while, but for history from before anything that was asked of it.
            silent_since = min((ask.window.start for ask in known), default=date.max)
            windows = [window for window in windows if window.start < silent_since]
        young = released.get(uuid, date.min) > young_since
        questions += [Question(key, uuid, window, young, wanted, history_days) for window in windows]
    # Oldest windows first: the days of a long range are complete one after the other, not all at the very end.
    return sorted(questions, key=lambda question: question.window.start)


def still_due(conn: Connection, questions: Sequence[Question], chart: ChartSettings, now: datetime) -> list[Question]:
    """The questions less what has been answered since they were found, each no longer than it still has to be."""
    due = []
    for key, of_key in _by_series(questions).items():
        uuids = {question.uuid for question in of_key}
        asks = worklists.asks_of(conn, key.entity, key.platform, key.metric, uuids)
        after = now - timedelta(days=chart.metadata_refresh_days)
        buried = worklists.buried(conn, uuids, key.entity, key.scope, after=after)
        for question in of_key:
            windows = due_windows(
                [question.window],
                [Ask(Window(a.start, a.end), a.settled, a.asked_at) for a in asks.get(question.uuid, ())],
                now=now,
                recheck=timedelta(hours=chart.recheck_hours),
                longest=WINDOW_DAYS,
            )
            # An early window without data says nothing of a later one; an account that does not exist does.
            if buried.get(question.uuid, SILENT) == SILENT:
                due += [replace(question, window=window) for window in windows]
    return due


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
    wanted = {}
    for uuid, ranked_days in seen.items():
        followed = {day + ONE_DAY * n for day in ranked_days for n in range(follow_days + 1)}
        wanted[uuid] = [day for day in days if day in followed]
    return {uuid: of_entity for uuid, of_entity in wanted.items() if of_entity}

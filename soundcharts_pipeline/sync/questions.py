"""Which windows of which series a chart's days still need: the worklist of the audience assets."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from soundcharts_pipeline.api.pages import WINDOW_DAYS
from soundcharts_pipeline.models import Window
from soundcharts_pipeline.settings import ChartSettings
from soundcharts_pipeline.storage import worklists
from soundcharts_pipeline.storage.worklists import ChartDays
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
    """One window of one entity's series: one call. `young` says that absence is not confirmed by silence yet."""

    key: SeriesKey
    uuid: str
    window: Window
    young: bool = False


def audience_worklist(ctx: SyncContext, key: SeriesKey, chart: ChartSettings, days: Sequence[date]) -> list[Question]:
    """Questions in the order of the chart, the entities still ranked and those that left lately alike."""
    now = ctx.clock()
    span = ChartDays(chart.slug, days[0] - timedelta(days=chart.follow_days), days[-1])
    with ctx.warehouse.read() as conn:
        ranked = (worklists.ranked_tracks if key.entity == "track" else worklists.ranked_artists)(conn, span)
        asks = worklists.asks(conn, span, key.entity, key.platform, key.metric)
        after = now - timedelta(days=chart.metadata_refresh_days)
        buried = worklists.buried(conn, span, key.entity, key.scope, after=after)
        released = worklists.release_dates(conn, span) if key.entity == "track" else {}
    young_since = now.date() - timedelta(days=PUBLISHING_DELAY_DAYS)
    questions = []
    for uuid, wanted in _days_wanted(ranked, days, chart.follow_days).items():
        if uuid in buried:
            continue
        windows = due_windows(
            targets_of(wanted, 1 if key.by_day else chart.history_days),
            [Ask(Window(a.start, a.end), a.settled, a.asked_at) for a in asks.get(uuid, ())],
            now=now,
            recheck=timedelta(hours=chart.recheck_hours),
            longest=1 if key.by_day else WINDOW_DAYS,
        )
        young = released.get(uuid, date.min) > young_since
        questions += [Question(key, uuid, window, young) for window in windows]
    return questions


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

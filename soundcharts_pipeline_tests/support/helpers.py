"""A client and a context against a simulator, with waits that take no time, and settings for small charts."""

import itertools
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import select

from soundcharts_pipeline.api.auth import HeaderPair
from soundcharts_pipeline.api.client import SoundchartsClient
from soundcharts_pipeline.api.session import new_session
from soundcharts_pipeline.api.throttle import SlidingWindow
from soundcharts_pipeline.api.transport import RetryPolicy, Transport
from soundcharts_pipeline.config.cascade import CHART_REPORT, all_keys
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.audience import sync_artist_audience, sync_track_audience
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.metadata import sync_artist_metadata, sync_track_metadata
from soundcharts_pipeline.sync.rankings import sync_rankings
from soundcharts_pipeline_tests.support.today import noon

# Fifty places: large enough to meet every oddity, small enough to sync in a second or two.
SLUG = "viral-50-global"


class FakeTime:
    """A monotonic clock that only sleeping moves forward."""

    def __init__(self) -> None:
        self._now = itertools.count(1)
        self.slept = 0.0

    def monotonic(self) -> float:
        return next(self._now) * 1e-6 + self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


def new_client(simulator: Simulator, *, max_in_flight: int = 16, url: str | None = None) -> SoundchartsClient:
    """A client with the simulator's credentials; it waits in fake time. `url`: a server in front of the simulator."""
    time = FakeTime()
    transport = Transport(
        base_url=url or simulator.url,
        auth=HeaderPair("soundcharts", "soundcharts"),
        session=new_session(max_in_flight, simulator.url, {}),
        throttle=SlidingWindow(1_000_000, monotonic=time.monotonic, sleep=time.sleep),
        retry=RetryPolicy(attempts=5),
        sleep=time.sleep,
    )
    return SoundchartsClient(transport)


def new_context(
    simulator: Simulator,
    warehouse: Warehouse,
    *,
    now: datetime | None = None,
    max_in_flight: int = 16,
    url: str | None = None,
) -> SyncContext:
    """A fresh process, as far as the sync functions can tell; `now` defaults to noon of the simulator's today."""
    moment = now or noon(simulator.world.today)
    return SyncContext(
        client=new_client(simulator, max_in_flight=max_in_flight, url=url),
        warehouse=warehouse,
        max_in_flight=max_in_flight,
        clock=lambda: moment,
    )


def small_chart(slug: str = SLUG, **changes: object) -> ChartSettings:
    """A chart with two platforms of each kind."""
    choices: dict[str, object] = {
        "first_date": date(2026, 1, 1),
        "track_audience_platforms": ("spotify", "airplay"),
        "artist_audience_platforms": ("spotify", "instagram"),
        # A workbook takes a second, and few tests look at it.
        "report": False,
        **changes,
    }
    return ChartSettings(slug=slug, name=slug, **choices)  # type: ignore[arg-type]


def run_cascade(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> None:
    """Every sync function of the chart, in the order of the cascade."""
    sync_rankings(ctx, chart, days)
    sync_track_metadata(ctx, chart, days)
    for platform in chart.track_audience_platforms:
        sync_track_audience(ctx, chart, days, platform)
    sync_artist_metadata(ctx, chart, days)
    for platform in chart.artist_audience_platforms:
        sync_artist_audience(ctx, chart, days, platform)


def last_days(simulator: Simulator, slug: str, count: int, *, before: int = 0) -> list[date]:
    """The newest published day of a chart, less `before` days, and the days that lead up to it."""
    newest = simulator.world.newest_day(slug)
    assert newest is not None
    return [newest - timedelta(days=before + n) for n in reversed(range(count))]


def whole_rows(warehouse: Warehouse) -> dict[str, list[tuple[object, ...]]]:
    """Every column of every table that a second run must leave alone."""
    tables = [
        t for t in s.metadata.sorted_tables if t.name not in ("api_usage", "sync_progress", "rate_gate", "rate_slots")
    ]
    tables += s.AUDIENCE
    with warehouse.read() as conn:
        return {t.name: sorted(map(tuple, conn.execute(select(t))), key=repr) for t in tables}


def asked_keys(settings: Settings) -> list[str]:
    """What runs of `small_chart` consist of: all but the workbook."""
    return [key for key in all_keys(settings) if key != CHART_REPORT]

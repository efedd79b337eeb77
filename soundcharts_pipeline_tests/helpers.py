"""A client and a context against a simulator, with waits that take no time, and settings for small charts."""

import itertools
from datetime import UTC, date, datetime, timedelta

from soundcharts_pipeline.api.auth import HeaderPair
from soundcharts_pipeline.api.client import SoundchartsClient
from soundcharts_pipeline.api.throttle import SlidingWindow
from soundcharts_pipeline.api.transport import RetryPolicy, Transport, new_session
from soundcharts_pipeline.settings import ChartSettings
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import SyncContext

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


def new_client(simulator: Simulator, *, max_in_flight: int = 16) -> SoundchartsClient:
    """A client with the simulator's credentials; it waits in fake time."""
    time = FakeTime()
    transport = Transport(
        base_url=simulator.url,
        auth=HeaderPair("soundcharts", "soundcharts"),
        session=new_session(max_in_flight, simulator.url, {}),
        throttle=SlidingWindow(1_000_000, monotonic=time.monotonic, sleep=time.sleep),
        retry=RetryPolicy(attempts=5),
        sleep=time.sleep,
    )
    return SoundchartsClient(transport)


def new_context(
    simulator: Simulator, warehouse: Warehouse, *, now: datetime | None = None, max_in_flight: int = 16
) -> SyncContext:
    """A fresh process, as far as the sync functions can tell; `now` defaults to noon of the simulator's today."""
    moment = now or datetime.combine(simulator.world.today, datetime.min.time(), UTC) + timedelta(hours=12)
    return SyncContext(
        client=new_client(simulator, max_in_flight=max_in_flight),
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
        **changes,
    }
    return ChartSettings(slug=slug, name=slug, **choices)  # type: ignore[arg-type]

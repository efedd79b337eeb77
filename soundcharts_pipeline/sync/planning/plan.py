"""What the cascade of a chart would cost over some days: calls by asset, against the quota and the minute."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from soundcharts_pipeline.api.errors import SoundchartsError
from soundcharts_pipeline.config.cascade import (
    ANALYTICS,
    ARTIST_AUDIENCE,
    ARTIST_METADATA,
    RANKINGS,
    TRACK_AUDIENCE,
    TRACK_METADATA,
)
from soundcharts_pipeline.config.environment import Environment
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.storage.queries import plan_inputs as forecasts
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.planning.forecast import Count, Forecast

# Plans that are made at the even share before the rest is halved.
EVEN_LOOKS = 6


@dataclass(frozen=True, slots=True)
class Plan:
    """Calls by asset, in the order of the cascade, the days whose ranking is not stored, and the places that these are
    taken to have where nobody has told (None: it is known)."""

    slug: str
    days: Sequence[date]
    counts: dict[str, Count]
    missing_rankings: Sequence[date]
    assumed_places: int | None = None

    @property
    def calls(self) -> int:
        return sum(count.calls for count in self.counts.values())

    @property
    def estimate(self) -> bool:
        return any(count.estimate for count in self.counts.values())


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the account allows: billed calls left (None: not known), those kept back (below zero: so many may be made
    beyond it), calls per minute."""

    quota_left: int | None
    reserve: int
    per_minute: int

    def lacking(self, calls: int) -> int:
        """How many of the calls the quota does not cover."""
        return 0 if self.quota_left is None else max(0, calls - max(0, self.quota_left - self.reserve))

    def minutes(self, calls: int) -> int:
        """How long so many calls take at least; the first minute's may leave at once."""
        return math.ceil(calls / self.per_minute)


def plan_cascade(ctx: SyncContext, chart: ChartSettings, days: Sequence[date], keys: Sequence[str]) -> Plan:
    """The calls of a run of these assets over the days (contiguous, oldest first). Makes no call itself."""
    forecast = Forecast(ctx, chart, days, rankings=RANKINGS in keys, metadata=TRACK_METADATA in keys)
    counts = {key: _count(forecast, key) for key in keys}
    return Plan(chart.slug, days, counts, forecast.missing_rankings, forecast.assumed_places)


def days_that_fit(
    ctx: SyncContext, chart: ChartSettings, days: Sequence[date], keys: Sequence[str], allowance: Allowance
) -> int:
    """How many of the days, from the first on, the quota covers."""
    return most_covered(len(days), lambda number: plan_cascade(ctx, chart, days[:number], keys).calls, allowance)


def most_covered(days: int, calls_of: Callable[[int], int], allowance: Allowance) -> int:
    """The largest number of days, up to `days`, whose calls the quota covers; `calls_of` never falls.

    Calls grow almost evenly with the days: a few looks near the even share find the border, and halves do otherwise.
    """
    covered, too_many, number = 0, days + 1, days
    calls = {0: 0}
    while too_many - covered > 1:
        calls[number] = calls_of(number)
        lacking = allowance.lacking(calls[number])
        covered, too_many = (covered, number) if lacking else (number, too_many)
        number = (covered + too_many) // 2
        if too_many in calls and len(calls) <= EVEN_LOOKS:
            spare = calls[too_many] - allowance.lacking(calls[too_many]) - calls[covered]
            number = covered + spare * (too_many - covered) // (calls[too_many] - calls[covered])
            number = min(max(number, covered + 1), too_many - 1)
    return covered


def allowance_of(ctx: SyncContext, environment: Environment) -> Allowance:
    """As any process saw it last today; else asks for the quota, which is a free call."""
    with ctx.warehouse.read() as conn:
        left = forecasts.quota_seen(conn, ctx.clock().date())
    with ctx.warehouse.beside().read() as conn:
        limit = forecasts.server_limit(conn)
    if left is None:
        try:
            left = ctx.client.team_usage()
        except SoundchartsError:
            # A plan is worth having without it: no credentials yet, no network.
            left = None
    per_minute = environment.calls_per_minute
    return Allowance(left, environment.quota_floor, min(per_minute, limit or per_minute))


def _count(forecast: Forecast, key: str) -> Count:
    room, _, platform = key.partition("/")
    if key in ANALYTICS:
        return Count(0, estimate=False, basis="what is stored")
    if room == TRACK_AUDIENCE:
        return forecast.track_audience(platform)
    if room == ARTIST_AUDIENCE:
        return forecast.artist_audience(platform)
    return {
        RANKINGS: forecast.rankings,
        TRACK_METADATA: forecast.track_metadata,
        ARTIST_METADATA: forecast.artist_metadata,
    }[room]()

"""How old the newest ranking of each chart, and the newest run of each asset, may be: Dagster's own freshness policies.

A policy belongs to an asset and chart_rankings holds every chart, so each active chart has an asset of its own that
nothing materialises: it is reported whenever the chart's newest ranking is saved, and by each tick that finds nothing
newer while the period of that ranking lasts. How often a chart is published only the warehouse knows. The assets that
are materialised have policies by the slowest chart: they say that nothing runs any more, and never that one is late.
"""

from datetime import datetime, timedelta

import dagster as dg

from soundcharts_pipeline.config.cascade import RANKINGS, is_scheduled
from soundcharts_pipeline.config.cron import FAIL_AFTER_GAPS, WARN_AFTER_GAPS, longest_gap
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.storage.queries import plan_inputs as forecasts
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.sync.context import SyncContext

LATEST = "latest_ranking"
WEEKLY = "weekly"


def latest_key(slug: str) -> dg.AssetKey:
    return dg.AssetKey([LATEST, slug])


def freshness_specs(settings: Settings) -> list[dg.AssetSpec]:
    """One external asset per active chart: fresh while its schedule missed no ranking twice."""
    return [
        dg.AssetSpec(
            key=latest_key(chart.slug),
            deps=[dg.AssetKey(RANKINGS)],
            group_name="freshness",
            owners=["team:music-data"],
            description=f"The newest ranking of {chart.name} that is saved. Reported by chart_rankings.",
            freshness_policy=_policy(period_of(chart, None)),
        )
        for chart in settings.charts.values()
        if chart.active
    ]


def policy_of(key: str, settings: Settings) -> dg.FreshnessPolicy | None:
    """How long an asset of many charts may go without a materialisation: by the slowest of the charts whose schedule
    runs it, any of which may be published weekly. None when no schedule does."""
    periods = [
        period_of(chart, WEEKLY) for chart in settings.charts.values() if chart.active and is_scheduled(key, chart)
    ]
    return _policy(max(periods)) if periods else None


def newest_saved(ctx: SyncContext, slug: str, since: datetime) -> dg.AssetMaterialization | None:
    """What to report when the newest known ranking of a chart was saved since then (a ranking that was there before
    says nothing about how fresh the chart is)."""
    with ctx.warehouse.read() as conn:
        newest = worklists.newest_ranking(conn, slug)
    if newest is None or newest.saved_at is None or newest.saved_at < since:
        return None
    return dg.AssetMaterialization(asset_key=latest_key(slug), metadata={"day": str(newest.day)})


def still_newest(ctx: SyncContext, chart: ChartSettings) -> dg.AssetMaterialization | None:
    """What a tick reports when nothing newer can be out yet: a ranking of the week is as fresh as can be until the last
    tick before the next one."""
    with ctx.warehouse.read() as conn:
        newest, frequency = worklists.newest_ranking(conn, chart.slug), forecasts.listing(conn, chart.slug).frequency
    lasts = period_of(chart, frequency) - period_of(chart, None)
    if not chart.active or newest is None or newest.saved_at is None or ctx.clock() - newest.saved_at >= lasts:
        return None
    return dg.AssetMaterialization(asset_key=latest_key(chart.slug), metadata={"day": str(newest.day)})


def period_of(chart: ChartSettings, frequency: str | None) -> timedelta:
    """The longest time between two rankings that are no news: a weekly chart may well be asked for every day."""
    published = timedelta(days=7 if frequency == WEEKLY else 1)
    return max(longest_gap(chart.schedule, chart.timezone), published)


def _policy(period: timedelta) -> dg.FreshnessPolicy:
    return dg.FreshnessPolicy.time_window(fail_window=FAIL_AFTER_GAPS * period, warn_window=WARN_AFTER_GAPS * period)

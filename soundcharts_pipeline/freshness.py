"""How old the newest ranking of each chart may be, as Dagster's own freshness policies.

A policy belongs to an asset and chart_rankings holds every chart, so each active chart has an asset of its own that
nothing materialises: it is reported whenever the chart's newest ranking is saved.
"""

from datetime import datetime

import dagster as dg

from soundcharts_pipeline.cascade import RANKINGS
from soundcharts_pipeline.cron import FAIL_AFTER_GAPS, WARN_AFTER_GAPS, longest_gap
from soundcharts_pipeline.settings import Settings
from soundcharts_pipeline.storage import worklists
from soundcharts_pipeline.sync.context import SyncContext

LATEST = "latest_ranking"


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
            freshness_policy=dg.FreshnessPolicy.time_window(
                fail_window=FAIL_AFTER_GAPS * longest_gap(chart.schedule),
                warn_window=WARN_AFTER_GAPS * longest_gap(chart.schedule),
            ),
        )
        for chart in settings.charts.values()
        if chart.active
    ]


def newest_saved(ctx: SyncContext, slug: str, since: datetime) -> dg.AssetMaterialization | None:
    """What to report when the newest known ranking of a chart was saved since then (a ranking that was there before
    says nothing about how fresh the chart is)."""
    with ctx.warehouse.read() as conn:
        newest = worklists.newest_ranking(conn, slug)
    if newest is None or newest.saved_at is None or newest.saved_at < since:
        return None
    return dg.AssetMaterialization(asset_key=latest_key(slug), metadata={"day": str(newest.day)})

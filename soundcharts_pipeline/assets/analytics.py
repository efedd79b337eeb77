"""What is computed from the stored series of a chart-day, without a call."""

from collections.abc import Sequence
from datetime import date

from soundcharts_pipeline.assets.pictures import trend_pictures
from soundcharts_pipeline.assets.step import Stage
from soundcharts_pipeline.cascade import AUDIENCE_TRENDS, RANKINGS, artist_audience_key, track_audience_key
from soundcharts_pipeline.checks import TREND_CHECKS
from soundcharts_pipeline.settings import ChartSettings, Settings
from soundcharts_pipeline.storage import schema, summaries
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.report import SyncReport


def trends_stage(settings: Settings) -> Stage:
    """`audience_trends`."""
    audience = [
        *map(track_audience_key, settings.track_platforms),
        *map(artist_audience_key, settings.artist_platforms),
    ]
    return Stage(
        key=AUDIENCE_TRENDS,
        group="analytics",
        kinds=frozenset({"sql", "pandas"}),
        description=(
            "One row is one track or artist, platform and metric of a chart-day: the newest value, average and peak "
            "of 90 days, change and growth over 1, 7, 28 and 90 days, daily figures, streak, velocity and whether "
            "the last day is unusual. A partition holds those of the tracks of its ranking and of their artists.\n\n"
            "Computed from the stored series. **Makes no call.** The formulas are in docs/analysis.md."
        ),
        deps=[RANKINGS, *audience],
        table=schema.audience_trends,
        lineage={"uuid": (RANKINGS, "track_uuid")},
        sync=_sync_trends,
        rows=lambda conn, days, chart: summaries.trend_rows(conn, days),  # noqa: ARG005
        preview=summaries.trend_preview,
        pictures=trend_pictures,
        checks=TREND_CHECKS,
    )


def _sync_trends(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> SyncReport:
    # pandas takes half a second to import, which nobody should wait for who only loads the definitions.
    from soundcharts_pipeline.analysis.trends import chart_trends, save_trends

    report = SyncReport(quota_remaining=ctx.client.usage.quota_remaining)
    with ctx.warehouse.write() as conn:
        ctx.keep_books(conn, 0, len(days))
    for done, day in enumerate(days, start=1):
        with ctx.warehouse.read() as conn:
            found = chart_trends(conn, chart.slug, day)
        with ctx.warehouse.write() as conn:
            report.rows += save_trends(conn, chart.slug, day, found)
            ctx.keep_books(conn, done, len(days))
        ctx.watcher.left(days[done:])
    return report

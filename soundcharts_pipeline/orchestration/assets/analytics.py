"""What is computed from the stored series of a chart-day, without a call."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import Connection

from soundcharts_pipeline.config.cascade import AUDIENCE_TRENDS, RANKINGS, artist_audience_key, track_audience_key
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.assets.pictures import Pictures, trend_pictures
from soundcharts_pipeline.orchestration.assets.stage import Lineage, Stage
from soundcharts_pipeline.orchestration.checks import TREND_CHECKS
from soundcharts_pipeline.storage.queries import summaries
from soundcharts_pipeline.storage.queries.summaries import Preview
from soundcharts_pipeline.storage.tables import schema
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.report import SyncReport

if TYPE_CHECKING:
    from soundcharts_pipeline.storage.housekeeping.cold import Archive


class TrendsStage(Stage):
    """`audience_trends`."""

    key = AUDIENCE_TRENDS
    group = "analytics"
    kinds = frozenset({"sql", "pandas"})
    description = (
        "One row is one track or artist, platform and metric of a chart-day: the newest value, average and peak "
        "of 90 days, change and growth over 1, 7, 28 and 90 days, daily figures, streak, velocity and whether "
        "the last day is unusual. A partition holds those of the tracks of its ranking and of their artists.\n\n"
        "Computed from the stored series, archived months included. **Makes no call.** The formulas are in "
        "docs/analysis.md."
    )
    table = schema.audience_trends
    lineage: ClassVar[Lineage] = {"uuid": (RANKINGS, "track_uuid")}
    checks = TREND_CHECKS
    completes = True
    code_version = "1"  # raised when the same points give other figures

    def __init__(self, settings: Settings) -> None:
        self.deps = [
            RANKINGS,
            *map(track_audience_key, settings.track_platforms),
            *map(artist_audience_key, settings.artist_platforms),
        ]

    def sync(self, ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> SyncReport:
        # numpy takes a tenth of a second to import, which nobody should wait for who only loads the definitions.
        from soundcharts_pipeline.analysis.trends import DAYS_BACK, chart_trends, save_trends

        report = SyncReport(quota_remaining=ctx.client.usage.quota_remaining)
        with ctx.warehouse.write() as conn:
            ctx.keep_books(conn, 0, len(days))
        for done, day in enumerate(days, start=1):
            with ctx.warehouse.read() as conn:
                archive = _archive(conn, ctx, day - DAYS_BACK, day)
                found = chart_trends(conn, chart.slug, day, archive=archive)
            with ctx.warehouse.write() as conn:
                report.rows += save_trends(conn, chart.slug, day, found)
                ctx.keep_books(conn, done, len(days))
            ctx.watcher.remaining(days[done:])
        return report

    def rows(self, conn: Connection, span: ChartDays, _chart: ChartSettings) -> Mapping[date, int]:
        return summaries.trend_rows(conn, span)

    def preview(self, conn: Connection, slug: str, day: date) -> Preview:
        return summaries.trend_preview(conn, slug, day)

    def pictures(self, conn: Connection, slug: str, day: date) -> Pictures:
        return trend_pictures(conn, slug, day)


def _archive(conn: Connection, ctx: SyncContext, first: date, last: date) -> "Archive | None":
    """The archive, if it holds months of these days: without them what is stored would be overwritten by less. It
    loads pyarrow, for which others need not wait."""
    if ctx.data_dir is None or not summaries.archived_months(conn, first, last):
        return None
    from soundcharts_pipeline.storage.housekeeping.archive import FOLDER
    from soundcharts_pipeline.storage.housekeeping.cold import Archive

    return Archive(ctx.data_dir / FOLDER)

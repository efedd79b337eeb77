"""Chart rankings: the root of the cascade."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import dagster as dg
from sqlalchemy import Connection

from soundcharts_pipeline.config.cascade import RANKINGS
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.assets.pictures import Pictures, ranking_pictures
from soundcharts_pipeline.orchestration.assets.stage import Stage
from soundcharts_pipeline.orchestration.checks import RANKING_CHECKS
from soundcharts_pipeline.orchestration.freshness import newest_saved
from soundcharts_pipeline.storage.queries import summaries
from soundcharts_pipeline.storage.queries.summaries import Preview
from soundcharts_pipeline.storage.tables import schema
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.rankings import sync_rankings
from soundcharts_pipeline.sync.report import SyncReport


class RankingStage(Stage):
    """`chart_rankings`."""

    key = RANKINGS
    group = "charts"
    description = (
        "One row is one track on its position of one chart on one day, as published by Soundcharts; some share "
        "one. A partition is the whole ranking of its chart-day, saved as one slice; a day without a ranking holds "
        "no rows. Tracks that appear for the first time come into being here.\n\n"
        "Source: `/chart/song/{slug}/ranking/{datetime}`, one call per 100 places."
    )
    table = schema.chart_rankings
    checks = RANKING_CHECKS

    def sync(self, ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> SyncReport:
        return sync_rankings(ctx, chart, days)

    def rows(self, conn: Connection, span: ChartDays, _chart: ChartSettings) -> Mapping[date, int]:
        return summaries.ranking_rows(conn, span)

    def preview(self, conn: Connection, slug: str, day: date) -> Preview:
        return summaries.ranking_preview(conn, slug, day)

    def pictures(self, conn: Connection, slug: str, day: date) -> Pictures:
        return ranking_pictures(conn, slug, day)

    def announce(self, ctx: SyncContext, slug: str, since: datetime) -> dg.AssetMaterialization | None:
        return newest_saved(ctx, slug, since)

"""Track metadata, and track audience per platform."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import ClassVar

from sqlalchemy import Connection

from soundcharts_pipeline.config.cascade import RANKINGS, TRACK_METADATA, track_audience_key
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import TRACK_METRICS, ChartDays
from soundcharts_pipeline.orchestration.assets.audience import AudienceStage
from soundcharts_pipeline.orchestration.assets.stage import Lineage, Stage
from soundcharts_pipeline.orchestration.checks import TRACK_CHECKS
from soundcharts_pipeline.storage.queries import summaries
from soundcharts_pipeline.storage.queries.summaries import Preview
from soundcharts_pipeline.storage.tables import schema
from soundcharts_pipeline.sync.audience import sync_track_audience
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.metadata import sync_track_metadata
from soundcharts_pipeline.sync.report import SyncReport


class TrackMetadataStage(Stage):
    """`track_metadata`."""

    key = TRACK_METADATA
    group = "tracks"
    description = (
        "One row is one track. A partition holds the metadata of every track ranked on its chart-day, with its "
        "artists (roles main, featured, credited) and genres.\n\n"
        "Source: `/song/{uuid,...}`, one call per ten tracks that are new or older than `metadata_refresh_days`."
    )
    deps = (RANKINGS,)
    table = schema.tracks
    lineage: ClassVar[Lineage] = {"uuid": (RANKINGS, "track_uuid")}
    checks = TRACK_CHECKS

    def sync(self, ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> SyncReport:
        return sync_track_metadata(ctx, chart, days)

    def rows(self, conn: Connection, span: ChartDays, _chart: ChartSettings) -> Mapping[date, int]:
        return summaries.track_rows(conn, span)

    def preview(self, conn: Connection, slug: str, day: date) -> Preview:
        return summaries.track_preview(conn, slug, day)


class TrackAudienceStage(AudienceStage):
    """`track_audience/{platform}`."""

    entity = "track"
    group = "tracks"
    deps = (RANKINGS, TRACK_METADATA)
    table = schema.track_audience
    lineage: ClassVar[Lineage] = {"track_uuid": (RANKINGS, "track_uuid")}

    def __init__(self, platform: str) -> None:
        super().__init__(platform)
        self.key = track_audience_key(platform)
        source = (
            "`/song/{uuid}/broadcasts`, one call per track and day"
            if platform == "airplay"
            else f"`/song/{{uuid}}/audience/{platform}`, one call per track and 90 days not known yet"
        )
        self.description = (
            f"One row is one track, metric (`{TRACK_METRICS[platform]}`), {platform} identifier and day. A partition "
            "holds the series of every track ranked on its chart-day or at most `follow_days` before, over the "
            f"`history_days` that end on it.\n\nSource: {source}."
        )

    def sync(self, ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> SyncReport:
        return sync_track_audience(ctx, chart, days, self.platform)

    def history_days(self, chart: ChartSettings) -> int:
        return 1 if self.platform == "airplay" else chart.history_days

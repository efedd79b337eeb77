"""Artist metadata, and artist audience per platform."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import ClassVar

from sqlalchemy import Connection

from soundcharts_pipeline.config.cascade import ARTIST_METADATA, TRACK_METADATA, artist_audience_key
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import ChartDays, artist_metrics
from soundcharts_pipeline.orchestration.assets.audience import AudienceStage
from soundcharts_pipeline.orchestration.assets.stage import Lineage, Stage
from soundcharts_pipeline.orchestration.checks import ARTIST_CHECKS
from soundcharts_pipeline.storage.queries import summaries
from soundcharts_pipeline.storage.queries.summaries import Preview
from soundcharts_pipeline.storage.tables import schema
from soundcharts_pipeline.sync.audience import sync_artist_audience
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.metadata import sync_artist_metadata
from soundcharts_pipeline.sync.report import SyncReport


class ArtistMetadataStage(Stage):
    """`artist_metadata`."""

    key = ARTIST_METADATA
    group = "artists"
    description = (
        "One row is one artist. A partition holds the metadata of every artist of the tracks ranked on its "
        "chart-day, with genres.\n\n"
        "Source: `/artist/{uuid,...}`, one call per ten artists that are new or older than "
        "`metadata_refresh_days`."
    )
    deps = (TRACK_METADATA,)
    table = schema.artists
    # Credits are rows of track_artists, which track_metadata fills: its own table has no artist column.
    lineage: ClassVar[Lineage] = {"uuid": (TRACK_METADATA, "uuid")}
    checks = ARTIST_CHECKS

    def sync(self, ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> SyncReport:
        return sync_artist_metadata(ctx, chart, days)

    def rows(self, conn: Connection, span: ChartDays, _chart: ChartSettings) -> Mapping[date, int]:
        return summaries.artist_rows(conn, span)

    def preview(self, conn: Connection, slug: str, day: date) -> Preview:
        return summaries.artist_preview(conn, slug, day)


class ArtistAudienceStage(AudienceStage):
    """`artist_audience/{platform}`."""

    entity = "artist"
    group = "artists"
    deps = (ARTIST_METADATA,)
    table = schema.artist_audience
    lineage: ClassVar[Lineage] = {"artist_uuid": (ARTIST_METADATA, "uuid")}

    def __init__(self, platform: str) -> None:
        super().__init__(platform)
        self.key = artist_audience_key(platform)
        metrics = artist_metrics(platform)
        self.description = (
            f"One row is one artist, metric ({', '.join(f'`{metric}`' for metric in metrics)}) and day. A partition "
            "holds the series of every artist with a track ranked on its chart-day or at most `follow_days` before, "
            "over the `history_days` that end on it; cities and countries go to artist_audience_geo.\n\n"
            f"Source: {len(metrics)} call{'s' if len(metrics) > 1 else ''} per artist and 90 days not known yet."
        )

    def sync(self, ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> SyncReport:
        return sync_artist_audience(ctx, chart, days, self.platform)

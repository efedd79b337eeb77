"""What the audience assets of tracks and of artists share: the series of one platform."""

from collections.abc import Mapping
from datetime import date

from sqlalchemy import Connection

from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.assets.pictures import Pictures, audience_pictures
from soundcharts_pipeline.orchestration.assets.stage import Stage
from soundcharts_pipeline.orchestration.checks import audience_checks
from soundcharts_pipeline.storage.queries import summaries
from soundcharts_pipeline.storage.queries.summaries import Preview


class AudienceStage(Stage):
    """`{entity}_audience/{platform}`; a subclass says where the series come from."""

    entity: str

    def __init__(self, platform: str) -> None:
        self.platform = platform
        self.kinds = Stage.kinds | {platform}
        self.checks = audience_checks(self.entity, platform)

    def history_days(self, chart: ChartSettings) -> int:
        """The days of a series that a chart-day needs."""
        return chart.history_days

    def rows(self, conn: Connection, span: ChartDays, chart: ChartSettings) -> Mapping[date, int]:
        return summaries.audience_rows(conn, span, self.entity, self.platform, self.history_days(chart))

    def preview(self, conn: Connection, slug: str, day: date) -> Preview:
        return summaries.audience_preview(conn, slug, day, self.entity, self.platform)

    def pictures(self, conn: Connection, slug: str, day: date) -> Pictures:
        return audience_pictures(conn, slug, day, self.entity, self.platform)

"""What an operator launches by name."""

from typing import TYPE_CHECKING

import dagster as dg

from soundcharts_pipeline.cascade import (
    CHART_CATALOG,
    DATABASE_BACKUP,
    RANKING_ARCHIVE,
    RANKINGS,
    STORAGE_REPORT,
    TRACK_METADATA,
)

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

CHART_SYNC, CASCADE, FULL_SYNC = "chart_sync", "cascade", "full_sync"
# Housekeeping, by the asset that the job makes. (A job and an asset cannot have one name.)
OPERATIONS = {
    RANKING_ARCHIVE: "archive_rankings",
    DATABASE_BACKUP: "back_up_database",
    STORAGE_REPORT: "report_storage",
    CHART_CATALOG: "list_charts",
}


def build_jobs() -> list["UnresolvedAssetJobDefinition"]:
    """The jobs of the cascade take a partition (one chart on one day) or a range of days of one chart."""
    below = dg.AssetSelection.groups("tracks", "artists", "analytics")
    return [
        dg.define_asset_job(
            CHART_SYNC,
            selection=dg.AssetSelection.assets(RANKINGS, TRACK_METADATA),
            description="The ranking of a chart-day and its tracks' metadata, nothing more.",
        ),
        dg.define_asset_job(
            CASCADE,
            selection=below,
            description="Everything below a ranking that is there: tracks, artists, audience, trends, workbook.",
        ),
        dg.define_asset_job(
            FULL_SYNC,
            selection=dg.AssetSelection.assets(RANKINGS) | below,
            description="A chart-day from its ranking to complete audience series, trends and a workbook.",
        ),
        *(
            dg.define_asset_job(job, selection=dg.AssetSelection.assets(asset), description=f"`{asset}`, once.")
            for asset, job in OPERATIONS.items()
        ),
    ]

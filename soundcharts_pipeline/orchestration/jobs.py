"""What an operator launches by name."""

from collections.abc import Mapping, Sequence

import dagster as dg

from soundcharts_pipeline.config.cascade import (
    CHART_CATALOG,
    DATABASE_BACKUP,
    RANKING_ARCHIVE,
    RANKINGS,
    STORAGE_REPORT,
    TRACK_METADATA,
    all_keys,
)
from soundcharts_pipeline.config.settings import Settings
from soundcharts_pipeline.orchestration.dagster_internals import UnresolvedAssetJobDefinition
from soundcharts_pipeline.orchestration.run_requests import asset_key

CHART_SYNC, CASCADE, FULL_SYNC = "chart_sync", "cascade", "full_sync"
# On the job, and so on each of its runs: the version of charts.yaml that the code location had loaded.
VERSION_TAG = "soundcharts/charts_version"
# Housekeeping, by the asset that the job makes. (A job and an asset cannot have one name.)
OPERATIONS = {
    RANKING_ARCHIVE: "archive_rankings",
    DATABASE_BACKUP: "back_up_database",
    STORAGE_REPORT: "report_storage",
    CHART_CATALOG: "list_charts",
}


def build_jobs(settings: Settings) -> list[UnresolvedAssetJobDefinition]:
    """The jobs of the cascade take a partition (one chart on one day) or a range of days of one chart.

    Each names its assets, for a group may hold those of another project too, and its executor: the work is waiting for
    calls, which threads inside a step do, and a process per step would cost 2 s each.
    """
    below = [asset_key(key) for key in all_keys(settings) if key != RANKINGS]
    return [
        _job(
            CHART_SYNC,
            [RANKINGS, TRACK_METADATA],
            description="The ranking of a chart-day and its tracks' metadata, nothing more.",
        ),
        _job(
            CASCADE,
            below,
            description="Everything below a ranking that is there: tracks, artists, audience, trends, workbook.",
        ),
        _job(
            FULL_SYNC,
            [RANKINGS, *below],
            description="A chart-day from its ranking to complete audience series, trends and a workbook.",
            tags={VERSION_TAG: settings.version} if settings.version else {},
        ),
        *(_job(job, [asset], description=f"`{asset}`, once.") for asset, job in OPERATIONS.items()),
    ]


def _job(
    name: str, assets: Sequence[str | dg.AssetKey], *, description: str, tags: Mapping[str, str] | None = None
) -> UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*assets),
        description=description,
        tags=tags,
        executor_def=dg.in_process_executor,
    )

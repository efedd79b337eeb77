"""What an operator launches by name."""

from typing import TYPE_CHECKING

import dagster as dg

from soundcharts_pipeline.cascade import RANKINGS, TRACK_METADATA

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

CHART_SYNC, CASCADE, FULL_SYNC = "chart_sync", "cascade", "full_sync"


def build_jobs() -> list["UnresolvedAssetJobDefinition"]:
    """Every job takes a partition (one chart on one day) or a range of days of one chart."""
    below = dg.AssetSelection.groups("tracks", "artists")
    return [
        dg.define_asset_job(
            CHART_SYNC,
            selection=dg.AssetSelection.assets(RANKINGS, TRACK_METADATA),
            description="The ranking of a chart-day and its tracks' metadata, nothing more.",
        ),
        dg.define_asset_job(
            CASCADE,
            selection=below,
            description="Everything below a ranking that is already there: tracks, artists, audience.",
        ),
        dg.define_asset_job(
            FULL_SYNC,
            selection=dg.AssetSelection.assets(RANKINGS) | below,
            description="A chart-day from its ranking to complete audience series.",
        ),
    ]

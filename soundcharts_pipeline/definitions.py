"""The composition root: settings, assets, jobs, schedules, sensors and resources become one Dagster project."""

import os
import warnings
from collections.abc import Mapping

import dagster as dg

from soundcharts_pipeline.alerts import build_alert_sensor
from soundcharts_pipeline.assets.analytics import trends_stage
from soundcharts_pipeline.assets.artists import artist_audience_stage, artist_metadata_stage
from soundcharts_pipeline.assets.chart_report import build_chart_report
from soundcharts_pipeline.assets.operations import build_operations
from soundcharts_pipeline.assets.rankings import ranking_stage
from soundcharts_pipeline.assets.step import build_asset
from soundcharts_pipeline.assets.tracks import track_audience_stage, track_metadata_stage
from soundcharts_pipeline.environment import read_environment
from soundcharts_pipeline.freshness import freshness_specs
from soundcharts_pipeline.jobs import build_jobs
from soundcharts_pipeline.partitions import chart_days
from soundcharts_pipeline.resources import SoundchartsResource, WarehouseResource
from soundcharts_pipeline.schedules import build_schedules
from soundcharts_pipeline.sensors import build_sensors
from soundcharts_pipeline.settings import Settings, load_settings


def build_definitions(
    settings: Settings | None = None, *, resources: Mapping[str, object] | None = None
) -> dg.Definitions:
    """The project for these settings (by default the user's charts.yaml); `resources` replace ours by name."""
    settings = settings or load_settings(read_environment(os.environ).charts_file)
    partitions = chart_days(settings)
    stages = [
        ranking_stage(),
        track_metadata_stage(),
        *map(track_audience_stage, settings.track_platforms),
        artist_metadata_stage(),
        *map(artist_audience_stage, settings.artist_platforms),
        trends_stage(settings),
    ]
    with warnings.catch_warnings():
        # Single-run backfills are the reason a range costs one call per 90 days; their beta label is known.
        warnings.simplefilter("ignore", dg.BetaWarning)
        assets = [build_asset(stage, settings, partitions) for stage in stages]
        assets.append(build_chart_report(settings, partitions))
    return dg.Definitions(
        assets=[*assets, *build_operations(settings.operations), *freshness_specs(settings)],
        jobs=build_jobs(),
        schedules=build_schedules(settings),
        sensors=[*build_sensors(settings), build_alert_sensor(settings)],
        resources={
            "soundcharts": SoundchartsResource(endpoints=settings.endpoints),
            "database": WarehouseResource(),
            **(resources or {}),
        },
        # The work is waiting for calls, which threads inside a step do; a process per step would cost 2 s each.
        executor=dg.in_process_executor,
    )


defs = build_definitions()

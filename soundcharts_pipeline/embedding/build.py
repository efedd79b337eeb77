"""The definitions of some charts: every asset, job, schedule, sensor and resource."""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from soundcharts_pipeline.clock import utc_now
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.config.settings import Settings
from soundcharts_pipeline.monitoring.alert_sensor import build_alert_sensor
from soundcharts_pipeline.orchestration.assets.analytics import TrendsStage
from soundcharts_pipeline.orchestration.assets.artists import ArtistAudienceStage, ArtistMetadataStage
from soundcharts_pipeline.orchestration.assets.chart_report import build_chart_report
from soundcharts_pipeline.orchestration.assets.housekeeping import build_housekeeping
from soundcharts_pipeline.orchestration.assets.rankings import RankingStage
from soundcharts_pipeline.orchestration.assets.stage import Stage
from soundcharts_pipeline.orchestration.assets.step import build_asset
from soundcharts_pipeline.orchestration.assets.tracks import TrackAudienceStage, TrackMetadataStage
from soundcharts_pipeline.orchestration.freshness import freshness_specs
from soundcharts_pipeline.orchestration.jobs import build_jobs
from soundcharts_pipeline.orchestration.partitions import chart_days
from soundcharts_pipeline.orchestration.resources import SoundchartsResource, WarehouseResource
from soundcharts_pipeline.orchestration.schedules import build_schedules
from soundcharts_pipeline.orchestration.sensors import build_sensors


def build_definitions(
    charts: Settings | Path | str | None = None,
    *,
    database_url: str | None = None,
    resources: Mapping[str, object] | None = None,
) -> dg.Definitions:
    """Everything for the charts of a charts file, to be merged with what else a project has.

    Raises SettingsError for mistakes in the file or the environment. Makes no call and opens no database.

    - `charts`: the path of the charts file; by default SOUNDCHARTS_CHARTS, or `charts.yaml` in the current folder.
    - `database_url`: best as `dg.EnvVar("NAME")`, which is read at run time and not shown; by default
      SOUNDCHARTS_DATABASE_URL. Credentials, folders and limits are environment variables, as everywhere.
    - `resources`: replace ours by name, or come beside them.
    """
    environment = read_environment(os.environ)
    if isinstance(charts, Settings):
        settings = charts
    else:
        settings = load_settings(Path(charts or environment.charts_file), environment.clock)
    partitions = chart_days(settings, days_from_now=(environment.clock().date() - utc_now().date()).days)
    stages: list[Stage] = [
        RankingStage(),
        TrackMetadataStage(),
        *map(TrackAudienceStage, settings.track_platforms),
        ArtistMetadataStage(),
        *map(ArtistAudienceStage, settings.artist_platforms),
        TrendsStage(settings),
    ]
    with warnings.catch_warnings():
        # Single-run backfills are the reason a range costs one call per 90 days; their beta label is known.
        warnings.simplefilter("ignore", dg.BetaWarning)
        assets = [build_asset(stage, settings, partitions) for stage in stages]
        assets.append(build_chart_report(settings, partitions))
    return dg.Definitions(
        assets=[*assets, *build_housekeeping(settings.operations), *freshness_specs(settings)],
        jobs=build_jobs(settings),
        schedules=build_schedules(settings),
        sensors=[*build_sensors(settings, partitions), build_alert_sensor(settings)],
        resources={
            "soundcharts": SoundchartsResource(endpoints=settings.endpoints, database_url=database_url),
            "database": WarehouseResource(database_url=database_url),
            **(resources or {}),
        },
    )

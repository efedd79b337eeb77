"""The whole Dagster project on an instance, a warehouse and a simulator of one test."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, DagsterEventType, JobFailureData
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from soundcharts_pipeline.api.client import SoundchartsClient
from soundcharts_pipeline.config.cascade import AUDIENCE_TRENDS, RANKINGS
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.embedding.build import build_definitions
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.jobs import FULL_SYNC
from soundcharts_pipeline.orchestration.partitions import keys_of, partition_key, range_tags
from soundcharts_pipeline.orchestration.resources import SoundchartsResource
from soundcharts_pipeline.orchestration.run_requests import asset_key
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.bulk import insert_missing
from soundcharts_pipeline.storage.saves import save_published
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.account import open_client
from soundcharts_pipeline_tests.support.helpers import SLUG, small_chart

# A week of history keeps a chart-day of fifty tracks at about a second.
HISTORY_DAYS = 7


class HastySoundcharts(SoundchartsResource):
    """The account with a client that tries every call once: nobody waits for a second try."""

    @cached_property
    def client(self) -> SoundchartsClient:
        return open_client(self.environment, self.endpoints, warehouse=self.warehouse, attempts=1)


def chart(slug: str = SLUG, **changes: object) -> ChartSettings:
    """A small chart with a short history."""
    return small_chart(slug, **{"history_days": HISTORY_DAYS, **changes})


@dataclass(frozen=True, slots=True)
class Project:
    """Definitions for some charts, with everything they touch."""

    simulator: Simulator
    instance: dg.DagsterInstance
    warehouse: Warehouse
    settings: Settings
    definitions: dg.Definitions

    @property
    def now(self) -> datetime:
        """What time it is in the project."""
        return read_environment(os.environ).clock()

    def newest(self, slug: str = SLUG) -> date:
        day = self.simulator.world.newest_day(slug)
        assert day is not None
        return day

    def span(self, days: int, slug: str = SLUG, *, ago: int = 0) -> ChartDays:
        """The newest `days` days of a chart, or those that ended `ago` days before."""
        last = self.newest(slug) - timedelta(days=ago)
        return ChartDays(slug, last - timedelta(days=days - 1), last)

    def run(
        self,
        span: ChartDays,
        keys: Iterable[str] | None = None,
        *,
        job: str = FULL_SYNC,
        resources: Mapping[str, object] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """One run over the span, of the whole job or of some assets; `resources` as in the launchpad."""
        selection = None if keys is None else [asset_key(key) for key in keys]
        tags = range_tags(span) if span.first != span.last else {}
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            asset_selection=selection,
            partition_key=None if tags else keys_of(span)[0],
            tags=tags,
            raise_on_error=False,
            run_config={
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                "resources": dict(resources or {}),
            },
        )

    def perform(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """What the daemon makes of a run request."""
        assert request.job_name is not None
        return self.definitions.resolve_job_def(request.job_name).execute_in_process(
            instance=self.instance,
            asset_selection=request.asset_selection and list(request.asset_selection),
            tags=dict(request.tags),
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )

    def tick(self, schedule: str) -> "Tick":
        """What the schedule says now."""
        repository = self.definitions.get_repository_def()
        with dg.build_schedule_context(
            self.instance, resources=self.definitions.resources, repository_def=repository
        ) as context:
            data = repository.get_schedule_def(schedule).evaluate_tick(context)
        return Tick(list(data.run_requests or ()), data.skip_message, None)

    def evaluate(self, sensor: str, cursor: str | None = None) -> "Tick":
        """What the sensor says now."""
        repository = self.definitions.get_repository_def()
        with dg.build_sensor_context(
            self.instance, cursor, resources=self.definitions.resources, repository_def=repository
        ) as context:
            data = repository.get_sensor_def(sensor).evaluate_tick(context)
        return Tick(list(data.run_requests or ()), data.skip_message, data.cursor)

    def begin(self, span: ChartDays, *, job: str = FULL_SYNC, **tags: str) -> dg.DagsterRun:
        """A run of the span that is at work, as far as the instance can tell."""
        return self.instance.create_run_for_job(
            self.definitions.resolve_job_def(job),
            tags={**range_tags(span), **tags},
            status=dg.DagsterRunStatus.STARTED,
        )

    def end(self, run: dg.DagsterRun, kind: DagsterEventType, at: datetime) -> None:
        """The run is over since then."""
        failure = JobFailureData(None) if kind is DagsterEventType.RUN_FAILURE else None
        event = DagsterEvent(kind.value, run.job_name, event_specific_data=failure)
        self.instance.report_dagster_event(event, run.run_id, timestamp=at.timestamp())

    def days(self, key: str, slug: str = SLUG) -> list[date]:
        """Days of the chart on which the asset is materialised."""
        keys = self.instance.get_materialized_partitions(asset_key(key))
        return sorted(date.fromisoformat(day) for name, day in (one.split("|") for one in keys) if name == slug)

    def publish(self, span: ChartDays, *, known_since: timedelta = timedelta(hours=1)) -> None:
        """The warehouse has known for that long that these days are published."""
        known = [p for p in self.simulator.world.published_days(span.slug) if span.first <= p.day <= span.last]
        with self.warehouse.write() as conn:
            save_published(conn, span.slug, known, self.now - known_since)

    def mark(self, key: str, days: Iterable[date], slug: str = SLUG) -> None:
        """The asset is materialised on these days, without a run; the warehouse notes what a run of it would have."""
        days = list(days)
        self._hold(key, slug, days)
        for day in days:
            made = dg.AssetMaterialization(asset_key(key), partition=partition_key(slug, day))
            self.instance.report_runless_asset_event(made)

    def _hold(self, key: str, slug: str, days: Sequence[date]) -> None:
        noted = {RANKINGS: "saved_at", AUDIENCE_TRENDS: "completed_at"}.get(key)
        if noted and days:
            rows = [(slug, day, f"{day}T00:00:00+00:00", self.now) for day in days]
            columns = ["chart_slug", "rank_date", "published_at", "checked_at"]
            with self.warehouse.write() as conn:
                insert_missing(conn, s.ranking_days, rows, columns=columns)
                of_days = (s.ranking_days.c.chart_slug == slug, s.ranking_days.c.rank_date.in_(days))
                conn.execute(s.ranking_days.update().where(*of_days).values({noted: self.now}))
                if key == RANKINGS:
                    version = {"saved_version": s.ranking_days.c.published_at}
                    conn.execute(s.ranking_days.update().where(*of_days).values(version))


@dataclass(frozen=True, slots=True)
class Tick:
    """The outcome of a schedule or sensor."""

    requests: Sequence[dg.RunRequest]
    skipped: str | None
    cursor: str | None


@contextmanager
def open_project(
    simulator: Simulator,
    environ: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    *charts: ChartSettings,
    hasty: bool = False,
    max_partitions_per_run: int | None = None,
    instance: dg.DagsterInstance | None = None,
    resources: Mapping[str, object] | None = None,
) -> Iterator[Project]:
    """A project for these charts (by default one), on an instance of its own if none is given; resources read the
    environment, as everywhere. `resources` replace ours by name."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    of_slugs = {one.slug: one for one in charts or (chart(),)}
    settings = Settings(of_slugs, max_partitions_per_run=max_partitions_per_run)
    used_resources = {**({"soundcharts": HastySoundcharts()} if hasty else {}), **(resources or {})}
    with (
        nullcontext(instance) if instance else dg.DagsterInstance.ephemeral() as used,
        closing(Warehouse(read_environment(environ).database_url)) as warehouse,
    ):
        yield Project(simulator, used, warehouse, settings, build_definitions(settings, resources=used_resources))


@contextmanager
def open_project_in_files(
    simulator: Simulator,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    *charts: ChartSettings,
    most: int | None = None,
) -> Iterator[Project]:
    """A project on an instance in files: Dagster opens a schedule's instance anew for each tick."""
    Path(environ["DAGSTER_HOME"]).mkdir()
    with (
        dg.DagsterInstance.local_temp(environ["DAGSTER_HOME"]) as instance,
        open_project(
            simulator, environ, monkeypatch, *charts, max_partitions_per_run=most, instance=instance
        ) as project,
    ):
        yield project


def repository_origin() -> RemoteRepositoryOrigin:
    """Where the daemon would load the project from."""
    target = LoadableTargetOrigin(module_name="soundcharts_pipeline.definitions")
    location = ManagedGrpcPythonEnvCodeLocationOrigin(target, location_name="soundcharts_pipeline")
    return RemoteRepositoryOrigin(location, "__repository__")


def asset_names(request: dg.RunRequest) -> list[str]:
    """What a run request asks for."""
    return [key.to_user_string() for key in request.asset_selection or ()]

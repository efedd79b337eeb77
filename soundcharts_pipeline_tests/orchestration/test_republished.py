"""A ranking that is published again, in Dagster: requested once though it is materialised, with all that is below."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.assets.recording import Metadata
from soundcharts_pipeline.orchestration.jobs import FULL_SYNC
from soundcharts_pipeline.orchestration.partitions import partition_key, range_tags
from soundcharts_pipeline.orchestration.run_requests import asset_key
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.saves import save_unpublished
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline_tests.orchestration.sensed import HEALING_SENSOR, SLUG, small, spans
from soundcharts_pipeline_tests.support.helpers import asked_keys
from soundcharts_pipeline_tests.support.project import Project, asset_names, open_project
from soundcharts_pipeline_tests.support.truth import expected, stored

SCHEDULE = "sync_viral_50_global"
REFRESH = {"soundcharts": {"config": {"refresh": True}}}
DAYS = 3


@contextmanager
def opened(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, chart: ChartSettings
) -> Iterator[Project]:
    Path(environ["DAGSTER_HOME"]).mkdir()
    with (
        dg.DagsterInstance.local_temp(environ["DAGSTER_HOME"]) as instance,
        open_project(simulator, environ, monkeypatch, chart, instance=instance) as project,
    ):
        yield project


@pytest.fixture
def project(simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A chart whose last days are complete."""
    newest = simulator.world.newest_day(SLUG)
    assert newest is not None
    chart = small(first_date=newest - timedelta(days=DAYS - 1))
    with opened(simulator, environ, monkeypatch, chart) as project:
        assert project.run(project.span(DAYS)).success
        simulator.reset()
        yield project


def one_day(day: date) -> ChartDays:
    return ChartDays(SLUG, day, day)


def recorded(project: Project, day: date) -> Metadata:
    """Metadata of the newest materialisation of the ranking."""
    event = project.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key("chart_rankings"), asset_partitions=[partition_key(SLUG, day)]), limit=1
    ).records[0]
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_a_tick_requests_a_day_that_was_published_again_once(project: Project) -> None:
    first, again, _ = project.span(DAYS).days
    assert (project.tick(SCHEDULE).skipped or "").startswith(f"{SLUG}: nothing new")
    stamps = [project.simulator.publish_again(SLUG, day) for day in (first, again)]
    tick = project.tick(SCHEDULE)
    assert spans(tick) == [ChartDays(SLUG, first, again)]
    assert asset_names(tick.requests[0]) == asked_keys(project.settings)
    project.simulator.reset()

    result = project.perform(tick.requests[0])

    assert result.success
    assert project.simulator.counters.calls == {"ranking": 2}
    days = project.span(DAYS).days
    assert stored(project.warehouse) == expected(project.simulator.world, project.settings.chart(SLUG), days)
    told = str(recorded(project, again)["published_again"])
    assert told.startswith(f"{again} published again at {stamps[1]}: 2 places moved, the number one is now ")
    log = [record.user_message for record in project.instance.all_logs(result.run_id)]
    assert any(line.endswith(told) for line in log)
    assert (project.tick(SCHEDULE).skipped or "").startswith(f"{SLUG}: nothing new")


def test_days_that_were_published_again_are_requested_beside_new_ones(project: Project) -> None:
    first = project.span(DAYS).first
    project.simulator.publish_again(SLUG, first)
    project.simulator.set(today=project.simulator.world.today + timedelta(days=1))
    assert spans(project.tick(SCHEDULE)) == [one_day(project.newest()), one_day(first)]


def test_a_day_that_was_published_again_is_healed_with_all_that_is_below_the_ranking(project: Project) -> None:
    day = project.span(DAYS).first
    project.simulator.publish_again(SLUG, day)
    project.publish(project.span(DAYS), known_since=timedelta(minutes=1))
    assert project.evaluate(HEALING_SENSOR).requests == [], "the schedule has only just found it"
    project.publish(project.span(DAYS))
    tick = project.evaluate(HEALING_SENSOR)
    assert spans(tick) == [one_day(day)]
    assert asset_names(tick.requests[0]) == asked_keys(project.settings)

    # The ranking comes, and the run goes no further: what is below was materialised for the version before.
    assert project.run(one_day(day), ["chart_rankings"]).success
    tick = project.evaluate(HEALING_SENSOR)
    assert spans(tick) == [one_day(day)]
    assert asset_names(tick.requests[0]) == [key for key in asked_keys(project.settings) if key != "chart_rankings"]
    assert project.perform(tick.requests[0]).success
    assert project.evaluate(HEALING_SENSOR).requests == []


def _is_noted_without_a_ranking(project: Project, day: date) -> None:
    """What a run leaves behind on a day that the list of rankings leaves out."""
    with project.warehouse.write() as conn:
        of_day = {"chart_slug": SLUG, "rank_date": day}
        for table in (s.chart_rankings, s.ranking_days):
            conn.execute(table.delete().where(*(table.c[name] == value for name, value in of_day.items())))
        save_unpublished(conn, SLUG, [day], project.now)


def test_a_day_that_is_listed_late_is_requested_though_its_run_is_over(project: Project) -> None:
    day = project.span(DAYS).first
    _is_noted_without_a_ranking(project, day)
    tick = project.tick(SCHEDULE)
    assert spans(tick) == [one_day(day)]

    assert project.perform(tick.requests[0]).success
    days = project.span(DAYS).days
    assert stored(project.warehouse) == expected(project.simulator.world, project.settings.chart(SLUG), days)
    assert (project.tick(SCHEDULE).skipped or "").startswith(f"{SLUG}: nothing new")
    assert project.evaluate(HEALING_SENSOR).requests == []


def test_a_day_that_is_listed_late_is_healed(project: Project) -> None:
    day = project.span(DAYS).first
    _is_noted_without_a_ranking(project, day)
    project.publish(one_day(day), known_since=timedelta(minutes=1))
    assert project.evaluate(HEALING_SENSOR).requests == [], "the schedule has only just found it"
    project.publish(one_day(day))
    tick = project.evaluate(HEALING_SENSOR)
    assert spans(tick) == [one_day(day)]
    assert asset_names(tick.requests[0]) == asked_keys(project.settings)
    assert project.perform(tick.requests[0]).success
    assert project.evaluate(HEALING_SENSOR).requests == []


def _lacks_a_place(project: Project, day: date) -> None:
    """What a run leaves behind that could not read the number one, a day ago and longer."""
    r, d = s.chart_rankings, s.ranking_days
    with project.warehouse.write() as conn:
        conn.execute(r.delete().where(r.c.rank_date == day, r.c.position == 1))
        long_ago = {"saved_version": None, "saved_at": project.now - timedelta(hours=25)}
        conn.execute(d.update().where(d.c.rank_date == day).values(long_ago))


@pytest.mark.parametrize("asks", ["schedule", "sensor"])
def test_a_day_of_which_a_place_could_not_be_read_is_requested_again(project: Project, asks: str) -> None:
    day, days = project.span(DAYS).first, project.span(DAYS).days
    _lacks_a_place(project, day)
    if asks == "sensor":
        project.publish(project.span(DAYS), known_since=timedelta(minutes=1))
        assert project.evaluate(HEALING_SENSOR).requests == [], "the schedule has only just found it"
        project.publish(project.span(DAYS))
    tick = project.tick(SCHEDULE) if asks == "schedule" else project.evaluate(HEALING_SENSOR)
    assert spans(tick) == [one_day(day)]
    assert asset_names(tick.requests[0]) == asked_keys(project.settings)
    project.simulator.reset()

    assert project.perform(tick.requests[0]).success
    assert project.simulator.counters.calls == {"ranking": 1}
    assert stored(project.warehouse) == expected(project.simulator.world, project.settings.chart(SLUG), days)
    assert (project.tick(SCHEDULE).skipped or "").startswith(f"{SLUG}: nothing new")
    project.publish(project.span(DAYS))
    assert project.evaluate(HEALING_SENSOR).requests == []


def test_a_later_version_that_cannot_be_had_is_asked_for_after_a_pause(project: Project) -> None:
    day = project.span(DAYS).first
    project.simulator.publish_again(SLUG, day)
    project.publish(project.span(DAYS))
    project.simulator.set(quota=0)
    assert not project.run(one_day(day)).success
    assert (project.evaluate(HEALING_SENSOR).skipped or "").startswith(f"{one_day(day)} failed, next try after ")


def test_a_chart_with_refresh_rankings_off_is_left_as_it_is(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = simulator.world.newest_day(SLUG)
    assert newest is not None
    with opened(simulator, environ, monkeypatch, small(first_date=newest, refresh_rankings=False)) as project:
        assert project.run(project.span(1)).success
        simulator.publish_again(SLUG, newest)
        assert project.tick(SCHEDULE).requests == []
        project.publish(project.span(1))
        assert project.evaluate(HEALING_SENSOR).requests == []


def test_a_run_with_refresh_asks_for_all_that_is_known_and_the_one_that_goes_on_from_it_for_the_rest(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A calendar that stands still cannot tell what the run has asked from what was known before.
    monkeypatch.delenv("SOUNDCHARTS_NOW")
    span = project.span(1)
    tracks = len(project.simulator.world.ranking(SLUG, span.last).entries)
    assert project.run(span, ["chart_rankings", "track_metadata"], resources=REFRESH).success
    calls = project.simulator.counters.calls
    assert calls == {"available_rankings": 1, "ranking": 1, "track": -(-tracks // 10)}

    project.simulator.reset()
    root = project.instance.get_runs(limit=1)[0]
    job = project.definitions.resolve_job_def(FULL_SYNC)
    config = {"resources": REFRESH, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    run = project.instance.create_run_for_job(
        job.get_subset(asset_selection={asset_key(key) for key in ("chart_rankings", "track_audience/airplay")}),
        run_config=config,
        tags=range_tags(span),
        root_run_id=root.run_id,
        parent_run_id=root.run_id,
        asset_selection={asset_key(key) for key in ("chart_rankings", "track_audience/airplay")},
    )
    assert execute_run(InMemoryJob(job), run, project.instance).success
    # Those too that have only just left the chart.
    assert project.simulator.counters.calls.keys() == {"track_broadcasts"}
    assert project.simulator.counters.calls["track_broadcasts"] >= tracks

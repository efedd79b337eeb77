"""The cascade sensor takes rankings further, and requests nothing twice."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.orchestration.sensed import CASCADE_SENSOR, HEALING_SENSOR, OTHER, SLUG, small, spans
from soundcharts_pipeline_tests.support.helpers import asked_keys
from soundcharts_pipeline_tests.support.project import Project, asset_names, open_project
from soundcharts_pipeline_tests.support.truth import expected, stored


@pytest.fixture
def project(simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with open_project(simulator, environ, monkeypatch, small()) as project:
        yield project


def _below(project: Project) -> list[str]:
    return [key for key in asked_keys(project.settings) if key != "chart_rankings"]


def test_rankings_that_were_materialised_alone_go_through_the_rest_as_one_range(project: Project) -> None:
    span = project.span(3)
    assert project.run(span, ["chart_rankings"]).success
    tick = project.evaluate(CASCADE_SENSOR)
    assert spans(tick) == [span]
    request = tick.requests[0]
    assert request.job_name == "cascade"
    assert asset_names(request) == _below(project)
    assert request.tags["soundcharts/trigger"] == CASCADE_SENSOR

    assert project.perform(request).success
    assert stored(project.warehouse) == expected(project.simulator.world, project.settings.chart(SLUG), span.days)
    after = project.evaluate(CASCADE_SENSOR, tick.cursor)
    assert after.requests == []
    assert after.skipped == "no ranking was materialised on its own since the last look"


@pytest.mark.parametrize("partition", ["elsewhere", "2026-11-20", f"{SLUG}|no day", "|2026-11-20"])
def test_a_ranking_that_somebody_reported_for_no_chart_day_is_left_alone(project: Project, partition: str) -> None:
    span = project.span(1)
    assert project.run(span, ["chart_rankings"]).success
    project.instance.report_runless_asset_event(dg.AssetMaterialization("chart_rankings", partition=partition))
    assert spans(project.evaluate(CASCADE_SENSOR)) == [span]


def test_a_job_of_rankings_and_metadata_is_taken_further_too(project: Project) -> None:
    span = project.span(1)
    assert project.run(span, job="chart_sync").success
    assert spans(project.evaluate(CASCADE_SENSOR)) == [span]


@pytest.mark.parametrize("keys", [None, "allowed"])
def test_a_run_of_the_whole_cascade_is_left_alone(project: Project, keys: str | None) -> None:
    assert project.run(project.span(2), None if keys is None else asked_keys(project.settings)).success
    assert project.evaluate(CASCADE_SENSOR).requests == []


def test_what_failed_below_in_a_whole_run_is_left_to_healing(project: Project) -> None:
    span = project.span(1)
    project.publish(span)
    project.simulator.set(quota=5)
    result = project.run(span)
    assert not result.success
    assert project.days("chart_rankings") == span.days
    assert project.evaluate(CASCADE_SENSOR).requests == []
    assert "next try after" in (project.evaluate(HEALING_SENSOR).skipped or "")


def test_the_days_that_are_out_go_on_when_one_of_their_range_was_not(project: Project) -> None:
    newest = project.newest()
    with_today = ChartDays(SLUG, newest - timedelta(days=2), newest + timedelta(days=1))
    assert not project.run(with_today).success
    tick = project.evaluate(CASCADE_SENSOR)
    assert spans(tick) == [ChartDays(SLUG, with_today.first, newest)]
    assert asset_names(tick.requests[0]) == _below(project)
    assert project.perform(tick.requests[0]).success
    assert project.evaluate(CASCADE_SENSOR, tick.cursor).requests == []


def test_a_chart_without_auto_trigger_cascade_goes_no_further(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    charts = [small(auto_trigger_cascade=False), small(OTHER)]
    with open_project(simulator, environ, monkeypatch, *charts) as project:
        for slug in (SLUG, OTHER):
            assert project.run(project.span(1, slug), ["chart_rankings"]).success
        assert spans(project.evaluate(CASCADE_SENSOR)) == [project.span(1, OTHER)]


def test_what_the_chart_excludes_is_not_requested(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, small(trigger_audience_fetch=False)) as project:
        assert project.run(project.span(1), ["chart_rankings"]).success
        tick = project.evaluate(CASCADE_SENSOR)
        assert asset_names(tick.requests[0]) == ["track_metadata", "artist_metadata"]


def test_days_wait_for_the_run_at_work_on_them_and_go_on_when_it_is_over(project: Project) -> None:
    span, early = project.span(2), project.span(2, ago=5)
    for ranked in (span, early):
        assert project.run(ranked, ["chart_rankings"]).success
    run = project.begin(ChartDays(SLUG, span.last, span.last))
    tick = project.evaluate(CASCADE_SENSOR)
    assert spans(tick) == [early, ChartDays(SLUG, span.first, span.first)]
    waiting = project.evaluate(CASCADE_SENSOR, tick.cursor)
    assert waiting.requests == []
    assert waiting.skipped == "1 chart-days wait for the runs that are at work on them"
    project.instance.report_run_failed(run)
    assert spans(project.evaluate(CASCADE_SENSOR, waiting.cursor)) == [ChartDays(SLUG, span.last, span.last)]


def test_a_whole_run_that_came_after_the_ranking_makes_the_wait_superfluous(project: Project) -> None:
    span = project.span(1)
    assert project.run(span, ["chart_rankings"]).success
    run = project.begin(span)
    tick = project.evaluate(CASCADE_SENSOR)
    assert tick.requests == []
    project.instance.report_run_canceled(run)
    assert project.run(span).success
    assert project.evaluate(CASCADE_SENSOR, tick.cursor).requests == []


def test_waiting_days_of_a_chart_that_was_removed_or_starts_later_now_are_forgotten(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, small(), small(OTHER)) as project:
        for slug in (SLUG, OTHER):
            assert project.run(project.span(2, slug), ["chart_rankings"]).success
        runs = [project.begin(project.span(2, slug)) for slug in (SLUG, OTHER)]
        tick = project.evaluate(CASCADE_SENSOR)
        assert tick.requests == []
        for run in runs:
            project.instance.report_run_failed(run)
        later = small(first_date=project.newest())
        with open_project(simulator, environ, monkeypatch, later, instance=project.instance) as changed:
            after = changed.evaluate(CASCADE_SENSOR, tick.cursor)
            assert spans(after) == [changed.span(1)]


def test_the_sensors_run_from_the_start(project: Project) -> None:
    sensors = project.definitions.get_repository_def().sensor_defs
    assert {sensor.name: sensor.default_status for sensor in sensors} == {
        CASCADE_SENSOR: dg.DefaultSensorStatus.RUNNING,
        HEALING_SENSOR: dg.DefaultSensorStatus.RUNNING,
        "notification_sensor": dg.DefaultSensorStatus.RUNNING,
    }

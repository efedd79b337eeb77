"""The days that Dagster shows as failed when a run was killed, on a range that was planned as one event."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData
from dagster._core.execution.plan.objects import ErrorSource, StepFailureData, StepSuccessData

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.dagster_home import PLANNED_AS_ONE
from soundcharts_pipeline.orchestration.dead_runs import fail_dead_runs
from soundcharts_pipeline.orchestration.partitions import keys_of
from soundcharts_pipeline.orchestration.run_requests import asset_key
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.orchestration.assets.recorded import shown_as_failed
from soundcharts_pipeline_tests.orchestration.sensed import CASCADE_SENSOR, small
from soundcharts_pipeline_tests.support.leased import EVERY_LOOK, held_by_a_dead_process
from soundcharts_pipeline_tests.support.project import Project, open_project

RANKINGS, METADATA = "chart_rankings", "track_metadata"
FAILED, CANCELED = dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED


@pytest.fixture
def project(simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setenv(PLANNED_AS_ONE, "1")
    with open_project(simulator, environ, monkeypatch, small()) as project:
        yield project


def _tell(project: Project, run: dg.DagsterRun, step: str, kind: dg.DagsterEventType, data: Any = None) -> None:
    event = dg.DagsterEvent(kind.value, run.job_name, step_key=step, event_specific_data=data)
    project.instance.report_dagster_event(event, run.run_id)


def _made(project: Project, run: dg.DagsterRun, step: str, keys: list[str]) -> None:
    for key in keys:
        made = StepMaterializationData(dg.AssetMaterialization(asset_key(step), partition=key), [])
        _tell(project, run, step, dg.DagsterEventType.ASSET_MATERIALIZATION, made)


def _amid_metadata(project: Project, span: ChartDays, **tags: str) -> dg.DagsterRun:
    """A run with its rankings made, and the first day of the next step."""
    run = project.begin(span, **tags)
    _tell(project, run, RANKINGS, dg.DagsterEventType.STEP_START)
    _made(project, run, RANKINGS, keys_of(span))
    success = StepSuccessData(duration_ms=1.0)  # type: ignore[no-untyped-call]
    _tell(project, run, RANKINGS, dg.DagsterEventType.STEP_SUCCESS, success)
    _tell(project, run, METADATA, dg.DagsterEventType.STEP_START)
    _made(project, run, METADATA, keys_of(span)[:1])
    return run


def _noted(project: Project, run: dg.DagsterRun) -> int:
    of_asset = dg.EventRecordsFilter(dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, asset_key(METADATA))
    return sum(one.run_id == run.run_id for one in project.instance.event_log_storage.get_event_records(of_asset))


def test_days_of_the_step_that_a_killed_run_was_in_are_shown_as_failed_once(project: Project) -> None:
    span = project.span(4)
    cursor = project.evaluate(CASCADE_SENSOR).cursor
    run = _amid_metadata(project, span)
    held_by_a_dead_process(project.warehouse, run.run_id)
    assert fail_dead_runs(project.instance, project.warehouse, EVERY_LOOK) == [run.run_id]
    _made(project, project.begin(span), METADATA, keys_of(span)[1:2])  # somebody else was there in between

    cursor = project.evaluate(CASCADE_SENSOR, cursor).cursor
    assert shown_as_failed(project, METADATA) == keys_of(span)[2:]
    assert shown_as_failed(project, RANKINGS) == []
    assert shown_as_failed(project, "track_audience/airplay") == [], "a step that was not begun"
    noted = _noted(project, run)
    project.evaluate(CASCADE_SENSOR, cursor)
    assert _noted(project, run) == noted


@pytest.mark.parametrize(
    ("planned_as_one", "stopped_by", "end", "noted"),
    [
        ("1", None, FAILED, 2),
        ("1", ErrorSource.INTERRUPT, FAILED, 2),
        ("1", ErrorSource.USER_CODE_ERROR, FAILED, 0),
        ("1", None, CANCELED, 0),
        ("", None, FAILED, 0),
    ],
    ids=["killed", "its server ended", "the step noted them", "canceled", "Dagster knows the days"],
)
def test_days_are_noted_where_nobody_else_does(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    planned_as_one: str,
    stopped_by: ErrorSource | None,
    end: dg.DagsterEventType,
    noted: int,
) -> None:
    monkeypatch.setenv(PLANNED_AS_ONE, planned_as_one)
    cursor = project.evaluate(CASCADE_SENSOR).cursor
    run = _amid_metadata(project, project.span(3))
    before = _noted(project, run)
    if stopped_by:
        failure = StepFailureData(None, None, error_source=stopped_by)  # type: ignore[no-untyped-call]
        _tell(project, run, METADATA, dg.DagsterEventType.STEP_FAILURE, failure)
    project.end(run, end, datetime.now(UTC))
    project.evaluate(CASCADE_SENSOR, cursor)
    assert _noted(project, run) - before == noted


def test_failures_from_before_the_first_look_are_left_as_they_are(project: Project) -> None:
    run = _amid_metadata(project, project.span(3))
    project.end(run, FAILED, datetime.now(UTC))
    before = _noted(project, run)
    project.evaluate(CASCADE_SENSOR)
    assert _noted(project, run) == before

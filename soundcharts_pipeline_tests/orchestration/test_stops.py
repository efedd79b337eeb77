"""What somebody canceled is started again by nothing that runs by itself, until somebody asks."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.definitions.events import AssetKeyPartitionKey
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.timestamp import TimestampWithTimezone
from dagster._core.events import DagsterEventType, StepMaterializationData
from dagster._core.execution.api import execute_run
from dagster._core.execution.asset_backfill import AssetBackfillData
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.storage.tags import BACKFILL_ID_TAG
from dagster_shared.error import SerializableErrorInfo

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.monitoring.facts import read_runs
from soundcharts_pipeline.monitoring.given_up import read_given_up, reasons
from soundcharts_pipeline.orchestration.partitions import keys_of, range_tags
from soundcharts_pipeline.orchestration.run_requests import TRIGGER_TAG, asset_key
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.troubleshooting import GIVEN_UP
from soundcharts_pipeline_tests.orchestration.sensed import CASCADE_SENSOR, HEALING_SENSOR, OTHER, SLUG, small, spans
from soundcharts_pipeline_tests.support.helpers import asked_keys
from soundcharts_pipeline_tests.support.project import Project, open_project_in_files

SCHEDULE = "sync_viral_50_global"
CANCELED = DagsterEventType.RUN_CANCELED


@pytest.fixture
def project(simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    charts = [small(first_date=simulator.world.today.replace(day=1)), small(OTHER)]
    with open_project_in_files(simulator, environ, monkeypatch, *charts) as project:
        yield project


def _requested(project: Project) -> dict[str, list[ChartDays]]:
    """What schedule and sensors would start now, of the newest four days of the chart."""
    window = project.span(4)
    project.publish(window)
    found = {
        CASCADE_SENSOR: spans(project.evaluate(CASCADE_SENSOR)),
        HEALING_SENSOR: spans(project.evaluate(HEALING_SENSOR)),
        SCHEDULE: spans(project.tick(SCHEDULE)),
    }
    return {who: [span for span in asked if span.overlaps(window)] for who, asked in found.items()}


@pytest.mark.parametrize("trigger", ["ui", "cli", "schedule", "healing_sensor", "api"])
def test_the_days_of_a_canceled_run_are_left_alone_whoever_launched_it(project: Project, trigger: str) -> None:
    span = project.span(2)
    run = project.begin(span, **{TRIGGER_TAG: trigger})
    for day in span.days:  # its rankings were there when it was canceled
        made = dg.AssetMaterialization(asset_key("chart_rankings"), partition=f"{SLUG}|{day}")
        project.instance.report_dagster_event(_materialized(run, made), run.run_id)
    project.end(run, CANCELED, datetime.now(UTC))
    requested = _requested(project)
    assert not any(one.overlaps(span) for asked in requested.values() for one in asked), requested
    assert requested[HEALING_SENSOR] == [project.span(2, ago=2)], "the days beside them are healed"
    for key in asked_keys(project.settings):
        project.mark(key, project.span(2, ago=2).days)
    project.publish(project.span(4))
    assert f"{span}: canceled" in (project.evaluate(HEALING_SENSOR).skipped or "")

    again = project.begin(span, **{TRIGGER_TAG: "ui"})
    project.end(again, DagsterEventType.RUN_FAILURE, datetime(2026, 1, 1, tzinfo=UTC))
    assert any(one.overlaps(span) for one in _requested(project)[HEALING_SENSOR]), "somebody asked: it is healed again"


def test_a_run_that_failed_after_somebody_asked_for_its_end_is_canceled(project: Project) -> None:
    span = project.span(2)
    run, failed = project.begin(span), project.begin(project.span(1, ago=3))
    project.instance.report_run_canceling(run)
    for one in (run, failed):  # what Dagster makes of an interrupt while the process starts
        project.end(one, DagsterEventType.RUN_FAILURE, datetime.now(UTC))
    for sensor in (CASCADE_SENSOR, HEALING_SENSOR):
        assert not any(one.overlaps(span) for one in spans(project.evaluate(sensor))), sensor
    ended = [project.instance.get_run_by_id(one.run_id) for one in (run, failed)]
    assert [one and one.status.value for one in ended] == ["CANCELED", "FAILURE"]


def test_a_request_to_cancel_that_is_lost_while_the_run_starts_ends_it_before_a_call(project: Project) -> None:
    job = project.definitions.resolve_job_def("full_sync")
    run = project.instance.create_run_for_job(job, tags=range_tags(project.span(1)))
    project.instance.report_run_canceling(run)
    starting = dg.DagsterEvent("PIPELINE_STARTING", job.name)
    project.instance.report_dagster_event(starting, run.run_id)
    project.simulator.reset()
    starting_run = project.instance.get_run_by_id(run.run_id)
    assert starting_run is not None
    execute_run(InMemoryJob(job), starting_run, project.instance)
    ended = project.instance.get_run_by_id(run.run_id)
    assert (ended and ended.status.value, project.simulator.counters.total) == ("CANCELED", 0)


def test_canceling_the_newest_day_does_not_stop_the_schedule(project: Project) -> None:
    project.end(project.begin(project.span(1)), CANCELED, datetime.now(UTC))
    [asked] = _requested(project)[SCHEDULE]
    assert asked.last == project.span(1, ago=1).last, "every day but the canceled one"


@pytest.mark.parametrize(
    ("status", "is_stopped"),
    [
        (BulkActionStatus.CANCELED, True),
        (BulkActionStatus.CANCELING, True),
        (BulkActionStatus.FAILED, False),
        (BulkActionStatus.COMPLETED_SUCCESS, False),
    ],
)
def test_a_canceled_backfill_stops_days_that_no_run_had_yet(
    project: Project, status: BulkActionStatus, is_stopped: bool
) -> None:
    span = project.span(3)
    _add_backfill(project, span, status)
    healed = {day for one in _requested(project)[HEALING_SENSOR] for day in one.days}
    assert healed.isdisjoint(span.days) is is_stopped


def test_runs_that_dagster_canceled_because_it_gave_their_backfill_up_are_nobodys_wish(project: Project) -> None:
    span = project.span(3)
    _add_backfill(project, span, BulkActionStatus.FAILED)
    project.end(project.begin(span, **{BACKFILL_ID_TAG: "abc"}), CANCELED, datetime.now(UTC))
    assert {day for one in _requested(project)[HEALING_SENSOR] for day in one.days} >= set(span.days)
    # A status says so, too.
    given_up = reasons(read_given_up(project.instance, datetime.now(UTC)), project.settings)
    [told] = read_runs(project.instance, project.settings, [SLUG], given_up)
    assert told.state == "failed"
    assert told.error is not None
    assert (told.error.kind, told.error.message) == (GIVEN_UP, "Dagster gave up its backfill abc: Boom")
    assert [one.state for one in read_runs(project.instance, project.settings, [SLUG])] == ["canceled"]


def _add_backfill(project: Project, span: ChartDays, status: BulkActionStatus) -> None:
    now = datetime.now(UTC).timestamp()
    graph = project.definitions.get_repository_def().asset_graph
    target = AssetGraphSubset.from_asset_partition_set(
        {AssetKeyPartitionKey(asset_key("chart_rankings"), key) for key in keys_of(span)}, graph
    )
    empty = AssetGraphSubset.create_empty_subset()
    data = AssetBackfillData(target, False, None, empty, empty, empty, TimestampWithTimezone(now, "UTC"))
    project.instance.add_backfill(
        PartitionBackfill(
            "abc",
            status,
            False,
            {},
            now,
            error=SerializableErrorInfo("Boom\n", [], None),
            asset_backfill_data=data,
            backfill_end_timestamp=now,
        )
    )


def _materialized(run: dg.DagsterRun, made: dg.AssetMaterialization) -> dg.DagsterEvent:
    return dg.DagsterEvent(
        DagsterEventType.ASSET_MATERIALIZATION.value,
        run.job_name,
        event_specific_data=StepMaterializationData(made, []),
    )

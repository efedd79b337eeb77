"""Runs that ended without a word are found, runs that are alive are left alone."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterRunStatus

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.dead_runs import PID_TAG, fail_dead_runs, process_tags, runs_at_work
from soundcharts_pipeline.orchestration.partitions import PARTITION_TAG
from soundcharts_pipeline.orchestration.resources import WarehouseResource
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.leases import Lengths
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.orchestration.sensed import CASCADE_SENSOR, HEALING_SENSOR, small, spans
from soundcharts_pipeline_tests.support.leased import (
    EVERY_LOOK,
    dead_pid,
    held_by_a_dead_process,
    held_by_a_silent_host,
)
from soundcharts_pipeline_tests.support.project import Project, open_project

DAY = {PARTITION_TAG: "global-28|2026-11-20"}


class EveryLook(WarehouseResource):
    """Looks that follow each other at once count, too."""

    lengths = EVERY_LOOK


@pytest.fixture
def project(
    simulator: Simulator, environ: dict[str, str], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    environ["SOUNDCHARTS_DATABASE_URL"] = database_url
    with open_project(simulator, environ, monkeypatch, small(), resources={"database": EveryLook()}) as project:
        yield project


def _started(instance: dg.DagsterInstance, tags: dict[str, str]) -> str:
    run = instance.create_run_for_job(_job, tags=tags, status=DagsterRunStatus.STARTED)
    return run.run_id


@dg.job
def _job() -> None:
    """Never executed."""


def _status(instance: dg.DagsterInstance, run_id: str) -> DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def _message(instance: dg.DagsterInstance, run_id: str) -> str:
    [event] = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    return str(event.get_dagster_event().message)


def test_a_run_of_a_silent_host_is_failed_with_its_reason_and_its_days_are_requested(project: Project) -> None:
    lost = project.span(2)
    project.publish(lost)
    run, alive = project.begin(lost), project.begin(project.span(2, ago=2))
    host = held_by_a_silent_host(project.warehouse, run.run_id)
    assert _healed(project) == [], "one look is not believed"

    project.evaluate(CASCADE_SENSOR)

    assert _status(project.instance, run.run_id) == DagsterRunStatus.FAILURE
    assert _status(project.instance, alive.run_id) == DagsterRunStatus.STARTED
    said = _message(project.instance, run.run_id)
    assert f"Its process 4711 on {host} did not renew its lease of 90 s" in said
    assert said.endswith("What was saved stays; its days are requested again.")
    assert _healed(project) == [lost], "at once: the days have not failed"


# By the chart's settings and how many days before the newest the run of three days ends: the end of its message, and
# whether healing requests any of its days.
LOST: dict[str, tuple[dict[str, Any], int, str, bool]] = {
    "all of it": ({}, 0, "its days are requested again.", True),
    "paused": ({"active": False}, 0, "so start it again when it is wanted.", False),
    "older than heal_days": ({"heal_days": 5}, 10, "so start it again when it is wanted.", False),
    "partly older": ({"heal_days": 5}, 3, "so start it again when it is wanted.", True),
}


@pytest.mark.parametrize("case", LOST)
def test_what_becomes_of_the_days_is_said_as_it_is(
    simulator: Simulator, environ: dict[str, str], database_url: str, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    changes, ago, ending, is_healed = LOST[case]
    environ["SOUNDCHARTS_DATABASE_URL"] = database_url
    look = {"database": EveryLook()}
    with open_project(simulator, environ, monkeypatch, small(**changes), resources=look) as project:
        lost = project.span(3, ago=ago)
        project.publish(project.span(20))
        run = project.begin(lost)
        held_by_a_dead_process(project.warehouse, run.run_id)
        project.evaluate(CASCADE_SENSOR)
        said = _message(project.instance, run.run_id)
        assert said.endswith(ending)
        assert ("requested again" in said and "not requested again" not in said) == is_healed
        healed = {day for span in _healed(project) for day in span.days if day in lost.days}
        assert bool(healed) == is_healed
        if "days from" in said:
            assert f"its {len(healed)} days from {min(healed)} on are requested again" in said


def test_days_that_lose_their_process_again_wait_like_any_others(project: Project) -> None:
    lost = project.span(2)
    project.publish(lost)
    for _ in range(2):
        held_by_a_dead_process(project.warehouse, project.begin(lost).run_id)
        project.evaluate(CASCADE_SENSOR)
    tick = project.evaluate(HEALING_SENSOR)
    assert (tick.requests, "next try after" in (tick.skipped or "")) == ([], True)


def _healed(project: Project) -> list[ChartDays]:
    return spans(project.evaluate(HEALING_SENSOR))


def test_a_process_of_this_host_that_is_gone_is_named_at_the_first_look(sqlite_warehouse: Warehouse) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        gone, alive = _started(instance, DAY), _started(instance, DAY)
        pid = held_by_a_dead_process(sqlite_warehouse, gone)
        assert fail_dead_runs(instance, sqlite_warehouse, EVERY_LOOK) == [gone]
        assert f"Its process {pid} is gone from " in _message(instance, gone)
        assert _status(instance, alive) == DagsterRunStatus.STARTED


def test_a_run_of_which_no_process_speaks_is_failed_after_a_while(sqlite_warehouse: Warehouse) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        silent, of_others = _started(instance, DAY), _started(instance, {})
        assert [fail_dead_runs(instance, sqlite_warehouse, EVERY_LOOK) for _ in range(3)] == [[], [], []]
        later = Lengths(between_looks=0, unclaimed=-1)
        another = _started(instance, DAY)
        assert [fail_dead_runs(instance, sqlite_warehouse, later) for _ in range(2)] == [[], [another]]
        assert [_status(instance, run) for run in (silent, of_others)] == [DagsterRunStatus.STARTED] * 2


def test_housekeeping_that_lost_its_process_is_failed_too(sqlite_warehouse: Warehouse) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run = _started(instance, {})
        held_by_a_dead_process(sqlite_warehouse, run)
        assert fail_dead_runs(instance, sqlite_warehouse, EVERY_LOOK) == [run]
        assert _message(instance, run).endswith("What was saved stays; start it again.")


def test_a_run_says_where_it_works_and_one_whose_process_is_gone_is_at_work_no_more(project: Project) -> None:
    done = project.run(project.span(1), ["chart_rankings"])
    run = project.instance.get_run_by_id(done.run_id)
    assert run is not None
    assert process_tags().items() <= run.tags.items()
    alive = project.begin(project.span(1), **process_tags())
    project.begin(project.span(1), **(process_tags() | {PID_TAG: str(dead_pid())}))
    assert [phrase.split()[1] for phrase in runs_at_work(project.instance)] == [alive.run_id]

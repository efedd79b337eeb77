"""Runs that ended without a word are found, runs that are alive are left alone."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster import DagsterRunStatus

from soundcharts_pipeline.orchestration.dead_runs import (
    HOST_TAG,
    LONGEST_SILENCE,
    PID_TAG,
    TAGS_SETTLE,
    fail_dead_runs,
    process_tags,
)
from soundcharts_pipeline.orchestration.partitions import PARTITION_TAG
from soundcharts_pipeline.storage.saves import save_progress
from soundcharts_pipeline.storage.warehouse import Warehouse

DAY = {PARTITION_TAG: "global-28|2026-11-20"}


def _started(instance: dg.DagsterInstance, tags: dict[str, str]) -> str:
    run = instance.create_run_for_job(_job.get_job_def() if hasattr(_job, "get_job_def") else _job, tags=tags)
    instance.handle_run_event(run.run_id, _event(run))
    assert instance.get_run_by_id(run.run_id).status == DagsterRunStatus.STARTED  # type: ignore[union-attr]
    return run.run_id


def _event(run: dg.DagsterRun) -> dg.DagsterEvent:
    return dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_START.value, job_name=run.job_name)


@dg.job
def _job() -> None:
    """Never executed."""


def _status(instance: dg.DagsterInstance, run_id: str) -> DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_a_run_whose_process_is_gone_is_failed_as_soon_as_its_tags_are_its_own(sqlite_warehouse: Warehouse) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with dg.DagsterInstance.ephemeral() as instance:
        gone = _started(instance, DAY | process_tags() | {PID_TAG: str(process.pid)})
        alive = _started(instance, DAY | process_tags())
        assert fail_dead_runs(instance, sqlite_warehouse, datetime.now(UTC)) == []
        assert fail_dead_runs(instance, sqlite_warehouse, datetime.now(UTC) + TAGS_SETTLE) == [gone]
        assert _status(instance, gone) == DagsterRunStatus.FAILURE
        assert _status(instance, alive) == DagsterRunStatus.STARTED


@pytest.mark.parametrize("tags", [{}, {HOST_TAG: "another-host", PID_TAG: "1"}])
def test_a_run_of_which_nothing_is_heard_is_failed_after_a_while(
    sqlite_warehouse: Warehouse, tags: dict[str, str]
) -> None:
    now = datetime.now(UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        silent, busy = _started(instance, DAY | tags), _started(instance, DAY | tags)
        assert fail_dead_runs(instance, sqlite_warehouse, now) == []
        later = now + LONGEST_SILENCE + timedelta(minutes=1)
        with sqlite_warehouse.write() as conn:
            save_progress(conn, busy, "chart_rankings", 1, 9, later - timedelta(minutes=5))
        assert fail_dead_runs(instance, sqlite_warehouse, later) == [silent]
        assert _status(instance, busy) == DagsterRunStatus.STARTED


def test_runs_of_other_projects_are_left_alone(sqlite_warehouse: Warehouse) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        other = _started(instance, {})
        assert fail_dead_runs(instance, sqlite_warehouse, datetime.now(UTC) + timedelta(days=9)) == []
        assert _status(instance, other) == DagsterRunStatus.STARTED

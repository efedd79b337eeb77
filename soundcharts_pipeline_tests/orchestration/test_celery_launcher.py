"""Runs that a worker of Celery took and never began, told from those that wait for one, by what Redis knows of them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from ruamel.yaml import YAML

from soundcharts_pipeline.orchestration.celery_launcher import LeasedCeleryRunLauncher
from soundcharts_pipeline.orchestration.dagster_internals import WorkerStatus
from soundcharts_pipeline.orchestration.dead_runs import fail_dead_runs
from soundcharts_pipeline.orchestration.partitions import PARTITION_TAG
from soundcharts_pipeline.orchestration.run_requests import LOST_TAG
from soundcharts_pipeline.storage.leases import Lengths
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.admin.site import free_port, wait_for
from soundcharts_pipeline_tests.support.dagster_site import PROJECT

# Every look counts, and whoever does not begin at once is over.
AT_ONCE = Lengths(between_looks=0, starting=-1)
DAY = {PARTITION_TAG: "global-28|2026-11-20"}


@dg.job
def _job() -> None:
    """Never executed."""


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """Its runs go the way that deploy/celery/dagster.yaml says, through a Redis of this test alone."""
    port = free_port()
    monkeypatch.setenv("DAGSTER_CELERY_BROKER", f"redis://127.0.0.1:{port}/0")
    shipped = YAML(typ="safe").load(PROJECT / "deploy" / "celery" / "dagster.yaml")
    settings = {name: shipped[name] for name in ("run_launcher", "run_queue", "concurrency")}
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as redis:
        try:
            with dg.DagsterInstance.local_temp(str(tmp_path), overrides=settings) as instance:
                wait_for("Redis", lambda: _answers(instance))
                yield instance
        finally:
            redis.kill()


def _answers(instance: dg.DagsterInstance) -> bool:
    try:
        return bool(_backend(instance).client.ping())
    except OSError:
        return False


def _backend(instance: dg.DagsterInstance) -> Any:
    launcher = instance.run_launcher
    assert isinstance(launcher, LeasedCeleryRunLauncher)
    return launcher.celery.backend


def _starting(instance: dg.DagsterInstance, task: str) -> str:
    tags = {**DAY, DAGSTER_CELERY_TASK_ID_TAG: task}
    return instance.create_run_for_job(_job, tags=tags, status=dg.DagsterRunStatus.STARTING).run_id


@pytest.mark.parametrize(("came", "state"), [({}, "STARTED"), (ConnectionError("no route to Redis"), "FAILURE")])
def test_a_run_that_its_worker_never_began_is_lost_and_one_that_waits_is_not(
    instance: dg.DagsterInstance, sqlite_warehouse: Warehouse, came: object, state: str
) -> None:
    taken, waiting = _starting(instance, "taken"), _starting(instance, "waiting")
    _backend(instance).store_result("taken", came, state)

    looks = [fail_dead_runs(instance, sqlite_warehouse, AT_ONCE) for _ in range(3)]

    assert looks == [[], [taken], []]
    failed, other = instance.get_run_by_id(taken), instance.get_run_by_id(waiting)
    assert failed is not None
    assert other is not None
    assert (failed.status, LOST_TAG in failed.tags) == (dg.DagsterRunStatus.FAILURE, True)
    assert other.status == dg.DagsterRunStatus.STARTING
    [event] = instance.all_logs(taken, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert event.dagster_event is not None
    assert "did not begin" in (event.dagster_event.message or "")


def test_a_run_at_work_is_believed_to_have_failed_and_left_to_its_lease_where_redis_knows_nothing(
    instance: dg.DagsterInstance,
) -> None:
    def health(**tags: str) -> tuple[WorkerStatus, bool]:
        run = instance.create_run_for_job(_job, tags={**DAY, **tags}, status=dg.DagsterRunStatus.STARTED)
        found = instance.run_launcher.check_run_worker_health(run).status
        return found, bool(instance.get_runs(dg.RunsFilter([run.run_id], tags={LOST_TAG: "true"})))

    _backend(instance).store_result("killed", RuntimeError("its process is gone"), "FAILURE")
    assert health(**{DAGSTER_CELERY_TASK_ID_TAG: "killed"}) == (WorkerStatus.FAILED, True)
    assert health(**{DAGSTER_CELERY_TASK_ID_TAG: "forgotten"}) == (WorkerStatus.RUNNING, False)
    assert health() == (WorkerStatus.RUNNING, False)


def test_without_redis_no_run_is_called_lost(instance: dg.DagsterInstance, sqlite_warehouse: Warehouse) -> None:
    run_id = _starting(instance, "taken")
    _backend(instance).client.shutdown(nosave=True)
    assert [fail_dead_runs(instance, sqlite_warehouse, AT_ONCE) for _ in range(2)] == [[], []]
    found = instance.get_run_by_id(run_id)
    assert found is not None
    assert found.status == dg.DagsterRunStatus.STARTING


def test_while_redis_is_away_queued_runs_stay_in_the_queue(instance: dg.DagsterInstance) -> None:
    origin = dg.reconstructable(_job).get_python_origin()
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("soundcharts_pipeline"), "__repository__")
    runs = [
        instance.create_run_for_job(
            _job,
            tags={PARTITION_TAG: f"chart-{number}|2026-11-20"},
            status=dg.DagsterRunStatus.QUEUED,
            job_code_origin=origin,
            remote_job_origin=RemoteJobOrigin(repository, _job.name),
        ).run_id
        for number in range(2)
    ]
    for run_id in runs:
        instance.report_dagster_event(dg.DagsterEvent(dg.DagsterEventType.RUN_ENQUEUED.value, "_job"), run_id)
    _backend(instance).client.shutdown(nosave=True)

    with WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as workspace:
        list(QueuedRunCoordinatorDaemon(1).run_iteration(workspace))

    found = [instance.get_run_by_id(run_id) for run_id in runs]
    assert [run and run.status for run in found] == [dg.DagsterRunStatus.QUEUED] * 2
    told = [event.message for event in instance.all_logs(runs[0], of_type=dg.DagsterEventType.ENGINE_EVENT)]
    assert "re-submitting the run into the queue" in told[-1]

"""Runs as Jobs of Kubernetes: launched, canceled, killed, and those that are no Job. The cluster's API is the
test's own, and each pod a process of this host with the environment of a pod; all else is real."""

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher import LaunchRunContext
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration
from ruamel.yaml import YAML
from sqlalchemy import make_url

from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.embedding.build import build_definitions
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.dagster_internals import DagsterUserCodeUnreachableError
from soundcharts_pipeline.orchestration.dead_runs import fail_dead_runs
from soundcharts_pipeline.orchestration.jobs import FULL_SYNC
from soundcharts_pipeline.orchestration.partitions import range_tags
from soundcharts_pipeline.orchestration.run_requests import ended_runs
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.admin.site import wait_for
from soundcharts_pipeline_tests.end_to_end.kubernetes_site import image_variables, instance, sources
from soundcharts_pipeline_tests.support.command_line import user_environ, with_charts
from soundcharts_pipeline_tests.support.dagster_site import PROGRAMS, Site, check_truth
from soundcharts_pipeline_tests.support.kubernetes_api import Cluster, running_cluster
from soundcharts_pipeline_tests.support.leased import EVERY_LOOK
from soundcharts_pipeline_tests.support.today import TODAY

SLUG = "viral-50-global"
# Makes a chart-day last for so long that there is time to end it.
SLOW_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the daemon has before it."""

    site: Site
    cluster: Cluster
    warehouse: Warehouse

    def day(self, ago: int) -> date:
        newest = self.site.simulator.world.newest_day(SLUG)
        assert newest is not None
        return newest - timedelta(days=ago)

    def create(self, ago: int, status: DagsterRunStatus) -> dg.DagsterRun:
        """A run of a chart-day, whose code is that of the image."""
        repository = ReconstructableRepository.for_module("soundcharts_pipeline.definitions", "defs", None, "image:1")
        return self.site.instance.create_run_for_job(
            build_definitions(self.site.settings).resolve_job_def(FULL_SYNC),
            tags=range_tags(ChartDays(SLUG, self.day(ago), self.day(ago))),
            job_code_origin=repository.get_reconstructable_job(FULL_SYNC).get_python_origin(),
            status=status,
        )

    def launch(self, ago: int) -> dg.DagsterRun:
        """As the daemon does it."""
        run = self.create(ago, DagsterRunStatus.STARTING)
        self.site.instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
        return run

    def launch_and_wait(self, ago: int) -> dg.DagsterRun:
        """Until it waits for the answers to its calls."""
        self.site.simulator.set(latency=SLOW_SECONDS)
        asked = self.site.simulator.counters.total
        run = self.launch(ago)
        wait_for("call", lambda: self.site.simulator.counters.total > asked)
        return run

    def status(self, run: dg.DagsterRun) -> DagsterRunStatus:
        found = self.site.instance.get_run_by_id(run.run_id)
        assert found is not None
        return found.status

    def wait(self, run: dg.DagsterRun, status: DagsterRunStatus) -> None:
        wait_for(f"{status} of a run", lambda: self.status(run) == status)

    def reason(self, run: dg.DagsterRun) -> str:
        """Why it failed."""
        [event] = self.site.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        return str(event.get_dagster_event().message)

    def monitor(self) -> None:
        """A look of the daemon at the runs that are at work."""
        with WorkspaceProcessContext(self.site.instance, EmptyWorkspaceTarget()) as workspace:
            assert set(execute_run_monitoring_iteration(workspace, logging.getLogger(__name__))) <= {None}

    def kill(self, run: dg.DagsterRun) -> None:
        """The process of its pod, as the kernel does when memory is short."""
        [process] = [pod for name, pod in self.cluster.pods.items() if run.run_id in name]
        process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.fixture
def deployment(
    postgres_url: str, dagster_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    with Simulator(today=TODAY) as simulator:
        environ = with_charts(user_environ(simulator, tmp_path), tmp_path)
        environ["SOUNDCHARTS_DATABASE_URL"] = postgres_url
        for name in ("SOUNDCHARTS_CHARTS", "SOUNDCHARTS_NOW", "DAGSTER_HOME"):
            monkeypatch.setenv(name, environ[name])
        given = sources()
        monkeypatch.setenv("DAGSTER_PG_PASSWORD", given["soundcharts-dagster-postgresql"]["postgresql-password"])
        # What a pod has of its own image, and what this host has in other places.
        of_image = {**image_variables(), "PATH": f"{PROGRAMS}{os.pathsep}{os.defpath}", "HOME": str(tmp_path)}
        of_host = {name: value for name, value in environ.items() if name.startswith("SOUNDCHARTS_")}
        given["soundcharts"] |= {name: of_host[name] for name in given["soundcharts"] if name in of_host}
        given["soundcharts-environment"] |= {n: v for n, v in of_host.items() if n not in given["soundcharts"]}
        with running_cluster(tmp_path, of_image, given) as cluster:
            home = Path(environ["DAGSTER_HOME"])
            home.mkdir()
            with (home / "dagster.yaml").open("w") as file:
                YAML(typ="safe").dump(_here(cluster, home, dagster_postgres_url), file)
            with dg.DagsterInstance.from_config(str(home)) as opened, closing(Warehouse(postgres_url)) as warehouse:
                settings = load_settings(Path(environ["SOUNDCHARTS_CHARTS"]))
                site = Site(simulator, environ, settings, opened, tmp_path / "processes.log")
                yield Deployment(site, cluster, warehouse)


def _here(cluster: Cluster, home: Path, database_url: str) -> dict[str, object]:
    """The instance's file with the addresses of this host."""
    url, found = make_url(database_url), instance()
    for storage in ("run_storage", "event_log_storage", "schedule_storage"):
        at = {"username": url.username, "db_name": url.database, "params": dict(url.query)}
        found[storage]["config"]["postgres_db"] |= at
    found["run_launcher"]["config"] |= {
        "dagster_home": str(home),
        "load_incluster_config": False,
        "kubeconfig_file": str(cluster.kubeconfig),
    }
    return found


def test_a_run_is_a_job_that_has_what_it_needs_and_asks_kubernetes_for_nothing(deployment: Deployment) -> None:
    assert deployment.site.instance.run_launcher
    # The account of a run is not told how to reach the cluster: what would look for that fails.
    deployment.cluster.kubeconfig.unlink()
    run = deployment.launch(0)
    deployment.wait(run, DagsterRunStatus.SUCCESS)

    assert deployment.cluster.asked == ["POST jobs"]
    check_truth(deployment.site, {SLUG: [deployment.day(0)]})
    [job] = deployment.cluster.jobs.values()
    assert (job["spec"]["backoffLimit"], job["spec"]["ttlSecondsAfterFinished"]) == (0, 86400)
    pod = job["spec"]["template"]["spec"]
    assert (pod["restartPolicy"], pod["terminationGracePeriodSeconds"]) == ("Never", 60)
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("soundcharts-runs", False)
    assert pod["containers"][0]["image"] == "image:1"
    assert pod["containers"][0]["resources"]["requests"]["memory"] == "350Mi"
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_a_run_that_is_canceled_ends_as_canceled_with_its_process_and_its_job(deployment: Deployment) -> None:
    run = deployment.launch_and_wait(0)

    assert deployment.site.instance.run_launcher.terminate(run.run_id)
    deployment.wait(run, DagsterRunStatus.CANCELED)

    assert not deployment.cluster.jobs
    [process] = deployment.cluster.pods.values()
    process.wait()


def test_a_run_that_is_killed_fails_at_the_next_look_with_what_kubernetes_knows(deployment: Deployment) -> None:
    run = deployment.launch_and_wait(0)
    deployment.monitor()
    assert deployment.status(run) == DagsterRunStatus.STARTED
    deployment.kill(run)

    deployment.monitor()

    assert deployment.status(run) == DagsterRunStatus.FAILURE
    assert "Run has not completed but K8s job has no active pods" in deployment.reason(run)
    [ended] = ended_runs(deployment.site.instance, [SLUG], datetime.fromtimestamp(0, UTC))
    assert ended.lost


def test_a_run_of_which_kubernetes_knows_nothing_is_left_to_its_lease(deployment: Deployment) -> None:
    in_a_terminal = deployment.create(1, DagsterRunStatus.STARTED)
    run = deployment.launch_and_wait(0)
    deployment.cluster.is_away = True
    deployment.monitor()
    deployment.cluster.is_away = False
    deployment.cluster.jobs.clear()
    deployment.monitor()
    assert {deployment.status(one) for one in (in_a_terminal, run)} == {DagsterRunStatus.STARTED}

    deployment.kill(run)
    deployment.monitor()
    assert fail_dead_runs(deployment.site.instance, deployment.warehouse, EVERY_LOOK) == [run.run_id]

    assert "is gone from" in deployment.reason(run)
    assert deployment.status(in_a_terminal) == DagsterRunStatus.STARTED


def test_a_run_stays_in_the_queue_while_the_cluster_is_away(deployment: Deployment) -> None:
    deployment.cluster.is_away = True

    with pytest.raises(DagsterUserCodeUnreachableError, match="Kubernetes' API cannot be reached"):
        deployment.launch(0)

    assert not deployment.cluster.jobs


def test_whoever_reaches_the_ui_chooses_neither_image_nor_account_of_a_run(deployment: Deployment) -> None:
    run = deployment.create(0, DagsterRunStatus.STARTING)
    chosen = {"dagster-k8s/config": '{"container_config": {"image": "theirs"}}'}
    deployment.site.instance.add_run_tags(run.run_id, chosen)
    tagged = deployment.site.instance.get_run_by_id(run.run_id)
    assert tagged is not None

    with pytest.raises(Exception, match="container_config"):
        deployment.site.instance.run_launcher.launch_run(LaunchRunContext(tagged, workspace=None))

    assert not deployment.cluster.jobs

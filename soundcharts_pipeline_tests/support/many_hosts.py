"""The installation of docs/production.md, "Many machines", with every part on a host of its own: Soundcharts,
PostgreSQL, Redis, code server with everything that `serve` starts, and workers of Celery, each started as deploy/ says.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import create_engine, make_url, text

from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.orchestration.dead_runs import PID_TAG
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.admin.site import TOKEN, Client, free_port, wait_for
from soundcharts_pipeline_tests.end_to_end.postgres_site import DEPLOY, SETTINGS, ask, variables_of
from soundcharts_pipeline_tests.support import hosts as of_hosts
from soundcharts_pipeline_tests.support.command_line import COMMAND, run, user_environ
from soundcharts_pipeline_tests.support.dagster_site import PROGRAMS, PROJECT, Site, answers
from soundcharts_pipeline_tests.support.hosts import Hosts
from soundcharts_pipeline_tests.support.postgres import running_server, url_of

SOUNDCHARTS, DATABASE, REDIS, CONTROL = "soundcharts", "database", "redis", "control"
WORKERS = ("worker1", "worker2", "worker3", "worker4")
CELERY = DEPLOY / "celery"
DEFINITIONS = "soundcharts_pipeline.definitions"
# The same with leases and looks that take seconds.
SHORT_LEASES = "soundcharts_pipeline_tests.support.short_leases"


@dataclass(frozen=True, slots=True)
class Installation:
    """`site.environ` is that of this process, which reaches the databases by the server's socket; `environ` that of the
    hosts. `folder` holds charts.yaml, a log of each host, and a folder for each."""

    hosts: Hosts
    site: Site
    environ: Mapping[str, str]
    folder: Path
    ports: Mapping[str, int]
    definitions: str

    def start(self, name: str) -> None:
        """What this host has to do, from nothing: it has just been switched on."""
        self.hosts.heal(name)
        for command in self._commands(name):
            log = self.folder / f"{name}.log"
            of_hosts.start(self.hosts, name, command, environ=self._of(name), folder=self.folder, log=log)

    def kill(self, name: str) -> None:
        """Its power fails: nobody is told."""
        self.hosts.cut(name)
        of_hosts.kill(self.hosts, name)

    def client(self) -> Client:
        """For use inside the control host."""
        return Client(f"http://127.0.0.1:{self.ports['api']}")

    def is_well(self) -> bool:
        """Whether the internal API answers."""
        with self.hosts.inside(CONTROL):
            return answers(f"{self.client().url}/admin/soundcharts/health/")

    def trigger(self, slug: str, day: date) -> str:
        """Request the whole cascade of a chart-day; the id of its run."""
        with self.hosts.inside(CONTROL):
            answer = self.client().trigger(slug, day)
        assert answer.status_code == 202, answer.text
        task: str = answer.json()["task_id"]
        return task

    def newest(self, slug: str) -> date:
        """The newest day that Soundcharts has of the chart."""
        day = self.site.simulator.world.newest_day(slug)
        assert day is not None
        return day

    def run(self, run_id: str) -> dg.DagsterRun:
        found = self.site.instance.get_run_by_id(run_id)
        assert found is not None
        return found

    def has_ended_as(self, run_id: str, status: dg.DagsterRunStatus) -> bool:
        """Whether it has; another end fails the test."""
        run = self.run(run_id)
        assert run.status == status or not run.is_finished, self.reason(run_id)
        return run.status == status

    def reason(self, run_id: str) -> str:
        """Why the run failed; empty if it did not."""
        ended = self.site.instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        return " ".join(entry.dagster_event.message or "" for entry in ended if entry.dagster_event)

    def host_of(self, run_id: str) -> str:
        """The worker whose process works on the run."""
        pid = int(self.run(run_id).tags[PID_TAG])
        [name] = [name for name in WORKERS if pid in self.hosts.pids(name)]
        return name

    def is_amid(self, run_id: str, step: str) -> bool:
        """Whether the run has saved some answers of the step, and not all."""
        progress = f"SELECT done, total FROM sync_progress WHERE run_id = '{run_id}' AND step = '{step}'"
        rows = ask(make_url(self.site.environ["SOUNDCHARTS_DATABASE_URL"]), progress)
        return any(0 < done < total for done, total in rows)

    def _of(self, name: str) -> dict[str, str]:
        """Every host has a data directory and a Dagster home of its own, with the same file."""
        home = self.folder / name / "dagster"
        if not home.exists():
            home.mkdir(parents=True)
            shutil.copy(CELERY / "dagster.yaml", home)
        return {**self.environ, "DAGSTER_HOME": str(home), "SOUNDCHARTS_DATA_DIR": str(self.folder / name / "data")}

    def _commands(self, name: str) -> list[list[str]]:
        if name == REDIS:
            words = ["--bind", self.hosts.address(REDIS), "--protected-mode", "no", "--appendonly", "yes", "--save", ""]
            return [["redis-server", "--port", str(self.ports["redis"]), "--dir", str(self.folder), *words]]
        if name == CONTROL:
            code = ["code-server", "start", "-h", "127.0.0.1", "-p", str(self.ports["code"]), "-m", self.definitions]
            serve = ["serve", "--port", str(self.ports["api"]), "--ui-port", str(self.ports["ui"])]
            return [[str(PROGRAMS / "dagster"), *code], [*COMMAND, *serve]]
        return [worker_command(name)]


def worker_command(name: str) -> list[str]:
    """That of the unit, for one run at a time: the hosts share the cores of one machine."""
    [line] = [line for line in (CELERY / "soundcharts-worker.service").read_text().splitlines() if "ExecStart=" in line]
    program, *words = shlex.split(
        line.partition("=")[2].replace("%H", name).replace("--concurrency 2", "--concurrency 1")
    )
    return [str(PROGRAMS / Path(program).name), *words]


@contextmanager
def installed(
    folder: Path,
    charts: str,
    simulator: Mapping[str, object],
    *,
    definitions: str = DEFINITIONS,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Installation]:
    """All of it, once it is well. `simulator`: settings of `Simulator`; `definitions`: what the code server loads;
    `variables`: of the hosts' environment, beside those that every installation has."""
    with (
        of_hosts.opened(SOUNDCHARTS, DATABASE, REDIS, CONTROL, *WORKERS) as hosts,
        _soundcharts(hosts, simulator) as soundcharts,
        _database(hosts) as server,
        pytest.MonkeyPatch.context() as patched,
    ):
        (folder / "charts.yaml").write_text(charts)
        shutil.copy(SETTINGS / "workspace.yaml", folder)
        shutil.copy(CELERY / "dagster_celery_config.py", folder)
        ports = {name: free_port() for name in ("redis", "code", "ui", "api")}
        urls = _new_databases(server)
        environ = _environ(soundcharts, folder, hosts, ports)
        environ |= variables or {}
        environ |= {name: _over_the_network(hosts, url) for name, url in urls.items()}
        here = {**environ, **urls}
        for name, value in urls.items():
            patched.setenv(name, value)
        patched.setenv("DAGSTER_CELERY_BROKER", environ["DAGSTER_CELERY_BROKER"])
        home = Path(here["DAGSTER_HOME"])
        home.mkdir()
        shutil.copy(SETTINGS / "dagster.yaml", home)
        migrated = run(here, "migrate")
        assert migrated.code == 0, migrated.text
        with dg.DagsterInstance.from_config(str(home)) as instance:
            settings = load_settings(folder / "charts.yaml")
            site = Site(soundcharts, here, settings, instance, folder / f"{CONTROL}.log")
            whole = Installation(hosts, site, environ, folder, ports, definitions)
            for name in (REDIS, *WORKERS, CONTROL):
                whole.start(name)
            wait_for("answer of the internal API", whole.is_well)
            yield whole


@contextmanager
def _soundcharts(hosts: Hosts, settings: Mapping[str, object]) -> Iterator[Simulator]:
    """In this process, listening on its host."""
    simulator = Simulator(host=hosts.address(SOUNDCHARTS), **settings)  # type: ignore[arg-type]
    with hosts.inside(SOUNDCHARTS):
        simulator.__enter__()
    try:
        yield simulator
    finally:
        simulator.__exit__(None, None, None)


@contextmanager
def _database(hosts: Hosts) -> Iterator[Path]:
    """Its folder. Without networks of their own all reach it by its socket."""
    server = running_server(address=hosts.address(DATABASE) if hosts.can_be_cut else "")
    with hosts.inside(DATABASE):
        home = server.__enter__()
    try:
        yield home
    finally:
        server.__exit__(None, None, None)


def _new_databases(server: Path) -> dict[str, str]:
    engine = create_engine(url_of(server, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in (
            "CREATE DATABASE soundcharts",
            "CREATE DATABASE dagster",
            "ALTER DATABASE dagster SET timezone = 'UTC'",
        ):
            connection.execute(text(statement))
    engine.dispose()
    names = {"SOUNDCHARTS_DATABASE_URL": "soundcharts", "DAGSTER_POSTGRES_URL": "dagster"}
    return {variable: url_of(server, name).render_as_string() for variable, name in names.items()}


def _over_the_network(hosts: Hosts, url: str) -> str:
    if not hosts.can_be_cut:
        return url
    database = url.partition("?")[0].rpartition("/")[2]
    return f"postgresql+psycopg2://postgres@{hosts.address(DATABASE)}:5432/{database}"


def _environ(simulator: Simulator, folder: Path, hosts: Hosts, ports: Mapping[str, int]) -> dict[str, str]:
    of_user = user_environ(simulator, folder)
    return {
        **of_user,
        **variables_of(SETTINGS / "environment.example"),
        **of_user,
        "PYTHONPATH": str(PROJECT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "SOUNDCHARTS_CHARTS": str(folder / "charts.yaml"),
        "SOUNDCHARTS_ADMIN_TOKEN": TOKEN,
        "DAGSTER_CODE_PORT": str(ports["code"]),
        "DAGSTER_CELERY_BROKER": f"redis://{hosts.address(REDIS)}:{ports['redis']}/0",
    }

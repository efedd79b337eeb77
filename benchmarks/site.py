"""A project that `soundcharts-pipeline serve` is at work on: folder, database, Dagster's state, simulator."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import dagster as dg
import requests
from sqlalchemy import create_engine, text

from benchmarks.scratch import MAX_IN_FLIGHT
from benchmarks.served import TOKEN, free_port, new_databases
from benchmarks.watch import cores_of, with_children
from soundcharts_pipeline.cli.processes.simulator import simulator_process, use_simulator
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.settings import Settings
from soundcharts_pipeline.orchestration.dagster_home import make_tables
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.support.dagster_site import PROJECT, Site, answers, wait_until
from soundcharts_pipeline_tests.support.postgres import running_server, url_of

KINDS = ("SQLite", "PostgreSQL")
LOCKED = re.compile("database is locked|deadlock|stayed locked|lock timeout|could not obtain lock", re.IGNORECASE)
CHARTS = """\
defaults:
  first_date: {first}
  schedule: "{due:%M} {due:%H} * * *"
charts:
{charts}
"""


@dataclass(frozen=True, slots=True)
class Place:
    """The project; `postgres` is the server's folder, if there is one; `rate` calls are let in in a minute."""

    kind: str
    rate: int
    site: Site
    simulator: str
    postgres: Path | None
    slugs: tuple[str, ...]

    @property
    def charts_file(self) -> Path:
        return Path(self.site.environ["SOUNDCHARTS_CHARTS"])

    @property
    def database(self) -> str:
        return read_environment(self.site.environ).database_url

    def write_charts(self, first: date, due: datetime) -> None:
        """charts.yaml with all schedules at this minute."""
        charts = "\n".join(f"  - slug: {slug}\n    name: {slug}" for slug in self.slugs)
        self.charts_file.write_text(CHARTS.format(first=first, due=due, charts=charts))

    def wake_up_on(self, morning: date) -> None:
        """It is noon of that day, and the simulator has counted nothing."""
        for path, body in (("set", {"today": str(morning)}), ("reset", {})):
            requests.post(f"{self.simulator}/_simulator/{path}", json=body, timeout=60).raise_for_status()
        os.environ["SOUNDCHARTS_NOW"] = _noon(morning).isoformat()

    def counted(self) -> dict[str, Any]:
        """The simulator's counters."""
        counters: dict[str, Any] = requests.get(f"{self.simulator}/_simulator/counters", timeout=60).json()
        return counters

    def server_seconds(self) -> float:
        """Seconds of a core of the database server so far."""
        if self.postgres is None:
            return 0.0
        pid = int((self.postgres / "data" / "postmaster.pid").read_text().split()[0])
        return sum(cores_of(with_children(pid)))

    def locks(self) -> tuple[int, int]:
        """How often PostgreSQL saw somebody wait for a lock for a second, and how often a log tells of one that was not
        to be had. SQLite tells of no waiting."""
        waits = 0 if self.postgres is None else (self.postgres / "log").read_text().count("still waiting for")
        return waits, len(LOCKED.findall(self.site.log.read_text()))


@contextmanager
def opened(kind: str, slugs: Sequence[str], *, morning: date, latency: float, rate: int) -> Iterator[Place]:
    """An empty project of the shipped settings, warehouse and Dagster's state on a database of this kind."""
    before = dict(os.environ)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        simulator_process(latency=latency, rate=rate, now=_noon(morning)) as url,
        _server(kind) as postgres,
    ):
        for name in [name for name in os.environ if name.startswith(("SOUNDCHARTS_", "DAGSTER_"))]:
            del os.environ[name]
        use_simulator(url, calls_per_minute=rate)
        home = Path(folder) / "dagster"
        home.mkdir()
        shipped = PROJECT / ("dagster.yaml" if postgres is None else "deploy/postgres/dagster.yaml")
        shutil.copy(shipped, home / "dagster.yaml")
        os.environ |= {
            "DAGSTER_HOME": str(home),
            "SOUNDCHARTS_DATA_DIR": f"{folder}/data",
            "SOUNDCHARTS_CHARTS": f"{folder}/charts.yaml",
            "SOUNDCHARTS_MAX_IN_FLIGHT": str(MAX_IN_FLIGHT),
            "SOUNDCHARTS_ADMIN_TOKEN": TOKEN,
            **({} if postgres is None else new_databases(postgres)),
        }
        log = Path(folder) / "processes.log"
        log.touch()
        try:
            make_tables()
            with dg.DagsterInstance.get() as instance:
                # Its own simulator stays unused: the one that answers is a process.
                yield Place(
                    kind, rate, Site(Simulator(), os.environ, Settings({}), instance, log), url, postgres, (*slugs,)
                )
        finally:
            os.environ.clear()
            os.environ |= before


@contextmanager
def _server(kind: str) -> Iterator[Path | None]:
    """PostgreSQL that logs whoever waits for a lock for a second; or nothing."""
    if kind == "SQLite":
        yield None
        return
    with running_server() as home:
        engine = create_engine(url_of(home, "postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("ALTER SYSTEM SET log_lock_waits = on"))
            connection.execute(text("SELECT pg_reload_conf()"))
        engine.dispose()
        yield home


@contextmanager
def serving(site: Site) -> Iterator[None]:
    """`soundcharts-pipeline serve`, from when it is well until the block ends."""
    port, ui_port = free_port(), free_port()
    command = [sys.executable, "-m", "soundcharts_pipeline", "serve", "--port", str(port), "--ui-port", str(ui_port)]
    with site.log.open("a") as log:
        served = subprocess.Popen(  # noqa: S603
            command, cwd=PROJECT, env=site.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        wait_until(site, "answer", lambda: answers(f"http://127.0.0.1:{port}/admin/soundcharts/health/"))
        yield
    finally:
        served.send_signal(signal.SIGTERM)
        served.wait()


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)

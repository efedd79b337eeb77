"""Dagster's own processes on a project in a folder: daemon and web server, as a user runs them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import requests

import soundcharts_pipeline
from soundcharts_pipeline.api.pages import WINDOW_DAYS
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.orchestration.run_requests import TRIGGER_TAG
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.truth import Rows, expected, stored

PROJECT = Path(soundcharts_pipeline.__file__).parent.parent
PROGRAMS = Path(sys.executable).parent
DEFINITIONS = ("-m", "soundcharts_pipeline.definitions")
# What a busy machine with two cores needs for a daemon and a few runs.
DEADLINE_SECONDS = 600
LOOK_SECONDS = 0.5
END_SECONDS = 40


@dataclass(frozen=True, slots=True)
class Site:
    """A project in a folder of its own: charts file, Dagster home, warehouse."""

    simulator: Simulator
    environ: Mapping[str, str]
    settings: Settings
    instance: dg.DagsterInstance
    log: Path

    def chart(self, slug: str) -> ChartSettings:
        return self.settings.chart(slug)

    def runs(self, trigger: str) -> list[dg.DagsterRun]:
        """Runs that the schedule or a sensor asked for."""
        return list(self.instance.get_runs(dg.RunsFilter(tags={TRIGGER_TAG: trigger})))

    def has_succeeded(self, trigger: str) -> bool:
        """Whether such a run has come to a good end. One that failed ends the test."""
        runs = self.runs(trigger)
        failed = [run.run_id for run in runs if run.status == dg.DagsterRunStatus.FAILURE]
        assert not failed, f"{trigger}: {[self.story(run_id) for run_id in failed]}"
        return any(run.status == dg.DagsterRunStatus.SUCCESS for run in runs)

    def story(self, run_id: str) -> str:
        """The end of what the run has logged."""
        return "\n".join(entry.user_message for entry in self.instance.all_logs(run_id))[-3000:]


@contextmanager
def open_site(simulator: Simulator, environ: dict[str, str], folder: Path, charts: str) -> Iterator[Site]:
    """A site with this charts file, on a new Dagster home."""
    path = folder / "charts.yaml"
    path.write_text(charts)
    home = Path(environ["DAGSTER_HOME"])
    home.mkdir()
    shutil.copy(PROJECT / "dagster.yaml", home)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        site_environ = {**environ, "SOUNDCHARTS_CHARTS": str(path)}
        yield Site(simulator, site_environ, load_settings(path), instance, folder / "processes.log")


@contextmanager
def daemon(site: Site) -> Iterator[None]:
    """The daemon with a code server of its own; both are gone at the end."""
    with _program(site, "python", "-m", "soundcharts_pipeline.orchestration.daemon", "run", *DEFINITIONS):
        yield


@contextmanager
def web_server(site: Site, *command: str) -> Iterator[str]:
    """The web server with a code server of its own, by default by Dagster's program for it alone; its URL, once it
    answers. All are gone at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    program, *arguments = command or ("dagster-webserver", *DEFINITIONS)
    with _program(site, program, *arguments, "-h", "127.0.0.1", "-p", str(port)):
        wait_until(site, "answer of the web server", lambda: answers(f"{url}/server_info"))
        yield url


def answers(url: str) -> bool:
    """Whether the address answers, and well."""
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def ask(url: str, query: str, **variables: object) -> dict[str, Any]:
    """The data of a GraphQL query, sent as the UI sends it."""
    answer = requests.post(f"{url}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
    assert "errors" not in answer, answer["errors"]
    data: dict[str, Any] = answer["data"]
    return data


@contextmanager
def _program(site: Site, name: str, *arguments: str) -> Iterator[None]:
    with site.log.open("a") as log:
        process = subprocess.Popen(
            [PROGRAMS / name, *arguments],
            cwd=PROJECT,
            env=site.environ,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
        assert process.poll() is None, _tail(site)
    finally:
        # Code servers and runs notice that it is gone, and end; whoever began later has ended by now.
        before = [pid for pid in alive(site) if os.getsid(pid) != process.pid] if process.poll() is None else []
        process.send_signal(signal.SIGINT)
        try:
            process.wait(END_SECONDS)
            wait_until(site, "the end of every process", lambda: set(alive(site)) <= set(before))
        finally:
            # Only what carries this test's own home in its environment.
            for pid in alive(site):
                if pid not in before:
                    os.kill(pid, signal.SIGKILL)
            process.wait()


def alive(site: Site) -> list[int]:
    """Processes that live on this site's Dagster home, this one excepted."""
    mark = f"DAGSTER_HOME={site.environ['DAGSTER_HOME']}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue  # it ended while we looked, or is another user's
    return found


def wait_until(site: Site, what: str, condition: Callable[[], bool], *, look_seconds: float = LOOK_SECONDS) -> None:
    """Until it holds; fails with the daemon's log when that takes too long."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {DEADLINE_SECONDS} s:\n{_tail(site)}"
        pause.wait(look_seconds)


def _tail(site: Site) -> str:
    return site.log.read_text()[-6000:]


def check_truth(site: Site, days: Mapping[str, list[date]]) -> None:
    """The warehouse holds what it must after these days of these charts, and of series at most what the same calls
    bring along: the days since the last one that was settled."""
    wanted, longest = Rows(), Rows()
    for slug, of_chart in days.items():
        chart = site.chart(slug)
        for rows, settings in ((wanted, chart), (longest, replace(chart, history_days=WINDOW_DAYS))):
            for table, of_table in expected(site.simulator.world, settings, of_chart).items():
                rows.setdefault(table, set()).update(of_table)
    with closing(Warehouse(read_environment(site.environ).database_url)) as warehouse:
        held = stored(warehouse)
    # Tracks and artists that two of the charts share have the days of both.
    for table in ("chart_rankings", "tracks", "artists", "ranked", "track_audience", "artist_audience"):
        most = longest if table.endswith("_audience") else wanted
        missing, more = wanted[table] - held[table], held[table] - most[table]
        assert (missing, more) == (set(), set()), f"{table}: {len(missing)} rows are missing, {len(more)} too many"

"""Dagster's code, when its server dies or charts.yaml is mistyped: what is said, and that all comes back by itself.

One session of `serve` for all of it.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from soundcharts_pipeline.admin.state.code_reload import CodeReload
from soundcharts_pipeline.admin.state.dagster_client import Dagster, DagsterUnreachable, Deployment
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline_tests.admin.running import Site, running_serve
from soundcharts_pipeline_tests.admin.site import free_port, processes_of, wait_for
from soundcharts_pipeline_tests.support.command_line import COMMAND, run

CHARTS = """
defaults:
  schedule: "0 0 1 1 *"
  first_date: {first_date}
  history_days: 7
  heal_days: 0
  track_audience_platforms: [spotify]
  artist_audience_platforms: [instagram]
  report: false
charts:
  - slug: viral-50-global
"""
SLUG, ADDED = "viral-50-global", "viral-50-in"
MISTAKE = "  - slug: Not A Slug\n"
# The server that has our code; `dagster code-server` starts a new one at each reload.
SERVER = "dagster_program api grpc"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_serve(tmp_path_factory.mktemp("code"), CHARTS) as site:
        yield site


def test_a_run_that_begins_while_the_file_has_a_mistake_fails_by_the_mistake(site: Site) -> None:
    file, repository = _charts(site), _deployment(site).repository
    assert repository is not None
    bad = f"{file}:{file.read_text().count(chr(10)) + 1}: slug 'Not A Slug'"
    tags = {"dagster/partition": f"{SLUG}|{site.newest(SLUG)}"}  # as Dagster's UI launches it
    with _mistaken(file):
        refused = site.client.trigger(SLUG, site.newest(SLUG))
        dagster = Dagster(site.dagster_url)
        task_id = dagster.launch("full_sync", tags=tags, keys=["chart_rankings"], repository=repository)
        wait_for("the reason", lambda: _error(site, task_id))

    error = _error(site, task_id)
    assert error["kind"] == "SettingsError"
    assert error["message"].startswith(bad)
    assert "requests what failed meanwhile" in error["remedy"]
    assert run(site.environ, "status", SLUG).says(bad, "requests what failed meanwhile")
    assert refused.status_code == 503
    assert bad in refused.json()["error"]
    assert "correct the charts file" in refused.json()["remedy"]


def test_a_code_server_that_is_killed_is_started_again(site: Site) -> None:
    killed = site.pids(SERVER)
    site.kill(SERVER)

    wait_for("the loss", lambda: _deployment(site).repository is None)
    wait_for("its return", lambda: _deployment(site).repository is not None)
    assert not set(site.pids(SERVER)) & set(killed)
    answer = site.client.trigger(SLUG, site.newest(SLUG))
    assert answer.status_code == 202, answer.text
    assert site.watch(SLUG, answer.json()["task_id"])[-1] == 100


def test_a_mistake_while_dagster_loads_a_change_is_over_once_it_is_mended(site: Site) -> None:
    file, before = _charts(site), site.pids(SERVER)
    good = file.read_text() + f"  - slug: {ADDED}\n"
    file.write_text(good)
    wait_for("the load", lambda: set(site.pids(SERVER)) - set(before))
    file.write_text(good + MISTAKE)
    wait_for("the loss", lambda: _deployment(site).repository is None)
    file.write_text(good)

    wait_for("the code of now", lambda: _deployment(site).charts_version == load_settings(file).version)
    wait_for("the end of the notice", lambda: "code" not in " ".join(site.client.status(ADDED)["problems"]))
    assert site.client.trigger(ADDED, site.newest(ADDED)).status_code == 202


def test_dagster_is_asked_again_while_it_goes_by_another_content(site: Site) -> None:
    code, seen = CodeReload(Dagster(site.dagster_url)), {*site.pids(SERVER)}
    said: list[str | None] = []

    def servers() -> int:
        seen.update(site.pids(SERVER))
        said.append(code.problem(_deployment(site), "another"))
        return len(seen)

    wait_for("a second load", lambda: servers() >= 3)
    wait_for("word", lambda: servers() and "goes by another content" in (said[-1] or ""))
    assert "Dagster is loading it" in (said[0] or "")


def test_dev_has_its_code_back_too(environ: dict[str, str], tmp_path: Path) -> None:
    ui = free_port()
    with (tmp_path / "dev.log").open("w") as log:
        dev = subprocess.Popen([*COMMAND, "dev", "--port", str(ui)], env=environ, stdout=log, stderr=subprocess.STDOUT)
    dagster = Dagster(f"http://127.0.0.1:{ui}")

    def has_code() -> bool | None:
        """None while the web server is not there."""
        with suppress(DagsterUnreachable):
            return dagster.deployment().repository is not None
        return None

    try:
        wait_for("code", has_code)
        for pid, line in processes_of(environ).items():
            if SERVER in line:
                os.kill(pid, signal.SIGKILL)
        wait_for("the loss", lambda: has_code() is False)
        wait_for("its return", has_code)
        wait_for("word", lambda: "is told to load this project's code again" in Path(log.name).read_text())
    finally:
        dev.terminate()
        dev.wait()


def _charts(site: Site) -> Path:
    return Path(site.environ["SOUNDCHARTS_CHARTS"])


def _deployment(site: Site) -> Deployment:
    try:
        return Dagster(site.dagster_url).deployment()
    except DagsterUnreachable:  # its code goes in the middle of the answer
        return Deployment((), ("", ""), {}, "unknown")


def _error(site: Site, task_id: str) -> Any:
    tasks = [task for task in site.client.status(SLUG)["tasks"] if task["task_id"] == task_id]
    return tasks[0]["error"] if tasks else None


@contextmanager
def _mistaken(file: Path) -> Iterator[None]:
    good = file.read_text()
    file.write_text(good + MISTAKE)
    try:
        yield
    finally:
        file.write_text(good)

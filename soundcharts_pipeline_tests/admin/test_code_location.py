"""Dagster's code, when its server dies or charts.yaml is mistyped: what is said, and that all comes back by itself.

One session of `serve` for all of it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from soundcharts_pipeline.admin.state.code_reload import CodeReload
from soundcharts_pipeline.admin.state.dagster_client import Dagster, DagsterUnreachable, Deployment
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline_tests.admin.running import Site, running_serve
from soundcharts_pipeline_tests.admin.site import wait_for
from soundcharts_pipeline_tests.support.command_line import run

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
SERVER = "dagster api grpc"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_serve(tmp_path_factory.mktemp("code"), CHARTS) as site:
        yield site


def test_a_run_that_begins_while_the_file_has_a_mistake_fails_by_the_mistake(site: Site) -> None:
    file = _charts(site)
    good, repository = file.read_text(), _deployment(site).repository
    assert repository is not None
    bad = f"{file}:{good.count(chr(10)) + 1}: slug 'Not A Slug'"
    file.write_text(good + MISTAKE)

    refused = site.client.trigger(SLUG, site.newest(SLUG))
    assert refused.status_code == 503
    assert bad in refused.json()["error"]
    assert "correct the charts file" in refused.json()["remedy"]
    dagster = Dagster(site.dagster_url)
    tags = {"dagster/partition": f"{SLUG}|{site.newest(SLUG)}"}  # as Dagster's UI launches it
    task_id = dagster.launch("full_sync", tags=tags, keys=["chart_rankings"], repository=repository)
    wait_for("the reason", lambda: _error(site, task_id))
    file.write_text(good)
    error = site.client.task(SLUG, task_id)["error"]
    assert error["kind"] == "SettingsError"
    assert error["message"].startswith(bad)
    assert "requests what failed meanwhile" in error["remedy"]
    assert run(site.environ, "status", SLUG).says(bad, "requests what failed meanwhile")


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


def _charts(site: Site) -> Path:
    return Path(site.environ["SOUNDCHARTS_CHARTS"])


def _deployment(site: Site) -> Deployment:
    try:
        return Dagster(site.dagster_url).deployment()
    except DagsterUnreachable:  # its code goes in the middle of the answer
        return Deployment((), ("", ""), {}, "unknown")


def _error(site: Site, task_id: str) -> object:
    tasks = [task for task in site.client.status(SLUG)["tasks"] if task["task_id"] == task_id]
    return tasks and tasks[0]["error"]

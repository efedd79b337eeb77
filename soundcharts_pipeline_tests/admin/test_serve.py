"""`serve` for real: webserver, daemon, code server, runs and the internal API, as processes against the simulator.

One session shows everything, in the order in which an operator would meet it.
"""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from soundcharts_pipeline_tests.admin.running import Site, running_serve
from soundcharts_pipeline_tests.admin.site import TOKEN, processes_of, wait_for
from soundcharts_pipeline_tests.command_line import run

CHARTS = """
defaults:
  schedule: "0 0 1 1 *"
  first_date: {first_date}
  history_days: 7
  heal_days: 0
  track_audience_platforms: [spotify]
  artist_audience_platforms: [instagram]
charts:
  - slug: viral-50-global
  - slug: nowhere-28
"""
SLUG, UNKNOWN = "viral-50-global", "nowhere-28"
# Makes a chart-day of some 110 calls last for seconds, so that there is something to watch.
SLOW_SECONDS = 1.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_serve(tmp_path_factory.mktemp("serve"), CHARTS) as site:
        yield site


def test_a_double_click_is_one_run_of_the_newest_day(site: Site) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: site.client.trigger(SLUG), range(4)))

    queued = [answer for answer in answers if answer.status_code == 202]
    refused = [answer for answer in answers if answer.status_code == 409]
    assert (len(queued), len(refused)) == (1, 3), [answer.text for answer in answers]
    task = queued[0].json()
    assert task == {
        "task_id": task["task_id"],
        "chart": SLUG,
        "partition": f"{SLUG}|{site.newest(SLUG)}",
        "status": "pending",
        "status_url": f"/admin/soundcharts/chart/{SLUG}/status/",
    }
    assert {answer.json()["task_id"] for answer in refused} == {task["task_id"]}
    told = site.watch(SLUG, task["task_id"])
    assert told == sorted(told)
    assert told[-1] == 100


def test_a_synced_chart_is_told_the_same_by_api_and_terminal(site: Site) -> None:
    said = site.client.status(SLUG)
    done = run(site.environ, "status", SLUG, "--json")
    printed = json.loads(done.out)

    assert (said["status"], said["success_rate"], said["error_count"]) == ("healthy", 1.0, 0)
    assert (said["last_error"], said["problems"]) == (None, [])
    assert datetime.fromisoformat(said["last_sync"]) <= datetime.now(UTC)
    assert {one["day"]: one["state"] for one in said["strip"]}[str(site.newest(SLUG))] == "complete"
    assert said["tasks"][0]["logs_url"].endswith(f"/runs/{said['tasks'][0]['task_id']}")
    assert done.code == 0
    for task in [*said["tasks"], *printed["tasks"]]:
        del task["logs_url"]
    assert printed == said


def test_a_failed_task_says_what_happened_and_what_to_do(site: Site) -> None:
    task_id = site.client.trigger(UNKNOWN, site.newest(SLUG)).json()["task_id"]

    told = site.watch(UNKNOWN, task_id)
    wait_for("reason", lambda: site.client.task(UNKNOWN, task_id)["error"])
    task, said = site.client.task(UNKNOWN, task_id), site.client.status(UNKNOWN)
    done = run(site.environ, "status", UNKNOWN)

    assert told[-1] < 100
    assert (task["status"], task["step"]) == ("failed", "chart_rankings")
    assert task["error"]["kind"] == "UnknownChart"
    assert UNKNOWN in task["error"]["message"]
    assert "charts search" in task["error"]["remedy"]
    assert said["last_error"] == task["error"]
    assert (said["status"], said["error_count"], said["success_rate"]) == ("never_synced", 1, 0.0)
    assert done.code == 0
    assert done.says(UNKNOWN, "never_synced")


def test_without_a_date_of_a_chart_that_soundcharts_does_not_have_nothing_is_started(site: Site) -> None:
    answer = site.client.trigger(UNKNOWN)

    assert answer.status_code in (400, 503)
    assert UNKNOWN in answer.json()["error"]


def test_a_run_that_is_killed_shows_as_failed(site: Site) -> None:
    site.simulator.set(latency=SLOW_SECONDS)
    day = site.newest(SLUG) - timedelta(days=1)
    task_id = site.client.trigger(SLUG, day).json()["task_id"]
    wait_for("step", lambda: (site.client.task(SLUG, task_id)["step"] or "").startswith("track"))
    before = site.client.task(SLUG, task_id)["progress"]

    os.kill(site.pid_of_run(task_id), signal.SIGKILL)
    wait_for("failure", lambda: site.client.task(SLUG, task_id)["status"] == "failed")
    wait_for("reason", lambda: site.client.task(SLUG, task_id)["error"])
    site.simulator.set(latency=0.02)

    task, said = site.client.task(SLUG, task_id), site.client.status(SLUG)
    assert before <= task["progress"] < 100
    assert task["error"]["kind"] == "RunFailed"
    assert "SIGKILL" in task["error"]["message"] or "exit" in task["error"]["message"]
    assert task["error"]["remedy"]
    assert (said["status"], said["error_count"], said["success_rate"]) == ("degraded", 1, 0.5)
    assert run(site.environ, "status").code == 1


def test_a_webserver_that_dies_is_said_and_started_again(site: Site) -> None:
    killed = site.pids("child dagster_webserver")

    site.kill("child dagster_webserver")
    wait_for("sentence", lambda: "webserver" in " ".join(site.client.status(SLUG)["problems"]))
    assert site.client.get("/health/").status_code == 503
    assert site.client.trigger(SLUG, site.newest(SLUG)).status_code == 503
    wait_for("recovery", lambda: not site.client.status(SLUG)["problems"])

    assert site.client.get("/health/").status_code == 200
    assert "Dagster's webserver was ended by SIGKILL; it is started again" in site.log.read_text()
    assert site.pids("child dagster_webserver") != killed
    assert site.watch(SLUG, site.client.trigger(SLUG, site.newest(SLUG)).json()["task_id"])[-1] == 100


def test_a_port_in_use_is_named_before_anything_starts(site: Site) -> None:
    port = site.client.url.rpartition(":")[2]

    for options in (["--port", port], ["--ui-port", port], ["--alone", "--port", port]):
        done = run(site.environ, "serve", *options)
        assert done.code == 2
        assert done.says(f"port {port} cannot be used", "choose another one with")


def test_no_secret_is_printed(site: Site) -> None:
    assert TOKEN not in site.log.read_text()
    assert TOKEN not in run(site.environ, "status", "--json").text


def test_everything_ends_with_a_supervisor_that_is_killed(site: Site) -> None:
    site.supervisor.kill()
    site.supervisor.wait()

    wait_for("end of every process", lambda: not processes_of(site.environ))

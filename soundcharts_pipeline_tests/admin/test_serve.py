"""`serve` for real: webserver, daemon, code server, runs and the internal API, as processes against the simulator.

One session shows everything, in the order in which an operator would meet it.
"""

import json
import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_graphql.client.query import LAUNCH_PARTITION_BACKFILL_MUTATION

from soundcharts_pipeline.admin.state.dagster_client import Dagster, LaunchRefused
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.partitions import partition_key, range_tags
from soundcharts_pipeline.storage.processes import host_name
from soundcharts_pipeline_tests.admin.running import UI, Site, running_serve
from soundcharts_pipeline_tests.admin.site import TOKEN, processes_of, wait_for
from soundcharts_pipeline_tests.support.command_line import run
from soundcharts_pipeline_tests.support.dagster_site import ask

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
SLUG, UNKNOWN, ADDED, REMOVED = "viral-50-global", "nowhere-28", "viral-50-in", "viral-50-us"
TICKING = "viral-50-gb"
# Makes a chart-day of some 110 calls last for seconds, so that there is something to watch.
SLOW_SECONDS = 1.0
# Lasts until Dagster's daemon has looked at a backfill twice.
LONG_SECONDS = 15.0


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
    assert said["tasks"][0]["logs_url"] == f"{UI}/runs/{said['tasks'][0]['task_id']}"
    assert done.code == 0
    for task in [*said["tasks"], *printed["tasks"]]:
        del task["logs_url"]
    assert printed == said


def test_a_canceled_task_is_neither_a_failure_nor_a_success(site: Site) -> None:
    day = site.newest(SLUG) - timedelta(days=2)
    site.simulator.set(latency=LONG_SECONDS)
    task_id = site.client.trigger(SLUG, day).json()["task_id"]
    with dg.DagsterInstance.from_config(site.environ["DAGSTER_HOME"]) as instance:
        # What Terminate does in Dagster's UI.
        wait_for("end", lambda: instance.run_coordinator.cancel_run(task_id))
    site.simulator.set(latency=0.02)
    wait_for("word", lambda: site.client.task(SLUG, task_id)["status"] == "canceled")
    task, said = site.client.task(SLUG, task_id), site.client.status(SLUG)
    done = run(site.environ, "status", SLUG)
    page = site.client.get("/metrics").text

    assert task["error"]["kind"] == "Canceled"
    assert "canceled in Dagster's UI or by a program" in task["error"]["message"]
    assert task["finished_at"]
    assert (said["status"], said["success_rate"], said["error_count"]) == ("healthy", 1.0, 0)
    assert said["reason"].endswith(f"the run of {day} was canceled")
    assert {one["day"]: one["state"] for one in said["strip"]}[str(day)] in ("offered", "partial")
    assert done.code == 0
    assert done.says(f"the run of {day} was canceled", "canceled in Dagster's UI or by a program")
    assert f'soundcharts_chart_errors{{chart="{SLUG}"}} 0' in page


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
    assert (said["status"], said["error_count"], said["success_rate"]) == ("failing", 1, 0.0)
    assert said["reason"] == "nothing of it was ever saved: its only run failed"
    assert done.code == 1
    assert done.says(UNKNOWN, "failing", task["error"]["message"].partition(";")[0], "what to do:")


def test_without_a_date_of_a_chart_that_soundcharts_does_not_have_nothing_is_started(site: Site) -> None:
    answer = site.client.trigger(UNKNOWN)

    assert answer.status_code in (400, 503)
    assert UNKNOWN in answer.json()["error"]


def test_a_chart_that_is_added_while_all_runs_is_triggered_at_once_and_synced(site: Site) -> None:
    file = Path(site.environ["SOUNDCHARTS_CHARTS"])
    file.write_text(file.read_text() + f"  - slug: {ADDED}\n")
    answer = site.client.trigger(ADDED, site.newest(ADDED))
    assert answer.status_code == 202, answer.text
    assert site.watch(ADDED, answer.json()["task_id"])[-1] == 100
    wait_for("the end of the notice", lambda: site.client.status(ADDED)["problems"] == [])
    # The daemon started it, so it knows the chart too. A mistake in the file is told, also to whoever triggers.
    good = file.read_text()
    file.write_text(good + "  - slug: Not A Slug\n")
    wait_for("the mistake", lambda: "Not A Slug" in " ".join(site.client.status(ADDED)["problems"]))
    assert "Not A Slug" in site.client.trigger(ADDED, site.newest(ADDED)).json()["error"]
    file.write_text(good)
    assert site.client.trigger(ADDED, site.newest(ADDED)).status_code == 202


def test_a_launch_that_dagster_refuses_leaves_no_run_behind(site: Site) -> None:
    dagster = Dagster(site.dagster_url)
    repository = dagster.deployment().repository
    assert repository is not None
    before = {one.run_id for one in dagster.in_flight()}
    nowhere = range_tags(ChartDays("gone", site.newest(SLUG), site.newest(SLUG)))
    with pytest.raises(LaunchRefused):
        dagster.launch("full_sync", tags=nowhere, keys=["chart_rankings"], repository=repository)
    assert {one.run_id for one in dagster.in_flight()} <= before


def test_a_chart_that_is_taken_out_while_its_backfill_runs_is_told(site: Site) -> None:
    file, day = Path(site.environ["SOUNDCHARTS_CHARTS"]), site.newest(SLUG) - timedelta(days=3)
    head, _, _ = file.read_text().partition("charts:\n")
    dagster, charts = Dagster(site.dagster_url), load_settings(file).version
    # The daemon sees changed code later than the web server does: here, once there is a backfill to look at.
    site.kill("orchestration.daemon", signal.SIGSTOP)
    file.write_text(f"{head}charts:\n" + "".join(f"  - slug: {slug}\n" for slug in (SLUG, UNKNOWN, ADDED, REMOVED)))
    wait_for("Dagster's own look at it", lambda: dagster.deployment().charts_version not in ("", charts))
    site.simulator.set(latency=LONG_SECONDS)
    # What the UI sends: at once, with a chart that is only just there.
    backfill = _backfill(site, [ADDED, REMOVED], day)
    site.kill("orchestration.daemon", signal.SIGCONT)
    for slug in (ADDED, REMOVED):
        wait_for(f"the run of {slug}", lambda slug=slug: (_task(site, slug, day)["step"] or "").startswith("track"))  # type: ignore[misc]
    # By its id: once it has ended, a sensor may request the day again at any moment, and that task is newer.
    task_id = _task(site, ADDED, day)["task_id"]
    queued = [site.client.trigger(slug, day - timedelta(days=1)).json()["task_id"] for slug in (ADDED, REMOVED)]
    head = re.sub("first_date: .*", f"first_date: {day}", head)
    file.write_text(f"{head}charts:\n" + "".join(f"  - slug: {slug}\n" for slug in (ADDED, UNKNOWN, SLUG)))

    gone = f"{REMOVED} is not in charts.yaml any more"
    told = f"its runs with it: {gone}; launch what is left of it again: {ADDED} {day}"
    wait_for("word", lambda: told in " ".join(site.client.status(SLUG)["problems"]))
    # As a problem, or, once the healing sensor has requested the day again, as what became of its run.
    assert run(site.environ, "status").says(f"backfill {backfill}", gone)
    assert site.client.get("/health/").status_code == 200, "nothing that a run needs is away"
    wait_for("the end of its run", lambda: site.client.task(ADDED, task_id)["status"] == "failed")
    site.simulator.set(latency=0.02)
    error = site.client.task(ADDED, task_id)["error"]
    assert (error["kind"], error["message"]) == ("BackfillGivenUp", f"Dagster gave up its backfill {backfill}: {gone}")
    here = f"{file} on {host_name()}"
    for run_id, words in zip(queued, (f"{here} has no day before {day}", f"{REMOVED} is not in {here}"), strict=True):
        wait_for(f"the failure: {words}", lambda run_id=run_id: dagster.failure(run_id).kind == "SettingsError")  # type: ignore[misc]
        assert words in dagster.failure(run_id).message
    # Nobody wished for its end: the cascade sensor may have requested the day already.
    assert site.client.trigger(ADDED, day).status_code in (202, 409)
    wait_for("the end of the notice", lambda: site.client.status(SLUG)["problems"] == [])


def _backfill(site: Site, slugs: list[str], day: date) -> str:
    audience = ["track_audience/spotify", "artist_audience/instagram"]
    keys = ["chart_rankings", "track_metadata", "artist_metadata", *audience]
    params = {
        "assetSelection": [{"path": key.split("/")} for key in keys],
        "partitionNames": [partition_key(slug, day) for slug in slugs],
    }
    launched = ask(site.dagster_url, LAUNCH_PARTITION_BACKFILL_MUTATION, backfillParams=params)
    backfill: str = launched["launchPartitionBackfill"]["backfillId"]
    return backfill


def _task(site: Site, slug: str, day: date) -> dict[str, Any]:
    """The newest task of this day alone; one without a step while there is none."""
    tasks = [task for task in site.client.status(slug)["tasks"] if task["partition"] == partition_key(slug, day)]
    return tasks[0] if tasks else {"step": None}


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


def test_a_schedule_whose_tick_failed_is_told_until_it_ticks_well(site: Site) -> None:
    file = Path(site.environ["SOUNDCHARTS_CHARTS"])
    site.simulator.set(quota=0)
    file.write_text(file.read_text() + f'  - slug: {TICKING}\n    schedule: "* * * * *"\n    sync_history: false\n')
    wait_for("Dagster's schedule", lambda: site.client.status(TICKING).get("next_run"))
    wait_for("the failed tick", lambda: site.client.status(TICKING)["status"] != "never_synced")
    said, done = site.client.status(TICKING), run(site.environ, "status", TICKING)

    assert (said["status"], said["error_count"]) == ("failing", 0)
    assert said["reason"] == "nothing of it was ever saved: the last tick of its schedule failed"
    assert (said["last_error"]["kind"], said["tasks"]) == ("QuotaExhausted", [])
    assert done.code == 1
    assert done.says("the last tick of its schedule failed", said["last_error"]["message"], "what to do:")
    site.simulator.set(quota=1_000_000)
    wait_for("a good tick, and its run", lambda: site.client.status(TICKING)["status"] == "healthy")
    assert run(site.environ, "status", TICKING).code == 0


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

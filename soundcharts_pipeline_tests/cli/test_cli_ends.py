"""Commands that run until they are told to end: each ends cleanly, with what it has started."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
import pytest
import requests

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.admin.site import processes_of
from soundcharts_pipeline_tests.support.away import away
from soundcharts_pipeline_tests.support.command_line import (
    end,
    read_until,
    run,
    run_program,
    start,
    user_environ,
    with_charts,
)
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.today import TODAY
from soundcharts_pipeline_tests.support.told_to_end import Ended, by_a_script, by_closing_the_terminal, by_ctrl_c

SYNCING = r"chart_rankings +[01]/1 rankings"
SMALL_DEMO = f"""
from soundcharts_pipeline.cli import demo
from soundcharts_pipeline.cli.console import open_console
demo.CHARTS, demo.DAYS, demo.HISTORY_DAYS = {{{SLUG!r}: "Viral 50"}}, 1, 7
outcomes = demo.run_demo(open_console())
assert [outcome.succeeded for outcome in outcomes] == [True]
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_simulate_prints_its_url_and_ends_when_told(environ: dict[str, str], number: signal.Signals) -> None:
    process = start(environ, "simulate", "--port", "0", "--seed", "7", "--today", "2028-02-29")

    url = read_until(process, "http://127.0.0.1:")[-1]
    answer = requests.get(f"{url}/api/v2/chart/song/platforms", headers=_credentials(), timeout=30)
    code, printed = end(process, number)

    assert answer.status_code == 200
    assert (code, printed) == (0, "")
    assert _is_free(url)


@pytest.mark.parametrize("command", ["simulate", "dev"])
def test_a_port_in_use_is_named_with_the_option_to_choose_another(
    environ: dict[str, str], simulator: Simulator, command: str
) -> None:
    port = str(urlsplit(simulator.url).port)

    done = run(environ, command, "--port", port)

    assert done.code == 2
    assert done.says(f"port {port} cannot be used (", "ddress already in use", "--port")
    assert "What to do" not in done.text, "the message says what to do; no other advice fits"


def test_what_a_command_was_given_is_refused_without_advice_on_something_else(environ: dict[str, str]) -> None:
    refused = {
        "both ports are 3001; choose another one with --port": ["serve", "--port", "3001", "--ui-port", "3001"],
        "no oddity named odd; choose from": ["simulate", "--port", "0", "--oddities", "odd"],
        "2999-01-01 is in the future": ["sync", "global-28", "--date", "2999-01-01"],
    }
    done = {words: run(environ, *command) for words, command in refused.items()}

    assert {words: one.code for words, one in done.items()} == dict.fromkeys(refused, 2)
    assert all(one.says(words) and "What to do" not in one.text for words, one in done.items())


def test_a_variable_that_cannot_be_meant_leads_to_the_command_that_reads_them_all(environ: dict[str, str]) -> None:
    done = run(environ | {"SOUNDCHARTS_MAX_IN_FLIGHT": "many"}, "status")

    assert done.code == 2
    assert done.says(
        "SOUNDCHARTS_MAX_IN_FLIGHT: 'many' is not a whole number", "What to do", "`soundcharts-pipeline doctor`"
    )


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("--rate", "0", "greater than or equal to 1"), ("--oddities", "odd", "no oddity named odd; choose from no-data")],
)
def test_simulate_refuses_what_makes_no_sense(environ: dict[str, str], option: str, value: str, words: str) -> None:
    done = run(environ, "simulate", "--port", "0", option, value)

    assert done.code == 2
    assert done.says(words)


# Command, how it is told to end, once it has printed what, and the exit code.
ENDINGS = {
    "sync, Ctrl-C": (["sync", SLUG], by_ctrl_c, SYNCING, 130),
    "sync, terminal closed": (["sync", SLUG], by_closing_the_terminal, SYNCING, 129),
    "sync, script": (["sync", SLUG], by_a_script, SYNCING, 143),
    "simulate, Ctrl-C": (["simulate", "--port", "0"], by_ctrl_c, "http:", 0),
    "simulate, terminal closed": (["simulate", "--port", "0"], by_closing_the_terminal, "http:", 0),
    "simulate, script": (["simulate", "--port", "0"], by_a_script, "http:", 0),
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Ended, dict[str, str]]]]:
    """All of them, two at a time, each with an environment of its own and answers that take their time."""

    def end_one(what: str) -> tuple[Ended, dict[str, str]]:
        command, way, until, _ = ENDINGS[what]
        folder = tmp_path_factory.mktemp("ended")
        environ = with_charts(user_environ(simulator, folder), folder) | {"SOUNDCHARTS_MAX_IN_FLIGHT": "2"}
        return way(environ, command, until), environ

    with Simulator(today=TODAY, latency=0.5) as simulator, ThreadPoolExecutor(2) as pool:
        yield dict(zip(ENDINGS, pool.map(end_one, ENDINGS), strict=True))


@pytest.mark.parametrize("what", ENDINGS)
def test_a_command_that_is_told_to_end_does_and_leaves_nothing_behind(
    ended: dict[str, tuple[Ended, dict[str, str]]], what: str
) -> None:
    command, way, _, code = ENDINGS[what]
    done, environ = ended[what]

    assert done.code == code
    assert "Traceback" not in done.text
    if code and way is not by_closing_the_terminal:
        assert "Interrupted: what was saved stays" in done.text
    assert processes_of(environ) == {}
    if command[0] == "sync":
        with dg.DagsterInstance.from_config(environ["DAGSTER_HOME"]) as instance:
            assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.CANCELED]


def test_a_demo_that_a_service_manager_ends_takes_its_simulator_with_it(environ: dict[str, str]) -> None:
    process = start(environ, "demo")

    greeting = read_until(process, "A local Soundcharts answers at ")[-1]
    read_until(process, "chart_rankings")
    code, printed = end(process, signal.SIGTERM)

    assert code == 143
    assert "Interrupted: what was saved stays" in printed
    assert "Traceback" not in printed
    assert _is_free(greeting.split()[5].rstrip(":"))


def test_the_demo_ends_with_what_is_in_the_database_and_three_things_to_try(
    environ: dict[str, str], tmp_path: Path
) -> None:
    done = run_program(environ, sys.executable, "-c", SMALL_DEMO)
    status = run(with_charts(environ, tmp_path), "status")

    assert done.code == 0, done
    assert done.says("charts 1 1", "rankings 1 1", "ranking positions 50 50", "tracks 50 50")
    for platform in ("spotify", "youtube", "shazam", "airplay"):
        assert done.says(f"track audience points, {platform}")
    for platform in ("spotify", "youtube", "instagram", "tiktok"):
        assert done.says(f"artist audience points, {platform}")
    assert done.says("calls spent", "seconds")
    assert done.says("1. See these runs", " dev", "2. Ask the data", "3. Go live", f"sync {SLUG}")
    assert any(line.strip().startswith("sqlite3 ") and line.endswith('LIMIT 10"') for line in done.out.splitlines())
    # Older days can be had; nobody asked for them.
    assert status.says("healthy", "all that was asked for is here", "more published days of the last 30 can be had")
    assert status.code == 0


def test_a_dev_of_a_script_ends_with_its_programs_and_the_simulator(environ: dict[str, str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        ui = f"http://127.0.0.1:{probe.getsockname()[1]}"

    done = by_a_script(
        environ | {"SOUNDCHARTS_APP_ID": ""}, ["dev", "--port", ui.rpartition(":")[2]], "Dagster UI: .*\n"
    )

    simulator = done.text.partition("a local simulator answers at ")[2].partition(",")[0]
    assert done.code == 0
    assert "Ending. What was saved stays" in done.text
    assert "Traceback" not in done.text
    assert _is_free(ui)
    assert _is_free(simulator)
    assert processes_of(environ) == {}


def _credentials() -> dict[str, str]:
    return {"x-app-id": "soundcharts", "x-api-key": "soundcharts"}


def _is_free(url: str) -> bool:
    """Whether nobody listens there any more."""
    address = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((address.hostname, address.port)) != 0


def test_a_simulator_ends_with_the_process_that_started_it(environ: dict[str, str]) -> None:
    starter = (
        "from soundcharts_pipeline.cli.processes.simulator import simulator_process\n"
        "with simulator_process(latency=0, rate=1000) as url:\n"
        "    print(url, flush=True)\n"
        "    input()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", starter], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
    )
    assert process.stdin is not None
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert requests.get(f"{url}/_simulator/counters", timeout=10).ok
    process.kill()
    process.communicate()
    gone = threading.Event()
    while not gone.wait(0.02):
        try:
            requests.get(f"{url}/_simulator/counters", timeout=10)
        except requests.ConnectionError:
            gone.set()


@pytest.mark.parametrize(("way", "code"), [(by_ctrl_c, 130), (by_a_script, 143)])
def test_a_sync_that_waits_for_a_database_that_is_away_ends_when_told_and_says_so(
    environ: dict[str, str],
    simulator: Simulator,
    postgres_url: str,
    tmp_path: Path,
    way: Callable[..., Ended],
    code: int,
) -> None:
    simulator.set(latency=0.2)
    surroundings = with_charts(environ, tmp_path) | {
        "SOUNDCHARTS_DATABASE_URL": postgres_url,
        "SOUNDCHARTS_MAX_IN_FLIGHT": "4",
    }
    with away(simulator, postgres_url, until=lambda: False):
        done = way(surroundings, ["sync", SLUG], "is away: waiting for it")

    assert done.code == code
    assert "Interrupted: what was saved stays" in done.text
    assert "cannot reach PostgreSQL" not in done.text

"""What cannot be reached is said in a sentence, and no longer than it lasts."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from soundcharts_pipeline.admin.state.dagster_client import Daemon, Deployment
from soundcharts_pipeline.admin.state.problems import LONGEST_SILENCE, LONGEST_SILENCE_OF_ONE, deployment_problems
from soundcharts_pipeline_tests.admin.site import serving, wait_for
from soundcharts_pipeline_tests.support.command_line import CHARTS
from soundcharts_pipeline_tests.support.helpers import SLUG

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SCHEDULER = Daemon("SCHEDULER", True, NOW - timedelta(seconds=20), ())
SENSORS = Daemon("SENSOR", True, NOW - timedelta(seconds=40), ())
FINE = Deployment((SCHEDULER, SENSORS), ("soundcharts_pipeline", "__repository__"), {})


def problems(*daemons: Daemon) -> list[str]:
    return list(deployment_problems(replace(FINE, daemons=daemons), NOW))


def test_a_deployment_whose_daemon_beats_has_no_problem() -> None:
    assert problems(SCHEDULER, SENSORS) == []
    # One loop that is busy is no stopped daemon.
    assert problems(SCHEDULER, replace(SENSORS, heard_at=NOW - LONGEST_SILENCE_OF_ONE)) == []
    assert problems(SCHEDULER, Daemon("ASSET", False, None, ())) == []


def test_a_stopped_daemon_is_said_within_a_minute() -> None:
    silent = NOW - LONGEST_SILENCE - timedelta(seconds=1)
    (said,) = problems(replace(SCHEDULER, heard_at=silent), replace(SENSORS, heard_at=silent))

    assert timedelta(minutes=1) > LONGEST_SILENCE
    assert "daemon was last heard of at 2026-11-20 11:59:09 UTC" in said
    assert "queued runs do not start" in said
    assert "dagster-daemon run" in said
    assert "was never heard of" in problems()[0]


def test_a_loop_of_the_daemon_that_fails_or_is_stuck_is_named() -> None:
    failing = replace(SENSORS, errors=("KeyError: 'x'\n\nStack Trace: ...",))
    stuck = replace(SENSORS, heard_at=NOW - LONGEST_SILENCE_OF_ONE - timedelta(seconds=1))

    assert problems(SCHEDULER, failing) == ["Dagster's SENSOR daemon reports an error: KeyError: 'x'; see its log"]
    assert problems(SCHEDULER, stuck) == ["Dagster's SENSOR daemon is silent since 11:49:59 UTC; see its log"]


def test_code_that_is_not_loaded_is_said() -> None:
    (said,) = deployment_problems(replace(FINE, repository=None), NOW)

    assert "has not loaded this project's code" in said


def test_a_locked_database_is_said_and_forgotten_when_it_is_free(tmp_path: Path) -> None:
    charts, database = tmp_path / "charts.yaml", tmp_path / "soundcharts.db"
    charts.write_text(CHARTS)
    with serving(charts, f"sqlite:///{database}") as client:
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            wait_for(
                "sentence", lambda: "stayed locked by another process" in " ".join(client.status(SLUG)["problems"])
            )
            assert client.get("/health/").status_code == 503
        wait_for("recovery", lambda: "locked" not in " ".join(client.status(SLUG)["problems"]))


def test_charts_that_are_added_to_the_file_are_known_without_a_restart(tmp_path: Path) -> None:
    charts = tmp_path / "charts.yaml"
    charts.write_text(CHARTS)
    with serving(charts, f"sqlite:///{tmp_path}/soundcharts.db") as client:
        assert client.get("/chart/global-28/status/").status_code == 404
        charts.write_text(f"{CHARTS}  - slug: global-28\n")
        wait_for("new chart", lambda: client.get("/chart/global-28/status/").status_code == 200)
        charts.write_text("charts:\n  - slug: [\n")
        wait_for("mistake", lambda: "charts.yaml:" in " ".join(client.status(SLUG)["problems"]))

"""The PostgreSQL instance for real: code server, web server, daemon and internal API as processes on a PostgreSQL with
the shipped roles, against the simulator. One session shows everything, in the order in which an operator meets it."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from soundcharts_pipeline.orchestration.dead_runs import PID_TAG
from soundcharts_pipeline.storage.errors import StorageUnavailable
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.admin.site import wait_for
from soundcharts_pipeline_tests.end_to_end.postgres_site import (
    APP,
    DAGSTER,
    FAST_SECONDS,
    OTHER,
    OWNER,
    PASSWORDS,
    READER,
    SERVICES,
    SLUG,
    WAREHOUSE,
    Deployment,
    ask,
    deployed,
    health_check,
    make_roles,
    url_as,
)
from soundcharts_pipeline_tests.support.command_line import run, run_each_program
from soundcharts_pipeline_tests.support.dagster_site import check_truth

# Makes a chart-day last for so long that there is time to kill it.
SLOW_SECONDS = 3.0


@pytest.fixture(scope="module")
def site(postgres_server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployed(postgres_server, tmp_path_factory.mktemp("deployment")) as deployment:
        deployment.wait_until_well()
        yield deployment


def test_a_cascade_is_in_postgresql_with_the_record_of_it(site: Deployment) -> None:
    first, second = site.client.trigger(SLUG), site.client.trigger(SLUG)

    assert (first.status_code, second.status_code) == (202, 409)
    assert second.json()["task_id"] == first.json()["task_id"]
    task = site.wait_for_task(SLUG, first.json()["task_id"], "complete", "failed")
    assert (task["status"], task["progress"]) == ("complete", 100), task
    check_truth(site.site, {SLUG: [site.newest]})
    recorded = ask(url_as(site.server, DAGSTER, DAGSTER), "SELECT run_id, status FROM runs")
    assert recorded == [(task["task_id"], "SUCCESS")]
    assert not list(site.folder.rglob("*.db"))
    passwords = [password for password in PASSWORDS.values() if password in (site.folder / "processes.log").read_text()]
    assert passwords == []


def test_the_health_checks_of_services_that_are_well_pass(site: Deployment) -> None:
    checks = {name: site.here(health_check(name)) for name in SERVICES}

    done = run_each_program(site.site.environ, checks)

    assert {name: one.code for name, one in done.items()} == dict.fromkeys(SERVICES, 0), done


def test_runs_and_servers_that_are_killed_are_said_and_replaced(site: Deployment) -> None:
    site.site.simulator.set(latency=SLOW_SECONDS)
    day = site.newest - timedelta(days=1)
    alone, with_server = (site.client.trigger(slug, day).json()["task_id"] for slug in (SLUG, OTHER))
    wait_for("step", lambda: site.is_asking(SLUG, alone))
    record = site.site.instance.get_run_by_id(alone)
    assert record is not None
    os.kill(int(record.tags[PID_TAG]), signal.SIGKILL)
    wait_for("step", lambda: site.is_asking(OTHER, with_server))
    site.wait_for_task(SLUG, alone, "failed")
    assert "SIGKILL" in site.reason(SLUG, alone)

    site.kill("code")
    wait_for("sentence", lambda: "has not loaded this project's code" in site.problems())
    site.start("code")
    site.kill("webserver")
    wait_for("sentence", lambda: "webserver" in site.problems())
    assert site.client.get("/health/").status_code == 503
    site.start("webserver")
    site.wait_until_well()
    site.wait_for_task(OTHER, with_server, "failed")
    assert "is gone" in site.reason(OTHER, with_server)
    site.site.simulator.set(latency=FAST_SECONDS)


@pytest.fixture(scope="module")
def silent(site: Deployment) -> Deployment:
    """The same with its daemon killed, which is known by its silence: what needs none is tested meanwhile."""
    site.kill("daemon")
    return site


@pytest.mark.parametrize(
    ("role", "statement", "right"),
    [
        (READER, "SELECT count(*) FROM track_audience", True),
        (READER, "INSERT INTO genres (root, name) VALUES ('x', '')", False),
        (READER, "SET default_transaction_read_only = off; COMMIT; DELETE FROM chart_rankings", False),
        (READER, "CREATE TABLE mine (x int)", False),
        (READER, "CREATE TEMP TABLE mine (x int)", False),
        (APP, "UPDATE tracks SET name = name", True),
        (APP, "DELETE FROM chart_rankings WHERE position = 0", True),
        (APP, "CREATE TEMP TABLE stage AS TABLE tracks WITH NO DATA", True),
        (APP, "CREATE TABLE mine (x int)", False),
        (APP, "DROP TABLE tracks", False),
        (APP, "TRUNCATE tracks", False),
        (APP, "ALTER TABLE tracks ADD mine int", False),
        (APP, "CREATE ROLE friend", False),
        (OWNER, "CREATE TABLE mine (x int); DROP TABLE mine", True),
        (OWNER, "CREATE ROLE friend", False),
        (DAGSTER, "SELECT 1", False),
    ],
)
def test_a_role_has_the_rights_it_needs_and_no_other(
    silent: Deployment, role: str, statement: str, right: bool
) -> None:
    refused = ""
    try:
        ask(url_as(silent.server, role, WAREHOUSE), statement)
    except DBAPIError as error:
        refused = str(error.orig)

    assert (refused == "") == right, refused
    assert right or any(words in refused for words in ("permission denied", "must be owner", "read-only transaction"))


@pytest.mark.parametrize("role", [OWNER, APP, READER])
def test_dagsters_state_is_closed_to_the_roles_of_the_warehouse(silent: Deployment, role: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied for database"):
        ask(url_as(silent.server, role, DAGSTER), "SELECT 1")


@pytest.mark.parametrize("role", list(PASSWORDS))
def test_a_wrong_password_is_refused(silent: Deployment, role: str) -> None:
    with pytest.raises(DBAPIError, match="password authentication failed"):
        ask(url_as(silent.server, role, WAREHOUSE, password="wrong"), "SELECT 1")


def test_tables_are_made_by_the_owner_and_the_others_are_told_so(silent: Deployment) -> None:
    make_roles(silent.server, "-v", "database=another", "-v", "dagster_database=another_dagster")
    with closing(Warehouse(url_as(silent.server, APP, "another").render_as_string(hide_password=False))) as app:
        with pytest.raises(StorageUnavailable, match=r"permission denied .*soundcharts-pipeline migrate"):
            app.prepare()
        with closing(Warehouse(url_as(silent.server, OWNER, "another").render_as_string(hide_password=False))) as owner:
            owner.prepare()
        app.prepare()
    assert ask(url_as(silent.server, READER, "another"), "SELECT count(*) FROM tracks") == [(0,)]


def test_migrating_again_changes_nothing(silent: Deployment) -> None:
    done = run(silent.owner_environ, "migrate")

    assert done.code == 0
    assert done.says("tables are up to date", f"database '{WAREHOUSE}', user '{OWNER}'", "Dagster's state")


def test_the_pipelines_role_makes_a_backup(silent: Deployment, postgres_programs: Path) -> None:
    environ = {**silent.site.environ, "PATH": f"{postgres_programs}{os.pathsep}{os.environ['PATH']}"}

    done = run(environ, "backup")

    assert done.code == 0, done.text
    assert list((silent.folder / "data" / "backups").glob("*.dump"))


def test_a_locked_table_is_said_and_forgotten_when_it_is_free(silent: Deployment) -> None:
    engine = create_engine(url_as(silent.server, OWNER, WAREHOUSE))
    with closing(engine.raw_connection()) as held:
        held.cursor().execute("LOCK TABLE chart_rankings IN ACCESS EXCLUSIVE MODE")
        wait_for("sentence", lambda: "stayed locked by another process" in silent.problems())
    engine.dispose()
    wait_for("recovery", lambda: "locked" not in silent.problems())


def test_a_stopped_daemon_is_said_and_what_was_asked_for_meanwhile_runs_when_it_is_back(silent: Deployment) -> None:
    wait_for("sentence", lambda: "daemon was last heard of" in silent.problems())
    assert silent.client.get("/health/").status_code == 503
    triggered = silent.client.trigger(SLUG, silent.newest - timedelta(days=1))
    assert triggered.status_code == 202

    silent.start("daemon")

    silent.wait_until_well()
    task_id = triggered.json()["task_id"]
    assert silent.wait_for_task(SLUG, task_id, "complete", "failed")["status"] == "complete"

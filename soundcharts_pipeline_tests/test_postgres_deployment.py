"""The PostgreSQL instance for real: code server, web server, daemon and internal API as processes on a PostgreSQL with
the shipped roles, against the simulator. One session shows everything, in the order in which an operator meets it."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from soundcharts_pipeline.dead_runs import PID_TAG
from soundcharts_pipeline.storage.errors import StorageUnavailable
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.admin.site import wait_for
from soundcharts_pipeline_tests.command_line import run
from soundcharts_pipeline_tests.dagster_site import check_truth
from soundcharts_pipeline_tests.postgres_site import (
    APP,
    DAGSTER,
    OWNER,
    PASSWORDS,
    READER,
    SLUG,
    WAREHOUSE,
    Deployment,
    ask,
    deployed,
    health_check,
    make_roles,
    url_as,
)

# Makes a chart-day last for so long that there is time to kill it.
SLOW_SECONDS = 1.0


@pytest.fixture(scope="module")
def site(postgres_server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployed(postgres_server, tmp_path_factory.mktemp("deployment")) as deployment:
        deployment.wait_until_well()
        yield deployment


def test_a_cascade_is_in_postgresql_with_the_record_of_it(site: Deployment) -> None:
    first, second = site.client.trigger(SLUG), site.client.trigger(SLUG)

    assert (first.status_code, second.status_code) == (202, 409)
    assert second.json()["task_id"] == first.json()["task_id"]
    task = site.wait_for_task(first.json()["task_id"], "complete", "failed")
    assert (task["status"], task["progress"]) == ("complete", 100), task
    check_truth(site.site, {SLUG: [site.newest]})
    recorded = ask(url_as(site.server, DAGSTER, DAGSTER), "SELECT run_id, status FROM runs")
    assert recorded == [(task["task_id"], "SUCCESS")]
    assert not list(site.folder.rglob("*.db"))
    passwords = [password for password in PASSWORDS.values() if password in (site.folder / "processes.log").read_text()]
    assert passwords == []


@pytest.mark.parametrize("service", ["code", "webserver", "daemon", "admin"])
def test_the_health_check_of_a_service_that_is_well_passes(site: Deployment, service: str) -> None:
    done = subprocess.run(site.here(health_check(service)), env=site.site.environ, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


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
def test_a_role_has_the_rights_it_needs_and_no_other(site: Deployment, role: str, statement: str, right: bool) -> None:
    refused = ""
    try:
        ask(url_as(site.server, role, WAREHOUSE), statement)
    except DBAPIError as error:
        refused = str(error.orig)

    assert (refused == "") == right, refused
    assert right or any(words in refused for words in ("permission denied", "must be owner", "read-only transaction"))


@pytest.mark.parametrize("role", [OWNER, APP, READER])
def test_dagsters_state_is_closed_to_the_roles_of_the_warehouse(site: Deployment, role: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied for database"):
        ask(url_as(site.server, role, DAGSTER), "SELECT 1")


@pytest.mark.parametrize("role", list(PASSWORDS))
def test_a_wrong_password_is_refused(site: Deployment, role: str) -> None:
    with pytest.raises(DBAPIError, match="password authentication failed"):
        ask(url_as(site.server, role, WAREHOUSE, password="wrong"), "SELECT 1")


def test_tables_are_made_by_the_owner_and_the_others_are_told_so(site: Deployment) -> None:
    make_roles(site.server, "-v", "database=another", "-v", "dagster_database=another_dagster")
    with closing(Warehouse(url_as(site.server, APP, "another").render_as_string(hide_password=False))) as app:
        with pytest.raises(StorageUnavailable, match=r"permission denied .*soundcharts-pipeline migrate"):
            app.prepare()
        with closing(Warehouse(url_as(site.server, OWNER, "another").render_as_string(hide_password=False))) as owner:
            owner.prepare()
        app.prepare()
    assert ask(url_as(site.server, READER, "another"), "SELECT count(*) FROM tracks") == [(0,)]


def test_migrating_again_changes_nothing(site: Deployment) -> None:
    done = run(site.owner_environ, "migrate")

    assert done.code == 0
    assert done.says("tables are up to date", f"database '{WAREHOUSE}', user '{OWNER}'", "Dagster's state")


def test_the_pipelines_role_makes_a_backup(site: Deployment, postgres_programs: Path) -> None:
    environ = {**site.site.environ, "PATH": f"{postgres_programs}{os.pathsep}{os.environ['PATH']}"}

    done = run(environ, "backup")

    assert done.code == 0, done.text
    assert list((site.folder / "data" / "backups").glob("*.dump"))


def test_what_breaks_is_said_and_ends(site: Deployment) -> None:
    """Of a daemon one knows by its silence that it is gone, so the others break meanwhile."""
    site.site.simulator.set(latency=SLOW_SECONDS)
    task_id = site.client.trigger(SLUG, site.newest - timedelta(days=1)).json()["task_id"]
    wait_for("step", lambda: (site.client.task(SLUG, task_id)["step"] or "").startswith("track"))
    site.kill("daemon")

    run_record = site.site.instance.get_run_by_id(task_id)
    assert run_record is not None
    os.kill(int(run_record.tags[PID_TAG]), signal.SIGKILL)
    task = site.wait_for_task(task_id, "failed")
    wait_for("reason", lambda: site.client.task(SLUG, task_id)["error"])
    assert task["progress"] < 100
    assert "SIGKILL" in site.client.task(SLUG, task_id)["error"]["message"]

    site.kill("webserver")
    wait_for("sentence", lambda: "webserver" in site.problems())
    assert site.client.get("/health/").status_code == 503
    site.start("webserver")
    wait_for("recovery", lambda: "webserver" not in site.problems())

    engine = create_engine(url_as(site.server, OWNER, WAREHOUSE))
    with closing(engine.raw_connection()) as held:
        held.cursor().execute("LOCK TABLE chart_rankings IN ACCESS EXCLUSIVE MODE")
        wait_for("sentence", lambda: "stayed locked by another process" in site.problems())
    engine.dispose()
    wait_for("recovery", lambda: "locked" not in site.problems())

    wait_for("sentence", lambda: "daemon was last heard of" in site.problems())
    site.site.simulator.set(latency=0.02)
    again = site.client.trigger(SLUG, site.newest - timedelta(days=1))
    assert again.status_code == 202
    site.start("daemon")
    site.wait_until_well()
    assert site.wait_for_task(again.json()["task_id"], "complete", "failed")["status"] == "complete"


def test_a_run_that_is_killed_with_its_code_server_shows_as_failed(site: Deployment) -> None:
    site.site.simulator.set(latency=SLOW_SECONDS)
    day = site.newest - timedelta(days=2)
    task_id = site.client.trigger(SLUG, day).json()["task_id"]
    wait_for("step", lambda: (site.client.task(SLUG, task_id)["step"] or "").startswith("track"))

    site.kill("code")
    site.start("code")
    site.wait_for_task(task_id, "failed")
    wait_for("reason", lambda: site.client.task(SLUG, task_id)["error"])

    assert "is gone" in site.client.task(SLUG, task_id)["error"]["message"]

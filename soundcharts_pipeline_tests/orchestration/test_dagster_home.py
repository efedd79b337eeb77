"""Dagster's own state, on both databases: made by any number of commands at the same moment, completed when it was left
half made, and of a broken file it is said what to do and what is lost.
"""

import multiprocessing
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import pytest
from sqlalchemy import create_engine, text

from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.orchestration import dagster_state
from soundcharts_pipeline.orchestration.dagster_home import open_instance, prepare_home
from soundcharts_pipeline.orchestration.dagster_state import PARTS, Part
from soundcharts_pipeline.storage.errors import StorageUnavailable
from soundcharts_pipeline_tests.support.dagster_site import PROJECT

MARKS = text("SELECT name FROM secondary_indexes")
FORK = multiprocessing.get_context("fork")
PROCESSES = 5
FILES = [part.file for part in PARTS]
# How a dagster.yaml names the one server: once, or as Dagster's Helm chart renders it.
ONCE = (PROJECT / "deploy" / "postgres" / "dagster.yaml").read_text()
AS_HELM_DOES = "\n".join(
    f"{name}:\n  module: dagster_postgres.{module}\n  class: {storage}\n"
    "  config: {postgres_url: {env: DAGSTER_POSTGRES_URL}}"
    for name, module, storage in (
        ("schedule_storage", "schedule_storage", "PostgresScheduleStorage"),
        ("run_storage", "run_storage", "PostgresRunStorage"),
        ("event_log_storage", "event_log", "PostgresEventLogStorage"),
    )
)


def _opened(home: Path, url: str) -> list[int]:
    """The home, opened as commands do it: how many runs and assets are there."""
    with patch.dict(os.environ, DAGSTER_HOME=str(home), DAGSTER_POSTGRES_URL=url):
        prepare_home(read_environment(os.environ))
        with open_instance() as instance:
            return [instance.get_runs_count(), len(instance.all_asset_keys()), len(instance.all_instigator_state())]


def test_runs_are_dated_in_utc_whatever_the_zone_of_the_server(tmp_path: Path, postgres_url: str) -> None:
    shutil.copy(PROJECT / "deploy" / "postgres" / "dagster.yaml", tmp_path)
    before = datetime.now(UTC)
    with patch.dict(os.environ, DAGSTER_HOME=str(tmp_path), DAGSTER_POSTGRES_URL=postgres_url):
        prepare_home(read_environment(os.environ))
        with open_instance() as instance:
            instance.create_run_for_job(dg.JobDefinition(graph_def=dg.GraphDefinition("nothing"), name="nothing"))
            [record] = instance.get_run_records()
    assert abs(record.create_timestamp - before) < timedelta(hours=1)


@pytest.mark.parametrize("name", ["who?", "feature%2Fcharts", "a%20b", "?", "%41", "x?mode=memory"])
def test_a_path_that_dagster_takes_for_another_is_refused_by_name(tmp_path: Path, postgres_url: str, name: str) -> None:
    home = tmp_path / name / "dagster"

    with pytest.raises(StorageUnavailable, match="set DAGSTER_HOME to a folder without them"):
        _opened(home, postgres_url)

    assert [path.name for path in tmp_path.rglob("*")] == [name, "dagster", "dagster.yaml"]
    shutil.copy(PROJECT / "deploy" / "postgres" / "dagster.yaml", home)
    assert _opened(home, postgres_url) == [0, 0, 0]


@pytest.mark.parametrize("name", ["a b", "#1", "100%", "50%-off", "a;b", "a&b=c", "ü", "it's", "[x]", "a:b@c", "a+b"])
def test_any_other_path_is_good(tmp_path: Path, name: str) -> None:
    assert _opened(tmp_path / name, "") == [0, 0, 0]
    assert {path.name for path in tmp_path.iterdir()} == {name}


def _open(home: Path, url: str, barrier: Barrier, answers: "Queue[object]") -> None:
    barrier.wait()
    try:
        answers.put(_opened(home, url))
    except Exception as error:
        answers.put(repr(error))


@pytest.mark.parametrize("config", ["", ONCE, AS_HELM_DOES], ids=["one home", "a home for each host", "by Helm"])
def test_commands_that_meet_a_new_home_at_once_all_open_it(
    config: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    homes, url = [tmp_path / "home"] * PROCESSES, ""
    if config:
        homes, url = [tmp_path / str(host) for host in range(PROCESSES)], request.getfixturevalue("postgres_url")
        for home in homes:
            home.mkdir()
            (home / "dagster.yaml").write_text(config)
    barrier, answers = FORK.Barrier(PROCESSES), FORK.Queue()
    processes = [FORK.Process(target=_open, args=(home, url, barrier, answers)) for home in homes]
    for process in processes:
        process.start()
    given = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()

    assert given == [[0, 0, 0]] * PROCESSES


# Statements that leave tables as an unlucky moment did: two programs at once, or one that was killed over it.
UNLUCKY = {
    "an old version beside the true one": ["INSERT INTO alembic_version VALUES ('5771160a95ad')"],
    "two versions, not marked as ready": [
        "INSERT INTO alembic_version VALUES ('5771160a95ad')",
        "DELETE FROM secondary_indexes",
    ],
    "no version yet": ["DELETE FROM alembic_version", "DELETE FROM secondary_indexes"],
    "half of the tables": [
        f"DROP TABLE IF EXISTS {table}"
        for table in ("alembic_version", "secondary_indexes", "run_tags", "kvs", "asset_event_tags", "instigators")
    ],
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with its tables, and one run."""
    home = tmp_path_factory.mktemp("whole") / "home"
    _opened(home, "")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.run_storage.add_run(dg.DagsterRun("job"))
    return home


@pytest.mark.parametrize("statements", UNLUCKY.values(), ids=UNLUCKY)
def test_a_home_that_was_left_half_made_is_completed(statements: list[str], whole: Path, tmp_path: Path) -> None:
    home = shutil.copytree(whole, tmp_path / "home")
    for file in FILES:
        with closing(sqlite3.connect(home / file)) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()

    assert _opened(home, "") == [1, 0, 0]
    assert _opened(home, "") == [1, 0, 0]
    for file in FILES:
        with closing(sqlite3.connect(home / file)) as database, closing(sqlite3.connect(whole / file)) as example:
            for what in ("version_num FROM alembic_version", "name FROM secondary_indexes"):
                assert {*database.execute(f"SELECT {what}")} == {*example.execute(f"SELECT {what}")}, file
            tables = "SELECT name FROM sqlite_master WHERE type = 'table'"
            assert {*database.execute(tables)} >= {*example.execute(tables)}, file


@pytest.mark.parametrize("config", [ONCE, AS_HELM_DOES], ids=["named once", "by Helm"])
def test_a_server_on_which_the_first_command_was_killed_is_completed(
    config: str, postgres_url: str, tmp_path: Path
) -> None:
    (tmp_path / "dagster.yaml").write_text(config)
    _opened(tmp_path, postgres_url)
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        marks = set(connection.scalars(MARKS))
        for statement in UNLUCKY["half of the tables"]:
            connection.execute(text(statement))

    assert _opened(tmp_path, postgres_url) == [0, 0, 0]
    with engine.connect() as connection:
        assert set(connection.scalars(MARKS)) == marks
        assert len(list(connection.scalars(text("SELECT version_num FROM alembic_version")))) == 1
    engine.dispose()


@pytest.mark.parametrize("part", PARTS, ids=FILES)
def test_of_a_file_that_is_beyond_help_it_is_said_what_to_do_and_what_is_lost(
    part: Part, whole: Path, tmp_path: Path
) -> None:
    home = shutil.copytree(whole, tmp_path / "a home")
    file = home / part.file
    file.write_bytes(b"no database" * 1000)

    with pytest.raises(StorageUnavailable, match="not a database") as refusal:
        _opened(home, "")
    told = str(refusal.value)
    subprocess.run(["sh", "-c", told.split("`")[1]], check=True)

    assert f"Lost is {part.holds}" in told
    assert "dagster.yaml" not in told, "that is fine"
    assert _opened(home, "") == [0 if file.name == "runs.db" else 1, 0, 0]


def test_a_user_who_may_make_no_tables_is_told_what_to_grant(tmp_path: Path, postgres_url: str) -> None:
    (tmp_path / "dagster.yaml").write_text(ONCE)
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE ROLE one_without_tables LOGIN"))

    with pytest.raises(StorageUnavailable, match=r"permission denied .*grant the user .* CREATE and USAGE") as refusal:
        _opened(tmp_path, postgres_url.replace("postgres@", "one_without_tables@"))

    assert "start the server" not in str(refusal.value)
    with engine.begin() as connection:
        connection.execute(text("DROP ROLE one_without_tables"))
    engine.dispose()


def test_nobody_is_sent_to_move_away_a_file_that_another_program_keeps_locked(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shutil.copytree(whole, tmp_path / "a home")
    monkeypatch.setattr(dagster_state, "WAIT_SECONDS", 0)
    with closing(sqlite3.connect(home / PARTS[0].file, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageUnavailable, match="locked") as refusal:
            _opened(home, "")

    assert "end what keeps it locked" in str(refusal.value)
    assert "mv " not in str(refusal.value)


def test_of_a_configuration_that_is_none_it_is_said_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("storage: 5\n")

    with pytest.raises(StorageUnavailable, match=f"correct {tmp_path}/dagster.yaml"):
        _opened(tmp_path, "")

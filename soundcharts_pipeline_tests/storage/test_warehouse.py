"""Transactions, several processes at once, and what a user is told when the database cannot be used."""

import multiprocessing
import os
import socket
import sqlite3
import tempfile
import threading
import traceback
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Connection, create_engine, func, select, text
from sqlalchemy.exc import DBAPIError

from soundcharts_pipeline.storage.bulk import merge
from soundcharts_pipeline.storage.errors import StorageBusy, StorageError, StorageFull, StorageUnavailable
from soundcharts_pipeline.storage.tables.bookkeeping import api_usage, facts
from soundcharts_pipeline.storage.tables.schema import track_audience
from soundcharts_pipeline.storage.warehouse import Warehouse

from . import at_once

NOW = datetime(2026, 11, 16, tzinfo=UTC)
FACTS = ["name", "value", "noted_at"]
SPAWN = multiprocessing.get_context("spawn")
FORK = multiprocessing.get_context("fork")


def note(warehouse: Warehouse, name: str) -> None:
    with warehouse.write() as connection:
        merge(connection, facts, [(name, "x", NOW)], columns=FACTS)


def names(warehouse: Warehouse) -> list[str]:
    with warehouse.read() as connection:
        return list(connection.scalars(select(facts.c.name).order_by(facts.c.name)))


def run_at_once(work: Callable[..., None], url: str, extra: list[dict[str, Any]]) -> list[str]:
    """One process for each set of extra arguments; their answers."""
    barrier, answers = SPAWN.Barrier(len(extra)), SPAWN.Queue()
    processes = [SPAWN.Process(target=work, args=(url, barrier, answers), kwargs=kwargs) for kwargs in extra]
    for process in processes:
        process.start()
    given = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    return given


def test_what_a_block_wrote_is_saved_at_its_end(warehouse: Warehouse) -> None:
    note(warehouse, "a")
    assert names(warehouse) == ["a"]


def test_a_block_that_raises_saves_nothing(warehouse: Warehouse) -> None:
    with pytest.raises(DBAPIError), warehouse.write() as connection:
        note_and_fail(connection)
    assert names(warehouse) == []


def note_and_fail(connection: Connection) -> None:
    merge(connection, facts, [("a", "x", NOW)], columns=FACTS)
    connection.execute(text("SELECT nonsense"))


def test_a_reader_sees_one_state_while_others_write(warehouse: Warehouse) -> None:
    note(warehouse, "a")
    with warehouse.read() as connection:
        counts = [connection.scalar(select(func.count()).select_from(facts))]
        note(warehouse, "b")
        counts.append(connection.scalar(select(func.count()).select_from(facts)))
    assert counts == [1, 1]
    assert names(warehouse) == ["a", "b"]


def test_a_write_in_a_read_block_is_an_error_and_the_next_write_works(warehouse: Warehouse) -> None:
    with pytest.raises(DBAPIError), warehouse.read() as connection:
        connection.execute(facts.delete())
    note(warehouse, "a")
    assert names(warehouse) == ["a"]


def test_threads_share_a_warehouse(warehouse: Warehouse) -> None:
    threads = [threading.Thread(target=note, args=(warehouse, f"{n:02}")) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(warehouse) == [f"{n:02}" for n in range(24)]


def test_a_closed_warehouse_opens_again(warehouse: Warehouse) -> None:
    note(warehouse, "a")
    warehouse.close()
    assert names(warehouse) == ["a"]


def test_the_dialect_is_named(sqlite_url: str, postgres_url: str) -> None:
    assert [Warehouse(url).dialect for url in (sqlite_url, postgres_url)] == ["sqlite", "postgresql"]


def test_processes_that_write_at_once_lose_nothing(warehouse: Warehouse) -> None:
    times = 50
    with warehouse.write() as connection:
        merge(connection, api_usage, [(date(2026, 11, 16), "song", 0, 0, 0, 0)], columns=at_once.USAGE)
    work = [{"name": name, "times": times} for name in "abcd"]
    assert run_at_once(at_once.count_calls, warehouse_url(warehouse), work) == ["done"] * 4
    with warehouse.read() as connection:
        assert connection.scalar(select(api_usage.c.calls)) == 4 * times
    assert names(warehouse) == sorted(f"{name}-{number}" for name in "abcd" for number in range(times))


def test_processes_that_merge_the_same_rows_do_not_deadlock(warehouse: Warehouse) -> None:
    warehouse.prepare()
    work = [{"backwards": backwards, "times": 20} for backwards in (False, True, False, True)]
    assert run_at_once(at_once.merge_the_same_points, warehouse_url(warehouse), work) == ["done"] * 4
    with warehouse.read() as connection:
        day = track_audience.c.date
        query = select(day, func.count(), func.min(track_audience.c.value)).group_by(day).order_by(day)
        found = [tuple(row) for row in connection.execute(query)]
    new = [(date(2026, 2, 1 + value), at_once.SAME_TRACKS, value) for value in range(20)]
    assert found == [(date(2026, 1, 1), at_once.SAME_TRACKS, 19), *new]


def warehouse_url(warehouse: Warehouse) -> str:
    return warehouse.url.render_as_string(hide_password=False)


def test_the_folder_of_an_sqlite_file_is_created(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b c" / "100%" / "d.db"
    with closing(Warehouse(URL.create("sqlite", database=str(file)).render_as_string())) as warehouse:
        note(warehouse, "a")
    assert file.is_file()


def test_an_sqlite_file_lets_readers_and_a_writer_work_together(sqlite_url: str) -> None:
    with closing(Warehouse(sqlite_url)) as warehouse, warehouse.read() as connection:
        settings = [connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous")]
    assert settings == ["wal", 1]


def test_a_postgres_connection_says_who_it_is(postgres_url: str) -> None:
    with closing(Warehouse(postgres_url)) as warehouse, warehouse.read() as connection:
        assert connection.scalar(text("SHOW application_name")) == "soundcharts-pipeline"


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable, match=f"folder {tmp_path}/file/data .* set SOUNDCHARTS_DATA_DIR"):
        Warehouse(f"sqlite:///{tmp_path}/file/data/x.db").prepare()


@pytest.mark.parametrize("kept", ["folder", "file"])
def test_a_place_that_is_not_writable_is_named(tmp_path: Path, kept: str) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to(tempfile.gettempdir()) and folder != Path(tempfile.gettempdir()):
            folder.chmod(0o755)
    database = tmp_path / "x.db"
    if kept == "file":
        note(Warehouse(f"sqlite:///{database}"), "a")
        database.chmod(0o444)
    tmp_path.chmod(0o555)
    answers = FORK.Queue()
    process = FORK.Process(target=write_without_privileges, args=(f"sqlite:///{database}", answers))
    process.start()
    message = answers.get(timeout=60)
    process.join()
    tmp_path.chmod(0o755)
    assert message.startswith(f"StorageUnavailable: the SQLite database {database} cannot be opened for writing")
    assert "SOUNDCHARTS_DATA_DIR" in message


def write_without_privileges(url: str, answers: "multiprocessing.Queue[str]") -> None:
    """Root may write anywhere, so this process stops being root."""
    if os.geteuid() == 0:
        os.setuid(65534)
    try:
        note(Warehouse(url), "b")
        answers.put("written")
    except StorageError as error:
        answers.put(f"{type(error).__name__}: {error}")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("a shopping list, long enough to be taken for a header" * 20)
    with pytest.raises(StorageUnavailable, match=f"{tmp_path}/x.db is damaged or no SQLite file"):
        Warehouse(f"sqlite:///{tmp_path}/x.db").prepare()


def test_a_lock_that_is_not_released_is_reported(tmp_path: Path) -> None:
    warehouse = Warehouse(f"sqlite:///{tmp_path}/x.db", lock_timeout=0.01)
    warehouse.prepare()
    with closing(sqlite3.connect(tmp_path / "x.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageBusy, match=r"x\.db stayed locked by another process"):
            note(warehouse, "a")
    note(warehouse, "b")
    assert names(warehouse) == ["b"]


def test_a_table_that_stays_locked_is_reported(postgres_url: str) -> None:
    other = create_engine(postgres_url)
    with closing(Warehouse(postgres_url, lock_timeout=0.01)) as warehouse:
        note(warehouse, "a")
        with other.begin() as held:
            held.execute(text("LOCK TABLE facts IN ACCESS EXCLUSIVE MODE"))
            with pytest.raises(StorageBusy, match=r"PostgreSQL at .* stayed locked by another process"):
                names(warehouse)
        assert names(warehouse) == ["a"]
    other.dispose()


def test_a_full_disk_is_reported_and_nothing_is_saved(tmp_path: Path) -> None:
    warehouse = Warehouse(f"sqlite:///{tmp_path}/x.db")
    with (
        pytest.raises(StorageFull, match=r"no space left for .*x\.db \(.*free there\); free"),
        warehouse.write() as own,
    ):
        fill(own)
    warehouse.close()
    assert names(warehouse) == []


def fill(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA max_page_count = 1")
    merge(connection, facts, [("a" * 100_000, "x", NOW)], columns=FACTS)


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        warehouse = Warehouse(f"postgresql+psycopg2://reader:s3cret@127.0.0.1:{port}/music")
        with pytest.raises(StorageUnavailable) as caught:
            warehouse.prepare()
    assert str(caught.value).startswith(
        f"cannot reach PostgreSQL at 127.0.0.1:{port}, database 'music', user 'reader': "
    )
    assert "SOUNDCHARTS_DATABASE_URL" in str(caught.value)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_database_that_does_not_exist_is_named(postgres_url: str) -> None:
    missing = postgres_url.replace("/test_", "/absent_")
    with pytest.raises(StorageUnavailable, match=r'database "absent_\d+" does not exist; check that'):
        Warehouse(missing).prepare()


def test_a_user_without_privileges_is_told_what_to_grant(postgres_url: str) -> None:
    owner = create_engine(postgres_url)
    with owner.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS guest"))
        connection.execute(text("CREATE ROLE guest LOGIN"))
    owner.dispose()
    guest = postgres_url.replace("postgres@", "guest@")
    with pytest.raises(
        StorageUnavailable, match=r"permission denied for schema public.*-pipeline migrate.* grant this user CREATE"
    ):
        Warehouse(guest).prepare()


def test_a_statement_that_takes_too_long_is_reported_as_busy(postgres_url: str) -> None:
    impatient = f"{postgres_url}&options=-c%20statement_timeout%3D200"
    with (
        closing(Warehouse(impatient)) as warehouse,
        pytest.raises(StorageBusy, match="statement timeout"),
        warehouse.read() as connection,
    ):
        connection.execute(text("SELECT count(*) FROM generate_series(1, 10000000000)"))


def test_a_connection_lost_in_a_merge_is_reported_and_the_next_use_connects_again(postgres_url: str) -> None:
    with closing(Warehouse(postgres_url)) as warehouse:
        with pytest.raises(StorageUnavailable, match="cannot reach PostgreSQL"), warehouse.write() as connection:
            cut_and_merge(postgres_url, connection)
        note(warehouse, "b")
        with warehouse.read() as connection:
            idle = connection.scalar(text("SELECT pg_backend_pid()"))
        cut(postgres_url, idle)
        assert names(warehouse) == ["b"]


def cut_and_merge(url: str, connection: Connection) -> None:
    cut(url, connection.scalar(text("SELECT pg_backend_pid()")))
    merge(connection, facts, [("a", "x", NOW)], columns=FACTS)


def cut(url: str, backend: int | None) -> None:
    """End another connection of the database, and wait until it is gone."""
    other = create_engine(url)
    with other.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:backend, 10000)"), {"backend": backend})
    other.dispose()

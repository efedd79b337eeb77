"""Opens SQLAlchemy engines the way the warehouse needs them: URL checks, connection settings, how transactions begin.

One engine serves readers and writers; the execution option `WRITES` tells them apart when a transaction begins.
"""

import sqlite3
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from soundcharts_pipeline.storage.disk import NO_ROOM, free_in_words
from soundcharts_pipeline.storage.errors import SQLITE_BUSY, URL_IS_IN, StorageFull, StorageUnavailable

WRITES = "soundcharts_writes"

# How long a writer waits for the others. Writes are short, so only a stuck process makes anyone wait this long.
LOCK_TIMEOUT_SECONDS = 60
CONNECT_TIMEOUT_SECONDS = 10
# A server that is not there any more (its host is gone, the network cut) is noticed within half a minute. The system's
# own patience is a quarter of an hour for what was sent, and two hours for an answer.
NETWORK = {"tcp_user_timeout": 30_000, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}
# The server does the same for us: who is cut off in a transaction would hold its locks, which all others wait for.
OF_SERVER = {
    "tcp_keepalives_idle": 15,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
# Each attempt waits for the lock first, so that more than one is needed only when several processes create the file.
WAL_ATTEMPTS = 10
# Enough for every size of every statement; without room the driver would prepare each of them anew.
PREPARED_STATEMENTS = 1_000
# Enough for the largest sensible SOUNDCHARTS_MAX_IN_FLIGHT with one connection a thread.
POOL = {"pool_size": 8, "max_overflow": 56, "pool_timeout": 60}


def parse_url(text: str) -> URL:
    """The URL, once it is one that the warehouse can use. Messages never repeat it: it may hold a password."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # Not chained: the parser's own message may quote a part of the password.
        raise StorageUnavailable(
            "the database URL cannot be read; write sqlite:////absolute/path.db or"
            " postgresql+psycopg2://user:password@host:5432/database, with special characters in the"
            " password percent-encoded (@ as %40, / as %2F, : as %3A)"
        ) from None
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        if not url.database or url.database == ":memory:" or url.query:
            raise StorageUnavailable(
                "the warehouse needs a database file: an in-memory database, or one with URI parameters,"
                " is not shared between the processes of a run; write sqlite:////absolute/path.db"
            )
    elif url.drivername != "postgresql+psycopg2":
        raise StorageUnavailable(f"the database URL names {url.drivername!r}; use sqlite:/// or postgresql+psycopg2://")
    elif "@" in (url.host or ""):
        raise StorageUnavailable("the database URL holds an @ in its password; write it as %40")
    return url


def open_engine(url: URL, *, lock_timeout: float) -> Engine:
    """An engine that connects on first use. Whoever holds what is needed, another writer of an SQLite file or a lock on
    a table of PostgreSQL, is waited for `lock_timeout` seconds."""
    if url.get_backend_name() == "sqlite":
        arguments = {"timeout": lock_timeout, "cached_statements": PREPARED_STATEMENTS}
        engine = create_engine(url, connect_args=arguments, hide_parameters=True, **POOL)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    settings = {
        "application_name": "soundcharts-pipeline",
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "client_encoding": "utf8",
        **NETWORK,
    }
    # A save updates or deletes a dozen rows by their keys: together they are one message to the server, not a dozen.
    together = {"executemany_mode": "values_plus_batch"}
    # A database or a user may have another default. A save looks up what another transaction has just made for it.
    isolation = {"isolation_level": "READ COMMITTED"}
    engine = create_engine(
        url, connect_args=settings, pool_pre_ping=True, hide_parameters=True, **isolation, **together, **POOL
    )
    event.listen(
        engine, "connect", partial(_set_up_postgres, {"lock_timeout": max(1, round(lock_timeout * 1000)), **OF_SERVER})
    )
    return engine


def open_existing(url: URL) -> Engine:
    """An engine for a database that is there already: it creates no file and no folder, and changes no setting."""
    if url.get_backend_name() != "sqlite":
        return open_engine(url, lock_timeout=LOCK_TIMEOUT_SECONDS)
    path = Path(url.database or "").absolute()
    if not path.is_file():
        raise StorageUnavailable(
            f"there is no SQLite database {path}; correct SOUNDCHARTS_DATA_DIR or {URL_IS_IN}, or"
            " fill it first with `soundcharts-pipeline sync`"
        )
    existing = URL.create("sqlite", database=path.as_uri(), query={"mode": "rw", "uri": "true"})
    engine = create_engine(existing, connect_args={"timeout": LOCK_TIMEOUT_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def reader(engine: Engine) -> Engine:
    """The same engine, for transactions that only read, all from one state of the data."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def writer(engine: Engine) -> Engine:
    """The same engine, for transactions that write."""
    return engine.execution_options(**{WRITES: True})


def is_itself_in_a_url(path: Path) -> bool:
    """Whether the path behind sqlite:/// names that file, for a ? and a %2F have a meaning there. So Dagster writes."""
    return make_url(f"sqlite:///{path}").database == str(path)


def make_parent_folder(url: URL) -> None:
    """Create the folder of an SQLite file."""
    if url.get_backend_name() != "sqlite":
        return
    folder = Path(url.database or "").absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise StorageFull(
                f"no space left for the folder {folder} of the database ({free_in_words(folder)}); free some disk "
                "space or move SOUNDCHARTS_DATA_DIR"
            ) from error
        raise StorageUnavailable(
            f"the folder {folder} for the database cannot be created ({error.strerror});"
            " set SOUNDCHARTS_DATA_DIR to a writable one"
        ) from error


def _set_up_postgres(settings: Mapping[str, int], connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    # The server's defaults are to wait for ever. Not among the connection's `options`: the URL may have its own.
    cursor = connection.cursor()
    cursor.execute("; ".join(f"SET {name} = {value}" for name, value in settings.items()))
    cursor.close()
    connection.commit()


def _set_up_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    _leave_transactions_to_us(connection, _record)
    cursor = connection.cursor()
    _use_wal(cursor)
    cursor.execute("PRAGMA synchronous = NORMAL")
    # 32 MB of log between checkpoints: a chart-day's 200,000 plots took a fifth less time. With 64 MB of cache and
    # statements four times as long, a year of a chart peaked at 423 MB; with these at 250, and no slower.
    cursor.execute("PRAGMA wal_autocheckpoint = 8000")
    cursor.execute("PRAGMA cache_size = -16384")
    cursor.close()


def _leave_transactions_to_us(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    # The driver would begin late and commit around DDL; BEGIN is ours instead (SQLAlchemy's advice up to Python 3.11).
    connection.isolation_level = None


def _use_wal(cursor: Any) -> None:
    """Let readers and a writer work at the same time. The mode is a property of the file and outlives us."""
    for attempt in range(WAL_ATTEMPTS):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if (error.sqlite_errorcode & 0xFF) != SQLITE_BUSY or attempt == WAL_ATTEMPTS - 1:
                raise
            # This pragma alone does not wait for locks. BEGIN EXCLUSIVE does: after it, whoever was in the way is done.
            cursor.execute("BEGIN EXCLUSIVE")
            cursor.execute("COMMIT")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later cannot be upgraded once another process has written in between:
    # SQLite fails it at once. Taking the write lock at the start waits instead.
    writes = connection.get_execution_options().get(WRITES, False)
    if connection.info.get(WRITES) is not writes:
        connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
        connection.info[WRITES] = writes
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

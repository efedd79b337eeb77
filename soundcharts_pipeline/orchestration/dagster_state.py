"""The parts of Dagster's state, what each of them holds, and what is said when one of them fails."""

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy import Column, Connection, MetaData, String, Table, create_engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from soundcharts_pipeline.orchestration.dagster_internals import (
    RunStorageSqlMetadata,
    ScheduleStorageSqlMetadata,
    SqlEventLogStorageMetadata,
)
from soundcharts_pipeline.storage.disk import NO_ROOM, free_in_words, is_full
from soundcharts_pipeline.storage.errors import (
    PG_DENIED,
    SQLITE_BUSY,
    SQLITE_LOCKED,
    StateUnavailable,
    StorageError,
    StorageFull,
    StorageUnavailable,
)

VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
WAIT_SECONDS = 60
OF_DATABASES = (SQLAlchemyError, sqlite3.Error)


@dataclass(frozen=True, slots=True)
class Part:
    """One of the three storages: its SQLite file, its tables, a mark that Dagster makes once they are ready, and what
    is lost with it."""

    file: str
    tables: MetaData
    mark: str
    holds: str


PARTS = (
    Part("history/runs.db", RunStorageSqlMetadata, "run_partitions", "the list of runs and backfills"),
    Part(
        "history/runs/index.db",
        SqlEventLogStorageMetadata,
        "asset_key_table",
        "the record of which days are there: they are requested again, and what is saved costs no call",
    ),
    Part(
        "schedules/schedules.db",
        ScheduleStorageSqlMetadata,
        "schedule_jobs_selector_id",
        "which schedules and sensors were switched on or off by hand, and their ticks",
    ),
)


@contextmanager
def open_file(path: Path) -> Iterator[Connection]:
    """A file of SQLite's, for one transaction."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": WAIT_SECONDS})
    with engine.begin() as connection:
        yield connection


def unwritten(home: Path, error: OSError) -> StorageError:
    """Why Dagster's folder cannot be made."""
    if error.errno in NO_ROOM:
        return _full(home)
    return StorageUnavailable(
        f"Dagster's folder {home} cannot be written ({error.strerror}); set DAGSTER_HOME or SOUNDCHARTS_DATA_DIR to a "
        "folder that can"
    )


def unopened(home: Path, error: Exception) -> StorageError:
    """Why the state cannot be opened, and what to do about it."""
    if is_full(home) and any(_is_of_the_disk(cause) for cause in (error, error.__cause__)):
        return _full(home)
    return StorageUnavailable(
        f"Dagster's state in {home} cannot be opened ({in_short(error)}); {_way_out(home, error)}"
    )


def lost(home: Path, reason: str) -> StateUnavailable:
    """Why a run ended that could not be recorded."""
    room = f" ({free_in_words(home)})" if is_full(home) else ""
    return StateUnavailable(
        f"Dagster's state in {home} cannot be read or written any more ({reason}); make room on its disk{room}, or end "
        "what keeps it locked. What was fetched is saved: the same command goes on from there"
    )


def in_short(error: Exception) -> str:
    """The driver's own words on one line."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _full(home: Path) -> StorageFull:
    return StorageFull(
        f"no space left for Dagster's state in {home} ({free_in_words(home)}); free some disk space, or set "
        "DAGSTER_HOME or SOUNDCHARTS_DATA_DIR to a folder on another disk"
    )


def _is_of_the_disk(error: BaseException | None) -> bool:
    return isinstance(getattr(error, "orig", error), (sqlite3.OperationalError, OSError))


def _way_out(home: Path, error: Exception) -> str:
    """What to do about a state that cannot be opened."""
    causes = [cause for cause in (error, error.__cause__) if isinstance(cause, (*OF_DATABASES, CommandError))]
    if not causes:
        return f"correct {home}/dagster.yaml, or set DAGSTER_HOME to a new folder"
    for part in PARTS:
        path = home / part.file
        if path.exists() and not _is_sound(path):
            moved = shlex.join(["mv", str(path), f"{path}.broken"])
            return (
                f"end what uses it, move the broken file away with `{moved}`, and run the command again. Lost is "
                f"{part.holds}; what was fetched is in the database and stays"
            )
    driver = getattr(causes[0], "orig", causes[0])
    if getattr(driver, "pgcode", None) == PG_DENIED:
        return (
            f"let the owner of the database grant the user that {home}/dagster.yaml names CREATE and USAGE on its "
            "schema (docs/production.md, Roles), or name another user there or in DAGSTER_POSTGRES_URL"
        )
    if isinstance(driver, sqlite3.Error):
        return "make room on its disk, or end what keeps it locked"
    return f"start the server that {home}/dagster.yaml names, or correct its URL there or in DAGSTER_POSTGRES_URL"


def _is_sound(path: Path) -> bool:
    """Whether it is a database of Dagster's, of one version; one that others keep locked is taken for that."""
    try:
        with open_file(path) as database:
            return len(list(database.scalars(select(VERSION.c.version_num)))) == 1
    except SQLAlchemyError as error:
        code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None) or 0
        return code & 0xFF in (SQLITE_BUSY, SQLITE_LOCKED)

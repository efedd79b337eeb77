"""What can go wrong between this program and its database, named by what the reader should do.

StorageError
├── StorageUnavailable   cannot be opened or reached: correct the path, the URL or the permissions
│   ├── MonthDetached    a month of points was taken out of its table: put it back or drop it
│   ├── BuiltOnOurs      views or keys of others hang on tables that are to be changed: drop them for the while
│   └── RightsMissing    the user of the database may not do it: have it granted, or take another user
├── StorageBusy          another process was in the way; nothing was changed, a later attempt may work
├── StorageFull          no space left: make room
├── StateUnavailable     Dagster's own state failed while a run was at work: make room or end what locks it
├── SchemaMismatch       the database belongs to another version of this program
├── ValueOutOfRange      a value that its column cannot hold
└── RowsLost             fewer rows would be stored than there are; nothing of them was saved

Mistakes in our own SQL are not in this tree: they surface as SQLAlchemy raised them.
"""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from soundcharts_pipeline.errors import PipelineError
from soundcharts_pipeline.storage.disk import free_in_words, is_full


class StorageError(PipelineError):
    """The database did not do what it was asked."""


class StorageUnavailable(StorageError):
    """The database cannot be opened or reached. `is_away`: its server gives no answer; it may be back later."""

    is_away = False


class MonthDetached(StorageUnavailable):
    """A month of points lies beside its table, where another one would come."""


class BuiltOnOurs(StorageUnavailable):
    """What others have built on our tables and views would go with them."""


class RightsMissing(StorageUnavailable):
    """The user of the database lacks a right."""


class StorageBusy(StorageError):
    """Another process held what was needed for too long; nothing was changed."""


class StorageFull(StorageError):
    """No space left where the database lives."""


class StateUnavailable(StorageError):
    """Dagster's own database could not be read or written any more."""


class SchemaMismatch(StorageError):
    """The tables found are not those this version knows."""


# No save will fare better for now.
OUT_OF_REACH = (StorageUnavailable, StorageBusy, StorageFull, SchemaMismatch)


class ValueOutOfRange(StorageError):
    """A value does not fit its column."""


class RowsLost(StorageError):
    """Fewer rows would be stored than were to be saved."""


SQLITE_BUSY, SQLITE_LOCKED, SQLITE_READONLY, SQLITE_IOERR = 5, 6, 8, 10
SQLITE_CORRUPT, SQLITE_FULL, SQLITE_CANTOPEN, SQLITE_NOTADB = 11, 13, 14, 26

# SQLSTATE classes and codes, https://www.postgresql.org/docs/current/errcodes-appendix.html
PG_LOCKED, PG_DENIED, PG_DEPENDED_ON = "55P03", "42501", "2BP01"
PG_BUSY = ("40001", "40P01", "53", "57014")
PG_LOST = ("08", "25P03", "57P01", "57P02", "57P03", "57P05")
# What a server says to somebody whom it knows.
NOT_LET_IN = re.compile("permission denied for database|is not permitted to log in")


# Who asks is who acts, where the system can say so.
EFFECTIVE = os.access in os.supports_effective_ids

# Where the URL of the database stands, in a message to whoever set it: a project that embeds ours may name its own.
URL_IS_IN = "SOUNDCHARTS_DATABASE_URL (or the variable that your project names for it)"

TO_READ = "a user that reads needs SELECT on all tables and views"
TO_SAVE = (
    "a user that saves needs SELECT, INSERT, UPDATE and DELETE on all tables, USAGE and SELECT on the sequences, and "
    "TEMPORARY on the database"
)
GRANTED = f"Let their owner grant that (docs/production.md, Roles), or point {URL_IS_IN} to a user that has it"


def place(url: URL) -> str:
    """Where the database is, in words fit for a message: never with a password."""
    if url.get_backend_name() == "sqlite":
        return f"the SQLite database {url.database}"
    host = url.host or url.query.get("host") or "the local socket"
    port = f":{url.port}" if url.port else ""
    return f"PostgreSQL at {host}{port}, database {url.database!r}, user {url.username!r}"


@contextmanager
def explained(url: URL, *, reading: bool = False, preparing: bool = False) -> Iterator[None]:
    """Raise the driver's errors that a user can do something about as one of ours, and the others as they are. What is
    `preparing` makes tables, and needs other rights than what uses them."""
    try:
        yield
    except PoolTimeoutError as error:
        raise StorageBusy(
            f"every connection to {place(url)} is in use; lower SOUNDCHARTS_MAX_IN_FLIGHT or try again"
        ) from error
    except (DBAPIError, sqlite3.Error) as error:
        # Settings applied while connecting raise the driver's own class.
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, sqlite3.Error):
            ours = _from_sqlite(cause, url, reading=reading)
        else:
            ours = _from_postgresql(error, url, reading=reading, preparing=preparing)
        if ours is None:
            raise
        raise ours from error


def _from_sqlite(cause: sqlite3.Error, url: URL, *, reading: bool) -> StorageError | None:
    # The low byte is the primary code; SQLite puts details in the bytes above it.
    code = (getattr(cause, "sqlite_errorcode", None) or 0) & 0xFF
    where = place(url)
    if code in (SQLITE_BUSY, SQLITE_LOCKED):
        return StorageBusy(f"{where} stayed locked by another process; nothing was changed, try again later")
    file = Path(url.database or "")
    # On a full disk SQLite cannot even make the files that it needs to open a database.
    if code == SQLITE_FULL or (code in (SQLITE_IOERR, SQLITE_CANTOPEN) and is_full(file)):
        return StorageFull(
            f"no space left for {where} ({free_in_words(file)}); free some disk space or move SOUNDCHARTS_DATA_DIR"
        )
    if code in (SQLITE_CORRUPT, SQLITE_NOTADB):
        return StorageUnavailable(f"{where} is damaged or no SQLite file ({cause}); restore a backup or move it away")
    # Inside read() SQLite refuses writes with the same code: that one is a mistake of ours, not of the user.
    if code in (SQLITE_CANTOPEN, SQLITE_IOERR) or (code == SQLITE_READONLY and not reading):
        return StorageUnavailable(
            f"{where} cannot be opened for writing ({cause}); make {_kept_from_us(file)} writable,"
            f" or set SOUNDCHARTS_DATA_DIR or {URL_IS_IN}"
        )
    return None


def _kept_from_us(file: Path) -> str:
    """What of an SQLite database this user may not write, in words. The files beside it have the rights that it had
    when they were made, and outlive a process that may not write them."""
    parts = [file, *(file.with_name(file.name + end) for end in ("-wal", "-shm")), file.absolute().parent]
    kept = [part for part in parts if part.exists() and not os.access(part, os.W_OK, effective_ids=EFFECTIVE)]
    return " and ".join(map(str, kept)) or "it and its folder"


def _from_postgresql(error: Exception, url: URL, *, reading: bool, preparing: bool) -> StorageError | None:
    cause = getattr(error, "orig", None)
    state = str(getattr(cause, "pgcode", None) or "")
    where = place(url)
    reason = " ".join(str(cause).split())
    if state == "53100":
        return StorageFull(f"no space left on the server of {where}; free some disk space there")
    if state == PG_LOCKED:
        return StorageBusy(f"{where} stayed locked by another process; nothing was changed, try again later")
    if state.startswith(PG_BUSY):
        return StorageBusy(f"{where} was busy ({reason}); nothing was changed, try again later")
    if state == PG_DENIED:
        return RightsMissing(f"{where}: {reason}; {_to_be_granted(reason, reading=reading, preparing=preparing)}")
    if state == PG_DEPENDED_ON and preparing:
        return BuiltOnOurs(f"{where}: {reason}; drop what hangs on it, repeat the command, and make it again")
    if state == "25006" and not reading:
        return StorageUnavailable(
            f"{where} accepts no writes ({reason}); point {URL_IS_IN} to the primary, and to a user that may write"
        )
    # libpq reports a failed connection or login without a code.
    if not state and NOT_LET_IN.search(reason):
        return RightsMissing(f"{where}: {reason}; a user needs LOGIN, and CONNECT on the database. {GRANTED}")
    if state.startswith(PG_LOST) or (not state and isinstance(error, OperationalError | InterfaceError)):
        unreached = StorageUnavailable(
            f"cannot reach {where}: {reason}; check that the server runs and that {URL_IS_IN}"
            " has the right host, port, database, user and password"
        )
        unreached.is_away = True
        return unreached
    return None


def _to_be_granted(reason: str, *, reading: bool, preparing: bool) -> str:
    # Whoever may not read the table of the revision is taken for one who has no tables, and tries to make them.
    if preparing and "for table" not in reason:
        return (
            "bring the tables up to date with `soundcharts-pipeline migrate` as the user that owns them, or grant this "
            "user CREATE and USAGE on its schema"
        )
    return f"{TO_READ if reading else TO_SAVE}. {GRANTED}"

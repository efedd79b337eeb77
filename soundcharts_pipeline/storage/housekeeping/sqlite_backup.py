"""An SQLite database into a compressed file and back, through SQLite's own online backup: others may read and write."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
from sqlalchemy import URL, create_engine

from soundcharts_pipeline.storage import files, migrations
from soundcharts_pipeline.storage.errors import SQLITE_BUSY, SQLITE_LOCKED, StorageBusy, explained, place
from soundcharts_pipeline.storage.files import FileDamaged
from soundcharts_pipeline.storage.warehouse import REVISION, Warehouse

COPY_BYTES = 1 << 20
# How often a locked database is tried; each try waits for the lock for five seconds.
TRIES = 12


def dump(url: URL, path: Path) -> int:
    """The database, compressed with zstd, in a new file; returns its bytes before that. Needs room for both."""
    with _scratch(path) as copy:
        with explained(url), closing(sqlite3.connect(url.database or "")) as source:
            _copy(source, copy, url)
        _check(copy, f"the copy of {place(url)}")
        with copy.open("rb") as raw, pa.CompressedOutputStream(str(path), "zstd") as packed:
            while part := raw.read(COPY_BYTES):
                packed.write(part)
        with _scratch(path.with_name(path.name + "-again")) as again:
            _unpack(path, again)
            if files.sha256_of(again) != files.sha256_of(copy):
                raise FileDamaged(f"{path} does not hold what was written to it; check the disk")
        return copy.stat().st_size


def load(url: URL, path: Path, *, damaged: bool) -> None:
    """The database as the file holds it, in one transaction: readers see the old one or the new one, and so does
    everybody after a crash. A `damaged` database is moved aside first, with its logs.

    All that could go wrong with the backup goes wrong in a copy: it is checked and brought up to date there.
    """
    target = Path(url.database or "")
    with files.work_in(target.parent), _scratch(target.with_name(target.name + "-restore")) as copy:
        _unpack(path, copy)
        _check(copy, str(path))
        _check_tables(copy, str(path))
        with closing(Warehouse(_url_of(copy).render_as_string())) as warehouse:
            warehouse.prepare()
        if damaged:
            for file in [target, *(target.with_name(target.name + end) for end in ("-wal", "-shm"))]:
                if file.exists():
                    file.replace(file.with_name(f"{file.name}.damaged"))
        with explained(url), closing(sqlite3.connect(copy)) as source:
            _copy(source, target, url)


def _copy(source: sqlite3.Connection, target: Path, url: URL) -> None:
    tries = 0

    def progress(status: int, _remaining: int, _total: int) -> None:
        nonlocal tries
        tries += status in (SQLITE_BUSY, SQLITE_LOCKED)
        if tries >= TRIES:
            raise StorageBusy(f"{place(url)} stayed locked by another process; nothing was changed, try again later")

    with closing(sqlite3.connect(target)) as connection:
        # All pages in one step: a copy in several starts anew whenever somebody writes.
        source.backup(connection, pages=-1, progress=progress)


def _unpack(path: Path, to: Path) -> None:
    try:
        with pa.CompressedInputStream(pa.OSFile(str(path), "rb"), "zstd") as packed, to.open("wb") as raw:
            while part := packed.read(COPY_BYTES):
                raw.write(part)
    except OSError as error:
        # What the disk refuses has a number, what the decompressor does has none.
        if error.errno is not None:
            raise
        raise FileDamaged(f"{path} is damaged ({error}); take another backup. Nothing was changed") from error


def _check(path: Path, what: str) -> None:
    """Raise FileDamaged unless this is a sound database."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            found = str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise FileDamaged(f"{what} is not sound ({found}); nothing was changed. Take another backup")


def _check_tables(path: Path, what: str) -> None:
    """Raise SchemaMismatch unless it is a whole database of ours."""
    engine = create_engine(_url_of(path))
    with explained(engine.url), engine.connect() as connection:
        found = migrations.columns_of(connection)
        revisions = connection.scalars(REVISION).all() if migrations.VERSION_TABLE in found else []
    engine.dispose()
    migrations.check_whole(found, list(map(str, revisions)), what)


def _url_of(path: Path) -> URL:
    return URL.create("sqlite", database=str(path))


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """A file for the time of the block, with whatever SQLite puts beside it."""
    copy = path.with_name(f"{path.name}-raw")
    of_it = [copy.with_name(copy.name + end) for end in ("", "-wal", "-shm", "-journal")]
    try:
        # What a process that was killed left there would be taken for a log of the new file.
        _remove(of_it)
        yield copy
    finally:
        _remove(of_it)


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)

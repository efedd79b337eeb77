"""Backups of the warehouse: made while others write, verified, rotated, restored as a whole or not at all.

Beside each lies its checksum, as `sha256sum` writes it.
"""

from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, func, inspect, select

from soundcharts_pipeline.storage import engine, files
from soundcharts_pipeline.storage.errors import StorageError, StorageUnavailable, explained, place
from soundcharts_pipeline.storage.files import FileDamaged
from soundcharts_pipeline.storage.housekeeping import postgres_backup, sqlite_backup
from soundcharts_pipeline.storage.housekeeping.database_name import NAME_FACT, name_of
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

FOLDER = "backups"
# The kinds of files by their first bytes: what makes them, the suffix, and how a message calls them.
SQLITE, POSTGRESQL = "sqlite", "postgresql"
SUFFIXES = {SQLITE: ".db.zst", POSTGRESQL: ".dump"}
MAGIC = {b"\x28\xb5\x2f\xfd": SQLITE, b"PGDM": POSTGRESQL}
NAMES = {SQLITE: "SQLite", POSTGRESQL: "PostgreSQL"}
CHECKSUM = ".sha256"
# The first backup gives the database a name, and waits for other writers so long.
NAMING_SECONDS = 2.0


class HoldsData(StorageError):
    """A restore would replace data, and nobody said that it may."""


class InUse(StorageError):
    """A restore would replace what others are at work with, and nobody said that it may."""


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup: its file, its bytes, those before compression (None: not known), the older files that made room."""

    path: Path
    bytes: int
    raw_bytes: int | None
    verified: str
    removed: Sequence[Path] = ()


def _note_name(warehouse: Warehouse, now: datetime) -> None:
    """With the database's name in it, the archive of later months is still its own once the backup is restored."""
    with warehouse.read() as conn:
        if worklists.fact(conn, NAME_FACT) is not None:
            return
    # Who may only read, or meets somebody who writes for longer, gets a backup all the same.
    url = warehouse.url.render_as_string(hide_password=False)
    with suppress(StorageError), closing(Warehouse(url, lock_timeout=NAMING_SECONDS)) as writer, writer.write() as conn:
        name_of(conn, now)


def back_up(warehouse: Warehouse, folder: Path, *, keep: int, now: datetime) -> Backup:
    """A verified backup in the folder; of those made before, the newest `keep - 1` stay."""
    warehouse.prepare()
    _note_name(warehouse, now)
    url = warehouse.url
    kind = url.get_backend_name()
    with files.work_in(folder):
        for abandoned in folder.glob(f"*{files.TEMPORARY}*"):
            abandoned.unlink()
        path = folder / f"soundcharts-{now:%Y%m%dT%H%M%SZ}{SUFFIXES[kind]}"
        temporary = files.temporary_name(path)
        try:
            if kind == SQLITE:
                raw: int | None = sqlite_backup.dump(url, temporary)
                verified = "integrity check passed; the compressed file was read back"
            else:
                raw = None
                verified = f"pg_restore lists the rows of {postgres_backup.dump(url, temporary)} tables"
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        files.settle(path)
        files.write_text(_checksum_of(path), f"{files.sha256_of(path)}  {path.name}\n")
        older = sorted(folder.glob(f"soundcharts-*{SUFFIXES[kind]}"))[:-keep]
        for file in older:
            file.unlink()
            _checksum_of(file).unlink(missing_ok=True)
    return Backup(path, path.stat().st_size, raw, verified, older)


def restore(url: URL, path: Path, *, replace: bool) -> None:
    """Make the warehouse what the backup holds. A failure leaves it as it was.

    Raises HoldsData when it holds something and `replace` is false; FileDamaged and SchemaMismatch for a file that is
    no whole backup of ours. Tables of an older version are brought up to date.
    """
    kind = kind_of(path)
    if kind != url.get_backend_name():
        raise StorageUnavailable(
            f"{path} is a backup of {NAMES[kind]} and the warehouse is {place(url)}; set SOUNDCHARTS_DATABASE_URL to a "
            f"{NAMES[kind]} database"
        )
    engine.make_parent_folder(url)
    damaged = _refuse_data(url, replace=replace)
    _check_sum(path)
    with files.explained_files(path.parent):
        if kind == SQLITE:
            sqlite_backup.load(url, path, damaged=damaged)
        else:
            postgres_backup.load(url, path)
    with closing(Warehouse(_text(url))) as warehouse:
        warehouse.prepare()


def kind_of(path: Path) -> str:
    """`sqlite` or `postgresql`; raises FileDamaged for what is no backup of ours."""
    with files.explained_files(path.parent):
        if not path.is_file():
            raise FileDamaged(f"there is no file {path}; give one of the backups folder")
        with path.open("rb") as file:
            kind = MAGIC.get(file.read(4))
    if kind is None:
        raise FileDamaged(f"{path} is no backup of this program (soundcharts-*.db.zst or soundcharts-*.dump)")
    return kind


def _checksum_of(path: Path) -> Path:
    return path.with_name(path.name + CHECKSUM)


def _check_sum(path: Path) -> None:
    """Raise FileDamaged unless the file is what its checksum says; one without is known by what it holds alone."""
    with files.explained_files(path.parent):
        beside = _checksum_of(path)
        if beside.is_file() and beside.read_bytes().split()[:1] != [files.sha256_of(path).encode()]:
            raise FileDamaged(
                f"{path} is not the file that was written (its checksum differs from {beside.name}); take another "
                "backup. Nothing was changed"
            )


def _refuse_data(url: URL, *, replace: bool) -> bool:
    """Raise HoldsData unless the warehouse may be replaced; returns whether it is too damaged to be opened."""
    try:
        rows = _rows(url)
    except StorageUnavailable:
        # A damaged file is what a backup is for; a server that does not answer fails again, and says why.
        if not replace or url.get_backend_name() != SQLITE:
            raise
        return True
    if rows and not replace:
        raise HoldsData(
            f"{place(url)} holds {rows:,} rankings, tracks and points, and a restore replaces all of it; make a backup "
            "first, then repeat the command with --yes"
        )
    return False


def _rows(url: URL) -> int:
    """Rows of what was fetched. Looks without making or changing any table."""
    tables = (s.chart_rankings, s.tracks, s.track_audience, s.artist_audience)
    opened = engine.open_engine(url, lock_timeout=engine.LOCK_TIMEOUT_SECONDS)
    try:
        with explained(url), opened.connect() as conn:
            found = inspect(conn)
            there = {*found.get_table_names(), *found.get_view_names()}
            counts = [select(func.count()).select_from(table) for table in tables if table.name in there]
            return sum(conn.scalar(count) or 0 for count in counts)
    finally:
        opened.dispose()


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)

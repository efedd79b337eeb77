"""A disk without room, as SQLite, Dagster and a whole process see it."""

import resource
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool

from soundcharts_pipeline.storage.warehouse import Warehouse


@contextmanager
def full_disk(warehouse: Warehouse) -> Iterator[None]:
    """The warehouse's file may not grow, for connections that are opened while the block lasts."""
    name = Path(warehouse.url.database or "").name

    def limit(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        if name in str(cursor.execute("PRAGMA database_list").fetchall()):
            cursor.execute("PRAGMA max_page_count = 1")

    warehouse.prepare()
    # What a migration has left free would still hold something.
    with closing(sqlite3.connect(warehouse.url.database or "")) as database:
        database.execute("VACUUM")
    event.listen(Pool, "connect", limit)
    try:
        yield
    finally:
        event.remove(Pool, "connect", limit)


@contextmanager
def no_room(free: int = 0, *, writable: bool = False) -> Iterator[None]:
    """Every disk says that it has so many bytes left, and no file of this process may grow, unless `writable`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    said = shutil.disk_usage("/")._replace(free=free)
    with patch.object(shutil, "disk_usage", lambda _path: said):
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft if writable else 0, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def no_room_for_events(*kinds: str) -> Iterator[None]:
    """Dagster's events of these kinds cannot be stored, all else can."""

    def refuse(_cursor: Any, statement: str, parameters: Any, _context: Any) -> None:
        if "INSERT INTO event_logs" in statement and any(kind in map(str, parameters) for kind in kinds):
            raise sqlite3.OperationalError("disk I/O error")

    event.listen(Engine, "do_execute", refuse)
    try:
        yield
    finally:
        event.remove(Engine, "do_execute", refuse)

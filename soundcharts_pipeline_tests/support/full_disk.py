"""A disk without room, as SQLite sees it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event
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

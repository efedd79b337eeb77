"""Rows that a test puts where they belong: those of the promised audience views into their series and points."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Table, insert

from soundcharts_pipeline.storage import bulk, points
from soundcharts_pipeline.storage.tables import schema as s


def put(conn: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows by the names of their columns."""
    if table in s.AUDIENCE:
        points.merge_audience(conn, table, [tuple(row[column.name] for column in table.columns) for row in rows])
    else:
        conn.execute(insert(table), list(map(dict, rows)))


def merge_whole(conn: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> int:
    """Whole rows; returns how many were added or changed. `fetched_at` alone is no change of a point."""
    if table in s.AUDIENCE:
        return points.merge_audience(conn, table, list(rows))
    return bulk.merge(conn, table, rows, columns=[column.name for column in table.columns])

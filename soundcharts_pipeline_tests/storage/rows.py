"""Rows that several tests save, and what is stored of them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Table, select

from soundcharts_pipeline.storage.points import merge_audience
from soundcharts_pipeline.storage.tables.bookkeeping import facts
from soundcharts_pipeline.storage.tables.schema import track_audience
from soundcharts_pipeline.storage.warehouse import Warehouse

MONDAY = datetime(2026, 11, 16, 3, 15, tzinfo=UTC)
TUESDAY = datetime(2026, 11, 17, 3, 15, tzinfo=UTC)
FACTS = [column.name for column in facts.columns]

Row = tuple[Any, ...]


def points(*values: int, fetched_at: datetime = MONDAY) -> list[Row]:
    """One point a day from 1 November."""
    return [
        ("track-1", "spotify", "streams", "id-1", date(2026, 11, day), value, fetched_at)
        for day, value in enumerate(values, start=1)
    ]


def save_points(warehouse: Warehouse, rows: Sequence[Row]) -> int:
    with warehouse.write() as connection:
        return merge_audience(connection, track_audience, rows)


def stored(warehouse: Warehouse, table: Table) -> list[Row]:
    with warehouse.read() as connection:
        return [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]

"""Series as one row of two lists each: a row for each point costs several times as much to read."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, String, cast, func, literal, select

from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables.columns import Day

# Rows in memory at once.
SERIES_AT_ONCE = 4_000


class Listed(NamedTuple):
    """One series: how many points, their days counted from the first one that was asked for, their values; both with
    commas between, in the same order."""

    uuid: str
    platform: str
    metric: str
    identifier: str
    points: int
    days: str
    values: str


def list_series(
    conn: Connection, entity: str, first: date, last: date, uuids: Sequence[str] | Select[Any] | None = None
) -> Iterator[Listed]:
    """Every series with a point of these days, in the order of its key."""
    of, p = audience.series.c, audience.points.c
    query: Select[Any] = (
        select(
            *(of.uuid, of.platform, of.metric, of.identifier, func.count()),
            func.aggregate_strings(cast(p.day - literal(first, Day), String), ","),
            func.aggregate_strings(cast(p.value, String), ","),
        )
        .join_from(audience.series, audience.points, p.series_id == of.id)
        .where(of.entity == entity, p.day.between(first, last))
    )
    query = query if uuids is None else query.where(of.uuid.in_(uuids))
    # In the order of the index of series, so that nothing has to be sorted.
    order = [of.uuid, of.entity, of.platform, of.metric, of.identifier]
    query = query.group_by(*order).order_by(*order)
    return (Listed(*row) for row in conn.execute(query, execution_options={"yield_per": SERIES_AT_ONCE}))

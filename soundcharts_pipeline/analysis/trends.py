"""Trends of the tracks and artists of a chart-day, or of everything stored: points in, rows of `audience_trends` out.

A series leaves the database as one row of two lists, and is worked on as one row of a matrix.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Date, Select, String, and_, cast, func, select

from soundcharts_pipeline.analysis import growth
from soundcharts_pipeline.analysis.frames import DAY, dtype_of, series
from soundcharts_pipeline.storage import schema as s
from soundcharts_pipeline.storage.bulk import replace_slice
from soundcharts_pipeline.storage.worklists import ChartDays, entities

# What the table looks back on.
RANGE_DAYS = 90
# Series in memory at once.
BATCH = 4_000
TABLE = s.audience_trends
FIGURES = [column for column in TABLE.columns if not column.primary_key]
KINDS = {("track", "spins"): growth.COUNT, ("artist", "views"): growth.COUNT}
KIND_OF_ENTITY = {"track": growth.TOTAL, "artist": growth.LEVEL}


KEY = ("rank_date", "entity", "uuid")
# uuid, platform, metric, number of points, their days, their values
Listed = tuple[str, str, str, int, str, str]
# uuid, platform, metric
Key = tuple[str, str, str]


def kind_of(entity: str, metric: str) -> int:
    """Tracks have totals, artists levels; spins of a track and views of an artist are counts of a day."""
    return KINDS.get((entity, metric), KIND_OF_ENTITY[entity])


def chart_trends(conn: Connection, slug: str, day: date, *, days: int = RANGE_DAYS) -> pd.DataFrame:
    """Trends of one chart-day with names, tracks before artists: the columns of `audience_trends` and `name`."""
    parts = []
    for entity, table in (("track", s.tracks), ("artist", s.artists)):
        among = entities(ChartDays(slug, day, day), entity)
        known = select(table.c.uuid, table.c.name).where(table.c.uuid.in_(among))
        names = {row[0]: row[1] for row in conn.execute(known)}
        for part in _trends(conn, entity, day, list(conn.scalars(among)), days):
            part.insert(len(KEY), "name", part["uuid"].map(names).astype("str"))
            parts.append(part)
    found = pd.concat(parts, ignore_index=True)
    found.insert(0, "chart_slug", pd.Series([slug] * len(found), dtype="str"))
    return found


def all_trends(conn: Connection, day: date, *, days: int = RANGE_DAYS) -> Iterator[pd.DataFrame]:
    """Trends of every stored series, in frames of some thousands of rows."""
    for entity in KIND_OF_ENTITY:
        yield from _trends(conn, entity, day, None, days)


def save_trends(conn: Connection, slug: str, day: date, found: pd.DataFrame) -> int:
    """Make `audience_trends` say this of the chart-day; returns how many rows changed."""
    names = [column.name for column in TABLE.columns]
    rows = zip(*(_plain(found[column.name], column.type) for column in TABLE.columns), strict=True)
    of_day = and_(TABLE.c.chart_slug == slug, TABLE.c.rank_date == day)
    return replace_slice(conn, TABLE, of_day, rows, columns=names)


def _plain(values: "pd.Series[Any]", kind: object) -> list[Any]:
    """What a column holds, as Python has it."""
    listed = values.tolist()
    if isinstance(kind, Date):
        return [None if value is pd.NaT else value.date() for value in listed]
    return [None if value is pd.NA else value for value in listed]


def _trends(
    conn: Connection, entity: str, day: date, uuids: Sequence[str] | None, range_days: int
) -> Iterator[pd.DataFrame]:
    """One frame for every batch of series; at least one, which may be empty."""
    first = day - timedelta(days=growth.window_days(range_days) - 1)
    for keys, groups, values in _batches(_lists(conn, entity, first, day, uuids), first, day):
        kinds = np.array([kind_of(entity, keys[group][2]) for group in groups], dtype=np.int64)
        kept, columns = growth.develop(values, groups, kinds, range_days=range_days)
        of_kept = [keys[group] for group in kept]
        made: dict[str, pd.Series[Any]] = {
            "rank_date": series([day] * len(kept), TABLE.c.rank_date.type),
            "entity": series([entity] * len(kept), TABLE.c.entity.type),
        }
        for place, name in enumerate(("uuid", "platform", "metric")):
            made[name] = series([key[place] for key in of_kept], TABLE.c[name].type)
        made |= {column.name: _figures(columns[column.name], column.type, first) for column in FIGURES}
        yield pd.DataFrame(made)


def _figures(values: Any, kind: object, first: date) -> "pd.Series[Any]":
    """A column of the matrix's results, days counted from `first`."""
    if isinstance(kind, Date):
        days = np.datetime64(first, "D") + values
        return pd.Series(np.where(values >= 0, days, np.datetime64("NaT")), dtype=DAY)
    made: pd.Series[Any] = pd.Series(values).astype(dtype_of(kind))  # type: ignore[call-overload]
    return made


def _lists(conn: Connection, entity: str, first: date, last: date, uuids: Sequence[str] | None) -> Iterator[Listed]:
    """Every series (of each identifier) in the order of its key: its key, how many points, their days, their values."""
    t = s.track_audience if entity == "track" else s.artist_audience
    key = [t.c[f"{entity}_uuid"], t.c.platform, t.c.metric]
    query: Select[Any] = select(
        *key,
        func.count(),
        func.aggregate_strings(cast(t.c.date, String), ","),
        func.aggregate_strings(cast(t.c.value, String), ","),
    ).where(t.c.date.between(first, last))
    query = query if uuids is None else query.where(key[0].in_(uuids))
    query = query.group_by(*key, *([t.c.identifier] if entity == "track" else [])).order_by(*key)
    rows: Any = conn.execute(query, execution_options={"yield_per": BATCH})
    yield from rows


def _batches(
    lists: Iterator[Listed], first: date, last: date
) -> Iterator[tuple[list[Key], growth.Ints, growth.Floats]]:
    """Keys of groups, the group of each row, and the rows: one column per day from `first` to `last`."""
    keys: list[Key] = []
    rows: list[Listed] = []
    groups: list[int] = []
    for key, of_key in groupby(lists, key=lambda row: (row[0], row[1], row[2])):
        if len(rows) >= BATCH:
            yield keys, np.array(groups), _matrix(rows, first, last)
            keys, rows, groups = [], [], []
        before = len(rows)
        rows += of_key
        groups += [len(keys)] * (len(rows) - before)
        keys.append(key)
    yield keys, np.array(groups, dtype=np.int64), _matrix(rows, first, last)


def _matrix(rows: Sequence[Listed], first: date, last: date) -> growth.Floats:
    values = np.full((len(rows), (last - first).days + 1), np.nan)
    if rows:
        days = np.array(",".join(row[4] for row in rows).split(","), dtype="datetime64[D]")
        columns = (days - np.datetime64(first, "D")).astype(np.int64)
        places = np.repeat(np.arange(len(rows)), [row[3] for row in rows])
        values[places, columns] = np.fromstring(",".join(row[5] for row in rows), dtype=np.int64, sep=",")
    return values

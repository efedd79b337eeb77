"""Trends of the tracks and artists of a chart-day, or of everything stored: points in, rows of `audience_trends` out.

A series leaves the database as one row of two lists, and is worked on as one row of a matrix. Without pandas, which a
run need not wait for: `door.py` makes frames of the columns.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Boolean, Connection, Date, Integer, and_, select

from soundcharts_pipeline.analysis import growth
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.storage.bulk import replace_slice
from soundcharts_pipeline.storage.queries.series_lists import SERIES_AT_ONCE, Listed, list_series
from soundcharts_pipeline.storage.queries.worklists import entities
from soundcharts_pipeline.storage.tables import schema as s

if TYPE_CHECKING:
    from soundcharts_pipeline.storage.housekeeping.cold import Archive

# What the table looks back on.
RANGE_DAYS = 90
DAYS_BACK = timedelta(days=growth.window_days(RANGE_DAYS) - 1)
TABLE = s.audience_trends
NAMES = [column.name for column in TABLE.columns]
FIGURES = [column for column in TABLE.columns if not column.primary_key]
KINDS = {("track", "spins"): growth.COUNT, ("artist", "views"): growth.COUNT}
KIND_OF_ENTITY = {"track": growth.TOTAL, "artist": growth.LEVEL}

# uuid, platform, metric
Key = tuple[str, str, str]
# A list for each column, by its name; all are of one length, and None is what is not known.
Columns = dict[str, list[Any]]


def kind_of(entity: str, metric: str) -> int:
    """Tracks have totals, artists levels; spins of a track and views of an artist are counts of a day."""
    return KINDS.get((entity, metric), KIND_OF_ENTITY[entity])


def chart_trends(
    conn: Connection, slug: str, day: date, *, days: int = RANGE_DAYS, archive: "Archive | None" = None
) -> Columns:
    """Trends of one chart-day with names, tracks before artists: the columns of `audience_trends` and `name`.
    Of the database, and of the archive if it is given."""
    after = NAMES.index("uuid") + 1
    found: Columns = {name: [] for name in (*NAMES[:after], "name", *NAMES[after:])}
    for entity, table in (("track", s.tracks), ("artist", s.artists)):
        among = entities(ChartDays(slug, day, day), entity)
        known = select(table.c.uuid, table.c.name).where(table.c.uuid.in_(among))
        names = {row[0]: row[1] for row in conn.execute(known)}
        uuids = list(conn.scalars(among))
        # A day that is in the archive itself has none here, and needs no file for it.
        for part in _trends(conn, entity, day, uuids, days, archive if uuids else None):
            part["chart_slug"] = [slug] * len(part["uuid"])
            part["name"] = [names.get(uuid) for uuid in part["uuid"]]
            for name, values in found.items():
                values += part[name]
    return found


def all_trends(conn: Connection, day: date, *, days: int = RANGE_DAYS) -> Iterator[Columns]:
    """Trends of every stored series, some thousands at a time."""
    for entity in KIND_OF_ENTITY:
        yield from _trends(conn, entity, day, None, days, None)


def save_trends(conn: Connection, slug: str, day: date, found: Columns) -> int:
    """Make `audience_trends` say this of the chart-day; returns how many rows changed."""
    of_day = and_(TABLE.c.chart_slug == slug, TABLE.c.rank_date == day)
    return replace_slice(conn, TABLE, of_day, zip(*(found[name] for name in NAMES), strict=True), columns=NAMES)


def _trends(
    conn: Connection,
    entity: str,
    day: date,
    uuids: Sequence[str] | None,
    range_days: int,
    archive: "Archive | None",
) -> Iterator[Columns]:
    """The columns of every batch of series, without those of the chart; at least one batch, which may be empty."""
    first = day - timedelta(days=growth.window_days(range_days) - 1)
    for keys, groups, values in _batches(_listed(conn, archive, entity, first, day, uuids), first, day):
        kinds = np.array([kind_of(entity, keys[group][2]) for group in groups], dtype=np.int64)
        kept, columns = growth.develop(values, groups, kinds, range_days=range_days)
        of_kept = [keys[group] for group in kept]
        made: Columns = {"rank_date": [day] * len(kept), "entity": [entity] * len(kept)}
        for place, name in enumerate(("uuid", "platform", "metric")):
            made[name] = [key[place] for key in of_kept]
        yield made | {column.name: _figures(columns[column.name], column.type, first) for column in FIGURES}


def _figures(values: NDArray[Any], kind: object, first: date) -> list[Any]:
    """A column of the matrix's results as Python has it; days are counted from `first`."""
    if isinstance(kind, Date):
        return [first + timedelta(days=day) if day >= 0 else None for day in values.tolist()]
    convert = bool if isinstance(kind, Boolean) else int if isinstance(kind, Integer) else float
    # Only NaN differs from itself.
    return [None if value is None or value != value else convert(value) for value in values.tolist()]


def _listed(
    conn: Connection, archive: "Archive | None", entity: str, first: date, last: date, uuids: Sequence[str] | None
) -> Iterator[Listed]:
    """As `list_series`, with the points of the archive where it has any of these days."""
    if archive is None:
        yield from list_series(conn, entity, first, last, uuids)
        return
    # It loads pyarrow, which trends of the database alone do without.
    from soundcharts_pipeline.analysis.archived import Series

    series_ = Series(conn, archive, f"{entity}_audience", uuids=uuids)
    if not series_.reach(first, last):
        yield from list_series(conn, entity, first, last, uuids)
        return
    width = series_.width
    for key, of in groupby(series_.rows(first, last), key=lambda row: row[:width]):
        points = [row[width : width + 2] for row in of]
        days = ",".join(str((day - first).days) for day, _ in points)
        yield Listed(key[0], key[1], key[2], "", len(points), days, ",".join(str(value) for _, value in points))


def _batches(
    lists: Iterator[Listed], first: date, last: date
) -> Iterator[tuple[list[Key], growth.Ints, growth.Floats]]:
    """Keys of groups, the group of each row, and the rows: one column per day from `first` to `last`."""
    keys: list[Key] = []
    rows: list[Listed] = []
    groups: list[int] = []
    for key, of_key in groupby(lists, key=lambda row: row[:3]):
        if len(rows) >= SERIES_AT_ONCE:
            yield keys, np.array(groups), _matrix(rows, first, last)
            keys, rows, groups = [], [], []
        before = len(rows)
        rows += of_key
        groups += [len(keys)] * (len(rows) - before)
        keys.append(key)
    yield keys, np.array(groups, dtype=np.int64), _matrix(rows, first, last)


def _matrix(rows: Sequence[Listed], first: date, last: date) -> growth.Floats:
    """A row for each series, a column for each day; in parts where floats do not hold its values."""
    width = (last - first).days + 1
    if not rows:
        return np.full((1, 0, width), np.nan)
    columns = np.fromstring(",".join(row.days for row in rows), dtype=np.int64, sep=",")
    places = np.repeat(np.arange(len(rows)), [row.points for row in rows])
    parts = growth.in_parts(np.fromstring(",".join(row.values for row in rows), dtype=np.int64, sep=","))
    values = np.full((len(parts), len(rows), width), np.nan)
    values[:, places, columns] = parts
    return values

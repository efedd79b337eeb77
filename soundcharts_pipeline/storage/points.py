"""Writes audience rows into series, places and points: what the promised views show, in numbers.

The numbers of series and places are looked up for every save, inside its transaction: a query for a dozen answers, and
nothing is remembered that another process may roll back or restore. New ones are made apart from it, so that two saves
that need the same places in another order do not wait for each other.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, select, text, tuple_

from soundcharts_pipeline.models import LocatedDay, Place
from soundcharts_pipeline.storage.bulk import insert_missing, merge, remove, remove_keys
from soundcharts_pipeline.storage.bulk_ready import LocatedKey, merge_located, merge_ready
from soundcharts_pipeline.storage.bulk_values import check_repeated
from soundcharts_pipeline.storage.tables import audience as a
from soundcharts_pipeline.storage.tables import months
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.tables.columns import Moment
from soundcharts_pipeline.wording import clean

# Keys of one look-up, each of up to five variables: a quarter of what SQLite takes.
LOOKED_UP = 1_500
SERIES = ("entity", "uuid", "platform", "metric", "identifier")
PLACE = ("country_code", "region", "city_name")

# Built once: building one took longer than the database does. Series of whole entities by the first columns of the
# index, not one comparison of five for each key; what is found beyond the keys is left alone.
_WHOLE = SERIES[:-1]
_LOOK_UP = {
    a.series: select(a.series.c.id, *(a.series.c[name] for name in SERIES)).where(
        *(a.series.c[name].in_(bindparam(name, expanding=True)) for name in _WHOLE)
    ),
    a.places: select(a.places.c.id, *(a.places.c[name] for name in PLACE)).where(
        tuple_(*(a.places.c[name] for name in PLACE)).in_(bindparam("keys", expanding=True))
    ),
}
Key = tuple[str, ...]
Row = tuple[Any, ...]


def series_ids(
    conn: Connection, entity: str, platform: str, metric: str, keys: Collection[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """The numbers of an entity's series of one platform and metric, by (uuid, identifier); new ones are made."""
    found = numbers(conn, a.series, SERIES, [(entity, uuid, platform, metric, of) for uuid, of in keys], make=True)
    return {(key[1], key[4]): number for key, number in found.items()}


def place_ids(conn: Connection, keys: Collection[Place]) -> dict[Place, int]:
    """The numbers of places, by (country_code, region, city_name); new ones are made."""
    return {(key[0], key[1], key[2]): number for key, number in numbers(conn, a.places, PLACE, keys, make=True).items()}


def save_points(
    conn: Connection, series: Sequence[int], days: Sequence[date], values: Sequence[int], now: datetime
) -> None:
    """Values of series on days. A point whose value is stored keeps its moment."""
    _make_months(conn, a.points, set(days))
    merge_ready(conn, a.points, (series, days, values), last=(Moment.number(now),))


def save_located(conn: Connection, days: Iterable[tuple[int, LocatedDay]], places: Mapping[Place, int]) -> int:
    """Values of series on days in numbered places; returns how many were added or changed. The cities of a day are
    those of one answer, and its countries too: a place that an earlier answer named and this one does not goes."""
    days = list(days)
    given = _by_day(days, places)
    _make_months(conn, a.located_points, {day for _, day in given})
    changed, beside = merge_located(conn, a.located_points, given)
    if beside:
        remove_keys(conn, a.located_points, _no_longer_named(conn, beside, days))
    return changed


def _by_day(
    days: Iterable[tuple[int, LocatedDay]], places: Mapping[Place, int]
) -> dict[tuple[int, date], dict[int, int]]:
    """The values of numbered places; the cities and the countries of a day together. Raises RowsLost for a place that
    has two."""
    given: dict[tuple[int, date], dict[int, int]] = {}
    for number, (day, values) in days:
        numbered = dict(zip(map(places.__getitem__, values), values.values(), strict=True))
        of_day = given.setdefault((number, day), numbered)
        if of_day is not numbered:
            both = of_day.keys() & numbered.keys()
            twice = ((place, (number, day, place, of[place])) for place in both for of in (of_day, numbered))
            check_repeated(a.located_points, a.located_points.primary_key.columns.keys(), twice)
            of_day |= numbered
    return given


def _no_longer_named(
    conn: Connection, keys: Collection[LocatedKey], days: Iterable[tuple[int, LocatedDay]]
) -> list[LocatedKey]:
    """Of the keys of places that are not named on these days those of which others of their kind, cities or countries,
    are."""
    at, open_days = a.places.c, {key[:2] for key in keys}
    kinds = select(at.id, at.city_name == "").where(at.id.in_({key[2] for key in keys}))
    is_country = {place: bool(country) for place, country in conn.execute(kinds)}
    named = {
        (number, day, not place[2]) for number, (day, values) in days if (number, day) in open_days for place in values
    }
    return [key for key in keys if (*key[:2], is_country[key[2]]) in named]


def merge_audience(conn: Connection, view: Table, rows: Sequence[Sequence[Any]]) -> int:
    """Whole rows of one of the three promised views: `merge` into its points."""
    table = _table(view)
    points = _prepared(conn, table, _points(conn, view, rows, make=True))
    return merge(conn, table, points, columns=_names(table), ignore=["fetched_at"])


def insert_missing_audience(conn: Connection, view: Table, rows: Sequence[Sequence[Any]]) -> int:
    """Whole rows of one of the three promised views; those whose key is there stay. Returns how many were added."""
    table = _table(view)
    points = _prepared(conn, table, _points(conn, view, rows, make=True))
    return insert_missing(conn, table, points, columns=_names(table))


def remove_audience(conn: Connection, view: Table, rows: Sequence[Sequence[Any]]) -> int:
    """Delete the rows of one of the three promised views that are stored exactly so; returns how many were."""
    table = _table(view)
    return remove(conn, table, _points(conn, view, rows, make=False), columns=_names(table))


def numbers(
    conn: Connection, table: Table, names: Sequence[str], keys: Collection[Key], *, make: bool
) -> dict[Key, int]:
    """The `id` of the rows with these keys, by the key as it is given; those that are not there are made, or left
    out."""
    stored = {key: tuple(map(clean, key)) for key in keys}
    wanted = set(stored.values())
    found = _look_up(conn, table, names, wanted)
    if make and (new := wanted - found.keys()):
        with _apart(conn) as other:
            insert_missing(other, table, sorted(new), columns=names)
        found |= _look_up(conn, table, names, new)
    return {key: found[of] for key, of in stored.items() if of in found}


def _look_up(conn: Connection, table: Table, names: Sequence[str], keys: Collection[Key]) -> dict[Key, int]:
    listed, found = sorted(keys), {}
    for start in range(0, len(listed), LOOKED_UP):
        part = listed[start : start + LOOKED_UP]
        whole: dict[str, Any] = {n: sorted({key[i] for key in part}) for i, n in enumerate(names) if n in _WHOLE}
        for number, *key in conn.execute(_LOOK_UP[table], whole or {"keys": part}):
            found[tuple(key)] = number
    return found


def _prepared(conn: Connection, table: Table, rows: Iterable[Row]) -> list[Row]:
    """The rows in the order of the key, in which SQLite stores them, once there is a place for each."""
    found = sorted(rows, key=tuple)
    _make_months(conn, table, {row[1] for row in found})
    return found


def _make_months(conn: Connection, table: Table, days: Collection[date]) -> None:
    """On PostgreSQL the months of these days are there, and the one after; those that are missing are made in a
    transaction of their own, so that nobody waits for ours."""
    if conn.dialect.name != "postgresql" or not days:
        return
    wanted = {day.replace(day=1) for day in days}
    wanted.add(months.after(max(wanted)))
    made = months.made(conn, table.name)
    for month in sorted(month for month in wanted if months.name_of(table.name, month) not in made):
        with _apart(conn) as other:
            months.make(other, table.name, month)


@contextmanager
def _apart(conn: Connection) -> Iterator[Connection]:
    """A transaction for what many need and nobody takes back. SQLite has one writer, whose own it is; on PostgreSQL it
    is over at once. It waits for no disk: whatever builds on it is written after it."""
    if conn.dialect.name == "sqlite":
        yield conn
        return
    with conn.engine.begin() as other:
        other.execute(text("SET LOCAL synchronous_commit = off"))
        yield other


def _table(view: Table) -> Table:
    return a.located_points if view is s.artist_audience_geo else a.points


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def _points(conn: Connection, view: Table, rows: Sequence[Sequence[Any]], *, make: bool) -> list[Row]:
    """The rows in numbers, less those of which a number is neither known nor to be made."""
    entity, day = "track" if view is s.track_audience else "artist", list(view.c.keys()).index("date")
    given = list(map(tuple, rows))
    keys = {(entity, *row[:day], *([""] * (4 - day))) for row in given}
    ids = {key[1 : 1 + day]: number for key, number in numbers(conn, a.series, SERIES, keys, make=make).items()}
    if view is not s.artist_audience_geo:
        return [(ids[row[:day]], *row[day:]) for row in given if row[:day] in ids]
    place = numbers(conn, a.places, PLACE, {row[4:7] for row in given}, make=make)
    known = (row for row in given if row[:day] in ids and row[4:7] in place)
    return [(ids[row[:day]], row[day], place[row[4:7]], row[7]) for row in known]

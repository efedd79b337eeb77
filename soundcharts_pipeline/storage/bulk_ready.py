"""Saves the points of answers: columns of numbers and days, and nothing to clean or to escape.

SQLite compares what is stored with what is given while it inserts, and days in places before, one dictionary with the
other. PostgreSQL takes a tenth of the time to send what is stored as COPY packs it, and Python as little to find the
rows that are the same: what is new is then copied straight into its table, and only what changed goes the long way of a
temporary one.
"""

import io
from collections.abc import Iterable, Mapping, Sequence, Sized
from contextlib import closing
from datetime import date
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, Table

from soundcharts_pipeline.storage import bulk_packed as packed
from soundcharts_pipeline.storage.bulk import insert_many, insert_or_update
from soundcharts_pipeline.storage.bulk_copy import Insert, copied_straight, run_copy, save_lines
from soundcharts_pipeline.storage.bulk_values import check_repeated
from soundcharts_pipeline.storage.errors import ValueOutOfRange
from soundcharts_pipeline.storage.tables.columns import Day

Row = tuple[int, ...]
Columns = Sequence[Sequence[Any]]
SeriesDay = tuple[int, date]
LocatedKey = tuple[int, date, int]
# The values of places, by place.
Located = Mapping[SeriesDay, Mapping[int, int]]


def merge_ready(connection: Connection, table: Table, columns: Columns, *, last: Row = ()) -> int:
    """As `bulk.merge`, of the columns of the key (a number, a day, ...) and what is compared; `last` are the values of
    the table's last columns, which are ignored and of all rows the same. Returns how many were added or changed; raises
    RowsLost as it does."""
    if not columns[0]:
        return 0
    if connection.dialect.name == "postgresql":
        return _into_postgresql(connection, table, columns, last)
    numbers = _numbered(columns, Day.ZERO)
    _check_once(table, columns, set(zip(*numbers[: len(table.primary_key)], strict=True)))
    return _into_sqlite(connection, table, numbers, last)


def merge_located(connection: Connection, table: Table, given: Located) -> tuple[int, list[LocatedKey]]:
    """The same of values by place, of series and days. Beside how many were added or changed the keys that are stored
    of these series and days and not given."""
    beside: list[LocatedKey] = []
    if connection.dialect.name == "postgresql":
        changed = _into_postgresql(connection, table, _by_column(given), (), beside) if given else 0
        return changed, [key for key in beside if key[:2] in given]
    unlike = _unlike(given, _stored(connection, table, given), beside) if given else given
    return _into_sqlite(connection, table, _numbered(_by_column(unlike), Day.ZERO), ()), beside


def _stored(connection: Connection, table: Table, given: Located) -> dict[SeriesDay, dict[int, int]]:
    """What SQLite holds of these series between the first and the last of these days. A day comes as two lists: made
    into rows by the driver and compared as a set of them it takes three times as long."""
    series, day, *listed = table.columns.keys()
    columns = [[number for number, _ in given], _numbers([day for _, day in given], Day.ZERO)]
    query = _query(connection, table, columns, [series, day, *(f"json_group_array({name})" for name in listed)])
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(f"{query} GROUP BY {series}, {day}")
        rows = cursor.fetchall()
    return {
        (number, date.fromordinal(Day.ZERO + of)): dict(zip(from_json(places), from_json(values), strict=True))
        for number, of, places, values in rows
    }


def _unlike(given: Located, stored: Located, beside: list[LocatedKey]) -> Located:
    """What is not stored as it is given; what is stored of these days and not given goes to `beside`."""
    unlike: dict[SeriesDay, Mapping[int, int]] = {}
    for key, values in given.items():
        there = stored.get(key, {})
        if there != values:
            beside += [(*key, place) for place in there.keys() - values.keys()]
            unlike[key] = dict(values.items() - there.items()) if there else values
    return unlike


def _by_column(given: Located) -> Columns:
    """Series, days, places and values, in the order of series and days."""
    columns: list[list[Any]] = [[], [], [], []]
    for key in sorted(given):
        values = given[key]
        parts: list[Iterable[Any]] = [[key[0]] * len(values), [key[1]] * len(values), values, values.values()]
        for column, part in zip(columns, parts, strict=True):
            column.extend(part)
    return columns


def _into_sqlite(connection: Connection, table: Table, numbers: Columns, last: Row) -> int:
    if not numbers[0]:
        return 0
    names, statement = _statement(connection, table, numbers)
    try:
        ends = ([value] * len(numbers[0]) for value in last)
        return insert_many(connection, statement, _by_row([*numbers, *ends]), names)
    except OverflowError as error:
        raise ValueOutOfRange(f"{table.name} cannot hold one of {len(numbers[0])} rows: {error}") from error


def _by_row(columns: Columns) -> list[Any]:
    """The values of all rows, one row after the other."""
    values = [None] * (len(columns) * len(columns[0]))
    for place, column in enumerate(columns):
        values[place :: len(columns)] = column
    return values


def _into_postgresql(
    connection: Connection, table: Table, columns: Columns, last: Row, beside: list[LocatedKey] | None = None
) -> int:
    packing, (names, statement) = packed.Packing(table), _statement(connection, table, columns)
    # In one order: two savers of the same keys would else wait for each other.
    rows = sorted(packing.rows(_numbered(columns, packed.DAY_ZERO), last))
    file = io.BytesIO()
    query = _query(connection, table, columns, (*names[: len(columns)], *map(str, last)))
    run_copy(connection, f"COPY ({query}) TO STDOUT{packed.OPTIONS}", file)
    stored = set(packing.copied(file.getvalue()))
    unlike = [row for row in rows if row not in stored] if stored else rows
    others = {packing.key_of(row): row for row in stored.difference(rows)}
    if others and beside is not None:
        unnamed = others.keys() - set(map(packing.key_of, rows))
        beside += [packing.values(others[key])[: len(table.primary_key)] for key in unnamed]
    if not unlike:
        return 0
    is_changed = bool(others) and any(packing.key_of(row) in others for row in unlike)
    if not is_changed and copied_straight(connection, table, names, packing.parts(unlike), packed.OPTIONS):
        return len(unlike)
    # What is new and what changed together, in the order of all: else who has changed a row would wait for one that is
    # new of somebody who waits for the change.
    _check_once(table, columns, set(map(packing.key_of, rows)))
    lines = ["\t".join(map(str, packing.values(row))) for row in dict.fromkeys(unlike)]
    return save_lines(connection, table, lines, names, statement)


def _numbered(columns: Columns, zero: int) -> Columns:
    """The columns with numbers for the days, which count from `zero`."""
    return [columns[0], _numbers(columns[1], zero), *columns[2:]]


def _numbers(days: Sequence[date], zero: int) -> list[int]:
    number = {day: day.toordinal() - zero for day in set(days)}
    return list(map(number.__getitem__, days))


def _check_once(table: Table, columns: Columns, heads: Sized) -> None:
    """Raises RowsLost when there are fewer keys than rows because two of these have one key and differ."""
    if len(heads) < len(columns[0]):
        keys = [key.name for key in table.primary_key]
        check_repeated(table, keys, ((row[: len(keys)], row) for row in zip(*columns, strict=True)))


def _statement(connection: Connection, table: Table, columns: Columns) -> tuple[tuple[str, ...], Insert]:
    """The names of all columns, and what inserts or updates them."""
    names = tuple(table.columns.keys())
    return names, insert_or_update(connection.dialect.name, table, frozenset(names), frozenset(names[len(columns) :]))


def _query(connection: Connection, table: Table, columns: Columns, selected: Iterable[str]) -> str:
    """Asks for what is stored of these series between the first and the last of these days."""
    series, day = list(table.primary_key)[:2]
    days = set(columns[1])
    quote = connection.dialect.identifier_preparer.quote
    return (
        f"SELECT {', '.join(selected)} FROM {quote(table.name)}"  # noqa: S608  # names, numbers and days
        f" WHERE {quote(series.name)} IN ({', '.join(map(str, sorted(set(columns[0]))))})"
        f" AND {quote(day.name)} BETWEEN '{min(days)}' AND '{max(days)}'"
    )

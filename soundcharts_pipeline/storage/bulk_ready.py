"""Saves the points of answers: columns of numbers and days, and nothing to clean or to escape.

SQLite compares what is stored with what is given while it inserts. PostgreSQL takes a tenth of the time to send what is
stored as COPY packs it, and Python as little to find the rows that are the same: what is new is then copied straight
into its table, and only what changed goes the long way of a temporary one.
"""

import io
from collections.abc import Iterable, Sequence, Sized
from contextlib import closing
from datetime import date
from typing import Any

from sqlalchemy import Connection, Table

from soundcharts_pipeline.storage import bulk_packed as packed
from soundcharts_pipeline.storage.bulk import insert_many, insert_or_update
from soundcharts_pipeline.storage.bulk_copy import Insert, copied_straight, run_copy, save_lines
from soundcharts_pipeline.storage.bulk_values import check_repeated
from soundcharts_pipeline.storage.errors import ValueOutOfRange
from soundcharts_pipeline.storage.tables.columns import Day

Row = tuple[int, ...]
Columns = Sequence[Sequence[Any]]
LocatedKey = tuple[int, date, int]


def merge_ready(
    connection: Connection,
    table: Table,
    columns: Columns,
    *,
    last: Row = (),
    beside: list[LocatedKey] | None = None,
    is_once: bool = False,
) -> int:
    """As `bulk.merge`, of the columns of the key (a number, a day, ...) and what is compared; `last` are the values of
    the table's last columns, which are ignored and of all rows the same. Returns how many were added or changed; raises
    RowsLost as it does.

    `beside` takes the keys that are stored of these series, between the first and the last of these days, and not
    given. `is_once`: no two rows have one key; else that is looked at.
    """
    if not columns[0]:
        return 0
    if connection.dialect.name == "sqlite":
        return _into_sqlite(connection, table, columns, last, beside, is_once=is_once)
    return _into_postgresql(connection, table, columns, last, beside)


def _into_sqlite(
    connection: Connection,
    table: Table,
    columns: Columns,
    last: Row,
    beside: list[LocatedKey] | None,
    *,
    is_once: bool,
) -> int:
    keys, (names, statement) = table.primary_key.columns.keys(), _statement(connection, table, columns)
    numbers = [columns[0], _numbers(columns[1], Day.ZERO), *columns[2:]]
    stored: set[tuple[Any, ...]] = set()
    if beside is not None:
        # Of the driver: a row of SQLAlchemy takes as long as all else that is done with it here. What is read anyway
        # is compared here as well, in half of the time that the statement takes for it.
        with closing(connection.connection.cursor()) as cursor:
            cursor.execute(_query(connection, table, numbers, names[: len(columns)]))
            stored = set(cursor.fetchall())
    new: Columns = numbers
    if beside is not None and stored:
        rows = list(zip(*numbers, strict=True))
        given = set(rows)
        if others := {row[: len(keys)] for row in stored - given}:
            unnamed = others.difference(zip(*numbers[: len(keys)], strict=True))
            beside += [(number, date.fromordinal(Day.ZERO + day), place) for number, day, place in unnamed]
        # In the order they came in, which is that of series and days.
        new = list(zip(*filter((given - stored).__contains__, rows), strict=True))
    if not new:
        return 0
    if not is_once:
        _check_once(table, columns, set(zip(*numbers[: len(keys)], strict=True)))
    try:
        return insert_many(connection, statement, _by_row([*new, *([value] * len(new[0]) for value in last)]), names)
    except OverflowError as error:
        raise ValueOutOfRange(f"{table.name} cannot hold one of {len(new[0])} rows: {error}") from error


def _by_row(columns: Columns) -> list[Any]:
    """The values of all rows, one row after the other."""
    values = [None] * (len(columns) * len(columns[0]))
    for place, column in enumerate(columns):
        values[place :: len(columns)] = column
    return values


def _into_postgresql(
    connection: Connection, table: Table, columns: Columns, last: Row, beside: list[LocatedKey] | None
) -> int:
    packing, (names, statement) = packed.Packing(table), _statement(connection, table, columns)
    # In one order: two savers of the same keys would else wait for each other.
    rows = sorted(packing.rows([columns[0], _numbers(columns[1], packed.DAY_ZERO), *columns[2:]], last))
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

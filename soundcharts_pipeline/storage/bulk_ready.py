"""Saves the points of answers: rows of numbers and days, as the driver takes them, and nothing to clean or to escape.

SQLite compares what is stored with what is given while it inserts. PostgreSQL takes a tenth of the time to send what is
stored as COPY writes it, and Python as little to find the lines that are the same: what is new is then copied straight
into its table, and only what changed goes the long way of a temporary one.
"""

import io
from collections.abc import Collection, Iterable
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table

from soundcharts_pipeline.storage.bulk import insert_many, insert_or_update, run_copy, save_lines, save_new_lines
from soundcharts_pipeline.storage.bulk_values import check_repeated

Row = tuple[Any, ...]


def merge_ready(
    connection: Connection,
    table: Table,
    rows: list[Row],
    *,
    ignore: Collection[str] = (),
    beside: list[Row] | None = None,
) -> int:
    """As `bulk.merge`, of rows with every column of the table: first the key (a number, a day, ...), last what is
    ignored. Returns how many were added or changed; raises RowsLost as it does. Sorts `rows`.

    `beside` takes the keys that are stored of these series, between the first and the last of these days, and not
    given.
    """
    if not rows:
        return 0
    names = tuple(table.columns.keys())
    keys = [key.name for key in table.primary_key]
    head = itemgetter(*range(len(keys)))
    heads = set(map(head, rows))
    if len(heads) < len(rows):
        check_repeated(table, keys, ((head(row), row) for row in rows))
        rows = list(set(rows))
    rows.sort()
    statement = insert_or_update(connection.dialect.name, table, frozenset(names), frozenset(ignore))
    if connection.dialect.name == "sqlite":
        if beside is not None:
            stored = connection.exec_driver_sql(_query(connection, table, rows, keys))
            beside += [tuple(key) for key in stored if key not in heads]
        return insert_many(connection, statement, list(chain.from_iterable(rows)), names)
    new, changed, others = _differing(connection, table, rows, names[: len(names) - len(ignore)])
    if beside is not None:
        split = (key.split("\t") for key in others)
        beside += [(int(series), day, *map(int, rest)) for series, day, *rest in split]
    saved = save_new_lines(connection, table, new, names, statement) if new else 0
    return saved + (save_lines(connection, table, changed, names, statement) if changed else 0)


def _differing(
    connection: Connection, table: Table, rows: list[Row], compared: tuple[str, ...]
) -> tuple[list[str], list[str], set[str]]:
    """Lines of COPY text of the rows whose key is not stored, and of those stored with other values; and the stored
    keys that are not given."""
    text = io.StringIO()
    run_copy(connection, f"COPY ({_query(connection, table, rows, compared)}) TO STDOUT", text)
    stored = set(text.getvalue().splitlines())
    line, width = _line_of(len(rows[0])), len(compared)
    if not stored:
        return list(map(line, rows)), [], set()
    said = rows if width == len(rows[0]) else map(itemgetter(slice(width)), rows)
    given = list(map(_line_of(width), said))
    others = {old.rpartition("\t")[0] for old in stored.difference(given)}
    new: list[str] = []
    changed: list[str] = []
    for row, text_of in zip(rows, given, strict=True):
        if text_of not in stored:
            key = text_of.rpartition("\t")[0]
            (changed if key in others else new).append(line(row))
            others.discard(key)
    return new, changed, others


def _query(connection: Connection, table: Table, rows: list[Row], columns: Iterable[str]) -> str:
    """Asks for what is stored of these series between the first and the last of these days."""
    series, day = list(table.primary_key)[:2]
    ids = ", ".join(map(str, sorted(set(map(itemgetter(0), rows)))))
    days = set(map(itemgetter(1), rows))
    quote = connection.dialect.identifier_preparer.quote
    return (
        f"SELECT {', '.join(map(quote, columns))} FROM {quote(table.name)}"  # noqa: S608  # names, numbers and days
        f" WHERE {quote(series.name)} IN ({ids}) AND {quote(day.name)} BETWEEN '{min(days)}' AND '{max(days)}'"
    )


def _line_of(width: int) -> Any:
    """Formats a tuple of so many values as a line of COPY text."""
    return "\t".join(["%s"] * width).__mod__

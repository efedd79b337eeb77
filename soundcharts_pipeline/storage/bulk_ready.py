"""Saves the points of answers: rows of numbers and days, as the driver takes them, and nothing to clean or to escape.

SQLite compares what is stored with what is given while it inserts. PostgreSQL takes a tenth of the time to send what is
stored as COPY writes it, and Python as little to find the lines that are the same: what is new is then copied straight
into its table, and only what changed goes the long way of a temporary one.
"""

import io
from collections.abc import Collection
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table

from soundcharts_pipeline.storage.bulk import insert_many, insert_or_update, run_copy, save_lines, save_new_lines
from soundcharts_pipeline.storage.bulk_values import check_repeated

Row = tuple[Any, ...]


def merge_ready(connection: Connection, table: Table, rows: list[Row], *, ignore: Collection[str] = ()) -> int:
    """As `bulk.merge`, of rows with every column of the table: first the key (a number, a day, ...), last what is
    ignored. Returns how many were added or changed; raises RowsLost as it does. Sorts `rows`."""
    if not rows:
        return 0
    names = tuple(table.columns.keys())
    keys = [key.name for key in table.primary_key]
    head = itemgetter(*range(len(keys)))
    if len(set(map(head, rows))) < len(rows):
        check_repeated(table, keys, ((head(row), row) for row in rows))
        rows = list(set(rows))
    rows.sort()
    statement = insert_or_update(connection.dialect.name, table, frozenset(names), frozenset(ignore))
    if connection.dialect.name == "sqlite":
        return insert_many(connection, statement, list(chain.from_iterable(rows)), names)
    new, changed = _differing(connection, table, rows, names[: len(names) - len(ignore)])
    saved = save_new_lines(connection, table, new, names, statement) if new else 0
    return saved + (save_lines(connection, table, changed, names, statement) if changed else 0)


def _differing(
    connection: Connection, table: Table, rows: list[Row], compared: tuple[str, ...]
) -> tuple[list[str], list[str]]:
    """Lines of COPY text of the rows whose key is not stored, and of those stored with other values."""
    stored = _stored_lines(connection, table, rows, compared)
    line, width = _line_of(len(rows[0])), len(compared)
    if not stored:
        return list(map(line, rows)), []
    keys = {text.rpartition("\t")[0] for text in stored}
    said = map(_line_of(width), map(itemgetter(slice(width)), rows))
    new: list[str] = []
    changed: list[str] = []
    for row, text in zip(rows, said, strict=True):
        if text not in stored:
            (changed if text.rpartition("\t")[0] in keys else new).append(line(row))
    return new, changed


def _stored_lines(connection: Connection, table: Table, rows: list[Row], compared: tuple[str, ...]) -> set[str]:
    """What is stored of these series between the first and the last of these days, as COPY writes it."""
    series, day = list(table.primary_key)[:2]
    ids = ", ".join(map(str, sorted({row[0] for row in rows})))
    first, last = min(row[1] for row in rows), max(row[1] for row in rows)
    quote = connection.dialect.identifier_preparer.quote
    query = (
        f"SELECT {', '.join(map(quote, compared))} FROM {quote(table.name)}"  # noqa: S608  # names, numbers and days
        f" WHERE {quote(series.name)} IN ({ids}) AND {quote(day.name)} BETWEEN '{first}' AND '{last}'"
    )
    text = io.StringIO()
    run_copy(connection, f"COPY ({query}) TO STDOUT", text)
    return set(text.getvalue().splitlines())


def _line_of(width: int) -> Any:
    """Formats a tuple of so many values as a line of COPY text."""
    return "\t".join(["%s"] * width).__mod__

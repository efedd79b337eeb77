"""Saves the points of answers: rows of numbers and days, as the driver takes them, and nothing to clean or to escape.

SQLite compares what is stored with what is given while it inserts. PostgreSQL takes a tenth of the time to send what is
stored as COPY writes it, and Python as little to find the lines that are the same: what is new is then copied straight
into its table, and only what changed goes the long way of a temporary one.
"""

import io
from collections.abc import Iterable, Sequence, Set
from contextlib import closing
from itertools import chain, repeat
from operator import add, itemgetter
from typing import Any

from sqlalchemy import Connection, Table

from soundcharts_pipeline.storage.bulk import insert_many, insert_or_update
from soundcharts_pipeline.storage.bulk_copy import run_copy, save_lines, save_new_lines
from soundcharts_pipeline.storage.bulk_values import check_repeated

Row = tuple[Any, ...]


def merge_ready(
    connection: Connection, table: Table, rows: list[Row], *, last: Row = (), beside: list[Row] | None = None
) -> int:
    """As `bulk.merge`, of rows with the key (a number, a day, ...) and what is compared; `last` are the values of the
    table's last columns, which are ignored and of all rows the same. Returns how many were added or changed; raises
    RowsLost as it does. Sorts `rows`.

    `beside` takes the keys that are stored of these series, between the first and the last of these days, and not
    given.
    """
    if not rows:
        return 0
    names = tuple(table.columns.keys())
    compared = names[: len(names) - len(last)]
    keys = [key.name for key in table.primary_key]
    head = itemgetter(*range(len(keys)))
    heads = set(map(head, rows))
    if len(heads) < len(rows):
        check_repeated(table, keys, ((head(row), row) for row in rows))
        rows = list(set(rows))
    rows.sort()
    statement = insert_or_update(connection.dialect.name, table, frozenset(names), frozenset(names) - {*compared})
    if connection.dialect.name == "sqlite":
        if beside is not None:
            # Of the driver: a row of SQLAlchemy takes as long as all else that is done with it here.
            with closing(connection.connection.cursor()) as cursor:
                cursor.execute(_query(connection, table, rows, keys))
                beside += set(cursor.fetchall()).difference(heads)
        whole = map(add, rows, repeat(last)) if last else rows
        return insert_many(connection, statement, list(chain.from_iterable(whole)), names)
    new, changed, others = _differing(connection, table, rows, compared, heads)
    if beside is not None:
        beside += others
    saved = 0
    for lines, save in ((new, save_new_lines), (changed, save_lines)):
        end = "".join(f"\t{value}" for value in last)
        saved += save(connection, table, [line + end for line in lines], names, statement) if lines else 0
    return saved


def _differing(
    connection: Connection, table: Table, rows: list[Row], compared: Sequence[str], heads: Set[Row]
) -> tuple[list[str], list[str], list[Row]]:
    """Lines of COPY text of the rows whose key is not stored, and of those stored with other values; and the stored
    keys that are not among `heads`, those of the rows."""
    text = io.StringIO()
    run_copy(connection, f"COPY ({_query(connection, table, rows, compared)}) TO STDOUT", text)
    stored = set(text.getvalue().splitlines())
    given = list(map("\t".join(["%s"] * len(compared)).__mod__, rows))
    if not stored:
        return given, [], []
    unlike = [line for line in given if line not in stored]
    keys = {line.rpartition("\t")[0]: line.split("\t")[:-1] for line in stored.difference(given)}
    others = {key: (int(series), day, *map(int, rest)) for key, (series, day, *rest) in keys.items()}
    are_changed = {key for key, row in others.items() if row in heads}
    beside = [row for key, row in others.items() if key not in are_changed]
    if not are_changed:
        return unlike, [], beside
    # Both in the order of the rows: two savers of the same keys would else wait for each other.
    changed = [line for line in unlike if line.rpartition("\t")[0] in are_changed]
    known = set(changed)
    return [line for line in unlike if line not in known], changed, beside


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

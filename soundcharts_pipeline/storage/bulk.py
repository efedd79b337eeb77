"""Saves many rows of one table at once, without changing a row that already says the same.

Rows are tuples of plain Python values in the order of `columns`. `rendering` turns them into what each driver
takes fastest: COPY into a temporary table on PostgreSQL, statements of thousands of rows on SQLite.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    bindparam,
    delete,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

from soundcharts_pipeline.storage import bulk_values as rendering
from soundcharts_pipeline.storage.bulk_copy import Insert, copied_straight, save_lines, staged, text_parts
from soundcharts_pipeline.storage.engine import PREPARED_STATEMENTS
from soundcharts_pipeline.wording import cleaned

# A quarter of SQLite's limit (https://www.sqlite.org/limits.html): longer statements are no faster, and a prepared one
# keeps its memory.
SQLITE_VARIABLES = 8_000
# Fewer rows are one statement, of as many rows as there are: preparing it costs less than another call.
SMALLEST_PART = 64
# From so many rows on it is worth a look whether all of them are new, and one in so many is looked up.
WORTH_A_LOOK = 500


def merge(
    connection: Connection,
    table: Table,
    rows: Iterable[Sequence[Any]],
    *,
    columns: Sequence[str],
    ignore: Collection[str] = (),
) -> int:
    """Insert the rows, or update those whose primary key is already there; return how many were added or changed.

    A stored row is left alone when it differs in nothing but `ignore`. A row may come twice; two rows that have one
    key and differ raise RowsLost: which of them counts is for the caller to say. `columns` holds the whole primary key.
    """
    keys = [key.name for key in table.primary_key]
    if missing := set(keys) - set(columns):
        raise ValueError(f"a merge into {table.name} needs its key columns {sorted(missing)}")
    statement = insert_or_update(connection.dialect.name, table, frozenset(columns), frozenset(ignore))
    return _save(connection, table, rows, statement, columns=columns, unique=keys)


def insert_missing(
    connection: Connection, table: Table, rows: Iterable[Sequence[Any]], *, columns: Sequence[str]
) -> int:
    """Insert the rows that break no unique rule of the table, and leave the others; return how many were added."""
    statement = _insert_or_leave(connection.dialect.name, table)
    return _save(connection, table, rows, statement, columns=columns, unique=columns)


def replace_slice(
    connection: Connection,
    table: Table,
    where: ColumnElement[bool],
    rows: Iterable[Sequence[Any]],
    *,
    columns: Sequence[str],
    ignore: Collection[str] = (),
) -> int:
    """Make the rows under `where` exactly these; return how many were deleted, added or changed.

    Rows that stay the same are not touched, so that what `ignore` names (when it was fetched) stays as well.
    """
    given = list(rows)
    keys = list(table.primary_key)
    kept = {tuple(cleaned(row[columns.index(key.name)]) for key in keys) for row in given}
    stored = [tuple(row) for row in connection.execute(select(*keys).where(where))]
    gone = [row for row in stored if row not in kept]
    remove_keys(connection, table, gone)
    return len(gone) + merge(connection, table, given, columns=columns, ignore=ignore)


def remove_keys(connection: Connection, table: Table, keys: Sequence[Sequence[Any]]) -> None:
    """Delete the rows with these primary keys, if there are any."""
    if keys:
        columns = list(table.primary_key)
        one = (column == bindparam(f"key_{column.name}", type_=column.type) for column in columns)
        named = [{f"key_{column.name}": value for column, value in zip(columns, key, strict=True)} for key in keys]
        connection.execute(delete(table).where(*one), named)


def remove(connection: Connection, table: Table, rows: Sequence[Sequence[Any]], *, columns: Sequence[str]) -> int:
    """Delete the rows that are stored exactly so; one that differs in anything stays. Returns how many were deleted.
    `columns` are all columns of the table."""
    keys = [key.name for key in table.primary_key]
    if not rows:
        return 0
    if connection.dialect.name == "postgresql":
        lines = rendering.copy_lines(table, rows, columns=columns, unique=keys)
        given = staged(connection, table, lines, _key_first(table, columns, keys)).c
        same = (table.c[name].is_not_distinct_from(given[name]) for name in columns if name not in keys)
        gone = delete(table).where(*(table.c[key] == given[key] for key in keys), *same)
        return connection.execute(gone).rowcount
    named = [column.name for column in rendering.in_table_order(table, columns)]
    quote = connection.dialect.identifier_preparer.quote
    tests = (f"{quote(name)} {'=' if name in keys else 'IS'} ?" for name in named)
    command = f"DELETE FROM {quote(table.name)} WHERE {' AND '.join(tests)}"  # noqa: S608  # names of the schema
    values = iter(rendering.sqlite_values(table, rows, columns=columns, unique=keys))
    return connection.exec_driver_sql(command, list(zip(*[values] * len(named), strict=True))).rowcount


def insert(dialect: str, table: Table) -> Insert:
    """An insert that can say what a conflict does."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


# Statements are built and compiled once: for a save of a dozen answers this took longer than the database did.
@lru_cache
def _insert_or_leave(dialect: str, table: Table) -> Insert:
    return insert(dialect, table).on_conflict_do_nothing()


@lru_cache
def insert_or_update(dialect: str, table: Table, columns: frozenset[str], ignore: frozenset[str]) -> Insert:
    """Rows that are new or differ in more than `ignore`."""
    keys = [key.name for key in table.primary_key]
    updated = [column.name for column in rendering.in_table_order(table, columns) if column.name not in keys]
    compared = [name for name in updated if name not in ignore]
    begun = insert(dialect, table)
    if not compared:
        return begun.on_conflict_do_nothing(index_elements=keys)
    return begun.on_conflict_do_update(
        index_elements=keys,
        set_={name: begun.excluded[name] for name in updated},
        where=or_(*(table.c[name].is_distinct_from(begun.excluded[name]) for name in compared)),
    )


def _save(
    connection: Connection,
    table: Table,
    rows: Iterable[Sequence[Any]],
    statement: Insert,
    *,
    columns: Sequence[str],
    unique: Sequence[str],
) -> int:
    if connection.dialect.name == "postgresql":
        given = list(rows)
        lines = rendering.copy_lines(table, given, columns=columns, unique=unique)
        names = _key_first(table, columns, unique)
        seem_new = len(lines) >= WORTH_A_LOOK and _seem_new(connection, table, given, columns)
        if seem_new and copied_straight(connection, table, names, text_parts(lines)):
            return len(lines)
        return save_lines(connection, table, lines, names, statement) if lines else 0
    values = rendering.sqlite_values(table, rows, columns=columns, unique=unique)
    names = tuple(column.name for column in rendering.in_table_order(table, columns))
    return insert_many(connection, statement, values, names)


def insert_many(connection: Connection, statement: Insert, values: list[Any], names: tuple[str, ...]) -> int:
    """Statements of thousands of rows. The driver gives up the interpreter for each step of a statement, and gets it
    back late while other threads parse answers: with four of them busy, a step per row (executemany) saved 1,800
    rows/s where this saves 28,000. They come in few sizes, for the driver keeps what it has prepared, and preparing
    takes as long as inserting does."""
    width = len(names)
    changed = start = 0
    while left := (len(values) - start) // width:
        most = min(left, SQLITE_VARIABLES // width)
        rows = most if most < SMALLEST_PART else 1 << (most.bit_length() - 1)
        part = tuple(values[start : start + rows * width])
        command = _sqlite_command(statement, names, rows)
        result = connection.exec_driver_sql(command, part, execution_options={"preserve_rowcount": True})
        changed += result.rowcount
        start += len(part)
    return changed


def _key_first(table: Table, columns: Sequence[str], unique: Sequence[str]) -> tuple[str, ...]:
    """The order of the fields in a line of `rendering.copy_lines`."""
    ordered = (column.name for column in rendering.in_table_order(table, columns))
    return (*unique, *(name for name in ordered if name not in unique))


@lru_cache(maxsize=PREPARED_STATEMENTS)
def _sqlite_command(statement: Insert, names: tuple[str, ...], rows: int) -> str:
    one = f"({', '.join('?' * len(names))})"
    return _of_one_row(statement, names).replace(f"VALUES {one}", "VALUES " + ", ".join([one] * rows), 1)


@lru_cache
def _of_one_row(statement: Insert, names: tuple[str, ...]) -> str:
    return str(statement.compile(dialect=sqlite.dialect(), column_keys=names))


def _seem_new(connection: Connection, table: Table, rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> bool:
    """Whether none of a few rows, spread over all, has its key in the table."""
    keys = list(table.primary_key)
    if not {key.name for key in keys} <= set(columns):
        return False  # the database makes the keys
    places = [columns.index(key.name) for key in keys]
    sample = [tuple(cleaned(row[place]) for place in places) for row in rows[::WORTH_A_LOOK]]
    there = select(literal(1)).select_from(table).where(tuple_(*keys).in_(sample)).limit(1)
    return connection.execute(there).first() is None

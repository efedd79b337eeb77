"""Lines of COPY text into PostgreSQL: straight, in one statement, or by way of a temporary table."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, Any

from sqlalchemy import ColumnClause, Connection, String, Table, TableClause, bindparam, cast, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError

from soundcharts_pipeline.storage import bulk_values as rendering

Insert = postgresql.Insert | sqlite.Insert

# Lines made text at once: bounds the text held in memory, large enough that the calls cost nothing.
CHUNK = 20_000
READ_BYTES = 1 << 18
# A save brings a dozen rows of most tables.
FEW_LINES = 200


def copied_straight(
    connection: Connection, table: Table, names: Sequence[str], parts: Iterable[bytes], options: str = ""
) -> bool:
    """Rows that seem to be new, straight into the table: half the time of `save_lines`, and no less safe. A key that is
    there after all, or that another process saves meanwhile, ends it, and nothing of them is saved."""
    copy = _copy_into(connection, connection.dialect.identifier_preparer.quote(table.name), names) + options
    try:
        # In one turn with the server, which stores the first part while the next is made.
        run_copy(connection, f"SAVEPOINT straight; {copy}; RELEASE SAVEPOINT straight", _Parts(iter(parts)))
        return True
    except IntegrityError:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT straight; RELEASE SAVEPOINT straight")
        return False


def save_lines(
    connection: Connection, table: Table, lines: list[str], names: tuple[str, ...], statement: Insert
) -> int:
    """Lines of COPY text; returns how many were added or changed. Many go by way of a temporary table; a few, without
    a sign that COPY escapes, are one statement instead of three."""
    counted = {"preserve_rowcount": True}
    if len(lines) <= FEW_LINES and all(lines) and not any("\\" in line.replace(rendering.NULL, "") for line in lines):
        few = _of_few_lines(statement, table, names)
        return connection.execute(few, {"lines": lines}, execution_options=counted).rowcount
    inserted = statement.from_select(names, select(*staged(connection, table, lines, names).c))
    return connection.execute(inserted, execution_options=counted).rowcount


@lru_cache
def _of_few_lines(statement: Insert, table: Table, names: tuple[str, ...]) -> Insert:
    texts = postgresql.ARRAY(String)
    line = func.unnest(bindparam("lines", type_=texts))
    fields = select(func.string_to_array(line, "\t", rendering.NULL, type_=texts).label("fields")).subquery().c.fields
    return statement.from_select(
        names, select(*(cast(fields[n], table.c[name].type) for n, name in enumerate(names, 1)))
    )


def text_parts(lines: list[str]) -> Iterator[bytes]:
    """What COPY takes, in parts."""
    for start in range(0, len(lines), CHUNK):
        yield ("\n".join(lines[start : start + CHUNK]) + "\n").encode()


def _copy_into(connection: Connection, target: str, names: Sequence[str]) -> str:
    return f"COPY {target} ({', '.join(map(connection.dialect.identifier_preparer.quote, names))}) FROM STDIN"


@dataclass(frozen=True, slots=True)
class _Parts:
    """A file as far as the driver reads one."""

    parts: Iterator[bytes]

    def read(self, size: int) -> bytes:  # noqa: ARG002
        """Whatever comes next: the driver sends it, whatever its size."""
        return next(self.parts, b"")


def run_copy(connection: Connection, command: str, file: IO[Any] | _Parts) -> None:
    """COPY FROM STDIN or TO STDOUT. The driver is called directly; to callers its errors look like any statement's."""
    dbapi = connection.dialect.loaded_dbapi
    with closing(connection.connection.cursor()) as cursor:
        try:
            cursor.copy_expert(command, file, READ_BYTES)
        except dbapi.Error as error:
            raise DBAPIError.instance(command, None, error, dbapi.Error) from error


def staged(connection: Connection, table: Table, lines: list[str], names: Sequence[str]) -> TableClause:
    """Lines of COPY text in this connection's temporary table for the table's rows."""
    stage = _empty_stage(connection, table)
    target = f"pg_temp.{connection.dialect.identifier_preparer.quote(stage)}"
    run_copy(connection, _copy_into(connection, target, names), _Parts(text_parts(lines)))
    return TableClause(stage, *map(ColumnClause, names), schema="pg_temp")


def _empty_stage(connection: Connection, target: Table) -> str:
    """The name of this connection's temporary table for the target's rows: made once, emptied by every commit."""
    stage = f"stage_{target.name}"
    quote = connection.dialect.identifier_preparer.quote
    # A copy of the columns alone: a batch need not hold every column that may not be null.
    command = (
        f"CREATE TEMP TABLE IF NOT EXISTS {quote(stage)} ON COMMIT DELETE ROWS"
        f" AS TABLE {quote(target.name)} WITH NO DATA"
    )
    transaction = connection.get_transaction()
    filled = connection.info.setdefault("stages_filled", {})
    if filled.get(stage) is transaction:
        # A second merge into a table in one transaction still finds the rows of the first.
        command += f"; TRUNCATE pg_temp.{quote(stage)}"
    filled[stage] = transaction
    connection.exec_driver_sql(command)
    return stage

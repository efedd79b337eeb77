"""Rows of a table in a Parquet file, and back: every column with its own type, nothing rounded.

A row group is one batch, so that reading gives the batches that were written.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import JSON, BigInteger, Boolean, Column, Date, Float, Integer, String, Table
from sqlalchemy.types import TypeEngine

from soundcharts_pipeline.storage import rendering
from soundcharts_pipeline.storage.columns import UtcDateTime
from soundcharts_pipeline.storage.files import FileDamaged

Rows = Sequence[Sequence[Any]]

# Of the column types of our tables. A subclass comes after none of its parents. A document is its JSON text.
ARROW_TYPES = (
    (UtcDateTime, pa.timestamp("us", tz="UTC")),
    (String, pa.string()),
    (BigInteger, pa.int64()),
    (Integer, pa.int32()),
    (Date, pa.date32()),
    (Boolean, pa.bool_()),
    (Float, pa.float64()),
    (JSON, pa.string()),
)


class Fingerprint:
    """How many rows, and a checksum of what they say, whichever database or file they come from."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._names = [column.name for column in table.columns]
        self._keys = [key.name for key in table.primary_key]
        self._digest = hashlib.sha256()
        self.rows = 0

    def add(self, rows: Rows) -> None:
        """The next batch; the same rows in other batches are another fingerprint."""
        lines = rendering.copy_lines(self._table, rows, columns=self._names, unique=self._keys)
        self._digest.update("\n".join([*lines, ""]).encode())
        self.rows += len(rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fingerprint) and (self.rows, self._digest.digest()) == (
            other.rows,
            other._digest.digest(),
        )

    __hash__ = None  # type: ignore[assignment]  # it changes


def write(path: Path, table: Table, batches: Iterable[Rows]) -> Fingerprint:
    """A file of the batches; returns the fingerprint of what was given."""
    given = Fingerprint(table)
    schema = pa.schema([_field(column) for column in table.columns])
    with path.open("wb") as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for rows in batches:
            given.add(rows)
            columns = zip(*rows, strict=True)
            arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=len(rows))
    return given


def read(path: Path, table: Table) -> Iterator[Rows]:
    """The batches of a file, rows in the order of the table's columns."""
    names = [column.name for column in table.columns]
    try:
        with pq.ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                group = file.read_row_group(number, columns=names)
                yield list(zip(*(group.column(name).to_pylist() for name in names), strict=True))
    except (pa.ArrowException, KeyError) as error:
        raise FileDamaged(f"{path} cannot be read as an archive of {table.name} ({error}); restore the file") from error


def fingerprint(path: Path, table: Table) -> Fingerprint:
    """What a file says."""
    found = Fingerprint(table)
    for rows in read(path, table):
        found.add(rows)
    return found


def _field(column: Column[Any]) -> "pa.Field[Any]":
    return pa.field(column.name, arrow_type(column.type), nullable=bool(column.nullable))


def arrow_type(kind: TypeEngine[Any]) -> pa.DataType:
    """The type of a column in a file."""
    return next(arrow for sql, arrow in ARROW_TYPES if isinstance(kind, sql))

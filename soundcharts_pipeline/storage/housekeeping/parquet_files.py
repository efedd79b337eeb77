"""Rows of a table in a Parquet file, and back: every column with its own type, nothing rounded.

A row group is one batch, so that reading gives the batches that were written. Rows come in the order of their key, so
that texts repeat, and the row groups that have a key are few. Large numbers and moments are split by their bytes, of
which the high ones hardly differ from row to row.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import JSON, BigInteger, Boolean, Column, Date, Float, Integer, String, Table
from sqlalchemy.types import TypeEngine

from soundcharts_pipeline.storage import bulk_values as rendering
from soundcharts_pipeline.storage.files import FileDamaged
from soundcharts_pipeline.storage.tables.columns import Day, Moment, UtcDateTime

Rows = Sequence[Sequence[Any]]

# Of the column types of our tables. A subclass comes after none of its parents. A document is its JSON text.
ARROW_TYPES = (
    (UtcDateTime, pa.timestamp("us", tz="UTC")),
    (String, pa.string()),
    (BigInteger, pa.int64()),
    (Integer, pa.int32()),
    (Date, pa.date32()),
    (Day, pa.date32()),
    (Moment, pa.timestamp("us", tz="UTC")),
    (Boolean, pa.bool_()),
    (Float, pa.float64()),
    (JSON, pa.string()),
)
# Of zstd: a file is written once.
LEVEL = 9


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
    with path.open("wb") as file, _writer(file, schema) as writer:
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
                yield list(zip(*(_values(group[name]) for name in names), strict=True))
    except (pa.ArrowException, KeyError) as error:
        raise _unreadable(path, table, error) from error


def chosen(
    path: Path, table: Table, *, day: str, first: date, last: date, among: Mapping[str, Collection[str]]
) -> Iterator[Rows]:
    """Rows as `read` gives them, of the days from `first` to `last` of the column `day`, whose texts in the columns of
    `among` are among those named there. Of a row group that has none, at most the columns asked by are read."""
    names = [column.name for column in table.columns]
    texts = {name: pa.array(sorted(values), pa.string()) for name, values in among.items()}
    if not all(map(len, texts.values())):
        return
    spans = {name: (values[0].as_py(), values[-1].as_py()) for name, values in texts.items()} | {day: (first, last)}
    kept = [column.name for column in table.columns if arrow_type(column.type) == pa.string()]
    try:
        with pq.ParquetFile(path, read_dictionary=kept) as file:
            for number in range(file.num_row_groups):
                if not _may_have(file.metadata.row_group(number), spans):
                    continue
                keys: Any = file.read_row_group(number, columns=[*texts, day])
                wanted: Any = pc.and_(
                    pc.greater_equal(keys[day], pa.scalar(first)), pc.less_equal(keys[day], pa.scalar(last))
                )
                for name, values in texts.items():
                    wanted = pc.and_(wanted, _is_in(keys[name], values))
                if pc.any(wanted).as_py():
                    group = file.read_row_group(number, columns=names).filter(wanted)
                    yield list(zip(*(_values(group[name]) for name in names), strict=True))
    except (pa.ArrowException, KeyError, OSError) as error:
        raise _unreadable(path, table, error) from error


def _values(column: "pa.ChunkedArray[Any]") -> list[Any]:
    """The column as Python has it. What repeats is made once; numbers are made as fast."""
    if pa.types.is_primitive(column.type) and not pa.types.is_temporal(column.type):
        return column.to_pylist()
    found: list[Any] = []
    for chunk in column.chunks:
        encoded: Any = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        known = [*_different(encoded.dictionary), None]
        found += map(known.__getitem__, encoded.indices.fill_null(-1).to_pylist())
    return found


def _different(values: "pa.Array[Any]") -> list[Any]:
    """Values of which none is null. pyarrow makes moments of a time zone one by one, ten times as slowly."""
    if pa.types.is_timestamp(values.type):
        naive = values.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False).tolist()
        return [moment.replace(tzinfo=UTC) for moment in naive]
    return values.to_pylist()


def _may_have(group: pq.RowGroupMetaData, spans: Mapping[str, tuple[Any, Any]]) -> bool:
    """Whether values of these spans may be in the columns, as far as the file says."""
    for column in map(group.column, range(group.num_columns)):
        said, span = column.statistics, spans.get(column.path_in_schema)
        if span and said and said.has_min_max and (said.max < span[0] or said.min > span[1]):
            return False
    return True


def _is_in(column: Any, values: "pa.Array[Any]") -> "pa.ChunkedArray[Any]":
    """Of each text whether it is one of the values: each different text is looked up once."""
    known = ((pc.is_in(chunk.dictionary, value_set=values), chunk.indices) for chunk in column.chunks)
    return pa.chunked_array([of.take(indices) for of, indices in known], pa.bool_())


def fingerprint(path: Path, table: Table) -> Fingerprint:
    """What a file says."""
    found = Fingerprint(table)
    for rows in read(path, table):
        found.add(rows)
    return found


def _unreadable(path: Path, table: Table, error: Exception) -> FileDamaged:
    return FileDamaged(f"{path} cannot be read as an archive of {table.name} ({error}); restore the file")


def _writer(file: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    split = [field.name for field in schema if pa.types.is_int64(field.type) or pa.types.is_timestamp(field.type)]
    return pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        compression_level=LEVEL,
        use_dictionary=[name for name in schema.names if name not in split],  # type: ignore[arg-type]
        column_encoding=dict.fromkeys(split, "BYTE_STREAM_SPLIT"),
    )


def _field(column: Column[Any]) -> "pa.Field[Any]":
    return pa.field(column.name, arrow_type(column.type), nullable=bool(column.nullable))


def arrow_type(kind: TypeEngine[Any]) -> pa.DataType:
    """The type of a column in a file."""
    return next(arrow for sql, arrow in ARROW_TYPES if isinstance(kind, sql))

"""Bulk rows into .csv and .parquet, a batch at a time: every column with its type, every text as text."""

import csv
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import JSON, Boolean, Date, Float, Integer
from sqlalchemy.types import TypeEngine

from soundcharts_pipeline.reports.export_values import Columns, Rows, as_json, each
from soundcharts_pipeline.storage.columns import UtcDateTime

# What makes a spreadsheet program run a cell of a CSV file: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# Of a row group, as readers like them; so many are in memory.
GROUP_ROWS = 50_000


class ExportFile(Protocol):
    """A file that is being written; `close` makes it whole."""

    def write(self, rows: Rows) -> None: ...

    def close(self) -> None: ...


class CsvFile:
    """UTF-8, comma separated, times as ISO 8601 in UTC."""

    def __init__(self, path: Path, columns: Columns, *, raw: bool = False, bom: bool = False) -> None:
        self._file = path.open("w", newline="", encoding="utf-8-sig" if bom else "utf-8")
        self._writer = csv.writer(self._file)
        self._writer.writerow(columns)
        shown = [_csv_reader(kind, raw=raw) for kind in columns.values()]
        self._shown = [(number, show) for number, show in enumerate(shown) if show]

    def write(self, rows: Rows) -> None:
        values: list[Sequence[Any]] = list(zip(*rows, strict=True))
        for number, show in self._shown:
            values[number] = each(show, values[number])
        self._writer.writerows(zip(*values, strict=True))

    def close(self) -> None:
        self._file.close()


class ParquetFile:
    """Every column with its own type; a row group is many batches."""

    def __init__(self, path: Path, columns: Columns) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        from soundcharts_pipeline.storage.parquet_files import arrow_type

        self._schema = pa.schema([pa.field(name, arrow_type(kind)) for name, kind in columns.items()])
        self._documents = [number for number, kind in enumerate(columns.values()) if isinstance(kind, JSON)]
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._group: list[pa.RecordBatch] = []
        self._pa = pa

    def write(self, rows: Rows) -> None:
        values: list[Sequence[Any]] = list(zip(*rows, strict=True))
        for number in self._documents:
            values[number] = each(as_json, values[number])
        arrays = [self._pa.array(of, field.type) for of, field in zip(values, self._schema, strict=True)]
        self._group.append(self._pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        if sum(map(len, self._group)) >= GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._group:
            self._writer.write_table(self._pa.Table.from_batches(self._group, schema=self._schema))
            self._group.clear()


def _csv_reader(kind: TypeEngine[Any], *, raw: bool) -> Callable[[Any], object] | None:
    """How a value is written; None: as it is."""
    if isinstance(kind, UtcDateTime):
        return datetime.isoformat
    if isinstance(kind, JSON):
        return as_json
    if isinstance(kind, Date):
        return date.isoformat
    if isinstance(kind, Integer | Float | Boolean):
        return None
    return None if raw else disarmed


def disarmed(text: str) -> str:
    """A text that a spreadsheet program might run, behind an apostrophe."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text

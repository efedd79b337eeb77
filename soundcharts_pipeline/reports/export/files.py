"""Bulk rows into .csv and .parquet, a batch at a time: every column with its type, every text as text."""

import csv
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Boolean, Date, Float, Integer
from sqlalchemy.types import TypeEngine

from soundcharts_pipeline.reports.export.values import Columns, Rows, as_json, each
from soundcharts_pipeline.storage.tables.columns import Day, Moment, UtcDateTime

# What makes a spreadsheet program run a cell of a CSV file: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# Of a row group, as readers like them; so many are in memory.
GROUP_ROWS = 50_000


def write_csv(path: Path, columns: Columns, batches: Iterable[Rows], *, raw: bool = False, bom: bool = False) -> None:
    """UTF-8, comma separated, times as ISO 8601 in UTC."""
    readers = [_csv_reader(kind, raw=raw) for kind in columns.values()]
    with path.open("w", newline="", encoding="utf-8-sig" if bom else "utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for rows in batches:
            values: list[Sequence[Any]] = list(zip(*rows, strict=True))
            for number, show in enumerate(readers):
                if show:
                    values[number] = each(show, values[number])
            writer.writerows(zip(*values, strict=True))


def write_parquet(path: Path, columns: Columns, batches: Iterable[Rows]) -> None:
    """Every column with its own type; a row group is many batches."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from soundcharts_pipeline.storage.housekeeping.parquet_files import arrow_type

    schema = pa.schema([pa.field(name, arrow_type(kind)) for name, kind in columns.items()])
    documents = [number for number, kind in enumerate(columns.values()) if isinstance(kind, JSON)]
    with path.open("wb") as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        group: list[pa.RecordBatch] = []
        for rows in batches:
            values: list[Sequence[Any]] = list(zip(*rows, strict=True))
            for number in documents:
                values[number] = each(as_json, values[number])
            arrays = [pa.array(of, field.type) for of, field in zip(values, schema, strict=True)]
            group.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
            if sum(map(len, group)) >= GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(group, schema=schema))
                group.clear()
        if group:
            writer.write_table(pa.Table.from_batches(group, schema=schema))


def _csv_reader(kind: TypeEngine[Any], *, raw: bool) -> Callable[[Any], object] | None:
    """How a value is written; None: as it is."""
    if isinstance(kind, UtcDateTime | Moment):
        return datetime.isoformat
    if isinstance(kind, JSON):
        return as_json
    if isinstance(kind, Date | Day):
        return date.isoformat
    if isinstance(kind, Integer | Float | Boolean):
        return None
    return None if raw else disarmed


def disarmed(text: str) -> str:
    """A text that a spreadsheet program might run, behind an apostrophe."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text

"""Bulk rows into .xlsx, .csv and .parquet, a batch at a time: every column with its type, every text as text."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import JSON, Boolean, Date, Float, Integer
from sqlalchemy.types import TypeEngine

from soundcharts_pipeline.reports.cells import plain_text
from soundcharts_pipeline.storage.columns import UtcDateTime

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

Columns = Mapping[str, TypeEngine[Any]]
Rows = Sequence[Sequence[Any]]

# Of a sheet: https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3
SHEET_ROWS = 1_048_576
# What makes a spreadsheet program run a cell of a CSV file: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# Day 0 of a workbook. It takes 1900 for a leap year, so that no earlier day than that March is what it says.
DAY_ZERO, FIRST_DAY = date(1899, 12, 30).toordinal(), date(1900, 3, 1)
WIDEST = 40
# Of a row group, as readers like them; so many are in memory.
GROUP_ROWS = 50_000


class ExportFile(Protocol):
    """A file that is being written; `close` makes it whole."""

    def write(self, rows: Rows) -> None: ...

    def close(self) -> None: ...


class XlsxFile:
    """Sheets `Data`, `Data 2` and so on, each as long as a sheet may be."""

    def __init__(self, path: Path, columns: Columns, *, sheet_rows: int = SHEET_ROWS) -> None:
        from xlsxwriter import Workbook

        # The writer's own guesses make live formulas and links of texts.
        choices = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book = Workbook(str(path), choices)
        self._heading = self._book.add_format({"bold": True, "bg_color": "#1F4E79", "font_color": "#FFFFFF"})
        self._columns, self._sheet_rows = columns, sheet_rows
        self._formats = [self._format(kind) for kind in columns.values()]
        self._sheets = 0
        self._begin(())

    def write(self, rows: Rows) -> None:
        self._widen(rows)
        for row in rows:
            if self._row == self._sheet_rows:
                self._finish()
                self._begin(rows)
            for column, (value, put) in enumerate(zip(row, self._puts, strict=True)):
                if value is not None:
                    put(self._row, column, value)
            self._row += 1

    def close(self) -> None:
        from xlsxwriter.exceptions import FileCreateError

        self._finish()
        try:
            self._book.close()
        except FileCreateError as error:
            raise OSError(str(error)) from error

    def _begin(self, rows: Rows) -> None:
        self._sheets += 1
        self._sheet = self._book.add_worksheet("Data" if self._sheets == 1 else f"Data {self._sheets}")
        self._sheet.freeze_panes(1, 0)
        for column, name in enumerate(self._columns):
            self._sheet.write_string(0, column, name, self._heading)
        self._puts = [
            _put(self._sheet, kind, look) for kind, look in zip(self._columns.values(), self._formats, strict=True)
        ]
        self._row = 1
        self._widths = [len(name) + 4 for name in self._columns]
        self._widen(rows)

    def _finish(self) -> None:
        self._sheet.autofilter(0, 0, self._row - 1, len(self._columns) - 1)
        for column, width in enumerate(self._widths):
            self._sheet.set_column(column, column, width)

    def _widen(self, rows: Rows) -> None:
        """By the first rows of a batch: to measure each would cost a fifth of the time."""
        for row in rows[:50]:
            shown = [0 if value is None else len(str(value)) + 2 for value in row]
            self._widths = [min(max(pair), WIDEST) for pair in zip(self._widths, shown, strict=True)]

    def _format(self, kind: TypeEngine[Any]) -> "Format | None":
        shown = next((shown for sql, shown in NUMBER_FORMATS if isinstance(kind, sql)), None)
        return self._book.add_format({"num_format": shown}) if shown else None


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
            values[number] = _each(show, values[number])
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
            values[number] = _each(_json, values[number])
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


NUMBER_FORMATS: Sequence[tuple[type[TypeEngine[Any]], str]] = (
    (UtcDateTime, "yyyy-mm-dd hh:mm:ss"),
    (Date, "yyyy-mm-dd"),
    (Integer, "#,##0"),
    (Float, "#,##0.####"),
)


def _put(sheet: "Worksheet", kind: TypeEngine[Any], look: "Format | None") -> Callable[[int, int, Any], object]:
    """How a value of this type gets into a cell: by a function of the writer that guesses nothing."""
    if isinstance(kind, Boolean):
        return sheet.write_boolean
    if isinstance(kind, Integer | Float):
        return lambda row, column, value: sheet.write_number(row, column, value, look)
    if isinstance(kind, UtcDateTime):
        return lambda row, column, value: sheet.write_datetime(
            row, column, value.astimezone(UTC).replace(tzinfo=None), look
        )
    if isinstance(kind, Date):
        return lambda row, column, value: (
            sheet.write_string(row, column, value.isoformat())
            if value < FIRST_DAY
            else sheet.write_number(row, column, value.toordinal() - DAY_ZERO, look)
        )
    show = _json if isinstance(kind, JSON) else str
    return lambda row, column, value: sheet.write_string(row, column, plain_text(show(value)))


def _csv_reader(kind: TypeEngine[Any], *, raw: bool) -> Callable[[Any], object] | None:
    """How a value is written; None: as it is."""
    if isinstance(kind, UtcDateTime):
        return datetime.isoformat
    if isinstance(kind, JSON):
        return _json
    if isinstance(kind, Date):
        return date.isoformat
    if isinstance(kind, Integer | Float | Boolean):
        return None
    return None if raw else disarmed


def _each(show: Callable[[Any], object], values: Sequence[Any]) -> Sequence[Any]:
    """All values as shown, null as null. One that repeats, as most do, is shown once; a document, which cannot be
    looked up, each time."""
    try:
        shown = {value: show(value) for value in set(values) if value is not None}
    except TypeError:
        return [None if value is None else show(value) for value in values]
    return list(map(shown.get, values))


def disarmed(text: str) -> str:
    """A text that a spreadsheet program might run, behind an apostrophe."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)

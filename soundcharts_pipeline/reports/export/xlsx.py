"""Bulk rows as a workbook, a row at a time: every cell of its column's type, every text as text.

Written by rust_xlsxwriter, a fifth of what XlsxWriter takes for a million rows, with 55 bytes of memory for each; a
process that is killed leaves no second file behind.
"""

import errno
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain, islice
from math import isfinite
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Date, Float, Integer
from sqlalchemy.types import TypeEngine

from soundcharts_pipeline.models import ONE_DAY
from soundcharts_pipeline.reports.export.values import Columns, Rows, as_json, each
from soundcharts_pipeline.reports.workbook.cells import exact, exact_day, plain_text
from soundcharts_pipeline.storage.tables.columns import Day, Moment, UtcDateTime

# Of a sheet: https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3
SHEET_ROWS = 1_048_576
# Times are days since then.
DAY_ZERO = datetime(1899, 12, 30, tzinfo=UTC)
# The system's number of an error, in the words of Rust.
_CODE = re.compile(r"\bcode: (\d+)")
# In letters; the headings have room for their filter.
WIDEST, FILTER = 40, 4
# The number of the process's stream.
STANDARD_ERROR = 2
# Of the first batch, to see how wide the columns are.
MEASURED_ROWS = 50
# The first whose type a column's is.
LOOKS: Iterable[tuple[type[TypeEngine[Any]], str]] = (
    (UtcDateTime, "yyyy-mm-dd hh:mm:ss"),
    (Moment, "yyyy-mm-dd hh:mm:ss"),
    (Date, "yyyy-mm-dd"),
    (Day, "yyyy-mm-dd"),
    (Integer, "#,##0"),
    (Float, "#,##0.####"),
)


def write_xlsx(
    path: Path, columns: Columns, batches: Iterable[Rows], *, count: int, sheet_rows: int = SHEET_ROWS
) -> None:
    """Sheets `Data`, `Data 2` and so on, each as long as a sheet may be, for `count` rows in all."""
    from rustpy_xlsxwriter import Format, write_worksheets

    found = iter(batches)
    first = next(found, ())
    records = _records(columns, chain([first], found))
    # One generator feeds all sheets, which are written one after the other.
    names = ["Data", *(f"Data {number}" for number in range(2, -(-count // (sheet_rows - 1)) + 1))]
    looks = {name: _look(kind) for name, kind in columns.items()}
    with path.open("wb") as file, _temporary_files_in(path.parent), _explained(), _without_panic():
        write_worksheets(
            [(name, islice(records, sheet_rows - 1)) for name in names],
            file,
            freeze_panes={"general": {"row": 1, "col": 0}},
            autofilter={"general": True},
            header_format={"general": Format().set_bold().set_background_color("#1F4E79").set_font_color("#FFFFFF")},
            column_formats={"general": {name: Format().set_num_format(look) for name, look in looks.items() if look}},
            column_widths={"general": _widths(columns, first[:MEASURED_ROWS])},
        )


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """The writer keeps a sheet in a nameless file until all of it is known: where there should be room for it."""
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before


@contextmanager
def _without_panic() -> Iterator[None]:
    """Rust writes of a panic, stack and all, to the process's standard error before it is raised; nobody else writes
    there meanwhile."""
    if sys.__stderr__ is None:  # the number is then another file's
        yield
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(STANDARD_ERROR), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, STANDARD_ERROR)
        yield
    finally:
        os.dup2(kept, STANDARD_ERROR)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _explained() -> Iterator[None]:
    """Raise what a full disk makes of the writer, which ends with a panic of Rust, as the error that it is."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        code = _CODE.search(str(error))
        raise OSError(int(code[1]) if code else errno.EIO, str(error)) from error


def _records(columns: Columns, batches: Iterable[Rows]) -> Iterator[dict[str, Any]]:
    shows = [_shown(kind) for kind in columns.values()]
    for rows in filter(None, batches):
        values = [list(column) for column in zip(*rows, strict=True)]
        for number, show in enumerate(shows):
            if show:
                values[number] = each(show, values[number])
        for cells in zip(*values, strict=True):
            yield dict(zip(columns, cells, strict=True))


def _look(kind: TypeEngine[Any]) -> str | None:
    return next((look for sql, look in LOOKS if isinstance(kind, sql)), None)


def _shown(kind: TypeEngine[Any]) -> Callable[[Any], object] | None:
    """What the writer is given for a value of this type; None: the value."""
    if isinstance(kind, Boolean):
        return None
    if isinstance(kind, Integer):
        return exact if isinstance(kind, BigInteger) else None
    if isinstance(kind, UtcDateTime | Moment):
        return lambda value: (value - DAY_ZERO) / ONE_DAY
    if isinstance(kind, Date | Day):
        return exact_day
    if isinstance(kind, Float):
        return lambda value: value if isfinite(value) else str(value)
    return (lambda value: plain_text(as_json(value))) if isinstance(kind, JSON) else plain_text


def _widths(columns: Columns, rows: Rows) -> dict[str, float]:
    shown = [[0 if value is None else len(str(value)) + 2 for value in row] for row in rows]
    longest = map(max, zip([len(name) + FILTER for name in columns], *shown, strict=True))
    return {name: float(min(width, WIDEST)) for name, width in zip(columns, longest, strict=True)}

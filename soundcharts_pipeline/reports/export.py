"""An export from its query to a file that is whole or not there."""

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import Select

from soundcharts_pipeline.reports.export_files import CsvFile, ExportFile, ParquetFile
from soundcharts_pipeline.reports.export_sheets import XlsxFile
from soundcharts_pipeline.reports.export_values import Columns, Rows
from soundcharts_pipeline.storage.exports import batches
from soundcharts_pipeline.storage.files import whole_file
from soundcharts_pipeline.storage.warehouse import Warehouse


class NothingToExport(Exception):
    """The query has no row."""


def export_rows(
    warehouse: Warehouse,
    query: Select[Any],
    path: Path,
    *,
    kind: str,
    raw: bool = False,
    bom: bool = False,
    heard: Callable[[int], object] = lambda _rows: None,
) -> int:
    """Write the query's rows to a file of this kind; `heard` is told of the rows of every batch. Returns their number.

    Raises NothingToExport, and then writes no file.
    """
    columns = {column.name: column.type for column in query.selected_columns}
    with warehouse.read() as conn:
        found = batches(conn, query)
        first = next(found, None)
        if first is None:
            raise NothingToExport
        with whole_file(path) as temporary:
            file = open_file(temporary, columns, kind, raw=raw, bom=bom)
            return write_rows(file, chain([first], found), heard)


def write_rows(file: ExportFile, found: Iterable[Rows], heard: Callable[[int], object]) -> int:
    """Write the batches and close the file; returns the number of rows."""
    rows = 0
    with _uncollected():
        try:
            for batch in found:
                file.write(batch)
                rows += len(batch)
                heard(len(batch))
            file.close()
        except BaseException:
            # Left open, a file that cannot be finished complains on the terminal when it is taken away.
            with suppress(Exception):
                file.close()
            raise
    return rows


@contextmanager
def _uncollected() -> Iterator[None]:
    """Rows refer to nothing in circles: to look for circles among millions of them took a fifth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def open_file(path: Path, columns: Columns, kind: str, *, raw: bool = False, bom: bool = False) -> ExportFile:
    """A file of this kind to write to."""
    if kind == "csv":
        return CsvFile(path, columns, raw=raw, bom=bom)
    return XlsxFile(path, columns) if kind == "xlsx" else ParquetFile(path, columns)

"""An export from its query to a file that is whole or not there."""

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import Select

from soundcharts_pipeline.reports.export_files import write_csv, write_parquet
from soundcharts_pipeline.reports.export_sheets import write_xlsx
from soundcharts_pipeline.reports.export_values import Columns, Rows
from soundcharts_pipeline.storage.exports import batches, count_rows
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
    rows = 0

    def told(found: Iterable[Rows]) -> Iterator[Rows]:
        nonlocal rows
        for batch in found:
            yield batch
            rows += len(batch)
            heard(len(batch))

    with warehouse.read() as conn:
        found = batches(conn, query)
        first = next(found, None)
        if first is None:
            raise NothingToExport
        count = count_rows(conn, query) if kind == "xlsx" else 0
        with whole_file(path) as temporary:
            write_rows(temporary, columns, told(chain([first], found)), kind, count=count, raw=raw, bom=bom)
    return rows


def write_rows(
    path: Path,
    columns: Columns,
    found: Iterable[Rows],
    kind: str,
    *,
    count: int,
    raw: bool = False,
    bom: bool = False,
) -> None:
    """A file of this kind; a workbook must be told how many rows will come."""
    with _uncollected():
        if kind == "csv":
            write_csv(path, columns, found, raw=raw, bom=bom)
        elif kind == "parquet":
            write_parquet(path, columns, found)
        else:
            write_xlsx(path, columns, found, count=count)


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

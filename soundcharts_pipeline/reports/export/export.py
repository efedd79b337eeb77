"""An export from its query to a file that is whole or not there."""

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from soundcharts_pipeline.errors import PipelineError
from soundcharts_pipeline.reports.export.files import write_csv, write_parquet
from soundcharts_pipeline.reports.export.values import Columns, Rows
from soundcharts_pipeline.reports.export.xlsx import write_xlsx
from soundcharts_pipeline.storage.files import whole_file
from soundcharts_pipeline.storage.housekeeping.cold_exports import Export
from soundcharts_pipeline.storage.warehouse import Warehouse


class NothingToExport(PipelineError):
    """There is no row."""


def export_rows(
    warehouse: Warehouse,
    wanted: Export,
    path: Path,
    *,
    kind: str,
    raw: bool = False,
    bom: bool = False,
    on_progress: Callable[[int], object] = lambda _rows: None,
) -> int:
    """Write the rows, of the database and the archive, to a file of this kind; `on_progress` is told of the rows of
    every batch. Returns their number.

    Raises NothingToExport, and FileDamaged where a file of the archive is missing or damaged; then writes no file.
    """
    columns = {name: wanted.source.columns[name].type for name in wanted.columns}
    rows = 0

    def told(found: Iterable[Rows]) -> Iterator[Rows]:
        nonlocal rows
        for batch in found:
            yield batch
            rows += len(batch)
            on_progress(len(batch))

    with warehouse.read() as conn:
        found = wanted.batches(conn)
        first = next(found, None)
        if first is None:
            raise NothingToExport
        count = wanted.count(conn) if kind == "xlsx" else 0
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

"""Old rankings and audience series, from the warehouse to Parquet files and back.

A row is deleted only after the file that holds it was read back, is on disk under its own name, and is in the manifest.
So a process that is killed anywhere loses nothing: a row is in the warehouse, in the archive, or for a while in both,
and the next archiving goes on from there. What the worklists go by (which days are saved, which windows are answered)
is never archived, so nothing of it is asked of the API again.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Table, select

from soundcharts_pipeline.storage import bookkeeping as b
from soundcharts_pipeline.storage import files, parquet_files
from soundcharts_pipeline.storage import schema as s
from soundcharts_pipeline.storage.bulk import insert_missing, remove
from soundcharts_pipeline.storage.files import FileDamaged
from soundcharts_pipeline.storage.manifest import Manifest, Part
from soundcharts_pipeline.storage.warehouse import Warehouse

FOLDER = "archive"
# Rows of a row group, and of a transaction that deletes or restores: half a second of SQLite's only write lock.
BATCH = 50_000

ARCHIVED: dict[str, tuple[Table, Column[Any]]] = {
    # A plain text: the table's own name is a subclass of it, which no column takes.
    str(table.name): (table, day)
    for table, day in (
        (s.chart_rankings, s.chart_rankings.c.rank_date),
        (s.track_audience, s.track_audience.c.date),
        (s.artist_audience, s.artist_audience.c.date),
        (s.artist_audience_geo, s.artist_audience_geo.c.date),
        (s.audience_trends, s.audience_trends.c.rank_date),
    )
}

Listener = Callable[[str], None]


@dataclass(slots=True)
class ArchiveReport:
    """Files written, rows deleted from the warehouse by table, and what the archive holds in all."""

    written: list[Part] = field(default_factory=list)
    removed: dict[str, int] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)


@dataclass(slots=True)
class RestoreReport:
    """Files read, and rows that were not in the warehouse, by table."""

    files: int = 0
    restored: dict[str, int] = field(default_factory=dict)


def archive(
    warehouse: Warehouse, folder: Path, *, before: date, now: datetime, heard: Listener, batch: int = BATCH
) -> ArchiveReport:
    """Take every month before the one of `before` out of the warehouse.

    A row that changes while it is archived stays in the warehouse for the next time.
    """
    with files.work_in(folder):
        work = _Archiving(warehouse, Manifest.load(folder), now, heard, batch)
        end = before.replace(day=1)
        for part in [part for part in work.manifest.parts if not part.removed and part.first_day < end]:
            work.manifest.check(part)
            work.remove(part)
        for name in ARCHIVED:
            for month in work.months(name, end):
                work.remove(work.write(name, month))
        work.report.parts = list(work.manifest.parts)
        return work.report


class _Archiving:
    def __init__(self, warehouse: Warehouse, manifest: Manifest, now: datetime, heard: Listener, batch: int) -> None:
        self.manifest, self.report = manifest, ArchiveReport()
        self._warehouse, self._now, self._heard, self._batch = warehouse, now, heard, batch

    def months(self, name: str, end: date) -> list[date]:
        """First days of the months before `end` of which the warehouse has rows, oldest first."""
        _, day = ARCHIVED[name]
        with self._warehouse.read() as conn:
            days = list(conn.scalars(select(day).distinct().where(day < end)))
        return sorted({found.replace(day=1) for found in days})

    def write(self, name: str, first: date) -> Part:
        """The month's rows in a new file, read back and listed."""
        table, _ = ARCHIVED[name]
        month = f"{first:%Y-%m}"
        number = len(self.manifest.of(name, month)) + 1
        file = f"{name}/{month}/part-{number:04}.parquet"
        path = self.manifest.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = files.temporary_name(path)
        given = parquet_files.write(temporary, table, self._rows(name, first))
        self._heard(f"{file}: {given.rows:,} rows written")
        if parquet_files.fingerprint(temporary, table) != given:
            raise FileDamaged(f"{temporary} does not hold what was written to it; check the disk. Nothing was deleted")
        files.settle(path)
        self._heard(f"{file}: read back, count and checksum agree")
        size, digest = path.stat().st_size, files.sha256_of(path)
        part = Part(name, month, file, given.rows, size, digest, self._now.isoformat(timespec="seconds"))
        self.manifest.add(part)
        self.report.written.append(part)
        self._heard(f"{file}: listed in the manifest")
        return part

    def remove(self, part: Part) -> None:
        """The part's rows out of the warehouse, a batch a transaction."""
        table, _ = ARCHIVED[part.table]
        columns = [column.name for column in table.columns]
        gone = 0
        for rows in parquet_files.read(self.manifest.path(part), table):
            for start in range(0, len(rows), self._batch):
                with self._warehouse.write() as conn:
                    noted = [(part.table, part.first_day, self._now)]
                    insert_missing(conn, b.archived_months, noted, columns=["table_name", "month", "archived_at"])
                    gone += remove(conn, table, rows[start : start + self._batch], columns=columns)
                self._heard(f"{part.file}: {gone:,} of {part.rows:,} rows deleted from the warehouse")
        self.manifest.mark(part, removed=True)
        self.report.removed[part.table] = self.report.removed.get(part.table, 0) + gone

    def _rows(self, name: str, first: date) -> Iterator[parquet_files.Rows]:
        """A month of a table, in the order of its key, a batch at a time."""
        table, day = ARCHIVED[name]
        query = select(table).where(day >= first, day < _next_month(first)).order_by(*table.primary_key)
        with self._warehouse.read() as conn:
            result = conn.execution_options(yield_per=self._batch).execute(query)
            yield from result.partitions()


def restore(
    warehouse: Warehouse,
    folder: Path,
    *,
    tables: Collection[str] = (),
    since: date = date.min,
    before: date = date.max,
    heard: Listener,
) -> RestoreReport:
    """Bring back the months from `since` to the one before `before`, of the named tables or all.

    Rows that are in the warehouse already stay as they are. The files stay: the next archiving takes the same rows
    out again. Nothing is changed unless every file to be read is as it was written.
    """
    with files.work_in(folder):
        manifest = Manifest.load(folder)
        wanted = [
            part
            for part in manifest.parts
            if (not tables or part.table in tables) and since.replace(day=1) <= part.first_day < before
        ]
        for part in wanted:
            manifest.check(part)
        report = RestoreReport()
        # Of two files with a row of the same key the later one has what was last known.
        for part in reversed(wanted):
            _restore(warehouse, manifest, part, report)
            heard(f"{part.file}: {part.rows:,} rows are in the warehouse")
        return report


def _restore(warehouse: Warehouse, manifest: Manifest, part: Part, report: RestoreReport) -> None:
    table, _ = ARCHIVED[part.table]
    columns = [column.name for column in table.columns]
    # First, so that whoever archives next looks into this file again, however far this gets.
    manifest.mark(part, removed=False)
    for rows in parquet_files.read(manifest.path(part), table):
        with warehouse.write() as conn:
            back = insert_missing(conn, table, rows, columns=columns)
        report.restored[part.table] = report.restored.get(part.table, 0) + back
    report.files += 1
    t = b.archived_months
    with warehouse.write() as conn:
        conn.execute(t.delete().where(t.c.table_name == part.table, t.c.month == part.first_day))


def _next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)

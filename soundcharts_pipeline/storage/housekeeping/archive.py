"""Old rankings and audience series, from the warehouse to Parquet files and back.

A row is deleted only after the file that holds it was read back, is on disk under its own name, and is in the manifest.
So a process that is killed anywhere loses nothing: a row is in the warehouse, in the archive, or for a while in both,
and the next archiving goes on from there. What the worklists go by (which days are saved, which windows are answered)
is never archived, so nothing of it is asked of the API again.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Table, select

from soundcharts_pipeline.storage import bulk, files, points
from soundcharts_pipeline.storage.files import FileDamaged
from soundcharts_pipeline.storage.housekeeping import parquet_files
from soundcharts_pipeline.storage.housekeeping.database_name import name_of
from soundcharts_pipeline.storage.housekeeping.manifest import Manifest, Part
from soundcharts_pipeline.storage.tables import audience, months
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.wording import month_of

FOLDER = "archive"
# Rows of a row group, and of a transaction that deletes or restores: half a second of SQLite's only write lock.
BATCH = 50_000

# Each name with what its rows are read from: the promised views of the audience from their points.
ARCHIVED: dict[str, tuple[Table, FromClause]] = {
    # A plain text: the table's own name is a subclass of it, which no column takes.
    str(table.name): (table, source)
    for table, source in (
        (s.chart_rankings, s.chart_rankings),
        (s.track_audience, audience.TRACK),
        (s.artist_audience, audience.ARTIST),
        (s.artist_audience_geo, audience.LOCATED),
        (s.audience_trends, s.audience_trends),
    )
}

# Whose the rows are: what shows them asks for a name.
OWNERS: dict[str, tuple[Table, str]] = {
    str(table.name): (owners, column)
    for table, owners, column in (
        (s.chart_rankings, s.tracks, "track_uuid"),
        (s.track_audience, s.tracks, "track_uuid"),
        (s.artist_audience, s.artists, "artist_uuid"),
        (s.artist_audience_geo, s.artists, "artist_uuid"),
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
    warehouse: Warehouse, folder: Path, *, before: date, now: datetime, on_progress: Listener, batch: int = BATCH
) -> ArchiveReport:
    """Take every month before the one of `before` out of the warehouse.

    A row that changes while it is archived stays in the warehouse for the next time. Raises FileDamaged, before
    anything is changed, when the folder is not the one of all that this database has archived, or another one's.
    """
    with files.work_in(folder):
        work = _Archiving(warehouse, Manifest.load(folder), now, on_progress, batch)
        end = before.replace(day=1)
        with warehouse.write() as conn:
            work.manifest.belongs_to(name_of(conn, now))
            _refuse_unlisted(conn, work.manifest, (), date.min, date.max)
            months_noted = conn.execute(select(b.archived_months.c.table_name, b.archived_months.c.month))
            noted = {(row.table_name, row.month) for row in months_noted}
        # A month that is not noted came back, with a backup of before it was archived.
        left = [part for part in work.manifest.parts if not part.removed or (part.table, part.first_day) not in noted]
        for part in [part for part in left if part.first_day < end]:
            work.manifest.check(part)
            work.remove(part)
        for name in ARCHIVED:
            for month in work.months(name, end):
                work.remove(work.write(name, month))
        work.report.parts = list(work.manifest.parts)
        return work.report


class _Archiving:
    def __init__(
        self, warehouse: Warehouse, manifest: Manifest, now: datetime, on_progress: Listener, batch: int
    ) -> None:
        self.manifest, self.report = manifest, ArchiveReport()
        self._warehouse, self._now, self._on_progress, self._batch = warehouse, now, on_progress, batch

    def months(self, name: str, end: date) -> list[date]:
        """First days of the months before `end` of which the warehouse has rows, oldest first."""
        day = day_of(ARCHIVED[name][1])
        with self._warehouse.read() as conn:
            days = list(conn.scalars(select(day).distinct().where(day < end)))
        return sorted({found.replace(day=1) for found in days})

    def write(self, name: str, first: date) -> Part:
        """The month's rows in a new file, read back and listed."""
        table, _ = ARCHIVED[name]
        month = month_of(first)
        file = self.manifest.new_file(name, month)
        path = self.manifest.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = files.temporary_name(path)
        given = parquet_files.write(temporary, table, self._rows(name, first))
        self._on_progress(f"{file}: {given.rows:,} rows written")
        if parquet_files.fingerprint(temporary, table) != given:
            raise FileDamaged(f"{temporary} does not hold what was written to it; check the disk. Nothing was deleted")
        files.settle(path)
        self._on_progress(f"{file}: read back, count and checksum agree")
        size, digest = path.stat().st_size, files.sha256_of(path)
        part = Part(name, month, file, given.rows, size, digest, self._now.isoformat(timespec="seconds"))
        self.manifest.add(part)
        self.report.written.append(part)
        self._on_progress(f"{file}: listed in the manifest")
        return part

    def remove(self, part: Part) -> None:
        """The part's rows out of the warehouse, a batch a transaction."""
        table, _ = ARCHIVED[part.table]
        gone = 0
        for rows in parquet_files.read(self.manifest.path(part), table):
            for start in range(0, len(rows), self._batch):
                with self._warehouse.write() as conn:
                    count = len(self.manifest.of(part.table, part.month))
                    noted = [(part.table, part.first_day, self._now, count)]
                    bulk.merge(conn, b.archived_months, noted, columns=["table_name", "month", "archived_at", "files"])
                    current = less_replaced(conn, part, rows[start : start + self._batch])
                    _note_owners(conn, part, current)
                    gone += _remove(conn, table, current)
                self._on_progress(f"{part.file}: {gone:,} of {part.rows:,} rows deleted from the warehouse")
        self.manifest.mark(part, removed=True)
        self.report.removed[part.table] = self.report.removed.get(part.table, 0) + gone

    def _rows(self, name: str, first: date) -> Iterator[parquet_files.Rows]:
        """A month of a table, in the order of its key, a batch at a time."""
        table, source = ARCHIVED[name]
        day, columns = day_of(source), [source.c[column.name] for column in table.columns]
        query = select(*columns).where(day >= first, day < months.after(first))
        query = query.order_by(*(source.c[key.name] for key in table.primary_key))
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
    on_progress: Listener,
) -> RestoreReport:
    """Bring back the months from `since` to the one before `before`, of the named tables or all.

    Rows that are in the warehouse already stay as they are, and so does a ranking that was saved anew after the file
    was written. The files stay: the next archiving takes the same rows out again. Nothing is changed unless every file
    to be read is as it was written; raises FileDamaged for one that is not, and for a month that the database notes as
    archived and the folder does not have.
    """
    with files.work_in(folder):
        manifest, first = Manifest.load(folder), since.replace(day=1)
        wanted = [
            part for part in manifest.parts if (not tables or part.table in tables) and first <= part.first_day < before
        ]
        with warehouse.read() as conn:
            _refuse_unlisted(conn, manifest, tables, first, before)
        for part in wanted:
            manifest.check(part)
        report = RestoreReport()
        # Of two files with a row of the same key the later one has what was last known.
        for part in reversed(wanted):
            _restore(warehouse, manifest, part, report)
            on_progress(f"{part.file}: {part.rows:,} rows are in the warehouse")
        # Last: as long as a month is noted, its files are read beside the warehouse.
        t = b.archived_months
        for name, month in {(part.table, part.first_day) for part in wanted}:
            with warehouse.write() as conn:
                conn.execute(t.delete().where(t.c.table_name == name, t.c.month == month))
        return report


def _refuse_unlisted(conn: Connection, manifest: Manifest, tables: Collection[str], first: date, before: date) -> None:
    """Raise FileDamaged for a month that was taken out and of which the folder knows nothing."""
    t = b.archived_months.c
    noted = select(t.table_name, t.month, t.files).where(t.month >= first, t.month < before)
    for name, month, count in conn.execute(noted.order_by(t.month, t.table_name)):
        if not tables or name in tables:
            manifest.listed(name, month_of(month), count)


def _restore(warehouse: Warehouse, manifest: Manifest, part: Part, report: RestoreReport) -> None:
    table, _ = ARCHIVED[part.table]
    # First, so that whoever archives next looks into this file again, however far this gets.
    manifest.mark(part, removed=False)
    for rows in parquet_files.read(manifest.path(part), table):
        with warehouse.write() as conn:
            current = less_replaced(conn, part, rows)
            _note_owners(conn, part, current)
            back = _insert_missing(conn, table, current)
        report.restored[part.table] = report.restored.get(part.table, 0) + back
    report.files += 1


def _note_owners(conn: Connection, part: Part, rows: parquet_files.Rows) -> None:
    """The tracks and artists of a file are known, those that a restored backup lacks by their UUID alone."""
    if part.table not in OWNERS:
        return
    owners, column = OWNERS[part.table]
    place = [found.name for found in ARCHIVED[part.table][0].columns].index(column)
    seen: dict[str, Any] = {"first_seen_at": datetime.fromisoformat(part.archived_at)}
    if owners is s.tracks:
        seen |= {"artists_extracted": False, "genres_extracted": False}
    uuids = sorted({row[place] for row in rows})
    bulk.insert_missing(conn, owners, [(uuid, uuid, *seen.values()) for uuid in uuids], columns=["uuid", "name", *seen])


def _remove(conn: Connection, table: Table, rows: parquet_files.Rows) -> int:
    if table in s.AUDIENCE:
        return points.remove_audience(conn, table, rows)
    return bulk.remove(conn, table, rows, columns=[column.name for column in table.columns])


def _insert_missing(conn: Connection, table: Table, rows: parquet_files.Rows) -> int:
    if table in s.AUDIENCE:
        return points.insert_missing_audience(conn, table, rows)
    return bulk.insert_missing(conn, table, rows, columns=[column.name for column in table.columns])


def day_of(source: FromClause) -> ColumnElement[date]:
    """The column by whose month a row is archived. Trends have both, and belong to the day of their ranking."""
    return source.c["rank_date" if "rank_date" in source.c else "date"]


def less_replaced(conn: Connection, part: Part, rows: parquet_files.Rows) -> parquet_files.Rows:
    """The rows less those of rankings that were saved anew after the file was written: places of two versions of a day
    would stand side by side."""
    if part.table != s.chart_rankings.name:
        return rows
    d = s.ranking_days.c
    month = d.rank_date.between(part.first_day, months.after(part.first_day) - timedelta(days=1))
    newer = select(d.chart_slug, d.rank_date).where(month, d.saved_at > datetime.fromisoformat(part.archived_at))
    replaced = {(row[0], row[1]) for row in conn.execute(newer)}
    names = [column.name for column in s.chart_rankings.columns]
    slug, day = names.index("chart_slug"), names.index("rank_date")
    return [row for row in rows if (row[slug], row[day]) not in replaced] if replaced else rows

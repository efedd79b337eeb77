"""Workbook and exports against time, memory and their writers alone: `python -m benchmarks.exports --help`.

The workbook is that of a chart-day synced by the command a user types, of 200 places and 90 days. The export is a
million points of `track_audience`; "alone" is the same writer fed with the same rows, which are in memory then, and
"read" is the same query with nobody to write. All are measured in turn, each in a process of its own, in seconds of a
core, which other programs disturb less than those of the clock; the ratio is the median of the turns.
"""

import argparse
import os
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Integer, text

from benchmarks.scratch import empty_database, heading, newest_day, peak_mb, row, scratch
from soundcharts_pipeline.reports.export.export import export_rows, write_rows
from soundcharts_pipeline.reports.workbook.lines import chart_lines
from soundcharts_pipeline.reports.workbook.read_back import read_back
from soundcharts_pipeline.reports.workbook.report import Report
from soundcharts_pipeline.reports.workbook.workbook import write_workbook
from soundcharts_pipeline.storage.bulk import merge
from soundcharts_pipeline.storage.housekeeping.cold import Archive
from soundcharts_pipeline.storage.housekeeping.cold_exports import Export
from soundcharts_pipeline.storage.points import merge_audience
from soundcharts_pipeline.storage.queries.chart_day import read_chart_day
from soundcharts_pipeline.storage.queries.exports import EXPORTS, Scope, batches
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

SLUG = "global-28"
DAYS = 90
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def workbook() -> None:
    """A chart-day of 200 places, one row."""
    day = newest_day()
    with scratch(SLUG) as project:
        project.sync(SLUG, day, day)
        path = project.folder / "made.xlsx"
        (seconds, core), back, peak_mb, rows = _apart(_write_workbook, project.database, path, day)
        row(
            *(f"{SLUG}, {DAYS} days", f"{rows:,} rows", f"{seconds:.1f} s ({core:.1f} s of a core)"),
            *(f"{back:.1f} s of a core", f"{peak_mb} MB"),
        )


def _write_workbook(database: str, path: Path, day: date) -> tuple[tuple[float, float], float, int, int]:
    started, core = time.perf_counter(), time.process_time()
    with closing(Warehouse(database)) as warehouse, warehouse.read() as conn:
        of = read_chart_day(conn, SLUG, day, history_days=DAYS)
        lines = chart_lines(conn, of)
    report = Report(name=SLUG, of=of, lines=lines, expected=[], left_out={}, made=NOW)
    rows = write_workbook(path, report)
    spent = time.perf_counter() - started, time.process_time() - core
    found = read_back(path)
    if found.formulas or any(found.rows[name] != count for name, count in rows.items()):
        raise SystemExit(f"{path} does not read back: {rows} written, {found} found")
    return spent, time.process_time() - core - spent[1], peak_mb(), sum(rows.values())


def bulk(database: str, count: int, kinds: Sequence[str], repetitions: int) -> None:
    """A row for each format."""
    with tempfile.TemporaryDirectory() as folder, empty_database(database, Path(folder)) as url:
        # Apart, too: a process starts with the peak of the one that started it.
        _apart(_fill, url, count)
        for kind in kinds:
            times = [
                (_apart(_export, url, folder, kind), _apart(_alone, url, folder, kind), _apart(_read, url))
                for _ in range(repetitions)
            ]
            ratio = statistics.median(ours.core / alone.core for ours, alone, _ in times)
            ours, alone, read = (statistics.median(t[n].core for t in times) for n in range(3))
            clock = statistics.median(ours.clock for ours, *_ in times)
            row(
                *(kind, database, f"{count:,}", f"{ours:.1f} s", f"{alone:.1f} s", f"{read:.1f} s", f"{ratio:.2f}"),
                *(f"{clock:.1f} s, {count / clock:,.0f} rows/s", f"{max(ours.peak_mb for ours, *_ in times)} MB"),
            )


COLUMNS = ["track", "platform", "metric", "identifier", "date", "value"]


class Spent(NamedTuple):
    """What a piece of work took: seconds of a core and of the clock, and its process' largest resident memory."""

    core: float
    clock: float
    peak_mb: int


def _spent(work: Callable[[], object]) -> Spent:
    clock, core = time.perf_counter(), time.process_time()
    work()
    return Spent(time.process_time() - core, time.perf_counter() - clock, peak_mb())


def _export(database: str, folder: str, kind: str) -> Spent:
    with closing(Warehouse(database)) as warehouse:
        warehouse.prepare()
        # Loaded beforehand for both: loading is no part of a row.
        write_rows(Path(folder) / f"none.{kind}", {"number": Integer()}, [[(1,)]], kind, count=1)
        return _spent(lambda: export_rows(warehouse, _wanted(folder), Path(folder) / f"ours.{kind}", kind=kind))


def _alone(database: str, folder: str, kind: str) -> Spent:
    query = _query()
    with closing(Warehouse(database)) as warehouse, warehouse.read() as conn:
        held = [list(batch) for batch in batches(conn, query)]
    columns = {column.name: column.type for column in query.selected_columns}
    write_rows(Path(folder) / f"none.{kind}", columns, held[:1], kind, count=len(held[0]))
    path, count = Path(folder) / f"alone.{kind}", sum(map(len, held))
    return _spent(lambda: write_rows(path, columns, held, kind, count=count))


def _read(database: str) -> Spent:
    with closing(Warehouse(database)) as warehouse, warehouse.read() as conn:
        return _spent(lambda: sum(map(len, batches(conn, _query()))))


def _query() -> Any:
    return EXPORTS["track-audience"].query(Scope(slug=SLUG), COLUMNS)


def _wanted(folder: str) -> Export:
    archive = Archive(Path(folder) / "archive")
    return Export(source=EXPORTS["track-audience"], scope=Scope(slug=SLUG), columns=COLUMNS, archive=archive)


def _fill(database: str, count: int) -> None:
    """So many points of tracks that are all on one ranking."""
    random.seed(28)
    tracks = [str(uuid.UUID(int=random.getrandbits(128))) for _ in range(-(-count // DAYS))]
    days = [date(2026, 8, 1) + timedelta(days=n) for n in range(DAYS)]
    with closing(Warehouse(database)) as warehouse, warehouse.write() as conn:
        ranked = [(SLUG, days[-1], n, track, NOW) for n, track in enumerate(tracks, 1)]
        merge(
            conn, s.chart_rankings, ranked, columns=["chart_slug", "rank_date", "position", "track_uuid", "fetched_at"]
        )
        named = [(track, f"Track number {n}", NOW, False, False) for n, track in enumerate(tracks)]
        columns = ["uuid", "name", "first_seen_at", "artists_extracted", "genres_extracted"]
        merge(conn, s.tracks, named, columns=columns)
        points = [
            (track, "spotify", "streams", f"id-{track[:8]}", day, random.getrandbits(36), NOW)
            for track in tracks
            for day in days
        ][:count]
        merge_audience(conn, s.track_audience, points)
        if warehouse.dialect == "postgresql":
            # Its own background process does this, sooner or later.
            conn.execute(text("ANALYZE"))


def _apart(work: Any, *arguments: object) -> Any:
    """In a process of its own, whose memory is that of the work alone."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_send, args=(theirs, work, arguments))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    finally:
        process.join()


def _send(pipe: Connection, work: Any, arguments: Sequence[object]) -> None:
    pipe.send(work(*arguments))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--database", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"])
    parser.add_argument("--formats", nargs="+", default=["xlsx", "csv", "parquet"])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--no-workbook", action="store_true")
    a = parser.parse_args()
    os.environ.pop("SOUNDCHARTS_DATABASE_URL", None)
    if not a.no_workbook:
        heading("workbook", "holds", "queried and written in", "read back in", "peak memory")
        workbook()
    core = ("ours", "writer alone", "read alone", "ours / writer")
    heading("export", "database", "rows", *core, "ours by the clock", "peak memory, ours")
    for database in a.database:
        bulk(database, a.rows, a.formats, a.repetitions)


if __name__ == "__main__":
    main()

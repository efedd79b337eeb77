"""Rows of the archive beside those of the database: whatever has been archived, an export has the same rows."""

import json
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from soundcharts_pipeline.storage.files import sha256_of
from soundcharts_pipeline.storage.housekeeping.archive import archive, restore
from soundcharts_pipeline.storage.housekeeping.cold import Archive
from soundcharts_pipeline.storage.housekeeping.cold_exports import Export
from soundcharts_pipeline.storage.queries.exports import EXPORTS, Scope
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.storage.old_rows import NOW, fill_named, trend
from soundcharts_pipeline_tests.support.rows import merge_whole

APRIL, MARCH, FEBRUARY = date(2024, 4, 1), date(2024, 3, 1), date(2024, 2, 1)
SCOPES = {
    "chart": Scope(slug="global-28"),
    "chart, some days": Scope(slug="global-28", first=date(2024, 1, 20), last=date(2024, 2, 10)),
    "chart of the trends": Scope(slug="é"),
    "track": Scope(track="track-1"),
    "other track, some days": Scope(track="track-2", first=FEBRUARY, last=date(2024, 3, 20)),
    "artist": Scope(artist="artist-1"),
    "other artist, some days": Scope(artist="artist-2", first=FEBRUARY),
    "track without a name": Scope(track="é"),
    "artist taken for a track": Scope(track="artist-2"),
}
Exported = dict[tuple[str, str], list[tuple[object, ...]]]


def fill_all(warehouse: Warehouse) -> None:
    """Rows of every export, and trends of both tracks and both artists."""
    fill_named(warehouse)
    days = [date(2024, month, 3) for month in (1, 2, 3, 4)]
    kinds = [(kind, f"{kind}-{n}") for kind in ("track", "artist") for n in (1, 2)]
    rest = len(("chart_slug", "rank_date", "entity", "uuid"))
    trends = [("global-28", day, *kind, *trend(day, 1)[rest:]) for day in days for kind in kinds]
    with warehouse.write() as conn:
        merge_whole(conn, s.audience_trends, trends)


def silent(_: str) -> None:
    """Nobody listens."""


def exported(warehouse: Warehouse, folder: Path) -> Exported:
    """Every export of every scope."""
    found: Exported = {}
    for what, source in EXPORTS.items():
        for named, scope in SCOPES.items():
            wanted = Export(source=source, scope=scope, columns=list(source.columns), archive=Archive(folder))
            with warehouse.read() as conn:
                found[what, named] = [tuple(row) for batch in wanted.batches(conn) for row in batch]
                assert wanted.count(conn) == len(found[what, named])
    return found


def test_an_export_has_the_same_rows_whatever_is_archived(warehouse: Warehouse, tmp_path: Path) -> None:
    fill_all(warehouse)
    before = exported(warehouse, tmp_path)
    assert all(any(before[what, named] for named in SCOPES) for what in EXPORTS)

    archive(warehouse, tmp_path, before=MARCH, now=NOW, on_progress=silent)
    assert exported(warehouse, tmp_path) == before
    archive(warehouse, tmp_path, before=APRIL, now=NOW, on_progress=silent)
    assert exported(warehouse, tmp_path) == before
    restore(warehouse, tmp_path, since=FEBRUARY, before=MARCH, on_progress=silent)
    assert exported(warehouse, tmp_path) == before


def test_rows_whose_owner_a_restored_backup_lacks_are_exported_all_the_same(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    fill_all(warehouse)
    before = exported(warehouse, tmp_path)
    archive(warehouse, tmp_path, before=APRIL, now=NOW, on_progress=silent)
    with warehouse.write() as conn:  # as in a backup of before these came, and were archived
        for table in (s.tracks, s.artists, b.archived_months):
            conn.execute(table.delete())
    archive(warehouse, tmp_path, before=APRIL, now=NOW, on_progress=silent)

    found = exported(warehouse, tmp_path)
    assert {of: len(rows) for of, rows in found.items()} == {of: len(rows) for of, rows in before.items()}
    assert "track-2" in {name for row in found["tracks", "other track, some days"] for name in row[1:]}


def test_files_of_earlier_versions_are_read_as_they_are(sqlite_warehouse: Warehouse, tmp_path: Path) -> None:
    fill_all(sqlite_warehouse)
    before = exported(sqlite_warehouse, tmp_path)
    archive(sqlite_warehouse, tmp_path, before=APRIL, now=NOW, on_progress=silent)
    listed = json.loads((tmp_path / "manifest.json").read_text())
    for entry in listed["files"]:
        path = tmp_path / entry["file"]
        pq.write_table(pq.read_table(path), path, compression="zstd")
        entry |= {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    (tmp_path / "manifest.json").write_text(json.dumps(listed))
    assert exported(sqlite_warehouse, tmp_path) == before


class Killed(BaseException):
    """The end of a process."""


@pytest.mark.parametrize("step", [3, 4, 5])
def test_rows_that_are_in_both_count_once(warehouse: Warehouse, tmp_path: Path, step: int) -> None:
    fill_all(warehouse)
    before, lines = exported(warehouse, tmp_path), 0

    def on_progress(_: str) -> None:
        nonlocal lines
        lines += 1
        if lines == step:
            raise Killed

    with pytest.raises(Killed):
        archive(warehouse, tmp_path, before=APRIL, now=NOW, on_progress=on_progress, batch=7)
    assert exported(warehouse, tmp_path) == before
    archive(warehouse, tmp_path, before=APRIL, now=NOW, on_progress=silent)
    lines = 0
    with pytest.raises(Killed):
        restore(warehouse, tmp_path, on_progress=on_progress)
    assert exported(warehouse, tmp_path) == before


def test_what_is_stored_is_right_and_of_files_the_newest(tmp_path: Path) -> None:
    folder = Archive(tmp_path)
    key = ("artist-1", "youtube", "views", FEBRUARY)
    old, newer, stored = (*key, 1, NOW), (*key, 2, NOW), (*key, 3, NOW)
    assert folder.both("artist_audience", [stored], [old, newer]) == [stored]
    assert folder.said() == ""
    assert folder.both("artist_audience", [], [old, newer]) == [newer]
    assert folder.said() == "1 row of 2024-02 came from the archive"

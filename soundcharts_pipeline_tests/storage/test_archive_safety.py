"""What archive, restore and reading do where the folder is not the one that the database has filled."""

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from soundcharts_pipeline.storage.files import FileDamaged
from soundcharts_pipeline.storage.housekeeping.archive import ArchiveReport, archive, restore
from soundcharts_pipeline.storage.housekeeping.backup import back_up
from soundcharts_pipeline.storage.housekeeping.backup import restore as restore_backup
from soundcharts_pipeline.storage.housekeeping.cold import Archive
from soundcharts_pipeline.storage.housekeeping.manifest import ForeignArchive
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.storage.old_rows import NOW, fill, held
from soundcharts_pipeline_tests.support.rows import merge_whole

FEBRUARY, APRIL = date(2024, 2, 1), date(2024, 4, 1)
LATE = ("track-9", "spotify", "streams", "late", date(2024, 1, 20), 5, datetime(2024, 5, 1, tzinfo=UTC))


def _archive(warehouse: Warehouse, folder: Path, *, before: date = APRIL) -> ArchiveReport:
    return archive(warehouse, folder, before=before, now=NOW, on_progress=lambda _: None)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}


def _add_late_point(warehouse: Warehouse) -> None:
    with warehouse.write() as conn:
        merge_whole(conn, s.track_audience, [LATE])


def _without_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def _without_folder(folder: Path) -> None:
    shutil.move(folder, folder.with_name("elsewhere"))


def _with_older_manifest(folder: Path) -> None:
    """As it was before the month got its second file."""
    path = folder / "manifest.json"
    listed = json.loads(path.read_text())
    listed["files"] = [entry for entry in listed["files"] if not entry["file"].endswith("part-0002.parquet")]
    path.write_text(json.dumps(listed))


@pytest.mark.parametrize("damage", [_without_manifest, _without_folder, _with_older_manifest])
def test_a_folder_that_lacks_what_was_archived_is_refused_by_all_and_not_added_to(
    warehouse: Warehouse, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "archive"
    fill(warehouse)
    _archive(warehouse, folder, before=FEBRUARY)
    _add_late_point(warehouse)
    _archive(warehouse, folder, before=FEBRUARY)
    left = held(warehouse)
    damage(folder)
    before = _files(folder)

    with pytest.raises(FileDamaged, match=r"2024-01 of .* is archived"):
        _archive(warehouse, folder)
    with pytest.raises(FileDamaged, match=r"2024-01 of .* is archived"):
        restore(warehouse, folder, on_progress=lambda _: None)
    with warehouse.read() as conn, pytest.raises(FileDamaged, match="2024-01 of track_audience is archived"):
        list(Archive(folder).rows(conn, "track_audience"))
    assert held(warehouse) == left
    assert _files(folder) == before


def test_a_file_that_is_not_listed_is_never_written_over(warehouse: Warehouse, tmp_path: Path) -> None:
    fill(warehouse)
    unlisted = tmp_path / "chart_rankings" / "2024-01" / "part-0001.parquet"
    unlisted.parent.mkdir(parents=True)
    unlisted.write_bytes(b"rows of a process that was killed, or of a lost manifest")
    before = held(warehouse)

    written = {part.file for part in _archive(warehouse, tmp_path).written}

    assert "chart_rankings/2024-01/part-0002.parquet" in written
    assert unlisted.read_bytes().startswith(b"rows of")
    restore(warehouse, tmp_path, on_progress=lambda _: None)
    assert held(warehouse) == before


def test_the_archive_of_another_database_is_refused_and_read_into_a_new_one(
    warehouse: Warehouse, sqlite_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "archive"
    rows = fill(warehouse)
    _archive(warehouse, folder)
    before, listed = _files(folder), (folder / "manifest.json").read_text()
    with closing(Warehouse(sqlite_url.replace("soundcharts.db", "other.db"))) as other:
        fill(other)
        with pytest.raises(ForeignArchive, match=r"is the archive of another database.*SOUNDCHARTS_DATA_DIR"):
            _archive(other, folder)
        assert held(other) == rows
        assert (_files(folder), (folder / "manifest.json").read_text()) == (before, listed)
    with closing(Warehouse(sqlite_url.replace("soundcharts.db", "new.db"))) as new:
        restore(new, folder, on_progress=lambda _: None)
        assert held(new) == rows


@pytest.mark.usefixtures("postgres_programs")
def test_a_backup_of_before_the_first_archiving_goes_on_with_the_archive(warehouse: Warehouse, tmp_path: Path) -> None:
    folder, rows = tmp_path / "archive", fill(warehouse)
    backup = back_up(warehouse, tmp_path / "backups", keep=1, now=NOW).path
    _archive(warehouse, folder)
    left, files = held(warehouse), _files(folder)
    warehouse.close()
    restore_backup(warehouse.url, backup, replace=True)
    assert held(warehouse) == rows

    # The rows are in both places: they are taken out, without a second file.
    report = _archive(warehouse, folder)
    assert report.written == []
    assert (held(warehouse), _files(folder)) == (left, files)
    restore(warehouse, folder, on_progress=lambda _: None)
    assert held(warehouse) == rows


def test_an_archive_that_nobody_has_named_is_of_the_database_that_goes_on_with_it(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    fill(warehouse)
    _archive(warehouse, tmp_path, before=FEBRUARY)
    path = tmp_path / "manifest.json"
    listed = json.loads(path.read_text())
    named = listed.pop("database")
    path.write_text(json.dumps(listed))
    _archive(warehouse, tmp_path)
    assert json.loads(path.read_text())["database"] == named

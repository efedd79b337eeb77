"""Archive and restore: every row is in one of the two places at any time, and comes back as it was."""

import json
import os
import signal
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import Date, select, update

from soundcharts_pipeline.models import Chart, PublishedRanking, Ranking, RankingEntry, TrackRef
from soundcharts_pipeline.storage import files
from soundcharts_pipeline.storage.errors import StorageBusy, StorageFull, StorageUnavailable
from soundcharts_pipeline.storage.files import FileDamaged, sha256_of
from soundcharts_pipeline.storage.housekeeping.archive import ARCHIVED, ArchiveReport, archive, restore
from soundcharts_pipeline.storage.saves import save_ranking
from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.storage.old_rows import DAYS, FIRST, NOW, Held, fill, held

MARCH = date(2024, 3, 9)
APRIL = date(2024, 4, 1)
FIRST_FILE = Path("chart_rankings/2024-01/part-0001.parquet")


def silent(_: str) -> None:
    """Nobody listens."""


def archive_all(warehouse: Warehouse, folder: Path) -> ArchiveReport:
    return archive(warehouse, folder, before=APRIL, now=NOW, on_progress=silent, batch=7)


def counts(rows: Held) -> dict[str, int]:
    return {table: len(of) for table, of in rows.items()}


def test_what_was_archived_comes_back_row_for_row(warehouse: Warehouse, tmp_path: Path) -> None:
    before = fill(warehouse)

    report = archive_all(warehouse, tmp_path / "archive")

    assert report.removed == counts(before)
    assert not any(held(warehouse).values())
    back = restore(warehouse, tmp_path / "archive", on_progress=silent)
    assert back.restored == counts(before)
    assert held(warehouse) == before


def test_a_ranking_that_was_saved_anew_is_not_mixed_with_the_version_in_the_archive(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    fill(warehouse)
    archive_all(warehouse, tmp_path)
    tracks = [TrackRef(uuid=uuid, name=uuid) for uuid in ("track-2", "track-9")]
    entries = tuple(RankingEntry(position=place, track=track) for place, track in enumerate(tracks, 1))
    chart = Chart(slug="global-28", name="Global", platform="spotify")
    ranking = Ranking(chart=chart, day=FIRST, metric_type=None, entries=entries)
    with warehouse.write() as conn:
        save_ranking(conn, ranking, PublishedRanking(FIRST, f"{FIRST}T12:00:00+00:00"), NOW + timedelta(hours=1))

    def of_first_day() -> list[object]:
        return [row[2:4] for row in held(warehouse)[s.chart_rankings.name] if row[1] == FIRST]

    new = [(1, "track-2"), (2, "track-9")]
    restore(warehouse, tmp_path, on_progress=silent)
    assert of_first_day() == new
    assert len(held(warehouse)[s.chart_rankings.name]) == 2 * DAYS

    archive(warehouse, tmp_path, before=APRIL, now=NOW + timedelta(hours=2), on_progress=silent)
    assert not any(held(warehouse).values())
    restore(warehouse, tmp_path, on_progress=silent)
    assert of_first_day() == new


def test_only_months_that_ended_before_the_age_go(warehouse: Warehouse, tmp_path: Path) -> None:
    before = fill(warehouse)

    archive(warehouse, tmp_path, before=MARCH, now=NOW, on_progress=silent)

    day_of = {
        name: next(n for n, column in enumerate(table.columns) if isinstance(column.type, Date))
        for name, (table, _) in ARCHIVED.items()
    }
    assert held(warehouse) == {
        table: [row for row in rows if row[day_of[table]] >= date(2024, 3, 1)] for table, rows in before.items()
    }
    with warehouse.read() as conn:
        months = {(row.table_name, row.month) for row in conn.execute(b.archived_months.select())}
    assert months == {(name, date(2024, month, 1)) for name in ARCHIVED for month in (1, 2)}


def test_the_manifest_has_the_rows_and_the_checksum_of_every_file(warehouse: Warehouse, tmp_path: Path) -> None:
    before = fill(warehouse)
    archive_all(warehouse, tmp_path)

    listed = json.loads((tmp_path / "manifest.json").read_text())["files"]
    rows: Counter[str] = Counter()
    for entry in listed:
        path = tmp_path / entry["file"]
        assert (entry["bytes"], entry["sha256"]) == (path.stat().st_size, sha256_of(path))
        assert path.parent == tmp_path / entry["table"] / entry["month"]
        # As any other program reads it.
        assert pq.ParquetFile(path).metadata.num_rows == entry["rows"]
        rows[entry["table"]] += entry["rows"]
    assert rows == counts(before)
    assert {tmp_path / entry["file"] for entry in listed} == set(tmp_path.rglob("*.parquet*"))


def test_killed_after_any_step_nothing_is_lost_and_the_next_run_finishes(warehouse: Warehouse, tmp_path: Path) -> None:
    before = fill(warehouse)
    deaths = 0
    # One step further each time: after the writing, the reading back, the listing, and in the middle of deletions.
    while _die_after(warehouse, tmp_path, deaths + 1):
        deaths += 1
        kept = held(warehouse)
        for table, rows in _archived(tmp_path).items():
            assert set(kept[table]) | rows >= set(before[table]), f"lost rows of {table}"
        assert all(set(rows) <= set(before[table]) for table, rows in kept.items())

    assert deaths > 8
    assert not any(held(warehouse).values())
    restore(warehouse, tmp_path, on_progress=silent)
    assert held(warehouse) == before


def _die_after(warehouse: Warehouse, folder: Path, steps: int) -> bool:
    """Archive in a process that is killed as it has taken so many steps; whether that happened."""
    warehouse.close()
    pid = os.fork()
    if pid == 0:
        taken = 0

        def on_progress(_: str) -> None:
            nonlocal taken
            taken += 1
            if taken == steps:
                os.kill(os.getpid(), signal.SIGKILL)

        url = warehouse.url.render_as_string(hide_password=False)
        failed = 1
        try:
            archive(Warehouse(url), folder, before=APRIL, now=NOW, on_progress=on_progress, batch=7)
            failed = 0
        finally:
            os._exit(failed)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def _archived(folder: Path) -> dict[str, set[tuple[object, ...]]]:
    """Rows of the files that the manifest lists, by table."""
    path = folder / "manifest.json"
    found: dict[str, set[tuple[object, ...]]] = {name: set() for name in ARCHIVED}
    for entry in json.loads(path.read_text())["files"] if path.exists() else ():
        columns = pq.read_table(folder / entry["file"]).to_pydict()
        found[entry["table"]] |= set(zip(*columns.values(), strict=True))
    return found


def test_a_restore_that_is_killed_is_finished_by_the_next_one(warehouse: Warehouse, tmp_path: Path) -> None:
    before = fill(warehouse)
    archive_all(warehouse, tmp_path)

    class Killed(BaseException):
        pass

    def on_progress(_: str) -> None:
        raise Killed

    with pytest.raises(Killed):
        restore(warehouse, tmp_path, on_progress=on_progress)
    restore(warehouse, tmp_path, on_progress=silent)

    assert held(warehouse) == before


def test_a_row_that_changes_meanwhile_stays_and_is_archived_the_next_time(warehouse: Warehouse, tmp_path: Path) -> None:
    fill(warehouse)
    of_track = select(audience.series.c.id).where(audience.series.c.entity == "track")
    t = audience.points
    later = datetime(2026, 3, 9, 4, 1, tzinfo=UTC)
    changed = (
        update(t).where(t.c.day == date(2024, 2, 1), t.c.series_id.in_(of_track)).values(value=-5, fetched_at=later)
    )

    def on_progress(line: str) -> None:
        if line == "track_audience/2024-02/part-0001.parquet: listed in the manifest":
            with warehouse.write() as conn:
                conn.execute(changed)

    archive(warehouse, tmp_path, before=APRIL, now=NOW, on_progress=on_progress)

    [stayed] = held(warehouse)["track_audience"]
    assert stayed[-2:] == (-5, later)
    assert [part.file for part in archive_all(warehouse, tmp_path).written] == [
        "track_audience/2024-02/part-0002.parquet"
    ]
    restore(warehouse, tmp_path, on_progress=silent)
    assert stayed in held(warehouse)["track_audience"]


def test_what_was_restored_is_taken_out_again_without_a_second_file(warehouse: Warehouse, tmp_path: Path) -> None:
    before = fill(warehouse)
    archive_all(warehouse, tmp_path)
    restore(warehouse, tmp_path, on_progress=silent)

    report = archive_all(warehouse, tmp_path)

    assert (report.written, report.removed) == ([], counts(before))
    assert not any(held(warehouse).values())


def test_a_table_and_months_can_be_restored_alone(warehouse: Warehouse, tmp_path: Path) -> None:
    before = fill(warehouse)
    archive_all(warehouse, tmp_path)

    restore(
        warehouse,
        tmp_path,
        tables=["artist_audience"],
        since=date(2024, 2, 1),
        before=date(2024, 3, 1),
        on_progress=silent,
    )

    february = [row for row in before["artist_audience"] if row[3].month == 2]
    assert {table: rows for table, rows in held(warehouse).items() if rows} == {"artist_audience": february}


@pytest.mark.parametrize("harm", ["changed", "cut off", "missing"])
def test_a_damaged_file_is_named_and_nothing_is_restored(
    sqlite_warehouse: Warehouse, tmp_path: Path, harm: str
) -> None:
    fill(sqlite_warehouse)
    archive_all(sqlite_warehouse, tmp_path)
    path = tmp_path / FIRST_FILE
    content = path.read_bytes()
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(content[:-9] if harm == "cut off" else content.replace(b"track", b"trick"))

    with pytest.raises(FileDamaged, match=rf"{FIRST_FILE}.* restore the file. Nothing was changed"):
        restore(sqlite_warehouse, tmp_path, on_progress=silent)
    assert not any(held(sqlite_warehouse).values())


def test_a_file_that_was_damaged_before_its_rows_were_deleted_keeps_them(
    sqlite_warehouse: Warehouse, tmp_path: Path
) -> None:
    before = fill(sqlite_warehouse)
    assert _die_after(sqlite_warehouse, tmp_path, 3)
    (tmp_path / FIRST_FILE).write_bytes(b"")

    with pytest.raises(FileDamaged, match="is not the file that was archived"):
        archive_all(sqlite_warehouse, tmp_path)
    assert held(sqlite_warehouse) == before


def test_a_full_disk_is_one_message_and_deletes_nothing(sqlite_warehouse: Warehouse, tmp_path: Path) -> None:
    before = fill(sqlite_warehouse)
    path = tmp_path / FIRST_FILE
    path.parent.mkdir(parents=True)
    files.temporary_name(path).symlink_to("/dev/full")

    with pytest.raises(StorageFull, match=rf"no space left for {tmp_path} \(.*free there\); nothing was lost"):
        archive_all(sqlite_warehouse, tmp_path)
    assert held(sqlite_warehouse) == before


def test_a_folder_that_cannot_be_made_is_named_with_the_variable(sqlite_warehouse: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")

    with pytest.raises(StorageUnavailable, match=rf"{tmp_path}/data/archive cannot be used .*SOUNDCHARTS_DATA_DIR"):
        archive_all(sqlite_warehouse, tmp_path / "data" / "archive")


def test_two_processes_do_not_archive_at_once(sqlite_warehouse: Warehouse, tmp_path: Path) -> None:
    with files.work_in(tmp_path), pytest.raises(StorageBusy, match="another process is at work in"):
        archive_all(sqlite_warehouse, tmp_path)

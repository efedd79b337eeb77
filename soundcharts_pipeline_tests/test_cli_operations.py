"""Housekeeping as a user types it: back up, lose, restore; archive and bring back; each in a run of Dagster's."""

from pathlib import Path

import pytest

from soundcharts_pipeline.environment import read_environment
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.command_line import run, with_charts
from soundcharts_pipeline_tests.storage.old_rows import fill, held


@pytest.fixture
def user(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return with_charts(environ, tmp_path)


@pytest.fixture
def filled(user: dict[str, str]) -> Warehouse:
    """The user's database, with rows that are more than two years old."""
    warehouse = Warehouse(read_environment(user).database_url)
    fill(warehouse)
    warehouse.close()
    return warehouse


def test_a_lost_database_is_restored_from_its_backup(user: dict[str, str], filled: Warehouse, tmp_path: Path) -> None:
    before = held(filled)
    filled.close()
    done = run(user, "backup")
    assert done.code == 0
    assert done.says("backups/soundcharts-", "integrity check passed")
    [path] = (tmp_path / "data" / "backups").glob("*.zst")

    refused = run(user, "restore", path)
    assert refused.code == 1
    assert refused.says("holds 240 rankings, tracks and points", "--yes")
    for file in (tmp_path / "data").glob("soundcharts.db*"):
        file.unlink()
    restored = run(user, "restore", path)

    assert restored.code == 0
    assert held(filled) == before


def test_old_rows_are_archived_and_brought_back(user: dict[str, str], filled: Warehouse) -> None:
    before = held(filled)
    filled.close()
    done = run(user, "archive")
    assert done.code == 0
    assert done.says("rows_moved 360", "files_written 15")
    assert not any(held(filled).values())

    wrong = run(user, "restore-archive", "--table", "tracks")
    assert wrong.code == 2
    assert wrong.says("'tracks' is never archived", "artist_audience_geo")
    back = run(user, "restore-archive")
    assert back.code == 0
    assert back.says("chart_rankings: 120 rows brought back", "15 files read")
    assert held(filled) == before


def test_the_catalogue_is_saved_once_and_searched_without_a_call(user: dict[str, str]) -> None:
    nothing = run(user, "charts", "search", "germany", "--saved")
    assert nothing.says("0 charts, 0 calls", "catalog` saves every chart there is")
    done = run(user, "catalog")
    assert done.code == 0
    assert done.says("row_count", "calls")

    found = run(user, "charts", "search", "germany", "--saved")
    assert found.says("0 calls", "charts add SLUG")
    assert "0 charts, 0 calls" not in found.text


def test_a_report_names_size_and_free_disk(user: dict[str, str]) -> None:
    done = run(user, "report")
    assert done.code == 0
    assert done.says("bytes", "disk_free_bytes", "needs two reports, a day or more apart")

"""Housekeeping as a user types it: back up, lose, restore; archive and bring back; each in a run of Dagster's."""

import os
from collections.abc import Mapping
from contextlib import closing
from datetime import date
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest

from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.storage.housekeeping.archive import archive
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.storage.old_rows import NOW, fill, fill_named, held
from soundcharts_pipeline_tests.support.command_line import open_to_others, run, run_here, with_charts


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


def _note_run(user: Mapping[str, str]) -> str:
    """A run that is at work, as far as Dagster knows."""
    with dg.DagsterInstance.from_config(user["DAGSTER_HOME"]) as instance:
        tags = {"dagster/partition": "global-28|2024-03-14"}
        run = dg.DagsterRun("full_sync", run_id=str(uuid4()), status=dg.DagsterRunStatus.STARTED, tags=tags)
        return instance.add_run(run).run_id


def test_a_lost_database_is_restored_from_its_backup(user: dict[str, str], filled: Warehouse, tmp_path: Path) -> None:
    before = held(filled)
    filled.close()
    done = run(user, "backup")
    assert done.code == 0
    assert done.says("backups/soundcharts-", "integrity check passed")
    [path] = (tmp_path / "data" / "backups").glob("*.zst")

    mistyped = run(user, "restore", path.with_name("nope.zst"))
    assert mistyped.code == 2
    assert mistyped.says("there is no file", "nope.zst; backups are in", str(path.parent))
    assert "another backup" not in mistyped.text
    refused = run(user, "restore", path)
    assert refused.code == 1
    assert refused.says("holds 240 rankings, tracks and points", "--yes")
    run_id = _note_run(user)
    with filled.read():
        in_use = run(user, "restore", path, "--yes")
    assert in_use.code == 1
    assert in_use.says(
        f"run {run_id} of global-28|2024-03-14 (started)", f"process {os.getpid()} (", "--force", "Nothing was changed"
    )
    filled.close()
    for file in (tmp_path / "data").glob("soundcharts.db*"):
        file.unlink()
    restored = run(user, "restore", path, "--force")

    assert restored.code == 0
    assert held(filled) == before
    assert open_to_others(tmp_path / "data" / "backups", tmp_path / "data" / "soundcharts.db") == []


def test_old_rows_are_archived_and_brought_back(user: dict[str, str], filled: Warehouse) -> None:
    before = held(filled)
    filled.close()
    done = run(user, "archive")
    assert done.code == 0
    assert done.says("rows_moved 360", "files_written 15")
    assert not any(held(filled).values())
    assert open_to_others(Path(user["SOUNDCHARTS_DATA_DIR"]) / "archive") == []

    wrong = run(user, "restore-archive", "--table", "tracks")
    assert wrong.code == 2
    assert wrong.says("'tracks' is never archived", "artist_audience_geo")
    back = run(user, "restore-archive")
    assert back.code == 0
    assert back.says("chart_rankings: 120 rows brought back", "15 files read")
    assert held(filled) == before


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--from", "2024-03", "--before", "2024-02"), "no month is from 2024-03 on and before 2024-02"),
        (("--from", "2024-03", "--before", "2024-03"), "no month is from 2024-03 on and before 2024-03"),
        (("--from", "2042-01"), "the archive has nothing of what was asked for"),
    ],
)
def test_bringing_back_no_month_at_all_is_a_mistake(user: dict[str, str], asked: tuple[str, ...], said: str) -> None:
    done = run_here(user, "restore-archive", *asked)
    assert done.code == 2
    assert done.says(said)


def test_an_export_reads_the_archive_and_says_so(user: dict[str, str], tmp_path: Path) -> None:
    folder = Path(user["SOUNDCHARTS_DATA_DIR"]) / "archive"
    with closing(Warehouse(read_environment(user).database_url)) as warehouse:
        fill_named(warehouse)
        archive(warehouse, folder, before=date(2024, 3, 1), now=NOW, on_progress=lambda _: None)
    done = run(user, "export", "global-28", "--output", tmp_path / "all.csv")
    assert done.code == 0
    assert done.says("120 rows", "92 rows of 2024-01, 2024-02 came from the archive")
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 121

    folder.rename(tmp_path / "elsewhere")
    missing = run(user, "export", "global-28", "--output", tmp_path / "none.csv")
    assert missing.code == 1
    assert missing.says("2024-01 of chart_rankings is archived", "SOUNDCHARTS_DATA_DIR")
    assert not (tmp_path / "none.csv").exists()
    back = run(user, "restore-archive")
    assert back.code == 1
    assert back.says("2024-01 of artist_audience is archived", "does not list it", "SOUNDCHARTS_DATA_DIR")
    rankings = run(user, "restore-archive", "--table", "chart_rankings", "--from", "2024-02")
    assert rankings.code == 1
    assert rankings.says("2024-02 of chart_rankings is archived")


def test_the_catalog_is_saved_once_and_searched_without_a_call(user: dict[str, str]) -> None:
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


def test_old_runs_are_counted_before_they_are_removed(user: dict[str, str]) -> None:
    few = run(user, "prune", "--older-than", "30")
    assert few.code == 2
    assert few.says("30 days are too few, give at least 45: `status` and the dashboard", "--older-than")
    assert "heal_days" not in few.text

    told = run(user, "prune")
    assert told.code == 0
    assert told.says("nothing from before", "can go")
    run_id = _note_run(user)
    removed = run(user, "prune", "--older-than", "90", "--yes")
    assert removed.code == 0
    assert removed.says("removed: 0 runs, 0 events, 0 old check results")
    with dg.DagsterInstance.from_config(user["DAGSTER_HOME"]) as instance:
        assert [one.run_id for one in instance.get_runs()] == [run_id]


def test_to_forget_a_platform_that_no_chart_asks_for_is_a_mistake(user: dict[str, str]) -> None:
    mistyped = run(user, "forget", "--platform", "spotfy")
    assert mistyped.code == 2
    assert mistyped.says("no chart asks for 'spotfy'", "write one of", "spotify")
    for also in ([], ["--yes"]):
        nothing = run(user, "forget", "--platform", "spotify", *also)
        assert nothing.code == 0
        assert nothing.says("nothing is noted as absent here")

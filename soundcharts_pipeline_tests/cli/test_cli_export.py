"""Exports as a user types them, after a real sync."""

import csv
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from socket import AF_UNIX, socket
from typing import Any

import pyarrow.parquet as pq
import pytest
from openpyxl import load_workbook
from sqlalchemy import func, select

from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.queries.exports import EXPORTS
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.command_line import (
    open_to_others,
    run,
    run_here,
    run_in_terminal,
    run_program,
    user_environ,
    with_charts,
)
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.today import TODAY

User = dict[str, str]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user who has synced the newest day of one chart."""
    folder = tmp_path_factory.mktemp("user")
    with Simulator(today=TODAY, slow=0.05) as simulator:
        environ = with_charts(user_environ(simulator, folder), folder)
        assert run(environ, "sync", SLUG).code == 0
        simulator.reset()
        yield environ
        assert simulator.counters.total == 0


@pytest.fixture(scope="module")
def warehouse(user: User) -> Iterator[Warehouse]:
    with closing(Warehouse(read_environment(user).database_url)) as warehouse:
        yield warehouse


def count(warehouse: Warehouse, what: str) -> int:
    with warehouse.read() as conn:
        return conn.scalar(select(func.count()).select_from(EXPORTS[what].table)) or 0


@pytest.mark.parametrize("what", EXPORTS)
def test_of_a_chart_everything_stored_of_it_is_exported(
    user: User, warehouse: Warehouse, tmp_path: Path, what: str
) -> None:
    path = tmp_path / "made.parquet"
    done = run(user, "export", SLUG, "--what", what, "--output", path)
    assert done.code == 0, done.text
    rows = pq.read_table(path).num_rows
    assert rows == count(warehouse, what) > 0
    assert done.says(f"{rows:,} rows")


def test_ranges_columns_and_formats_are_the_users_choice(user: User, warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.read() as conn:
        newest = conn.scalar(select(func.max(s.track_audience.c.date)))
        of_day = conn.execute(select(s.track_audience).where(s.track_audience.c.date == newest)).all()
    choice = ("--what", "track-audience", "--from", str(newest), "--to", str(newest), "--columns", "value, track,date")
    for name in ("made.csv", "made.xlsx"):
        done = run(user, "export", SLUG, *choice, "--output", tmp_path / name)
        assert done.code == 0, done.text
    with (tmp_path / "made.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["value", "track", "date"]
    assert sorted(int(row[0]) for row in rows[1:]) == sorted(row.value for row in of_day)
    sheet = list(load_workbook(tmp_path / "made.xlsx", read_only=True)["Data"].iter_rows(values_only=True))
    assert sheet[0] == ("value", "track", "date")
    assert [[f"{a:.0f}", b] for a, b, _ in sheet[1:]] == [row[:2] for row in rows[1:]]


@pytest.mark.parametrize("what", EXPORTS)
def test_days_and_times_are_days_and_times_in_every_format(user: User, tmp_path: Path, what: str) -> None:
    for kind in ("xlsx", "csv", "parquet"):
        done = run(user, "export", SLUG, "--what", what, "--output", tmp_path / f"made.{kind}")
        assert done.code == 0, done.text
    table = pq.read_table(tmp_path / "made.parquet")
    days = {name: str(table.schema.field(name).type) for name in table.column_names if name.endswith("date")}
    times = {name: str(table.schema.field(name).type) for name in table.column_names if name.endswith("_at")}
    assert set(days.values()) <= {"date32[day]"}
    assert set(times.values()) <= {"timestamp[us, tz=UTC]"}

    sheet: Any = load_workbook(tmp_path / "made.xlsx")["Data"]
    looks = dict.fromkeys(days, "yyyy-mm-dd") | dict.fromkeys(times, "yyyy-mm-dd hh:mm:ss")
    found = {name.value: {cell.number_format for cell in cells if cell.is_date} for name, *cells in sheet.columns}
    filled = {name for name in looks if table[name].null_count < table.num_rows}
    assert {name: found[name] for name in filled} == {name: {looks[name]} for name in filled}

    with (tmp_path / "made.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            assert all(not line[name] or str(date.fromisoformat(line[name])) == line[name] for name in days)
            assert all(not line[name] or datetime.fromisoformat(line[name]).tzinfo == UTC for name in times)


def test_a_track_and_an_artist_have_exports_of_their_own(user: User, warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.read() as conn:
        trend = select(s.audience_trends.c.uuid).where(s.audience_trends.c.entity == "artist")
        credit = conn.execute(select(s.track_artists).where(s.track_artists.c.artist_uuid.in_(trend))).first()
    assert credit is not None
    for option, uuid, what, column in (
        ("--track", credit.track_uuid, "track-audience", "track_uuid"),
        ("--track", credit.track_uuid, "rankings", "track_uuid"),
        ("--artist", credit.artist_uuid, "artists", "uuid"),
        ("--artist", credit.artist_uuid, "trends", "uuid"),
    ):
        for typed in (uuid, uuid.upper()):
            path = tmp_path / f"{what}.parquet"
            done = run(user, "export", option, typed, "--what", what, "--output", path, "--force")
            assert done.code == 0, done.text
            assert set(pq.read_table(path)[column].to_pylist()) == {uuid}


def test_a_file_that_is_there_stays_unless_force_is_given(user: User, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("mine")
    refused = run(user, "export", SLUG, "--output", path)
    assert refused.code == 1
    assert refused.says("is there already", "--force")
    assert path.read_text() == "mine"
    path.chmod(0o664)
    assert run(user, "export", SLUG, "--output", path, "--force").code == 0
    assert path.read_text(encoding="utf-8").startswith("chart_slug,rank_date,position")
    # Whoever was let in stays so.
    assert open_to_others(path) == [f"{path} 664"]


def test_through_a_link_the_file_that_it_leads_to_is_replaced(user: User, tmp_path: Path) -> None:
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("mine")
    link.symlink_to(target)
    assert run_here(user, "export", SLUG, "--output", link, "--force").code == 0
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8").startswith("chart_slug,rank_date,position")


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_what_is_no_file_is_named_and_left(
    user: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: list[str]
) -> None:
    # A path from the root may be too long for a socket, and for a line of the message.
    monkeypatch.chdir(tmp_path)
    pipe, link, door, loop, folder = (Path(f"{name}.csv") for name in ("pipe", "link", "door", "loop", "folder"))
    folder.mkdir()
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    loop.symlink_to(loop)
    with socket(AF_UNIX) as listening:
        listening.bind(str(door))
        for path, said in (
            *((pipe, "is a pipe"), (link, "is a pipe"), (door, "is a socket")),
            # Nobody's device is put at risk by a test.
            *([] if force else [(Path(os.devnull), "is a device")]),
            *((folder, "is a folder"), (loop, "is a link that leads to itself")),
        ):
            before = (path.lstat().st_mode, path.lstat().st_ino)
            done = run_here(user, "export", SLUG, "--format", "csv", "--output", path, *force)
            assert (done.code, done.says(f"{path} {said}", "name a file")) == (2, True), done.text
            assert (path.lstat().st_mode, path.lstat().st_ino) == before


def test_without_an_output_the_file_goes_to_the_data_directory(user: User) -> None:
    done = run(user, "export", SLUG, "--columns", "position,track")
    assert done.code == 0
    path = read_environment(user).data_dir / "exports" / f"{SLUG}_rankings.xlsx"
    assert done.says(str(path))
    assert open_to_others(user["SOUNDCHARTS_DATA_DIR"]) == []


def test_others_read_an_export_when_the_user_says_so(user: User, tmp_path: Path) -> None:
    alone, shared = tmp_path / "alone.csv", tmp_path / "new" / "shared.csv"
    assert run_here(user, "export", SLUG, "--output", alone).code == 0
    assert run_here({**user, "SOUNDCHARTS_UMASK": "027"}, "export", SLUG, "--output", shared).code == 0

    assert open_to_others(alone) == []
    assert open_to_others(shared.parent) == [f"{shared.parent} 750", f"{shared} 640"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([SLUG, "--to", "2020-01-31"], 1, ["no rankings of", "2020-01-31 stored; its rankings are from 20"]),
        (["--track", "nope"], 1, ["no rankings of nope stored, and nothing else of that UUID", "--what tracks"]),
        (["viral-50-globl"], 1, ["Nothing to export", f"did you mean '{SLUG}'?"]),
        ([SLUG, "--columns", "positon"], 2, ["no column 'positon'", "'position'", "time_on_chart_unit"]),
        ([SLUG, "--what", "ranking"], 2, ["did you mean 'rankings'?", "artist-audience"]),
        ([SLUG, "--format", "xls"], 2, ["'xls' is no format", "parquet"]),
        ([SLUG, "--output", "a.csv", "--format", "xlsx"], 2, ["named .csv"]),
        ([SLUG, "--output", "a.txt"], 2, ["--output", "a.txt is no file of ours", ".xlsx", "--format"]),
        ([SLUG, "--output", "a"], 2, ["by its name a is no file of ours"]),
        ([SLUG, "--output", "."], 2, [". is a folder", "name a file in it"]),
        ([SLUG, "--raw"], 2, ["about csv alone"]),
        ([SLUG, "--track", "x"], 2, ["name one chart"]),
        ([], 2, ["name one chart"]),
    ],
)
def test_a_mistake_is_one_message_and_no_file(user: User, arguments: list[str], code: int, words: list[str]) -> None:
    exports = read_environment(user).data_dir / "exports"
    before = set(exports.glob("**/*"))
    done = run(user, "export", *arguments)
    assert done.code == code, done.text
    plain = done.text.replace("- ", "-")
    assert all(word in plain for word in words), plain
    assert "Traceback" not in plain
    assert set(exports.glob("**/*")) == before


def test_a_folder_that_cannot_be_written_is_one_message(user: User, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(user, "export", SLUG, "--output", tmp_path / "file" / "made.csv")
    assert done.code == 1
    assert done.says(f"cannot be written ({tmp_path / 'file'} is no folder)", "name another --output")
    assert "space" not in done.text


@pytest.mark.parametrize("kind", ["xlsx", "csv", "parquet"])
def test_a_disk_without_room_leaves_no_file_behind(user: User, warehouse: Warehouse, tmp_path: Path, kind: str) -> None:
    # What SQLite needs to read is there, as long as somebody has the database open.
    warehouse.prepare()
    path = tmp_path / f"made.{kind}"
    # No file of this process may be longer than two kilobytes.
    command = f'ulimit -f 2; exec "{sys.executable}" -m soundcharts_pipeline export {SLUG} --output "{path}"'
    done = run_program({**user, "PYTHONDONTWRITEBYTECODE": "1", "RUST_BACKTRACE": "1"}, "bash", "-c", command)
    assert done.code == 1, done.text
    assert done.err.startswith("Error: "), "nothing is before it"
    assert len(done.err.splitlines()) == 1
    assert done.says(f"{path} cannot be written", "nothing was left there; free some space there")
    assert "Exception ignored" not in done.text
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_sees_a_bar(user: User, tmp_path: Path) -> None:
    path = tmp_path / "made.csv"
    done = run_in_terminal(user, 100, "export", SLUG, "--output", str(path))
    assert done.code == 0
    assert "50/50" in done.text

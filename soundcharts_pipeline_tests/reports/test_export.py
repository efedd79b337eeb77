"""Exports by the command a user types, of a database of either kind with what is awkward in it; and killed ones."""

import csv
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from openpyxl import load_workbook
from sqlalchemy import insert, text

from soundcharts_pipeline.reports.export.files import disarmed
from soundcharts_pipeline.storage.queries.exports import BATCH
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.tables.columns import Day
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.admin.site import wait_for
from soundcharts_pipeline_tests.reports.odd_names import ODD_NAMES, SHOWN
from soundcharts_pipeline_tests.support.command_line import run, start
from soundcharts_pipeline_tests.support.rows import merge_whole

SLUG = "global-28"
DAY = date(2026, 11, 20)
# With a fraction of a second, and in a summer time.
AT = datetime(2026, 7, 1, 3, 4, 5, 678_000, tzinfo=UTC)
LABELS = [{"name": "=1+1 ü", "shares": [1, 0.5, None]}]
COLUMNS = ["name", "isrc", "release_date", "duration_seconds", "explicit", "labels", "first_seen_at"]
POINTS = 2 * BATCH + 500

Rows = Sequence[Mapping[str, Any]]


def _uuid(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def tracks() -> Rows:
    """One for each odd name, and one of which nothing but the name is known."""
    of_all = {"artists_extracted": True, "genres_extracted": True, "first_seen_at": AT}
    full = {"isrc": "", "release_date": date(1899, 12, 31), "duration_seconds": 0, "explicit": False, "labels": LABELS}
    none = dict.fromkeys(full)
    names = [*((name, full) for name in ODD_NAMES), ("Nothing is known", none)]
    return [{"uuid": _uuid(n), "name": name, **known, **of_all} for n, (name, known) in enumerate(names)]


# As many points of one track as an export is at work on for a while.
MANY = (
    """INSERT INTO series (entity, uuid, platform, metric, identifier)
    WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 400000)
    SELECT 'track', :uuid, 'shazam', 'shazams', printf('%09d', n) FROM numbers""",
    "INSERT INTO points SELECT id, :day, id, 0 FROM series WHERE platform = 'shazam'",
)


def fill(url: str) -> None:
    """A chart-day of the tracks; the first of them has POINTS points."""
    with closing(Warehouse(url)) as warehouse, warehouse.write() as conn:
        made = tracks()
        conn.execute(insert(s.tracks), made)
        day = {"chart_slug": SLUG, "rank_date": DAY, "fetched_at": AT}
        places = [day | {"position": n, "track_uuid": track["uuid"]} for n, track in enumerate(made, 1)]
        conn.execute(insert(s.chart_rankings), places)
        of_track = (_uuid(0), "spotify", "streams")
        merge_whole(
            conn, s.track_audience, ((*of_track, f"{n:09}", DAY, 4611686018427387904 + n, AT) for n in range(POINTS))
        )


@pytest.fixture
def user(environ: dict[str, str], database_url: str) -> dict[str, str]:
    return environ | {"SOUNDCHARTS_DATABASE_URL": database_url}


def exported(user: Mapping[str, str], path: Path, *arguments: str) -> Path:
    done = run(user, "export", SLUG, *arguments, "--output", path)
    assert done.code == 0, done.text
    return path


def test_awkward_values_are_the_same_from_both_databases(
    user: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    fill(database_url)
    choice = ("--what", "tracks", "--columns", ",".join(COLUMNS))
    made = [[track[name] for name in COLUMNS] for track in tracks()]
    labels = json.dumps(LABELS, ensure_ascii=False)

    with exported(user, tmp_path / "made.csv", *choice, "--bom").open(encoding="utf-8-sig", newline="") as file:
        heading, *lines = csv.reader(file)
    assert heading == COLUMNS
    rest = ["", "1899-12-31", "0", "False", labels, "2026-07-01T03:04:05.678000+00:00"]
    assert lines[:-1] == [[disarmed(name), *rest] for name in ODD_NAMES]
    assert lines[-1] == ["Nothing is known", "", "", "", "", "", rest[-1]]

    table = pq.read_table(exported(user, tmp_path / "made.parquet", *choice))
    found = [list(row.values()) for row in table.to_pylist()]
    assert [row[:5] + row[6:] for row in found] == [row[:5] + row[6:] for row in made]
    assert [row[5] and json.loads(row[5]) for row in found] == [row[5] for row in made]

    sheet: Any = load_workbook(exported(user, tmp_path / "made.xlsx", *choice))["Data"]
    cells = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    # An empty text is an empty cell.
    values: list[Any] = [None, "1899-12-31", 0, False, labels, AT.replace(tzinfo=None)]
    assert cells == [
        *([SHOWN.get(name, name), *values] for name in ODD_NAMES),
        ["Nothing is known", None, None, None, None, None, values[-1]],
    ]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_no_row_is_lost_or_moved_between_batches(
    user: dict[str, str], database_url: str, tmp_path: Path, kind: str
) -> None:
    fill(database_url)
    path = exported(user, tmp_path / f"made.{kind}", "--what", "track-audience", "--columns", "track,identifier,value")
    if kind == "csv":
        with path.open(encoding="utf-8", newline="") as file:
            rows = [(name, identifier, int(value)) for name, identifier, value in list(csv.reader(file))[1:]]
        name = disarmed(ODD_NAMES[0])
    else:
        rows = [tuple(row.values()) for row in pq.read_table(path).to_pylist()]
        name = ODD_NAMES[0]
    assert rows == [(name, f"{n:09}", (1 << 62) + n) for n in range(POINTS)]


def test_days_bound_points_and_rankings_on_both_databases(
    user: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    fill(database_url)
    for what in ("rankings", "track-audience"):
        of_day = ("--what", what, "--from", str(DAY), "--to", str(DAY))
        assert pq.read_table(exported(user, tmp_path / f"{what}.parquet", *of_day)).num_rows > 0
        later = ("--what", what, "--from", str(DAY + timedelta(days=1)))
        done = run(user, "export", SLUG, *later, "--output", tmp_path / "none.csv")
        assert (done.code, done.says(f"no {what.replace('-', ' ')} of {SLUG} from")) == (1, True), done.text
    assert not (tmp_path / "none.csv").exists()


@pytest.mark.parametrize("kind", ["xlsx", "csv", "parquet"])
def test_a_killed_export_leaves_the_good_file_and_the_next_one_clears_up(
    environ: dict[str, str], sqlite_url: str, tmp_path: Path, kind: str
) -> None:
    fill(sqlite_url)
    with closing(Warehouse(sqlite_url)) as warehouse, warehouse.write() as conn:
        for statement in MANY:
            conn.execute(text(statement), {"uuid": _uuid(0), "day": Day.number(DAY)})
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environ |= {"SOUNDCHARTS_DATABASE_URL": sqlite_url, "TMPDIR": str(temporary)}
    folder = tmp_path / "exports"
    folder.mkdir()
    good, fresh = folder / f"good.{kind}", folder / f"fresh.{kind}"
    good.write_text("good")
    for path in (good, fresh):
        process = start(environ, "export", SLUG, "--what", "track-audience", "--output", path, "--force")
        wait_for("temporary file", lambda path=path: list(folder.glob(f".{path.name}.*")))  # type: ignore[misc]
        process.kill()
        assert process.wait() == -9, "it was still at work"
        process.communicate()
    assert good.read_text() == "good"
    assert not fresh.exists()
    assert len(list(folder.glob(".*"))) == 2
    assert not list(temporary.iterdir()), "nothing lies about elsewhere"

    for path in (good, fresh):
        exported(environ, path, "--columns", "position", "--force")
    assert sorted(folder.iterdir()) == sorted([good, fresh])

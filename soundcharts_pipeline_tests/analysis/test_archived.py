"""Frames over the database and the archive alike: the same rows, whatever has been archived."""

import random
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from soundcharts_pipeline.analysis import Analysis, connect
from soundcharts_pipeline.analysis.days import NoRanking
from soundcharts_pipeline.storage.files import FileDamaged
from soundcharts_pipeline.storage.housekeeping.archive import archive, restore
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.storage.old_rows import FIRST, NOW, fill_named
from soundcharts_pipeline_tests.support.rows import merge_whole

CHART = "global-28"
APRIL, MARCH, FEBRUARY = date(2024, 4, 1), date(2024, 3, 1), date(2024, 2, 1)
Frames = Mapping[str, Callable[[Analysis], pd.DataFrame]]


def silent(_: str) -> None:
    """Nobody listens."""


def slices(number: int) -> Frames:
    """Questions for so many random slices, of series and of rankings, and for all."""
    chance = random.Random(number)
    asked: dict[str, Callable[[Analysis], pd.DataFrame]] = {
        "tracks": lambda music: music.track_audience(),
        "artists": lambda music: music.artist_audience(),
        "places": lambda music: music.geography(),
        "rankings": lambda music: music.rankings(CHART),
        "tracks of every day": lambda music: music.track_audience(first=date.min, last=date.max),
        "places of a platform": lambda music: music.geography(["artist-1"], platform="youtube"),
        "tracks of the chart": lambda music: music.track_audience(slug=CHART),
        "artists of a day": lambda music: music.artist_audience(slug=CHART, last=date(2024, 2, 20)),
    }
    for n in range(number):
        first, last = sorted(FIRST + timedelta(days=chance.randrange(-5, 90)) for _ in "ab")
        ends: Any = {"first": chance.choice([first, None]), "last": chance.choice([last, None])}
        platform = chance.choice(["spotify", "youtube", "deezer", None])
        who = chance.choice([1, 2])
        asked |= {
            f"tracks {n} {ends} {platform} {who}": partial(
                Analysis.track_audience, tracks=[f"track-{who}"], platform=platform, **ends
            ),
            f"artists {n} {ends} {platform}": partial(Analysis.artist_audience, platform=platform, **ends),
            f"rankings {n} {ends}": partial(Analysis.rankings, slug=CHART, **ends),
        }
    return asked


def answers(url: str, folder: Path, asked: Frames) -> dict[str, pd.DataFrame]:
    with connect(url, archive=folder) as music:
        return {name: ask(music) for name, ask in asked.items()}


def assert_same(found: Mapping[str, pd.DataFrame], before: Mapping[str, pd.DataFrame]) -> None:
    for name, frame in before.items():
        assert_frame_equal(found[name], frame, obj=name)


def test_frames_are_the_same_whatever_is_archived(warehouse: Warehouse, database_url: str, tmp_path: Path) -> None:
    fill_named(warehouse)
    # A total that fell, and a newer place: what a day brought is worked out over the edge of the archive.
    with warehouse.write() as conn:
        april = [("track-1", "spotify", "streams", f"id {n}", date(2024, 4, 2), n // 2, NOW) for n in range(60)]
        merge_whole(conn, s.track_audience, april)
        place = ("artist-1", "youtube", "views", date(2024, 4, 2), "FR", "", "Lyon", 3)
        merge_whole(conn, s.artist_audience_geo, [place, ("artist-2", *place[1:3], date(2024, 3, 2), *place[4:])])
    asked = slices(12)
    before = answers(database_url, tmp_path, asked)
    assert not any(frame.attrs for frame in before.values())
    assert len(before["places"]) == 2

    archive(warehouse, tmp_path, before=MARCH, now=NOW, on_progress=silent)
    halves = answers(database_url, tmp_path, asked)
    assert_same(halves, before)
    assert halves["artists"].attrs["archive"] == "48 rows of 2024-01, 2024-02 came from the archive"
    archive(warehouse, tmp_path, before=APRIL, now=NOW, on_progress=silent)
    assert_same(answers(database_url, tmp_path, asked), before)
    restore(warehouse, tmp_path, since=FEBRUARY, before=MARCH, on_progress=silent)
    assert_same(answers(database_url, tmp_path, asked), before)


def test_trends_look_back_into_the_archive(warehouse: Warehouse, database_url: str, tmp_path: Path) -> None:
    fill_named(warehouse)
    day = date(2024, 3, 10)
    asked: Frames = {"trends": lambda music: music.trends(CHART, day, days=60)}
    before = answers(database_url, tmp_path, asked)
    archive(warehouse, tmp_path, before=MARCH, now=NOW, on_progress=silent)
    found = answers(database_url, tmp_path, asked)
    assert_same(found, before)
    assert "2024-01" in found["trends"].attrs["archive"]


def test_what_the_archive_cannot_answer_is_said_with_the_way_to_it(
    sqlite_warehouse: Warehouse, sqlite_url: str, tmp_path: Path
) -> None:
    fill_named(sqlite_warehouse)
    archive(sqlite_warehouse, tmp_path, before=MARCH, now=NOW, on_progress=silent)
    with connect(sqlite_url, archive=tmp_path) as music:
        with pytest.raises(NoRanking, match=r"in the archive.*restore-archive --from 2024-02 --before 2024-03"):
            music.movers(CHART, date(2024, 2, 3))
        with pytest.raises(
            NoRanking, match=r"^global-28: the ranking of .* is in the archive.* brings the month back$"
        ):
            music.trends(CHART, date(2024, 2, 3))
        path = tmp_path / "track_audience/2024-02/part-0001.parquet"
        path.write_bytes(path.read_bytes()[:-9])
        assert len(music.track_audience(first=APRIL, platform="spotify")) == 0
        with pytest.raises(FileDamaged, match=r"2024-02/part-0001.parquet is not the file that was archived.*restore"):
            music.track_audience()
        path.unlink()
        with pytest.raises(FileDamaged, match=r"2024-02/part-0001.parquet is missing from the archive; restore"):
            music.track_audience()
    archive(sqlite_warehouse, tmp_path, before=APRIL, now=NOW, on_progress=silent)
    with (
        connect(sqlite_url, archive=tmp_path) as music,
        pytest.raises(NoRanking, match=r"of 2024-03-14 is in the arch"),
    ):
        music.movers(CHART)
    elsewhere = tmp_path / "elsewhere"
    unlisted = rf"2024-01 of track_audience .*{elsewhere}/manifest.json does not list"
    with connect(sqlite_url, archive=elsewhere) as music, pytest.raises(FileDamaged, match=unlisted):
        music.track_audience()

"""Tracks and artists of one name whose UUIDs begin and end alike: each is a line, a column and a row of its own."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import insert, update

from soundcharts_pipeline.analysis.trends import chart_trends, save_trends
from soundcharts_pipeline.orchestration.assets.pictures import (
    Pictures,
    audience_pictures,
    ranking_pictures,
    trend_pictures,
)
from soundcharts_pipeline.reports.pictures.canvas import WIDE
from soundcharts_pipeline.reports.workbook.lines import chart_lines
from soundcharts_pipeline.reports.workbook.report import Report
from soundcharts_pipeline.reports.workbook.workbook import write_workbook
from soundcharts_pipeline.storage.queries.chart_day import read_chart_day
from soundcharts_pipeline.storage.queries.geography import located_artists
from soundcharts_pipeline.storage.queries.lines import audience_lines, rank_lines, told_apart
from soundcharts_pipeline.storage.queries.summaries import audience_preview
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.analysis.held import (
    CHART,
    DAY,
    ago,
    save,
    save_artist_points,
    save_names,
    save_ranking,
    save_track_points,
)

# They differ in the middle.
TRACKS = [f"1234abcd-0000-4000-8{n}00-549f35161576" for n in range(3)]
ARTISTS = [f"ca22091a-3c00-11e9-9{n}4f-549f35141000" for n in range(3)]
LONG = "A name that is longer than what a legend has room for"


@pytest.fixture
def namesakes(warehouse: Warehouse) -> Warehouse:
    """Three tracks "Home", each by all three artists "Same Name", on two days."""
    save_names(warehouse, " ".join(TRACKS), " ".join(ARTISTS))
    with warehouse.write() as conn:
        conn.execute(update(s.tracks).values(name="Home", credit_name="Same Name"))
        conn.execute(update(s.artists).values(name="Same Name"))
        credits_ = [
            {"track_uuid": track, "artist_uuid": artist, "role": "main", "position": place}
            for track in TRACKS
            for place, artist in enumerate(ARTISTS)
        ]
        conn.execute(insert(s.track_artists), credits_)
    for number, (track, artist) in enumerate(zip(TRACKS, ARTISTS, strict=True), start=1):
        save_track_points(warehouse, track, {2: 10 * number, 1: 20 * number, 0: 40 * number})
        save_artist_points(warehouse, artist, {1: 100 * number, 0: 101 * number}, metric="monthly_listeners")
        place = {"artist_uuid": artist, "platform": "spotify", "metric": "monthly_listeners", "date": DAY}
        save(
            warehouse, s.artist_audience_geo, {**place, "country_code": "DE", "region": "", "city_name": "", "value": 1}
        )
    save_ranking(warehouse, ago(1), " ".join(TRACKS[::-1]))
    save_ranking(warehouse, DAY, " ".join(TRACKS))
    return warehouse


def test_each_has_its_line_and_its_name(namesakes: Warehouse) -> None:
    with namesakes.read() as conn:
        race = rank_lines(conn, CHART, DAY)
        [tracks] = (audience := audience_lines(conn, CHART, DAY, "track")).series
        of_tracks = audience.named(tracks, 5)
        [artists] = (audience := audience_lines(conn, CHART, DAY, "artist")).series
        of_artists = audience.named(artists, 5)
        located = [one.artist for one in located_artists(conn, CHART, DAY, "spotify")]
    assert [name for name, _ in race] == ["Home (1)", "Home (2)", "Home (3)"]
    assert [points[-1][1] for _, points in race] == [1, 2, 3]
    assert [(name, points[-1][1]) for name, points in of_tracks] == [
        ("Home (1)", 20),
        ("Home (2)", 40),
        ("Home (3)", 60),
    ]
    names = ["Same Name (1)", "Same Name (2)", "Same Name (3)"]
    assert [(name, points[-1][1]) for name, points in of_artists] == list(zip(names, (101, 202, 303), strict=True))
    assert located == names


def test_pictures_of_a_run_draw_all_three(namesakes: Warehouse) -> None:
    with namesakes.read() as conn:
        made: list[tuple[str, Pictures]] = [
            ("Home", {"race": ranking_pictures(conn, CHART, DAY)["rank_race"]}),
            ("Home", audience_pictures(conn, CHART, DAY, "track", "spotify")),
            ("Same Name", audience_pictures(conn, CHART, DAY, "artist", "spotify")),
            ("Home", {"tracks": trend_pictures(conn, CHART, DAY)["track_sparklines"]}),
        ]
    for name, pictures in made:
        for kind, picture in pictures.items():
            assert all(f"{name} ({number})" in picture.draw(WIDE) for number in (1, 2, 3)), kind


def test_previews_have_a_row_for_each_and_add_up_nothing(namesakes: Warehouse) -> None:
    with namesakes.read() as conn:
        tracks = audience_preview(conn, CHART, DAY, "track", "spotify").rows
        artists = audience_preview(conn, CHART, DAY, "artist", "spotify").rows
    assert [row[-1] for row in tracks] == [40, 80, 120]
    assert [row[-1] for row in artists] == [101, 202, 303]


@pytest.mark.parametrize("long", [False, True])
def test_a_workbook_has_a_column_and_rows_for_each(namesakes: Warehouse, tmp_path: Path, *, long: bool) -> None:
    if long:
        with namesakes.write() as conn:
            conn.execute(update(s.tracks).values(name=LONG))
    with namesakes.read() as conn:
        trends = chart_trends(conn, CHART, DAY)
    with namesakes.write() as conn:
        save_trends(conn, CHART, DAY, trends)
    with namesakes.read() as conn:
        of = read_chart_day(conn, CHART, DAY, history_days=5)
        report = Report(
            name=CHART,
            of=of,
            lines=chart_lines(conn, of),
            expected=[],
            left_out={},
            made=datetime(2026, 11, 23, tzinfo=UTC),
        )
    write_workbook(tmp_path / "made.xlsx", report)
    book: Any = load_workbook(tmp_path / "made.xlsx")
    headings = [cell.value for cell in book["Chart data"][1]]
    assert len(headings) == len(set(headings)) == 1 + 3 * 3
    for sheet, rows in (("Ranking", 3), ("Tracks", 3), ("Artists", 3), ("Audience", 6), ("Trends", 6)):
        assert book[sheet].max_row - 1 == rows, sheet


def test_names_that_are_numbered_meet_no_name_that_is_there() -> None:
    assert told_apart(["Home", "Home (1)", "Home", "Away", "Home (1)"]) == [
        *("Home (2)", "Home (1) (1)", "Home (3)", "Away", "Home (1) (2)")
    ]

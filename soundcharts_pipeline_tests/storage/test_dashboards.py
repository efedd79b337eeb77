"""What pages show of charts, tracks and artists, on both databases; every value was worked out by hand."""

import re
from typing import Any

import pytest
from sqlalchemy import event, text

from soundcharts_pipeline.models import Artist, Genre
from soundcharts_pipeline.storage.queries.chart_runs import MOST_FOUND, Hit, find_artists, find_tracks
from soundcharts_pipeline.storage.queries.geography import located
from soundcharts_pipeline.storage.queries.lines import audience_lines, rank_lines
from soundcharts_pipeline.storage.queries.profiles import TRACK_DAYS, artist_page, track_page
from soundcharts_pipeline.storage.queries.rankings import Credit, chart_ranking
from soundcharts_pipeline.storage.queries.series import audience_of
from soundcharts_pipeline.storage.queries.worklists import GONE, METADATA
from soundcharts_pipeline.storage.saves import add_tombstones, save_artists
from soundcharts_pipeline.storage.warehouse import Warehouse

from .ranked import NOW, WEEKLY, day, rank, save, track


def test_a_track_is_told_with_its_artists_genres_and_runs(warehouse: Warehouse) -> None:
    rank(warehouse, TRACK_DAYS + 1, "b", "a", chart=WEEKLY)
    rank(warehouse, TRACK_DAYS, "a", chart=WEEKLY)
    rank(warehouse, 8, "b", "c", "a", chart=WEEKLY)
    rank(warehouse, 2, "b", "a")
    rank(warehouse, 1, "a", "b")
    rank(warehouse, 1, "b", "c", chart=WEEKLY)
    save(warehouse, track("a", "x", featured=["y"]))

    with warehouse.read() as conn:
        page = track_page(conn, "a")
        assert track_page(conn, "another") is None
        stub = track_page(conn, "c")

    assert page is not None
    assert (page.track.isrc, page.track.labels, page.gone) == (
        "USUM71900764",
        [{"name": "Some Label", "type": "Major"}],
        False,
    )
    assert page.track.genres == (Genre(root="pop", subs=("art pop", "electropop")), Genre(root="rock"))
    assert page.metadata_fetched_at == NOW
    assert page.artists == (Credit("x", "Artist x", "main"), Credit("y", "Artist y", "featured"))
    runs = [(run.chart_name, run.points, run.best, run.is_on_it) for run in page.charts]
    assert runs == [
        ("Global 200", ((day(2), 2), (day(1), 1)), (day(1), 1), True),
        ("A weekly one", ((day(TRACK_DAYS), 1), (day(8), 3)), (day(TRACK_DAYS), 1), False),
    ]
    assert stub is not None
    assert (stub.track.name, stub.track.labels, stub.metadata_fetched_at) == ("Song c", [], None)


def test_an_artist_is_told_with_the_runs_of_all_tracks(warehouse: Warehouse) -> None:
    rank(warehouse, 1, "a", "b", "c")
    rank(warehouse, 1, "c", "b", chart=WEEKLY)
    save(warehouse, track("a", "x"), track("b", "y", featured=["x"]), track("c", "y"))
    artist = Artist(uuid="x", name="Artist x", country_code="NO", genres=(Genre(root="pop"),))
    with warehouse.write() as conn:
        save_artists(conn, [artist], genres=True, now=NOW)
        add_tombstones(conn, "artist", METADATA, {"x": GONE}, NOW)

    with warehouse.read() as conn:
        page = artist_page(conn, "x")
        assert artist_page(conn, "another") is None

    assert page is not None
    assert (page.artist, page.metadata_fetched_at, page.gone) == (artist, NOW, True)
    runs = [(run.track_name, run.chart_slug, run.points) for run in page.charts]
    assert runs == [
        ("Song a", "global-28", ((day(1), 1),)),
        ("Song b", "global-28", ((day(1), 2),)),
        ("Song b", "weekly", ((day(1), 2),)),
    ]
    assert page.tracks_on_charts == 2


@pytest.mark.parametrize("text", ["beyoncé", "BEYONCÉ", "yonc"])
def test_names_are_found_in_any_case_those_that_begin_so_first(warehouse: Warehouse, text: str) -> None:
    names = {"1": "Not Beyoncé", "2": "Beyoncé", "3": "100%", "4": "1000"}
    with warehouse.write() as conn:
        save_artists(conn, [Artist(uuid=uuid, name=name) for uuid, name in names.items()], genres=False, now=NOW)

    with warehouse.read() as conn:
        found = find_artists(conn, text)
        assert find_artists(conn, "0%") == [Hit("3", "100%", None)]
        assert find_artists(conn, "_") == find_tracks(conn, "beyoncé") == []

    assert [hit.name for hit in found] == (["Beyoncé", "Not Beyoncé"])


def test_a_search_that_finds_everything_is_bounded(warehouse: Warehouse) -> None:
    rank(warehouse, 1, *(f"{number:03}" for number in range(MOST_FOUND + 9)))

    with warehouse.read() as conn:
        found = find_tracks(conn, "song")

    assert len(found) == MOST_FOUND
    assert found[0] == Hit("000", "Song 000", "Some credit")


def test_no_read_of_a_page_goes_through_a_whole_table(warehouse: Warehouse) -> None:
    rank(warehouse, 2, "a", "b")
    rank(warehouse, 1, "b", "a", "c")
    save(warehouse, track("a", "x"))
    asked: list[tuple[str, Any]] = []

    with warehouse.read() as conn:
        if warehouse.dialect == "postgresql":
            # Of tables as small as these it would read the whole.
            conn.execute(text("SET LOCAL enable_seqscan = off"))

        def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_others: Any) -> None:
            asked.append((statement, parameters))

        event.listen(conn, "before_cursor_execute", note)
        chart_ranking(conn, "global-28")
        rank_lines(conn, "global-28", day(1))
        for entity in ("track", "artist"):
            audience_lines(conn, "global-28", day(1), entity)
        located(conn, "x")
        track_page(conn, "a")
        artist_page(conn, "x")
        audience_of(conn, "track", "a", ["spotify"])
        audience_of(conn, "artist", "x", ["spotify"])
        event.remove(conn, "before_cursor_execute", note)
        explain = "EXPLAIN QUERY PLAN " if warehouse.dialect == "sqlite" else "EXPLAIN "
        plans = [(query, str(conn.exec_driver_sql(explain + query, values).all())) for query, values in asked]

    assert len(plans) > 20
    # Nor through all of the past of a chart. Of what was found already, a few rows of no table.
    assert [
        query
        for query, plan in plans
        if re.search(r"'SCAN (?!newest|listed )|Seq Scan|chart_rankings_1 \(chart_slug=\? AND rank_date<", plan)
    ] == []

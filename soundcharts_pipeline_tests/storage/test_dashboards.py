"""What pages show of charts, tracks and artists, on both databases; every value was worked out by hand."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from soundcharts_pipeline.models import (
    Artist,
    ArtistRef,
    Chart,
    Genre,
    PublishedRanking,
    Ranking,
    RankingEntry,
    Track,
    TrackRef,
)
from soundcharts_pipeline.storage import schema as s
from soundcharts_pipeline.storage.dashboards import (
    MOST_FOUND,
    Credit,
    Hit,
    find_artists,
    find_tracks,
    newest_chart_ranking,
    rank_race,
    ranking_days,
)
from soundcharts_pipeline.storage.profiles import TRACK_DAYS, artist_page, track_page
from soundcharts_pipeline.storage.saves import (
    bury,
    save_artists,
    save_published,
    save_ranking,
    save_tracks,
)
from soundcharts_pipeline.storage.series import audience_of
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.storage.worklists import GONE, METADATA

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GLOBAL = Chart(slug="global-28", name="Global 200", platform="spotify", frequency="daily")
WEEKLY = Chart(slug="weekly", name="A weekly one", platform="shazam", frequency="weekly")


def day(ago: int) -> date:
    return NOW.date() - timedelta(days=ago)


def rank(warehouse: Warehouse, ago: int, *tracks: str, chart: Chart = GLOBAL, olds: Sequence[int | None] = ()) -> None:
    """Save a ranking of these tracks, the first place first."""
    entries = tuple(
        RankingEntry(
            position=position,
            track=TrackRef(uuid=name, name=f"Song {name}", credit_name="Some credit"),
            old_position=olds[position - 1] if olds else None,
            metric=1000 - position,
            time_on_chart=position,
            time_on_chart_unit="DOC",
        )
        for position, name in enumerate(tracks, 1)
    )
    ranking = Ranking(chart=chart, day=day(ago), metric_type="streams", entries=entries)
    with warehouse.write() as conn:
        save_ranking(conn, ranking, PublishedRanking(day(ago), str(day(ago))), NOW)


def track(uuid: str, *artists: str, featured: Sequence[str] = ()) -> Track:
    refs = {name: ArtistRef(uuid=name, name=f"Artist {name}") for name in (*artists, *featured)}
    return Track(
        uuid=uuid,
        name=f"Song {uuid}",
        isrc="USUM71900764",
        labels=[{"name": "Some Label", "type": "Major"}],
        composers=[],
        producers=[],
        iswcs=[],
        artists=tuple(refs.values()),
        main_artists=tuple(refs[name] for name in artists),
        featured_artists=tuple(refs[name] for name in featured),
        genres=(Genre(root="pop", subs=("art pop", "electropop")), Genre(root="rock")),
    )


def save(warehouse: Warehouse, *tracks: Track) -> None:
    with warehouse.write() as conn:
        save_tracks(conn, tracks, artists=True, genres=True, now=NOW)


def test_the_newest_ranking_is_compared_with_the_one_published_before_it(warehouse: Warehouse) -> None:
    rank(warehouse, 5, "e", "a")
    rank(warehouse, 2, "a", "b", "c", "d")
    rank(warehouse, 1, "b", "a", "c", "e", "f", olds=[9, 9, 9, 9, 9])
    save(warehouse, track("b", "x", featured=["y"]))

    with warehouse.read() as conn:
        ranking = newest_chart_ranking(conn, "global-28")

    assert ranking is not None
    assert (ranking.day, ranking.day_before, ranking.metric_type, ranking.left) == (day(1), day(2), "streams", 1)
    moves = [(p.position, p.track_uuid, p.before, p.change, p.move) for p in ranking.places]
    assert moves == [
        (1, "b", 2, 1, "up"),
        (2, "a", 1, -1, "down"),
        (3, "c", 3, 0, "same"),
        (4, "e", None, 0, "re-entry"),
        (5, "f", None, 0, "new"),
    ]
    assert [place.track_uuid for place in ranking.moved("up")] == ["b"]
    assert [place.track_uuid for place in ranking.moved("new")] == ["f"]
    first = ranking.places[0]
    assert (first.name, first.metric, first.time_on_chart, first.time_on_chart_unit) == ("Song b", 999, 1, "DOC")
    assert first.artists == (Credit("x", "Artist x", "main"), Credit("y", "Artist y", "featured"))
    assert (ranking.places[1].artists, ranking.places[1].credit_name) == ((), "Some credit")


def test_moves_are_those_of_the_api_when_the_ranking_before_is_not_stored(warehouse: Warehouse) -> None:
    rank(warehouse, 1, "a", "b", "c", olds=[3, None, 1])
    with warehouse.write() as conn:
        save_published(conn, "global-28", [PublishedRanking(day(2), "then")], NOW)

    with warehouse.read() as conn:
        ranking = newest_chart_ranking(conn, "global-28")
        assert newest_chart_ranking(conn, "another") is None

    assert ranking is not None
    assert (ranking.day_before, ranking.left) == (day(2), None)
    assert [(p.track_uuid, p.move, p.change) for p in ranking.places] == [
        ("a", "up", 2),
        ("b", "new", 0),
        ("c", "down", -2),
    ]


def test_the_race_holds_the_top_of_the_newest_ranking_over_the_last_ones(warehouse: Warehouse) -> None:
    rank(warehouse, 9, "a", "b")
    rank(warehouse, 3, "c", "a", "b")
    rank(warehouse, 2, "b", "c")
    rank(warehouse, 1, "a", "b", "d")
    rank(warehouse, 1, "b", "a", chart=WEEKLY)

    with warehouse.read() as conn:
        race = rank_race(conn, "global-28", rankings=3, tracks=2)
        assert ranking_days(conn, "global-28", 2) == [day(1), day(2)]
        assert rank_race(conn, "another") == []

    assert [(run.track_name, run.points) for run in race] == [
        ("Song a", ((day(3), 2), (day(1), 1))),
        ("Song b", ((day(3), 3), (day(2), 1), (day(1), 2))),
    ]


def test_a_ranking_that_went_to_the_archive_is_passed_over(warehouse: Warehouse) -> None:
    rank(warehouse, 2, "a")
    rank(warehouse, 1, "b")
    with warehouse.write() as conn:
        conn.execute(s.chart_rankings.delete().where(s.chart_rankings.c.rank_date == day(1)))

    with warehouse.read() as conn:
        ranking = newest_chart_ranking(conn, "global-28")

    assert ranking is not None
    assert ranking.day == day(2)


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
        bury(conn, "artist", METADATA, {"x": GONE}, NOW)

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
        newest_chart_ranking(conn, "global-28")
        rank_race(conn, "global-28")
        track_page(conn, "a")
        artist_page(conn, "x")
        audience_of(conn, "track", "a", ["spotify"])
        audience_of(conn, "artist", "x", ["spotify"])
        event.remove(conn, "before_cursor_execute", note)
        explain = "EXPLAIN QUERY PLAN " if warehouse.dialect == "sqlite" else "EXPLAIN "
        plans = [(query, str(conn.exec_driver_sql(explain + query, values).all())) for query, values in asked]

    assert len(plans) > 20
    # Nor through all of the past of a chart.
    assert [
        query
        for query, plan in plans
        if re.search(r"'SCAN|Seq Scan|chart_rankings_1 \(chart_slug=\? AND rank_date<", plan)
    ] == []

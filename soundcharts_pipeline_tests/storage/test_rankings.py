"""How tracks came to their places, on both databases; every value was worked out by hand."""

from soundcharts_pipeline.models import PublishedRanking
from soundcharts_pipeline.storage.queries.rankings import Credit, Move, chart_ranking, moves_of, ranking_days
from soundcharts_pipeline.storage.queries.summaries import ranking_preview
from soundcharts_pipeline.storage.saves import save_published
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

from .ranked import NOW, WEEKLY, day, rank, save, track


def test_moves_are_those_that_the_api_tells_with_the_ranking_before_for_what_it_leaves_out(
    warehouse: Warehouse,
) -> None:
    rank(warehouse, 5, "e", "a")
    rank(warehouse, 2, "a", "b", "c", "d")
    # Of b the place before is told otherwise than it is stored, of c the change alone, of a and d nothing.
    rank(
        warehouse,
        *(1, "b", "a", "c", "e", "f", "g", "d"),
        olds=[9, None, None, None, None, None, None],
        changes=[None, None, 5, None, None, None, None],
        times=[3, 3, 3, 1, 1, 4, 9],
    )
    rank(warehouse, 7, "f", chart=WEEKLY)

    with warehouse.read() as conn:
        moves = moves_of(conn, "global-28", day(1))
        assert moves_of(conn, "global-28", day(3)) == {}
        shown = [row[3] for row in ranking_preview(conn, "global-28", day(1)).rows]

    assert moves == {
        (1, "b"): Move("up", 9, 8),
        (2, "a"): Move("down", 1, -1),
        (3, "c"): Move("up", 8, 5),
        (4, "e"): Move("re-entry", None, None),
        (5, "f"): Move("new", None, None),
        (6, "g"): Move("re-entry", None, None),
        (7, "d"): Move("down", 4, -3),
    }
    assert shown == ["+8", "-1", "+5", "re-entry", "new", "re-entry", "-3"]


def test_a_ranking_is_told_with_its_artists_and_the_largest_moves_first(warehouse: Warehouse) -> None:
    rank(warehouse, 2, "a", "b", "c", "d", "e", "f")
    rank(warehouse, 1, "f", "c", "b", "e", "a", "g", "h")
    save(warehouse, track("b", "x", featured=["y"]))

    with warehouse.read() as conn:
        ranking = chart_ranking(conn, "global-28")
        older = chart_ranking(conn, "global-28", day(2))
        assert chart_ranking(conn, "global-28", day(3)) is None
        assert chart_ranking(conn, "another") is None

    assert ranking is not None
    assert (ranking.day, ranking.day_before, ranking.metric_type, ranking.left) == (day(1), day(2), "streams", 1)
    assert [(place.track_uuid, place.move.change) for place in ranking.moved("up")] == [("f", 5), ("c", 1), ("e", 1)]
    assert [(place.track_uuid, place.move.change) for place in ranking.moved("down")] == [("a", -4), ("b", -1)]
    assert [place.track_uuid for place in ranking.moved("new")] == ["g", "h"]
    third = ranking.places[2]
    assert (third.name, third.metric, third.time_on_chart, third.time_on_chart_unit) == ("Song b", 997, None, "DOC")
    assert third.artists == (Credit("x", "Artist x", "main"), Credit("y", "Artist y", "featured"))
    assert (ranking.places[1].artists, ranking.places[1].credit_name) == ((), "Some credit")
    assert older is not None
    assert (older.day, older.day_before, older.left) == (day(2), None, None)


def test_moves_are_those_of_the_api_when_the_ranking_before_is_not_stored(warehouse: Warehouse) -> None:
    rank(warehouse, 1, "a", "b", "c", olds=[3, None, 1])
    with warehouse.write() as conn:
        save_published(conn, "global-28", [PublishedRanking(day(2), "then")], NOW)

    with warehouse.read() as conn:
        ranking = chart_ranking(conn, "global-28")

    assert ranking is not None
    assert (ranking.day_before, ranking.left) == (day(2), None)
    assert [(place.track_uuid, place.move) for place in ranking.places] == [
        ("a", Move("up", 3, 2)),
        ("b", Move("new", None, None)),
        ("c", Move("down", 1, -2)),
    ]


def test_a_ranking_that_went_to_the_archive_is_passed_over(warehouse: Warehouse) -> None:
    rank(warehouse, 2, "a")
    rank(warehouse, 1, "b")
    with warehouse.write() as conn:
        conn.execute(s.chart_rankings.delete().where(s.chart_rankings.c.rank_date == day(1)))

    with warehouse.read() as conn:
        ranking = chart_ranking(conn, "global-28")
        assert ranking_days(conn, "global-28", 2) == [day(2)]

    assert ranking is not None
    assert ranking.day == day(2)

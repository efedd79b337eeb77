"""What pictures show: whole days only, and names that tell lines apart."""

import pytest

from soundcharts_pipeline.clock import PUBLISHING_DELAY_DAYS
from soundcharts_pipeline.storage.queries.lines import (
    RACE_RANKINGS,
    SeriesHistory,
    Shown,
    audience_lines,
    best_placed,
    rank_lines,
    week_change,
)
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

from .held import CHART, DAY, ago, save, save_artist_points, save_names, save_ranking, save_track_points


def test_tracks_that_share_a_name_are_two_lines_best_first(sqlite_warehouse: Warehouse) -> None:
    save_names(sqlite_warehouse, "a b")
    with sqlite_warehouse.write() as conn:
        conn.execute(s.tracks.update().values(name="Hello"))
    save_ranking(sqlite_warehouse, ago(1), "a b")
    save_ranking(sqlite_warehouse, DAY, "b a")
    with sqlite_warehouse.read() as conn:
        found = rank_lines(conn, CHART, DAY)
        since = rank_lines(conn, CHART, DAY, first=DAY)
    assert found == [("Hello (1)", [(ago(1), 2), (DAY, 1)]), ("Hello (2)", [(ago(1), 1), (DAY, 2)])]
    assert since == [("Hello (1)", [(DAY, 1)]), ("Hello (2)", [(DAY, 2)])]


def test_the_race_goes_over_the_last_rankings_however_far_they_are_apart(warehouse: Warehouse) -> None:
    save_names(warehouse, "a b", charts=f"{CHART} other")
    for number in range(RACE_RANKINGS + 1):
        save_ranking(warehouse, ago(7 * number), "a")
    save_ranking(warehouse, ago(1), "b a", "other")
    with warehouse.read() as conn:
        found = rank_lines(conn, CHART, DAY)
        assert rank_lines(conn, CHART, ago(1)) == []
    assert found == [("Track a", [(ago(7 * number), 1) for number in reversed(range(RACE_RANKINGS))])]


def test_totals_are_shown_as_what_days_brought_and_only_where_that_is_known(warehouse: Warehouse) -> None:
    save_names(warehouse, "a b", "x")
    save_ranking(warehouse, DAY, "b a")
    save(warehouse, s.track_artists, {"track_uuid": "b", "artist_uuid": "x", "role": "main", "position": 0})
    # One identifier is silent four days ago; one total fell yesterday.
    save_track_points(warehouse, "a", {6: 10, 5: 12, 4: 15, 3: 19, 2: 24, 1: 5, 0: 7})
    save_track_points(warehouse, "a", {6: 1, 5: 1, 3: 1, 2: 1, 1: 1, 0: 1}, identifier="other")
    save_track_points(warehouse, "b", {1: 3, 0: 9})
    save_track_points(warehouse, "b", {3: 4}, platform="airplay", metric="spins", identifier="")
    save_artist_points(warehouse, "x", {9: 5, 5: 6, 4: 4})
    with warehouse.read() as conn:
        tracks = audience_lines(conn, CHART, DAY, "track", platform="spotify")
        assert tracks.series == [
            SeriesHistory(
                "spotify",
                "streams",
                "streams a day",
                {"a": [(ago(5), 2), (ago(2), 5), (DAY, 2)], "b": [(DAY, 6)]},
            )
        ]
        assert [name for name, _ in tracks.named(tracks.series[0], 5)] == ["Track b", "Track a"]
        assert [name for name, _ in tracks.named(tracks.series[0], 1)] == ["Track b"]
        spins = SeriesHistory("airplay", "spins", "spins a day", {"b": [(ago(3), 4)]})
        assert audience_lines(conn, CHART, DAY, "track").series == [spins, *tracks.series]
        artists = audience_lines(conn, CHART, DAY, "artist", platform="spotify")
        assert artists.series == [
            SeriesHistory("spotify", "followers", "followers", {"x": [(ago(9), 5), (ago(5), 6), (ago(4), 4)]}),
        ]
        assert audience_lines(conn, CHART, DAY, "artist", days=5).series[0].points == {"x": [(ago(4), 4)]}
        assert audience_lines(conn, CHART, DAY, "track", platform="shazam").series == []


@pytest.mark.parametrize("is_late", [True, False])
def test_an_identifier_is_waited_for_as_long_as_its_values_may_be_late(warehouse: Warehouse, is_late: bool) -> None:
    went = PUBLISHING_DELAY_DAYS + (0 if is_late else 1)
    save_names(warehouse, "a")
    save_ranking(warehouse, DAY, "a")
    save_track_points(warehouse, "a", {went + 2: 10, went + 1: 11, went: 13})
    save_track_points(warehouse, "a", {went: 900, went - 1: 905, 1: 910, 0: 916}, identifier="other")
    with warehouse.read() as conn:
        (series,) = audience_lines(conn, CHART, DAY, "track").series
    known = [(ago(went + 1), 1), (ago(went), 2)]
    assert series.points == {"a": known if is_late else [*known, (ago(went - 1), 5), (DAY, 6)]}


def test_what_the_first_day_brought_is_known_from_the_day_before_it(sqlite_warehouse: Warehouse) -> None:
    save_names(sqlite_warehouse, "a")
    save_ranking(sqlite_warehouse, DAY, "a")
    save_track_points(sqlite_warehouse, "a", {3: 1, 2: 3, 1: 6, 0: 10})
    with sqlite_warehouse.read() as conn:
        (series,) = audience_lines(conn, CHART, DAY, "track", days=2).series
    assert series.points == {"a": [(ago(1), 3), (DAY, 4)]}


def test_artists_stand_at_their_best_position_and_namesakes_are_told_apart(warehouse: Warehouse) -> None:
    save_names(warehouse, "a b", "x y")
    with warehouse.write() as conn:
        conn.execute(s.artists.update().values(name="Hello"))
    save_ranking(warehouse, DAY, "a b")
    links = [("a", "y", "main"), ("b", "x", "main"), ("b", "y", "featured")]
    rows = [{"track_uuid": t, "artist_uuid": a, "role": r, "position": 0} for t, a, r in links]
    save(warehouse, s.track_artists, *rows)
    with warehouse.read() as conn:
        assert best_placed(conn, CHART, DAY, "artist") == [Shown(1, "y", "Hello (1)"), Shown(2, "x", "Hello (2)")]
        assert best_placed(conn, CHART, ago(1), "artist") == []


def test_a_week_is_seven_days_or_one_or_two_more_as_for_a_trend() -> None:
    assert week_change([(ago(9), 1), (ago(7), 2), (DAY, 10)]) == 8
    assert week_change([(ago(9), 1), (ago(6), 2), (DAY, 10)]) == 9
    assert week_change([(ago(10), 1), (ago(6), 2), (DAY, 10)]) is None

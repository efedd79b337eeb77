"""What pictures show: whole days only, and names that tell lines apart."""

from soundcharts_pipeline.storage import schema as s
from soundcharts_pipeline.storage.lines import rank_lines, series_lines
from soundcharts_pipeline.storage.warehouse import Warehouse

from .held import CHART, DAY, ago, save, save_artist_points, save_names, save_ranking, save_track_points


def test_tracks_that_share_a_name_are_two_lines_best_first(sqlite_warehouse: Warehouse) -> None:
    save_names(sqlite_warehouse, "a b")
    with sqlite_warehouse.write() as conn:
        conn.execute(s.tracks.update().values(name="Hello"))
    save_ranking(sqlite_warehouse, ago(1), "a b")
    save_ranking(sqlite_warehouse, DAY, "b a")
    save_ranking(sqlite_warehouse, ago(40), "a")
    with sqlite_warehouse.read() as conn:
        found = rank_lines(conn, CHART, DAY)
    assert list(found.items()) == [
        ("Hello (b)", [(ago(1), 2), (DAY, 1)]),
        ("Hello (a)", [(ago(1), 1), (DAY, 2)]),
    ]


def test_totals_are_shown_as_what_days_brought_and_only_where_that_is_known(warehouse: Warehouse) -> None:
    save_names(warehouse, "a b", "x")
    save_ranking(warehouse, DAY, "b a")
    save(warehouse, s.track_artists, {"track_uuid": "b", "artist_uuid": "x", "role": "main", "position": 0})
    # One identifier is silent four days ago; one total fell yesterday.
    save_track_points(warehouse, "a", {6: 10, 5: 12, 4: 15, 3: 19, 2: 24, 1: 5, 0: 7})
    save_track_points(warehouse, "a", {6: 1, 5: 1, 3: 1, 2: 1, 1: 1, 0: 1}, identifier="other")
    save_track_points(warehouse, "b", {1: 3, 0: 9})
    save_track_points(warehouse, "b", {3: 4}, platform="airplay", metric="spins", identifier="")
    save_artist_points(warehouse, "x", {9: 5, 4: 4})
    with warehouse.read() as conn:
        assert list(series_lines(conn, CHART, DAY, "track", "spotify")["streams a day"].items()) == [
            ("Track b", [(DAY, 6)]),
            ("Track a", [(ago(5), 2), (ago(2), 5), (DAY, 2)]),
        ]
        assert series_lines(conn, CHART, DAY, "track", "airplay") == {"spins a day": {"Track b": [(ago(3), 4)]}}
        levels = {"followers": {"Artist x": [(ago(9), 5), (ago(4), 4)]}}
        assert series_lines(conn, CHART, DAY, "artist", "spotify") == levels
        assert series_lines(conn, CHART, DAY, "track", "shazam") == {}

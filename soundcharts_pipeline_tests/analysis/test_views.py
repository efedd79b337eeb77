"""The views: the rows that hand and eye would write down, on both databases, under names that stay."""

from datetime import date, timedelta

import pytest
from sqlalchemy import inspect, select, text

from soundcharts_pipeline.storage.tables import audience_views as a
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.tables import views as v
from soundcharts_pipeline.storage.tables.view_sql import View
from soundcharts_pipeline.storage.warehouse import Warehouse

from .held import CHART, DAY, NOW, ago, save, save_artist_points, save_names, save_ranking, save_track_points


def rows_of(warehouse: Warehouse, view: View, *columns: str) -> list[tuple[object, ...]]:
    """The columns, by all of them."""
    chosen = [view.table.c[name] for name in columns]
    with warehouse.read() as conn:
        return [tuple(row) for row in conn.execute(select(*chosen).order_by(*chosen))]


def test_the_views_of_a_database_are_those_written_down(warehouse: Warehouse) -> None:
    with warehouse.read() as conn:
        found = {name: [c["name"] for c in inspect(conn).get_columns(name)] for name in inspect(conn).get_view_names()}
        for view in v.VIEWS:
            assert conn.execute(select(view.table)).all() == [], view.table.name
    assert found == {view.table.name: [column.name for column in view.table.columns] for view in v.VIEWS}
    assert set(found) == {
        *("track_audience", "artist_audience", "artist_audience_geo"),
        *("track_audience_daily", "artist_audience_daily", "chart_history", "current_charts", "track_overview"),
        *("artist_overview", "audience_latest", "coverage_gaps", "artist_audience_geo_latest"),
    }


def test_postgresql_says_what_views_and_columns_mean(postgres_url: str) -> None:
    warehouse = Warehouse(postgres_url)
    with warehouse.read() as conn:
        for view in v.VIEWS:
            name = view.table.name
            assert conn.scalar(text(f"SELECT obj_description('{name}'::regclass)")) == view.table.comment
            said = {column["name"]: column["comment"] for column in inspect(conn).get_columns(name)}
            assert said == {column.name: column.comment for column in view.table.columns}
    warehouse.close()


def test_a_day_brings_what_the_total_grew_by_and_says_how_many_days_that_took(warehouse: Warehouse) -> None:
    save_names(warehouse, "a")
    # Six days ago nothing is known; three days ago the platform counted anew.
    save_track_points(warehouse, "a", {8: 100, 7: 130, 5: 190, 4: 190, 3: 20, 2: 25})
    save_track_points(warehouse, "a", {8: 5, 7: 6}, identifier="other")
    save_track_points(warehouse, "a", {3: 7, 1: 4}, platform="airplay", metric="spins", identifier="")
    found = rows_of(warehouse, a.track_audience_daily, "platform", "identifier", "date", "value", "days", "daily")
    assert found == [
        ("airplay", "", ago(3), 7, 1, 7),
        ("airplay", "", ago(1), 4, 1, 4),
        ("spotify", "id", ago(8), 100, None, None),
        ("spotify", "id", ago(7), 130, 1, 30),
        ("spotify", "id", ago(5), 190, 2, 60),
        ("spotify", "id", ago(4), 190, 1, 0),
        ("spotify", "id", ago(3), 20, 1, None),
        ("spotify", "id", ago(2), 25, 1, 5),
        ("spotify", "other", ago(8), 5, None, None),
        ("spotify", "other", ago(7), 6, 1, 1),
    ]


def test_an_artists_level_may_fall_and_views_are_counts_of_a_day(warehouse: Warehouse) -> None:
    save_names(warehouse, "a", "x")
    save_artist_points(warehouse, "x", {9: 50, 7: 40, 6: 45})
    save_artist_points(warehouse, "x", {9: 50, 7: 40}, platform="youtube", metric="views")
    assert rows_of(warehouse, a.artist_audience_daily, "platform", "date", "value", "days", "daily") == [
        ("spotify", ago(9), 50, None, None),
        ("spotify", ago(7), 40, 2, -10),
        ("spotify", ago(6), 45, 1, 5),
        ("youtube", ago(9), 50, 1, 50),
        ("youtube", ago(7), 40, 1, 40),
    ]


def test_the_latest_value_is_that_of_each_series(warehouse: Warehouse) -> None:
    save_names(warehouse, "a", "x")
    save_track_points(warehouse, "a", {3: 10, 1: 12})
    save_track_points(warehouse, "a", {3: 1}, identifier="other")
    save_artist_points(warehouse, "x", {5: 7, 4: 6})
    assert rows_of(warehouse, a.audience_latest, "entity", "uuid", "identifier", "date", "value") == [
        ("artist", "x", "", ago(4), 6),
        ("track", "a", "id", ago(1), 12),
        ("track", "a", "other", ago(3), 1),
    ]


def test_gaps_are_missing_days_between_points_and_published_rankings_that_are_not_here(warehouse: Warehouse) -> None:
    save_names(warehouse, "a", "x")
    save_track_points(warehouse, "a", {9: 1, 6: 2, 5: 3})
    save_track_points(warehouse, "a", {9: 1, 5: 2}, platform="airplay", metric="spins", identifier="")
    save_artist_points(warehouse, "x", {4: 1, 2: 2, 1: 2})
    day = {"chart_slug": CHART, "checked_at": NOW}
    save(
        warehouse,
        s.ranking_days,
        {**day, "rank_date": ago(3), "published_at": "2026-11-19T12:00:00+00:00", "saved_at": None},
        {**day, "rank_date": ago(2), "published_at": "2026-11-20T12:00:00+00:00", "saved_at": NOW},
        {**day, "rank_date": ago(1), "published_at": None, "saved_at": None},
    )
    columns = ("entity", "id", "platform", "metric", "first_day", "last_day", "days")
    assert rows_of(warehouse, a.coverage_gaps, *columns) == [
        ("artist", "x", "spotify", "followers", ago(3), ago(3), 1),
        ("chart", CHART, "spotify", "ranking", ago(3), ago(3), 1),
        ("track", "a", "spotify", "streams", ago(8), ago(7), 2),
    ]


def test_charts_have_names_and_the_current_one_its_past(warehouse: Warehouse) -> None:
    save_names(warehouse, "a b c", charts="chart-1 chart-2")
    save_ranking(warehouse, ago(2), "a b")
    save_ranking(warehouse, ago(1), "b c a")
    save_ranking(warehouse, ago(5), "c", "chart-2")
    columns = ("chart_slug", "rank_date", "position", "track")
    assert rows_of(warehouse, v.chart_history, *columns) == [
        (CHART, ago(2), 1, "Track a"),
        (CHART, ago(2), 2, "Track b"),
        (CHART, ago(1), 1, "Track b"),
        (CHART, ago(1), 2, "Track c"),
        (CHART, ago(1), 3, "Track a"),
        ("chart-2", ago(5), 1, "Track c"),
    ]
    assert rows_of(warehouse, v.current_charts, *columns, "peak_position", "days_ranked", "first_ranked") == [
        (CHART, ago(1), 1, "Track b", 1, 2, ago(2)),
        (CHART, ago(1), 2, "Track c", 2, 1, ago(1)),
        (CHART, ago(1), 3, "Track a", 1, 2, ago(2)),
        ("chart-2", ago(5), 1, "Track c", 1, 1, ago(5)),
    ]


def test_overviews_have_one_row_each_also_of_those_never_ranked(warehouse: Warehouse) -> None:
    save_names(warehouse, "a b", "x y", charts="chart-1 chart-2")
    save_ranking(warehouse, ago(9), "b a")
    save_ranking(warehouse, ago(8), "a", "chart-2")
    save_track_points(warehouse, "a", {4: 1, 3: 2})
    save_artist_points(warehouse, "x", {2: 2})
    roles = [("main", 0), ("credited", 0)]
    credits_ = [{"track_uuid": t, "artist_uuid": "x", "role": r, "position": p} for t in "ab" for r, p in roles]
    save(warehouse, s.track_artists, *credits_)
    columns = ("charts", "best_position", "first_ranked", "last_ranked", "latest_point")
    assert rows_of(warehouse, v.track_overview, "name", *columns) == [
        ("Track a", 2, 1, ago(9), ago(8), ago(3)),
        ("Track b", 1, 1, ago(9), ago(9), None),
    ]
    assert rows_of(warehouse, v.artist_overview, "name", "tracks", *columns) == [
        ("Artist x", 2, 2, 1, ago(9), ago(8), ago(2)),
        ("Artist y", 0, 0, None, None, None, None),
    ]


def test_places_are_those_of_the_newest_located_day_of_each_series(warehouse: Warehouse) -> None:
    save_names(warehouse, "a", "x")
    place = {"artist_uuid": "x", "platform": "spotify", "metric": "monthly_listeners", "region": ""}
    save(
        warehouse,
        s.artist_audience_geo,
        {**place, "date": ago(9), "country_code": "DE", "city_name": "Berlin", "value": 3},
        {**place, "date": ago(2), "country_code": "FR", "city_name": "", "value": 5},
        {**place, "date": ago(2), "country_code": "FR", "city_name": "Paris", "value": 5},
        {**place, "date": ago(9), "country_code": "DE", "city_name": "", "value": 4, "platform": "tiktok"},
    )
    assert rows_of(
        warehouse, a.artist_audience_geo_latest, "platform", "date", "country_code", "city_name", "value"
    ) == [
        ("spotify", ago(2), "FR", "", 5),
        ("spotify", ago(2), "FR", "Paris", 5),
        ("tiktok", ago(9), "DE", "", 4),
    ]


@pytest.mark.parametrize(
    "view", [view for view in v.VIEWS if "chart" not in view.table.name], ids=lambda w: w.table.name
)
def test_a_question_for_the_tracks_of_a_chart_reads_no_table_whole(sqlite_warehouse: Warehouse, view: View) -> None:
    named = next(column.name for column in view.table.columns if column.name != "entity")
    tracks = "SELECT track_uuid FROM current_charts WHERE chart_slug = 'x'"
    query = f"SELECT * FROM {view.table.name} WHERE {named} IN ({tracks})"
    with sqlite_warehouse.read() as conn:
        steps = [row[3] for row in conn.execute(text(f"EXPLAIN QUERY PLAN {query}"))]
    # Of what was found already, a few rows of no table.
    found = ("SCAN newest", "SCAN listed VIRTUAL TABLE")
    assert [step for step in steps if step.startswith("SCAN") and not step.startswith(found)] == []


def test_a_day_is_a_date_in_every_view(sqlite_warehouse: Warehouse) -> None:
    save_names(sqlite_warehouse, "a")
    save_track_points(sqlite_warehouse, "a", {3: 1, 1: 2})
    assert rows_of(sqlite_warehouse, a.coverage_gaps, "first_day") == [(DAY - timedelta(days=2),)]
    assert isinstance(rows_of(sqlite_warehouse, a.audience_latest, "date")[0][0], date)


def test_the_past_of_each_place_of_a_chart_is_read_of_its_track_alone(sqlite_warehouse: Warehouse) -> None:
    with sqlite_warehouse.read() as conn:
        query = "SELECT * FROM current_charts WHERE chart_slug = 'c'"
        steps = [row[3] for row in conn.execute(text(f"EXPLAIN QUERY PLAN {query}"))]
    # The newest day is the one question to the chart as a whole, and the end of its key answers it.
    assert sum("(track_uuid=? AND chart_slug=?)" in step for step in steps) == 3, steps

"""The door: frames with the rows that were saved, on both databases, and nothing but looked at."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from soundcharts_pipeline.analysis import Analysis, connect
from soundcharts_pipeline.analysis.days import NoRanking
from soundcharts_pipeline.analysis.trends import all_trends, chart_trends, save_trends
from soundcharts_pipeline.config.settings import SettingsError
from soundcharts_pipeline.storage.errors import SchemaMismatch, StorageError, StorageUnavailable
from soundcharts_pipeline.storage.queries.rankings import chart_ranking
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

from .held import CHART, DAY, ago, save, save_artist_points, save_listed, save_names, save_ranking, save_track_points


@pytest.fixture
def music(warehouse: Warehouse, database_url: str) -> Iterator[Analysis]:
    """The door to the test's warehouse, which has its tables."""
    warehouse.prepare()
    with connect(database_url) as music:
        yield music


def listed(frame: pd.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    """The rows as plain values; None for what is missing."""
    plain = [[None if pd.isna(value) else value for value in frame[name].tolist()] for name in columns]
    days = [[v.date() if isinstance(v, pd.Timestamp) else v for v in column] for column in plain]
    return list(zip(*days, strict=True))


def test_frames_have_typed_columns_also_when_they_are_empty(warehouse: Warehouse, music: Analysis) -> None:
    empty = music.track_audience()
    assert empty.empty
    save_names(warehouse, "a b", "x")
    save_ranking(warehouse, DAY, "a b")
    save_track_points(warehouse, "a", {1: 10, 0: 3_000_000_000})
    filled = music.track_audience()
    assert {name: str(kind) for name, kind in empty.dtypes.items()} == {n: str(k) for n, k in filled.dtypes.items()}
    assert {name: str(filled[name].dtype) for name in ("track", "date", "value", "daily")} == {
        "track": "str",
        "date": "datetime64[s]",
        "value": "Int64",
        "daily": "Int64",
    }
    assert listed(filled, "track", "date", "value", "days", "daily") == [
        ("Track a", ago(1), 10, None, None),
        ("Track a", DAY, 3_000_000_000, 1, 2_999_999_990),
    ]


def test_points_are_chosen_by_track_chart_platform_and_day(warehouse: Warehouse, music: Analysis) -> None:
    save_names(warehouse, "a b", "x y")
    save_ranking(warehouse, ago(5), "a")
    save_ranking(warehouse, DAY, "b")
    save(warehouse, s.track_artists, {"track_uuid": "b", "artist_uuid": "x", "role": "main", "position": 0})
    for track in "ab":
        save_track_points(warehouse, track, {3: 1, 2: 2})
        save_track_points(warehouse, track, {3: 5}, platform="shazam", metric="shazams")
    save_artist_points(warehouse, "x", {3: 4})
    save_artist_points(warehouse, "y", {3: 4})
    assert set(music.track_audience(slug=CHART)["track_uuid"]) == {"b"}
    assert set(music.track_audience(slug=CHART, last=ago(1))["track_uuid"]) == {"a"}
    assert set(music.artist_audience(slug=CHART)["artist"]) == {"Artist x"}
    assert set(music.artist_audience(["y"])["artist"]) == {"Artist y"}
    chosen = music.track_audience(["a"], platform="spotify", first=ago(2), last=ago(2))
    # The day before is outside, and still says what the day brought.
    assert listed(chosen, "date", "value", "daily") == [(ago(2), 2, 1)]


def test_movers_tell_who_came_who_came_back_and_who_left(warehouse: Warehouse, music: Analysis) -> None:
    save_names(warehouse, "a b c d e")
    save_ranking(warehouse, ago(3), "c a")
    save_ranking(warehouse, ago(1), "a b e")
    fields = {
        "a": {"old_position": 1, "position_change": -1, "time_on_chart": 15, "time_on_chart_unit": "DOC"},
        "b": {"old_position": 2, "position_change": 1, "time_on_chart": 3, "time_on_chart_unit": "WOC"},
    }
    save_ranking(warehouse, DAY, "b a c d", fields=fields)
    found = music.movers(CHART)
    columns = ("position", "track", "movement", "change", "peak_position", "days_ranked", "first_ranked")
    assert listed(found, *columns, "weeks_on_chart") == [
        (1, "Track b", "up", 1, 1, 2, ago(1), 3),
        (2, "Track a", "down", -1, 1, 3, ago(3), 3),
        (3, "Track c", "re-entry", None, 1, 2, ago(3), None),
        (4, "Track d", "new", None, 4, 1, DAY, None),
        (None, "Track e", "out", None, 3, 1, ago(1), None),
    ]
    assert set(listed(found, "previous_day", "rank_date")) == {(ago(1), DAY)}
    first = music.movers(CHART, ago(3))
    assert listed(first, "track", "movement", "previous_day") == [("Track c", "new", None), ("Track a", "new", None)]


def test_movers_tell_what_pages_tell(warehouse: Warehouse, music: Analysis) -> None:
    save_names(warehouse, "a b c d e")
    save_ranking(warehouse, ago(5), "e a")
    save_ranking(warehouse, ago(4), "a c d d e", places=(1, 2, 3, 4, 5))
    save_ranking(warehouse, ago(3), "b a a", places=(1, 2, 5))
    # Published, and not stored.
    save_listed(warehouse, CHART, ago(2), "then")
    save_ranking(warehouse, ago(1), "b a c")
    for day, left in ((ago(5), None), (ago(4), 0), (ago(3), 3), (ago(1), None)):
        with music.read() as conn:
            page = chart_ranking(conn, CHART, day)
        assert page is not None
        assert page.left == left
        found = music.movers(CHART, day)
        stays = found[found["movement"] != "out"]
        told = [(place.position, place.track_uuid, *place.move) for place in page.places]
        assert listed(stays, "position", "track_uuid", "movement", "old_position", "change") == told
        assert set(listed(found, "previous_day")) == {(page.day_before,)}
        assert len(found) - len(stays) == (left or 0)
    out = music.movers(CHART, ago(3)).query("movement == 'out'")
    # Of two positions that it left, the best.
    assert listed(out, "track_uuid", "old_position") == [("c", 2), ("d", 3), ("e", 5)]
    assert listed(music.movers(CHART, ago(1)), "track_uuid", "movement") == [
        ("b", "re-entry"),
        ("a", "re-entry"),
        ("c", "re-entry"),
    ]


def test_a_track_on_two_positions_is_one_track(warehouse: Warehouse, music: Analysis) -> None:
    save_names(warehouse, "a b", "x", charts="chart-1 chart-2")
    for slug in ("chart-1", "chart-2"):
        save_ranking(warehouse, DAY, "b a a", slug, places=(1, 2, 3), fields={"a": {"metric": 5}})
    credits_ = [{"track_uuid": track, "artist_uuid": "x", "role": "main", "position": 0} for track in "ab"]
    save(warehouse, s.track_artists, *credits_)
    assert listed(music.presence(CHART), "track_uuid", "chart_slug", "position") == [
        *(("a", "chart-1", 2), ("a", "chart-2", 2)),
        *(("b", "chart-1", 1), ("b", "chart-2", 1)),
    ]
    of_artists = music.artists(CHART)
    assert listed(of_artists, "tracks", "best_position", "metric", "tracks_with_metric") == [(2, 1, 10, 1)]


def test_shares_add_up_and_a_track_of_two_genres_counts_half_for_each(warehouse: Warehouse, music: Analysis) -> None:
    save_names(warehouse, "a b c d", "x y")
    save_ranking(warehouse, DAY, "a b c d")
    with warehouse.write() as conn:
        genres = [{"id": 1, "root": "pop", "name": ""}, {"id": 2, "root": "pop", "name": "k"}]
        conn.execute(insert(s.genres), [*genres, {"id": 3, "root": "rock", "name": ""}])
        of_tracks = [("a", 1), ("a", 2), ("b", 1), ("b", 3), ("c", 3)]
        conn.execute(insert(s.track_genres), [{"track_uuid": t, "genre_id": g} for t, g in of_tracks])
        conn.execute(s.artists.update().where(s.artists.c.uuid == "x").values(country_code="DE"))
        roles = [("a", "x", "main"), ("a", "y", "featured"), ("b", "x", "credited"), ("c", "y", "main")]
        conn.execute(
            insert(s.track_artists),
            [{"track_uuid": t, "artist_uuid": a, "role": r, "position": 0} for t, a, r in roles],
        )
    assert listed(music.genre_shares(CHART), "genre", "tracks", "share") == [
        ("pop", 2, 0.375),
        ("rock", 2, 0.375),
        (None, 1, 0.25),
    ]
    assert listed(music.country_shares(CHART), "country", "tracks", "share") == [(None, 3, 0.75), ("DE", 1, 0.25)]
    assert listed(music.artists(CHART), "artist", "tracks", "best_position") == [("Artist x", 2, 1), ("Artist y", 2, 1)]


def test_presence_takes_every_chart_by_its_newest_ranking_up_to_the_day(warehouse: Warehouse, music: Analysis) -> None:
    save_names(warehouse, "a b", charts="chart-1 chart-2")
    save_ranking(warehouse, ago(1), "a b")
    save_ranking(warehouse, ago(9), "b a", "chart-2")
    save_ranking(warehouse, ago(2), "b", "chart-2")
    save_ranking(warehouse, DAY, "a", "chart-2")
    assert listed(music.presence(CHART), "track", "chart_slug", "rank_date", "position") == [
        ("Track a", CHART, ago(1), 1),
        ("Track b", "chart-2", ago(2), 1),
        ("Track b", CHART, ago(1), 2),
    ]


def test_places_come_with_the_artists_name(warehouse: Warehouse, music: Analysis) -> None:
    save_names(warehouse, "a", "x")
    place = {"artist_uuid": "x", "platform": "spotify", "metric": "monthly_listeners", "region": "", "date": ago(2)}
    save(warehouse, s.artist_audience_geo, {**place, "country_code": "FR", "city_name": "Paris", "value": 5})
    assert listed(music.geography(["x"], platform="spotify"), "artist", "city_name", "value") == [
        ("Artist x", "Paris", 5)
    ]
    assert music.geography(platform="tiktok").empty


def test_trends_are_computed_as_they_are_saved(warehouse: Warehouse, music: Analysis) -> None:
    save_names(warehouse, "a b", "x")
    save_ranking(warehouse, DAY, "a")
    save(warehouse, s.track_artists, {"track_uuid": "a", "artist_uuid": "x", "role": "main", "position": 0})
    save_track_points(warehouse, "a", {0: 30, 1: 20, 7: 10})
    save_track_points(warehouse, "a", {0: 5, 1: 4}, identifier="other")
    save_track_points(warehouse, "a", {2: 7}, platform="airplay", metric="spins", identifier="")
    save_track_points(warehouse, "b", {0: 1})
    save_artist_points(warehouse, "x", {1: 40, 8: 50})
    found = music.trends(CHART)
    columns = ("entity", "uuid", "platform", "metric", "date", "value", "points", "identifiers")
    figures = ("difference_1", "difference_7", "change_7", "daily", "peak", "peak_date", "anomaly")
    rows = [
        ("track", "a", "airplay", "spins", ago(2), 7, 1, 1, None, None, None, 7, 7, ago(2), None),
        ("track", "a", "spotify", "streams", DAY, 35, 2, 2, 11, None, None, 11, 35, DAY, None),
        ("artist", "x", "spotify", "followers", ago(1), 40, 2, 1, None, -10, -0.2, None, 50, ago(8), None),
    ]
    assert listed(found, *columns, *figures) == rows
    assert listed(found, "name") == [("Track a",), ("Track a",), ("Artist x",)]
    with warehouse.write() as conn:
        assert save_trends(conn, CHART, DAY, chart_trends(conn, CHART, DAY)) == 3
    t = s.audience_trends
    with warehouse.read() as conn:
        stored = conn.execute(select(*(t.c[name] for name in (*columns, *figures))).order_by(t.c.entity.desc())).all()
        assert sorted(map(tuple, stored), key=repr) == sorted(rows, key=repr)
        everything = [uuid for part in all_trends(conn, DAY) for uuid in part["uuid"]]
    assert sorted(everything) == ["a", "a", "b", "x"]
    save_track_points(warehouse, "a", {8: 10}, platform="shazam", metric="shazams")
    with warehouse.write() as conn:
        # Once saved, rows that stay the same are left alone.
        assert save_trends(conn, CHART, DAY, chart_trends(conn, CHART, DAY)) == 1
        assert save_trends(conn, CHART, ago(3), chart_trends(conn, CHART, ago(3))) == 0


def test_a_shorter_range_changes_what_looks_back_and_no_comparison(warehouse: Warehouse, music: Analysis) -> None:
    save_names(warehouse, "a")
    save_ranking(warehouse, DAY, "a")
    save_track_points(warehouse, "a", {0: 30, 1: 20, 28: 10, 200: 5})
    columns = ("points", "difference_28")
    assert [listed(music.trends(CHART, days=days), *columns) for days in (7, 90, 365)] == [
        [(2, 20)],
        [(3, 20)],
        [(4, 20)],
    ]


def test_a_chart_without_a_ranking_is_told_with_one_that_has(warehouse: Warehouse, music: Analysis) -> None:
    save_names(warehouse, "a")
    save_ranking(warehouse, DAY, "a")
    with pytest.raises(NoRanking, match="no ranking of 'chart-9' is stored; write 'chart-1'"):
        music.movers("chart-9")
    with pytest.raises(NoRanking, match=f"sync {CHART} --date {ago(1)}"):
        music.trends(CHART, ago(1))


def test_the_door_cannot_write(music: Analysis) -> None:
    with pytest.raises((DBAPIError, StorageError)), music.read() as conn:
        conn.execute(text("DELETE FROM charts"))


def test_a_database_that_is_not_there_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "music.db"
    with pytest.raises(StorageUnavailable, match=f"there is no SQLite database {path}; .*soundcharts-pipeline sync"):
        connect(f"sqlite:///{path}")
    assert not path.parent.exists()


def test_a_database_of_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(b"")
    with pytest.raises(SchemaMismatch, match="has no tables of soundcharts-pipeline"):
        connect(f"sqlite:///{path}")
    assert path.read_bytes() == b""
    assert [file.name for file in tmp_path.iterdir()] == ["other.db"]


def test_a_database_of_an_older_version_is_told_how_it_gets_up_to_date(warehouse: Warehouse, database_url: str) -> None:
    with warehouse.write() as conn:
        conn.execute(text("UPDATE soundcharts_schema_version SET version_num = '0006'"))
    with pytest.raises(SchemaMismatch, match=r"revision 0006, and reading needs revision .*sync. brings it up to date"):
        connect(database_url)


def test_without_a_url_the_environment_says_where(
    sqlite_warehouse: Warehouse, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_names(sqlite_warehouse, "a")
    save_ranking(sqlite_warehouse, DAY, "a")
    monkeypatch.setenv("SOUNDCHARTS_DATABASE_URL", sqlite_url)
    with connect() as music:
        assert listed(music.rankings(CHART, DAY, DAY), "position", "track") == [(1, "Track a")]


@pytest.mark.parametrize("scheme", ["postgresql+psycopg2", "postgresql", "postgres"])
def test_a_url_of_postgresql_is_taken_as_people_write_it(postgres_url: str, scheme: str) -> None:
    with closing(Warehouse(postgres_url)) as warehouse:
        save_names(warehouse, "a")
        save_ranking(warehouse, DAY, "a")
    with connect(postgres_url.replace("postgresql+psycopg2", scheme)) as music:
        assert len(music.rankings(CHART)) == 1


def test_a_url_that_is_none_is_refused_without_its_password() -> None:
    for url in ("postgresql://me:se@cret@host/music", "mysql://me:secret@host/music", "music.db", ""):
        with pytest.raises(SettingsError) as refused:
            connect(url)
        assert "cret" not in str(refused.value)

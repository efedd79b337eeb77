"""Merging: whole rows in, whole rows out, and a repeat changes nothing."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from soundcharts_pipeline.storage.bulk import WORTH_A_LOOK, insert_missing, merge, replace_slice
from soundcharts_pipeline.storage.bulk_copy import CHUNK
from soundcharts_pipeline.storage.errors import RowsLost
from soundcharts_pipeline.storage.points import merge_audience
from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables.bookkeeping import api_usage, facts
from soundcharts_pipeline.storage.tables.schema import artists, chart_rankings, genres, track_audience, track_genres
from soundcharts_pipeline.storage.warehouse import Warehouse

from .rows import FACTS, MONDAY, TUESDAY, Row, points, save_points, stored


def test_new_rows_are_inserted_whole(warehouse: Warehouse) -> None:
    assert save_points(warehouse, points(10, 20, 30)) == 3
    assert stored(warehouse, track_audience) == points(10, 20, 30)


def test_a_repeat_changes_no_row_not_even_its_fetched_at(warehouse: Warehouse) -> None:
    save_points(warehouse, points(10, 20, 30))
    assert save_points(warehouse, points(10, 20, 30, fetched_at=TUESDAY)) == 0
    assert stored(warehouse, track_audience) == points(10, 20, 30)


def test_only_rows_that_differ_are_updated(warehouse: Warehouse) -> None:
    save_points(warehouse, points(10, 20, 30))
    later = points(10, 21, 30, 40, fetched_at=TUESDAY)
    assert save_points(warehouse, later) == 2
    assert stored(warehouse, track_audience) == [
        points(10)[0],
        later[1],
        points(10, 20, 30)[2],
        later[3],
    ]


def test_a_row_that_comes_twice_is_one(warehouse: Warehouse) -> None:
    save_points(warehouse, [*points(1, 2), *points(1), *points(1)])
    assert stored(warehouse, track_audience) == points(1, 2)


@pytest.mark.parametrize("others", [0, WORTH_A_LOOK])
def test_two_rows_that_have_one_key_and_differ_are_refused_and_nothing_is_saved(
    warehouse: Warehouse, others: int
) -> None:
    more = [(f"track {n}", "spotify", "streams", "", date(2026, 11, 1), n, MONDAY) for n in range(others)]
    with pytest.raises(RowsLost, match="two rows for points have the same series_id, day"):
        save_points(warehouse, [*points(1), *more, *points(2)])
    # To the database they are one key: it holds no NUL.
    twins = [(*points(n)[0][:3], identifier, *points(n)[0][4:]) for n, identifier in ((1, "a"), (2, "a\0"))]
    with pytest.raises(RowsLost):
        save_points(warehouse, twins)
    assert stored(warehouse, track_audience) == []


def test_a_batch_larger_than_a_chunk_is_saved_whole(warehouse: Warehouse) -> None:
    rows = [(f"track-{n}", "spotify", "streams", "", date(2026, 11, 1), n, MONDAY) for n in range(CHUNK + 5)]
    assert save_points(warehouse, rows) == CHUNK + 5
    assert stored(warehouse, track_audience) == sorted(rows)


@pytest.mark.parametrize("there", [1, 2, WORTH_A_LOOK, 2 * WORTH_A_LOOK])
def test_one_stored_row_among_many_new_ones_is_updated(warehouse: Warehouse, there: int) -> None:
    new = [(f"track-{n:05}", "spotify", "streams", "", date(2026, 11, 1), n, TUESDAY) for n in range(WORTH_A_LOOK * 2)]
    old = (*new[there - 1][:5], -1, MONDAY)
    save_points(warehouse, [old])
    assert save_points(warehouse, new) == len(new)
    assert stored(warehouse, track_audience) == new
    assert save_points(warehouse, [*new[:-1], (*new[-1][:5], -2, MONDAY)]) == 1


def test_many_rows_of_another_unique_rule_are_refused_as_the_mistake_they_are(warehouse: Warehouse) -> None:
    twice = [(n, "pop", "") for n in range(WORTH_A_LOOK)]
    with pytest.raises(IntegrityError), warehouse.write() as connection:
        merge(connection, genres, twice, columns=["id", "root", "name"])
    assert stored(warehouse, genres) == []


def test_several_merges_share_a_transaction(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        for value in (1, 2, 2):
            merge_audience(connection, track_audience, points(value))
        merge(connection, facts, [("colour", "red", MONDAY)], columns=FACTS)
    assert stored(warehouse, track_audience) == points(2)
    assert stored(warehouse, facts) == [("colour", "red", MONDAY)]


def merge_and_fail(connection: Connection) -> None:
    merge_audience(connection, track_audience, points(1, 2))
    connection.execute(text("SELECT nonsense"))


def test_a_merge_that_is_rolled_back_leaves_nothing_behind(warehouse: Warehouse) -> None:
    with pytest.raises(DBAPIError), warehouse.write() as connection:
        merge_and_fail(connection)
    assert save_points(warehouse, points(7)) == 1
    assert stored(warehouse, track_audience) == points(7)


def test_a_merge_inside_a_savepoint_that_is_rolled_back_can_be_followed_by_another(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        with pytest.raises(DBAPIError), connection.begin_nested():
            merge_and_fail(connection)
        merge_audience(connection, track_audience, points(2))
    assert stored(warehouse, track_audience) == points(2)


def test_no_rows_are_no_change(warehouse: Warehouse) -> None:
    assert save_points(warehouse, []) == 0


def test_columns_that_are_not_given_stay_as_they_are(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        first = [("a", "Name", "0001", MONDAY)]
        merge(connection, artists, first, columns=["uuid", "name", "isni", "first_seen_at"])
        second = [("a", "Renamed", MONDAY)]
        merge(connection, artists, second, columns=["uuid", "name", "first_seen_at"])
        assert tuple(connection.execute(select(artists.c.name, artists.c.isni)).one()) == ("Renamed", "0001")


def test_the_order_of_columns_is_the_callers(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        merge(connection, facts, [("red", MONDAY, "colour")], columns=["value", "noted_at", "name"])
    assert stored(warehouse, facts) == [("colour", "red", MONDAY)]


def test_a_table_of_keys_alone_is_merged(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        columns = ["track_uuid", "genre_id"]
        assert merge(connection, track_genres, [("a", 1), ("a", 2), ("a", 1)], columns=columns) == 2
        assert merge(connection, track_genres, [("a", 2), ("a", 3)], columns=columns) == 1
    assert stored(warehouse, track_genres) == [("a", 1), ("a", 2), ("a", 3)]


def test_null_differs_from_a_value_and_equals_null(warehouse: Warehouse) -> None:
    columns = ["day", "endpoint", "calls", "billed", "errors", "throttled", "quota_remaining"]
    unknown = (date(2026, 11, 1), "song", 1, 1, 0, 0, None)
    known = (date(2026, 11, 1), "song", 1, 1, 0, 0, 5000)
    changes = []
    for row in (unknown, unknown, known, known, unknown):
        with warehouse.write() as connection:
            changes.append(merge(connection, api_usage, [row], columns=columns))
    assert changes == [1, 0, 1, 0, 1]
    assert stored(warehouse, api_usage) == [unknown]


def test_a_merge_needs_the_whole_key_and_known_columns(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        with pytest.raises(ValueError, match=r"needs its key columns \['name'\]"):
            merge(connection, facts, [], columns=["value", "noted_at"])
        with pytest.raises(ValueError, match="facts has no column colour"):
            merge(connection, facts, [], columns=["name", "colour"])


def test_a_broken_unique_rule_surfaces_as_the_mistake_it_is(warehouse: Warehouse) -> None:
    with pytest.raises(IntegrityError), warehouse.write() as connection:
        merge(connection, genres, [(1, "pop", ""), (2, "pop", "")], columns=["id", "root", "name"])


def test_missing_rows_are_inserted_and_others_left(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        assert insert_missing(connection, facts, [("a", "1", MONDAY)], columns=FACTS) == 1
        rows = [("a", "2", TUESDAY), ("b", "3", TUESDAY)]
        assert insert_missing(connection, facts, rows, columns=FACTS) == 1
    assert stored(warehouse, facts) == [("a", "1", MONDAY), ("b", "3", TUESDAY)]


def test_missing_rows_get_their_keys_from_the_database(warehouse: Warehouse) -> None:
    columns = ["root", "name"]
    with warehouse.write() as connection:
        assert insert_missing(connection, genres, [("pop", ""), ("pop", "k-pop"), ("pop", "")], columns=columns) == 2
        assert insert_missing(connection, genres, [("pop", "k-pop"), ("rock", "")], columns=columns) == 1
    assert sorted(row[1:] for row in stored(warehouse, genres)) == [("pop", ""), ("pop", "k-pop"), ("rock", "")]


def ranking(day: int, *uuids: str, fetched_at: datetime = MONDAY) -> list[Row]:
    return [("global-28", date(2026, 11, day), place, uuid, fetched_at) for place, uuid in enumerate(uuids, start=1)]


RANKING = ["chart_slug", "rank_date", "position", "track_uuid", "fetched_at"]


def save_ranking(warehouse: Warehouse, day: int, rows: Sequence[Row]) -> int:
    of_the_day = chart_rankings.c.rank_date == date(2026, 11, day)
    with warehouse.write() as connection:
        return replace_slice(connection, chart_rankings, of_the_day, rows, columns=RANKING, ignore=["fetched_at"])


def stored_rankings(warehouse: Warehouse) -> list[Row]:
    with warehouse.read() as connection:
        columns = [chart_rankings.c[name] for name in RANKING]
        return [tuple(row) for row in connection.execute(select(*columns).order_by(*chart_rankings.primary_key))]


def test_a_slice_is_replaced_and_its_neighbours_stay(warehouse: Warehouse) -> None:
    save_ranking(warehouse, 1, ranking(1, "a", "b"))
    save_ranking(warehouse, 2, ranking(2, "a", "b", "c"))
    assert save_ranking(warehouse, 2, ranking(2, "a", "x", fetched_at=TUESDAY)) == 3, "b and c go, x comes"
    changed = ranking(2, "a", "x", fetched_at=TUESDAY)[1]
    assert stored_rankings(warehouse) == [*ranking(1, "a", "b"), ranking(2, "a")[0], changed]


def test_an_unchanged_slice_keeps_its_rows(warehouse: Warehouse) -> None:
    save_ranking(warehouse, 1, ranking(1, "a", "b"))
    assert save_ranking(warehouse, 1, ranking(1, "a", "b", fetched_at=TUESDAY)) == 0
    assert stored_rankings(warehouse) == ranking(1, "a", "b")


def test_a_slice_can_become_empty(warehouse: Warehouse) -> None:
    save_ranking(warehouse, 1, ranking(1, "a", "b"))
    assert save_ranking(warehouse, 1, []) == 2
    assert stored_rankings(warehouse) == []


TEXT = st.text(st.sampled_from("ab\t\n\\N🎵'"), max_size=3)
POINT = st.tuples(TEXT, st.sampled_from(["", "i"]), st.dates(date(2026, 1, 1), date(2026, 1, 3)), st.integers(0, 3))
BATCHES = st.lists(st.lists(POINT, max_size=12, unique_by=lambda point: point[:3]), max_size=6)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES)
def test_merging_batches_is_updating_a_dict(warehouse: Warehouse, batches: list[list[tuple[Any, ...]]]) -> None:
    with warehouse.write() as connection:
        connection.execute(audience.points.delete())
    model: dict[Row, Row] = {}
    for number, batch in enumerate(batches):
        now = MONDAY + timedelta(hours=number)
        rows = [(uuid, "spotify", "streams", identifier, day, value, now) for uuid, identifier, day, value in batch]
        last = {row[:5]: row for row in rows}
        changed = {key: row for key, row in last.items() if key not in model or model[key][5] != row[5]}
        assert save_points(warehouse, rows) == len(changed)
        model.update(changed)
    with warehouse.read() as connection:
        assert {tuple(row) for row in connection.execute(select(track_audience))} == set(model.values())

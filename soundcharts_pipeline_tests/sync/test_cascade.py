"""The cascade against the simulator's truth: every row there is, no row there is not, and no call twice."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from soundcharts_pipeline.simulator import ODDITIES, Simulator
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.helpers import (
    SLUG,
    last_days,
    new_context,
    run_cascade,
    small_chart,
    whole_rows,
)
from soundcharts_pipeline_tests.support.truth import expected, stored


@pytest.mark.parametrize("oddities", [(), tuple(ODDITIES)], ids=["plain", "oddities"])
def test_a_chart_day_equals_the_truth_row_for_row(
    simulator: Simulator, warehouse: Warehouse, oddities: tuple[str, ...]
) -> None:
    simulator.set(oddities=list(oddities))
    chart = small_chart(track_audience_platforms=("spotify", "youtube", "shazam", "airplay"))
    days = last_days(simulator, SLUG, 1)
    run_cascade(new_context(simulator, warehouse), chart, days)
    assert stored(warehouse) == expected(simulator.world, chart, days)


def test_a_range_of_days_with_oddities_equals_the_truth(simulator: Simulator, warehouse: Warehouse) -> None:
    simulator.set(oddities=["all"])
    chart = small_chart(history_days=30, follow_days=2)
    days = last_days(simulator, SLUG, 6)
    run_cascade(new_context(simulator, warehouse), chart, days)
    assert stored(warehouse) == expected(simulator.world, chart, days)


def test_a_weekly_chart_holds_rankings_on_its_own_days_alone(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    chart = small_chart("tiktok-weekly-songs", track_audience_platforms=("tiktok",), artist_audience_platforms=())
    days = last_days(simulator, chart.slug, 10)
    run_cascade(new_context(simulator, sqlite_warehouse), chart, days)
    assert stored(sqlite_warehouse) == expected(simulator.world, chart, days)
    simulator.reset()
    run_cascade(new_context(simulator, sqlite_warehouse), chart, days)
    assert simulator.counters.total == 0


def test_a_second_run_makes_no_call_and_changes_no_row(simulator: Simulator, warehouse: Warehouse) -> None:
    simulator.set(oddities=["no-data", "untidy-series", "bare-metadata", "refusals", "late"])
    chart, days = small_chart(), last_days(simulator, SLUG, 1)
    run_cascade(new_context(simulator, warehouse), chart, days)
    before = whole_rows(warehouse)
    simulator.reset()
    run_cascade(new_context(simulator, warehouse), chart, days)
    assert simulator.counters.total == 0
    assert whole_rows(warehouse) == before


def test_a_cold_chart_day_asks_every_question_once(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    chart, days = small_chart(), last_days(simulator, SLUG, 1)
    run_cascade(new_context(simulator, sqlite_warehouse), chart, days)
    tracks, artists = len(stored(sqlite_warehouse)["tracks"]), len(stored(sqlite_warehouse)["artists"])
    calls = simulator.counters.calls
    assert simulator.counters.repeats == 0
    assert calls["ranking"] == 1
    assert calls["available_rankings"] == 1
    assert calls["track"] == -(-tracks // 10)
    assert calls["artist"] == -(-artists // 10)
    assert calls["track_audience"] == tracks
    assert calls["track_broadcasts"] == tracks
    assert calls["artist_streaming"] == artists
    assert calls["artist_followers"] == 2 * artists


def test_the_next_day_asks_only_for_what_is_new(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    chart = small_chart(track_audience_platforms=("spotify", "airplay"), artist_audience_platforms=("spotify",))
    yesterday, today = last_days(simulator, SLUG, 2)
    run_cascade(new_context(simulator, sqlite_warehouse), chart, [yesterday])
    first = stored(sqlite_warehouse)
    simulator.reset()
    now = new_context(simulator, sqlite_warehouse).clock() + timedelta(days=1)
    run_cascade(new_context(simulator, sqlite_warehouse, now=now), chart, [today])
    second = stored(sqlite_warehouse)
    new_tracks = len(second["tracks"] - first["tracks"])
    calls = simulator.counters.calls
    assert simulator.counters.repeats == 0
    assert calls["ranking"] == 1
    assert calls.get("available_rankings", 0) == 0, "the day was known to be published"
    assert calls.get("track", 0) == -(-new_tracks // 10)
    # One window for each track on the chart or just off it, and one day of radio plays.
    # (A row of refusals may be doubted, by the order of answers: then two known tracks are asked at most.)
    assert 0 <= calls["track_audience"] - len(second["tracks"]) <= 2
    assert calls["track_broadcasts"] == len(second["tracks"])


def test_a_late_point_is_picked_up_by_the_next_call(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    simulator.set(oddities=["late"])
    chart = small_chart(track_audience_platforms=("spotify",), artist_audience_platforms=())
    start = simulator.world.today
    first, *_, last = last_days(simulator, SLUG, 20, before=0)
    del first
    run_cascade(new_context(simulator, sqlite_warehouse), chart, [last])
    thin = stored(sqlite_warehouse)["track_audience"]
    a = b.audience_asks.c
    with sqlite_warehouse.read() as conn:
        unsettled = set(conn.scalars(select(a.uuid).where(a.settled_date.is_distinct_from(a.end_date))))
        silent = set(conn.scalars(select(b.tombstones.c.uuid)))
    simulator.set(today=str(start + timedelta(days=20)))
    simulator.reset()
    run_cascade(new_context(simulator, sqlite_warehouse), chart, [last])
    whole = stored(sqlite_warehouse)["track_audience"]
    assert whole == expected(simulator.world, chart, [last])["track_audience"]
    assert thin < whole
    # A track that had no point at all in ninety days is left alone for a while.
    assert simulator.counters.calls == {"track_audience": len(unsettled - silent)}
    simulator.reset()
    run_cascade(new_context(simulator, sqlite_warehouse), chart, [last])
    assert simulator.counters.total == 0


def test_a_track_is_followed_after_it_left_the_chart(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    chart = small_chart(track_audience_platforms=("spotify",), artist_audience_platforms=(), follow_days=5)
    days = last_days(simulator, SLUG, 8, before=20)
    run_cascade(new_context(simulator, sqlite_warehouse), chart, days)
    rows = stored(sqlite_warehouse)
    assert rows["track_audience"] == expected(simulator.world, chart, days)["track_audience"]
    by_day = {day: {r[3] for r in rows["chart_rankings"] if r[1] == day} for day in days}
    left = by_day[days[0]] - set().union(*(by_day[day] for day in days[1:]))
    last = days[0] + timedelta(days=5)
    newest = {
        uuid: max((r[4] for r in rows["track_audience"] if r[0] == uuid), default=None)
        for uuid in left
        if simulator.world.track_series(uuid, "spotify", days[0], last)
    }
    assert newest
    assert set(newest.values()) == {last}

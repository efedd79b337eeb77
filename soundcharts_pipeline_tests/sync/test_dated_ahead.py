"""Charts dated by the end of their week: the newest ranking is of a day that is still to come."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from soundcharts_pipeline.api.errors import NotFound
from soundcharts_pipeline.clock import DAYS_AHEAD
from soundcharts_pipeline.config.cascade import allowed_keys
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.planning.plan import plan_cascade
from soundcharts_pipeline.sync.rankings import find_published, newest_day
from soundcharts_pipeline.sync.report import SyncIncomplete
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.helpers import new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.today import TODAY
from soundcharts_pipeline_tests.support.truth import expected, stored

SLUG = "tiktok-weekly-songs"
ONE_DAY = timedelta(days=1)
WEEK = 7 * ONE_DAY


@pytest.fixture(params=[1, 4])
def newest(request: pytest.FixtureRequest, simulator: Simulator) -> date:
    """The newest ranking's day, so many days after the simulator's today."""
    simulator.set(oddities=["dated-ahead"])
    friday = TODAY + timedelta(days=(4 - TODAY.weekday()) % 7) + WEEK
    simulator.set(today=friday - timedelta(days=request.param))
    day = simulator.world.newest_day(SLUG)
    assert day == friday
    return day


def weekly(**changes: object) -> ChartSettings:
    return small_chart(SLUG, **{"history_days": 30, **changes})


def test_the_newest_ranking_and_what_is_known_by_now_are_there(
    simulator: Simulator, warehouse: Warehouse, newest: date
) -> None:
    ctx = new_context(simulator, warehouse)
    assert newest_day(ctx, weekly()) == newest
    run_cascade(ctx, weekly(), [newest])
    assert stored(warehouse) == expected(simulator.world, weekly(), [newest])

    calls = simulator.counters.total
    run_cascade(new_context(simulator, warehouse), weekly(), [newest])
    assert simulator.counters.total == calls


def test_no_day_to_come_is_asked_for_or_noted_as_known(
    simulator: Simulator, sqlite_warehouse: Warehouse, newest: date
) -> None:
    run_cascade(new_context(simulator, sqlite_warehouse), weekly(), [newest])
    today, t = simulator.world.today, b.audience_asks
    with sqlite_warehouse.read() as conn:
        last_asked, last_settled = conn.execute(select(func.max(t.c.end_date), func.max(t.c.settled_date))).one()
        plays = conn.scalar(select(func.count()).where(s.track_audience.c.platform == "airplay"))
    assert last_asked == today
    assert last_settled < today
    assert plays == 0, "a day that is not over has no count of plays"


def test_the_next_ranking_brings_what_was_to_come_and_nothing_twice(
    simulator: Simulator, sqlite_warehouse: Warehouse, newest: date
) -> None:
    run_cascade(new_context(simulator, sqlite_warehouse), weekly(), [newest])
    simulator.set(today=simulator.world.today + WEEK)
    run_cascade(new_context(simulator, sqlite_warehouse), weekly(), [newest + WEEK])
    found, truth = stored(sqlite_warehouse), expected(simulator.world, weekly(), [newest, newest + WEEK])
    assert found == truth
    assert {row[4] for row in found["track_audience"] if row[1] == "airplay"} == {newest}

    calls = simulator.counters.calls["track_broadcasts"]
    simulator.set(today=simulator.world.today + WEEK)
    run_cascade(new_context(simulator, sqlite_warehouse), weekly(), [newest + 2 * WEEK])
    spins = {row[4] for row in stored(sqlite_warehouse)["track_audience"] if row[1] == "airplay"}
    assert spins == {newest, newest + WEEK}
    tracks = {row[0] for row in stored(sqlite_warehouse)["track_audience"] if row[1:5:3] == ("airplay", newest + WEEK)}
    assert simulator.counters.calls["track_broadcasts"] - calls == len(tracks)


def test_the_plays_of_a_ranking_of_today_are_counted_when_the_day_is_over(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    simulator.set(oddities=["dated-ahead"], today=TODAY + timedelta(days=(4 - TODAY.weekday()) % 7))
    newest = simulator.world.today
    run_cascade(new_context(simulator, sqlite_warehouse), weekly(), [newest])
    assert not [row for row in stored(sqlite_warehouse)["track_audience"] if row[1] == "airplay"]
    simulator.set(today=newest + WEEK)
    run_cascade(new_context(simulator, sqlite_warehouse), weekly(), [newest + WEEK])
    assert stored(sqlite_warehouse) == expected(simulator.world, weekly(), [newest, newest + WEEK])


def test_a_plan_of_the_newest_day_counts_the_calls_that_follow(
    simulator: Simulator, sqlite_warehouse: Warehouse, newest: date
) -> None:
    chart = weekly()
    keys = [key for key in allowed_keys(Settings({SLUG: chart}), chart) if "report" not in key]
    blind = plan_cascade(new_context(simulator, sqlite_warehouse), chart, [newest], keys)
    assert blind.missing_rankings == [newest]
    run_cascade(new_context(simulator, sqlite_warehouse), chart, [newest])
    assert plan_cascade(new_context(simulator, sqlite_warehouse), chart, [newest], keys).calls == 0


def test_a_schedule_finds_the_day_and_a_day_after_it_is_not_out(
    simulator: Simulator, sqlite_warehouse: Warehouse, newest: date
) -> None:
    ctx = new_context(simulator, sqlite_warehouse)
    assert find_published(ctx, weekly(first_date=newest - WEEK)) == [newest - WEEK, newest]
    assert find_published(ctx, weekly(sync_history=False)) == [newest]
    with pytest.raises(SyncIncomplete, match=f"the newest published day is {newest}") as raised:
        run_cascade(ctx, weekly(), [newest + ONE_DAY])
    assert isinstance(raised.value.cause, NotFound)
    with sqlite_warehouse.read() as conn:
        assert not conn.scalar(select(func.count()).where(s.ranking_days.c.rank_date > newest))


def test_a_ranking_dated_further_ahead_than_a_week_is_left_out(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    def misdated(path: str, status: int, body: Any) -> tuple[int, Any]:
        if "available-rankings" in path:
            body["items"] = [
                f"{TODAY + timedelta(days=n)}T12:00:00+00:00" for n in (400, DAYS_AHEAD + 1, DAYS_AHEAD, 0)
            ]
            body["page"] |= {"total": 4, "next": None}
        return status, body

    with altered(simulator.url, misdated) as url:
        ctx = new_context(simulator, sqlite_warehouse, url=url)
        found = find_published(ctx, weekly(first_date=TODAY - WEEK))
        assert found == [TODAY, TODAY + timedelta(days=DAYS_AHEAD)]
        assert newest_day(ctx, weekly()) == found[-1]

"""Places of a ranking that cannot be read: read again for some days, and never most of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.planning.plan import plan_cascade
from soundcharts_pipeline.sync.rankings import days_due_again, find_published, sync_rankings
from soundcharts_pipeline.sync.report import SyncIncomplete
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.truth import expected, stored

CHART = small_chart(track_audience_platforms=(), artist_audience_platforms=())
PLACES = 50


@contextmanager
def unread(simulator: Simulator, places: range) -> Iterator[str]:
    """A Soundcharts that does not name the songs of these places."""

    def change(path: str, status: int, body: Any) -> tuple[int, Any]:
        if "/ranking/" in path and status == 200:
            for item in body["items"]:
                if item["position"] in places:
                    item["song"] = None
        return status, body

    with altered(simulator.url, change) as url:
        yield url


def ranked(warehouse: Warehouse) -> set[tuple[Any, ...]]:
    rows: set[tuple[Any, ...]] = stored(warehouse)["chart_rankings"]
    return rows


@pytest.fixture
def readings(simulator: Simulator, warehouse: Warehouse) -> Callable[..., list[int]]:
    """How many times the ranking of a day is read by runs so many hours after noon of the simulator's today."""

    def read(day: date, *hours: int, url: str | None = None) -> list[int]:
        counts = []
        for later in hours:
            now = new_context(simulator, warehouse).clock() + timedelta(hours=later)
            simulator.reset()
            run_cascade(new_context(simulator, warehouse, url=url, now=now), CHART, [day])
            counts.append(simulator.counters.calls.get("ranking", 0))
        return counts

    return read


def test_places_that_could_not_be_read_come_a_day_later_with_all_that_is_below(
    simulator: Simulator, warehouse: Warehouse, readings: Callable[..., list[int]]
) -> None:
    day = last_days(simulator, SLUG, 1)[0]
    truth = expected(simulator.world, CHART, [day])
    with unread(simulator, range(1, 4)) as url:
        assert readings(day, 0, 1, url=url) == [1, 0]
    assert len(ranked(warehouse)) == PLACES - 3

    assert readings(day, 23, 25, 50, 24 * 30) == [0, 1, 0, 0]

    found = stored(warehouse)
    assert found["chart_rankings"] == truth["chart_rankings"]
    assert {row[0] for row in found["tracks"]} == {row[0] for row in truth["tracks"]}
    assert {row[0] for row in found["artists"]} == {row[0] for row in truth["artists"]}


def test_places_that_are_never_named_cost_a_few_calls_and_no_call_for_ever(
    simulator: Simulator, warehouse: Warehouse, readings: Callable[..., list[int]]
) -> None:
    day = last_days(simulator, SLUG, 1)[0]
    with unread(simulator, range(50, 51)) as url:
        # A run every night for a month.
        counts = readings(day, *range(0, 25 * 30, 25), url=url)
        assert counts == [1] * 4 + [0] * 26
        simulator.publish_again(SLUG, day)
        now = new_context(simulator, warehouse).clock() + timedelta(days=40)
        find_published(new_context(simulator, warehouse, now=now), CHART)
        assert readings(day, 24 * 40, 24 * 42, url=url) == [1, 0], "a later version is one all the same"
    assert len(ranked(warehouse)) == PLACES - 1


def test_an_older_day_is_read_a_second_time_by_whoever_runs_it(
    simulator: Simulator, readings: Callable[..., list[int]]
) -> None:
    day = last_days(simulator, SLUG, 1, before=100)[0]
    with unread(simulator, range(1, 2)) as url:
        assert readings(day, 0, 1, 24 * 9, 24 * 19, url=url) == [1, 0, 1, 0]


@pytest.mark.parametrize("refresh", [True, False])
def test_the_schedule_finds_the_day_after_a_day_and_a_plan_counts_it(
    simulator: Simulator, sqlite_warehouse: Warehouse, refresh: bool
) -> None:
    chart, days = small_chart(refresh_rankings=refresh), last_days(simulator, SLUG, 2)
    with unread(simulator, range(1, 2)) as url:
        sync_rankings(new_context(simulator, sqlite_warehouse, url=url), chart, days[1:])
    sync_rankings(new_context(simulator, sqlite_warehouse), chart, days)
    at_once = new_context(simulator, sqlite_warehouse)
    a_day_later = new_context(simulator, sqlite_warehouse, now=at_once.clock() + timedelta(hours=25))
    assert (days_due_again(at_once, chart), days_due_again(a_day_later, chart)) == ([], days[1:])
    assert plan_cascade(a_day_later, chart, days, ["chart_rankings"]).counts["chart_rankings"].calls == 1


def test_a_whole_ranking_that_comes_with_holes_is_read_again_too(
    simulator: Simulator, warehouse: Warehouse, readings: Callable[..., list[int]]
) -> None:
    day = last_days(simulator, SLUG, 1)[0]
    assert readings(day, 0) == [1]
    simulator.publish_again(SLUG, day)
    find_published(new_context(simulator, warehouse), CHART)
    with unread(simulator, range(1, 2)) as url:
        assert readings(day, 1, url=url) == [1]
    assert len(ranked(warehouse)) == PLACES - 1
    assert readings(day, 27, 60) == [1, 0]
    assert ranked(warehouse) == expected(simulator.world, CHART, [day])["chart_rankings"]


@pytest.mark.parametrize(("places", "is_refused"), [(range(1, 26), False), (range(1, 27), True)], ids=["half", "most"])
def test_an_answer_of_which_most_places_cannot_be_read_is_no_ranking(
    simulator: Simulator, warehouse: Warehouse, places: range, is_refused: bool
) -> None:
    day = last_days(simulator, SLUG, 1)[0]
    with unread(simulator, places) as url:
        ctx = new_context(simulator, warehouse, url=url)
        if is_refused:
            with pytest.raises(SyncIncomplete, match="ranking: items: 26 of 50 cannot be read; nothing of this answer"):
                sync_rankings(ctx, CHART, [day])
        else:
            sync_rankings(ctx, CHART, [day])
    assert len(ranked(warehouse)) == (0 if is_refused else 25)
    sync_rankings(new_context(simulator, warehouse), CHART, [day])
    assert len(ranked(warehouse)) == (PLACES if is_refused else 25)

"""Asking again on purpose: everything known of the days, once, at the price that the plan says."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from soundcharts_pipeline.config.cascade import CHART_REPORT, allowed_keys
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.audience import sync_track_audience
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.planning.plan import plan_cascade
from soundcharts_pipeline.sync.rankings import sync_rankings
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.truth import expected, stored

CHARTS = {
    "a long history": small_chart(history_days=120),
    "two pages, a week": small_chart("top-songs-29", track_audience_platforms=("spotify",), history_days=7),
    "a weekly chart": small_chart("tiktok-weekly-songs", track_audience_platforms=("tiktok",), history_days=30),
}


def refreshing(simulator: Simulator, warehouse: Warehouse, *, hours: int = 1, url: str | None = None) -> SyncContext:
    """The context of a run that asks again, some hours after noon."""
    now = new_context(simulator, warehouse).clock() + timedelta(hours=hours)
    return replace(new_context(simulator, warehouse, now=now, url=url), known_since=now)


def planned(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> dict[str, int]:
    keys = [key for key in allowed_keys(Settings({chart.slug: chart}), chart) if key != CHART_REPORT]
    plan = plan_cascade(ctx, chart, days, keys)
    assert not plan.estimate
    return {key: count.calls for key, count in plan.counts.items() if count.calls}


@pytest.mark.parametrize("name", CHARTS)
def test_everything_is_asked_again_once_at_the_price_of_the_plan(
    simulator: Simulator, sqlite_warehouse: Warehouse, name: str
) -> None:
    chart = CHARTS[name]
    days = last_days(simulator, chart.slug, 8 if "weekly" in name else 2, before=20 if "weekly" not in name else 0)
    run_cascade(new_context(simulator, sqlite_warehouse), chart, days)
    plan = planned(refreshing(simulator, sqlite_warehouse), chart, days)
    simulator.reset()
    run_cascade(refreshing(simulator, sqlite_warehouse), chart, days)
    assert simulator.counters.total == sum(plan.values())
    assert simulator.counters.repeats == 0
    assert simulator.counters.calls["available_rankings"] == 1
    assert stored(sqlite_warehouse) == expected(simulator.world, chart, days)

    # The step that goes on from here has nothing to ask, and a run that does not ask again neither.
    simulator.reset()
    assert planned(refreshing(simulator, sqlite_warehouse), chart, days) == {}
    run_cascade(refreshing(simulator, sqlite_warehouse), chart, days)
    run_cascade(new_context(simulator, sqlite_warehouse), chart, days)
    assert simulator.counters.total == 0


def test_what_was_corrected_after_it_settled_is_taken(simulator: Simulator, warehouse: Warehouse) -> None:
    chart = small_chart(track_audience_platforms=("spotify",), artist_audience_platforms=(), history_days=100)
    day = last_days(simulator, SLUG, 1, before=40)[0]

    def change(path: str, status: int, body: Any) -> tuple[int, Any]:
        if "/audience/" in path:
            for item in body["items"]:
                for plot in item["plots"]:
                    plot["value"] += 1
        elif "/song/" in path and "/chart/" not in path:
            for item in body.get("items", [body]):
                item.get("object", item)["name"] = "Corrected"
        return status, body

    run_cascade(new_context(simulator, warehouse), chart, [day])
    before = stored(warehouse)["track_audience"]
    with altered(simulator.url, change) as url:
        run_cascade(new_context(simulator, warehouse, url=url), chart, [day])
        assert stored(warehouse)["track_audience"] == before, "what is settled is not asked for"
        run_cascade(refreshing(simulator, warehouse, url=url), chart, [day])
    assert stored(warehouse)["track_audience"] == {(*row[:-1], row[-1] + 1) for row in before}
    with warehouse.read() as conn:
        assert set(conn.scalars(select(s.tracks.c.name))) == {"Corrected"}


def test_what_the_api_does_not_have_is_not_asked_again(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    simulator.set(oddities=["no-data", "refusals"])
    chart = small_chart(history_days=30)
    day = last_days(simulator, SLUG, 1, before=20)[0]
    run_cascade(new_context(simulator, sqlite_warehouse), chart, [day])
    t = b.tombstones
    with sqlite_warehouse.read() as conn:
        noted = conn.execute(select(t.c.scope, func.count()).group_by(t.c.scope)).all()
        kept = conn.scalars(select(t.c.noted_at)).all()
    asked = dict(simulator.counters.calls)
    simulator.reset()
    run_cascade(refreshing(simulator, sqlite_warehouse), chart, [day])
    again = simulator.counters.calls
    gone = dict(tuple(row) for row in noted)
    assert again["track_audience"] == asked["track_audience"] - gone["spotify/streams"]
    assert again["artist_streaming"] == asked["artist_streaming"] - gone["spotify/monthly_listeners"]
    with sqlite_warehouse.read() as conn:
        assert conn.scalars(select(t.c.noted_at)).all() == kept


def test_a_day_that_the_list_has_no_more_stays_as_it_is_stored(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    chart, days = small_chart(), last_days(simulator, SLUG, 2, before=3)
    sync_rankings(new_context(simulator, sqlite_warehouse), chart, days)
    before = stored(sqlite_warehouse)["chart_rankings"]

    def change(path: str, status: int, body: Any) -> tuple[int, Any]:
        if "available-rankings" in path:
            body["items"] = [stamp for stamp in body["items"] if not stamp.startswith(str(days[0]))]
            body["page"]["total"] = len(body["items"])
        return status, body

    with altered(simulator.url, change) as url:
        sync_rankings(refreshing(simulator, sqlite_warehouse, url=url), chart, days)
    assert stored(sqlite_warehouse)["chart_rankings"] == before
    simulator.reset()
    sync_rankings(new_context(simulator, sqlite_warehouse), chart, days)
    assert simulator.counters.total == 0


def test_two_runs_that_ask_again_at_the_same_time_ask_once(simulator: Simulator, warehouse: Warehouse) -> None:
    chart = small_chart(track_audience_platforms=("spotify",), artist_audience_platforms=())
    day = last_days(simulator, SLUG, 1, before=20)[0]
    run_cascade(new_context(simulator, warehouse), chart, [day])
    simulator.reset()
    ctx = refreshing(simulator, warehouse)
    sync_track_audience(ctx, chart, [day], "spotify")
    # Begun with the same moment, as a step that goes on has it, and a worklist from before.
    sync_track_audience(replace(ctx, run_id="another"), chart, [day], "spotify")
    assert simulator.counters.repeats == 0

"""A ranking that is published again is fetched once more, and what moved is told."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from soundcharts_pipeline.config.cascade import RANKINGS, TRACK_METADATA
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import PublishedRanking, is_later
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.saves import save_published
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import SyncContext, Unwatched
from soundcharts_pipeline.sync.planning.plan import plan_cascade
from soundcharts_pipeline.sync.rankings import days_due_again, due_rankings, find_published, sync_rankings
from soundcharts_pipeline.sync.report import SyncIncomplete
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.truth import expected, stored


@dataclass
class Ears(Unwatched):
    """Keeps what is told of days."""

    heard_of: list[tuple[date, str, str]] = field(default_factory=list)

    def note(self, day: date, fact: str, text: str) -> None:
        self.heard_of.append((day, fact, text))


@pytest.fixture(params=[SLUG, "tiktok-weekly-songs"])
def chart(request: pytest.FixtureRequest) -> ChartSettings:
    return small_chart(request.param, track_audience_platforms=("spotify",), artist_audience_platforms=())


def newest(simulator: Simulator, chart: ChartSettings) -> date:
    return last_days(simulator, chart.slug, 1)[0]


def look(ctx: SyncContext, chart: ChartSettings) -> list[date]:
    """What a tick of the schedule finds published again."""
    find_published(ctx, chart)
    return days_due_again(ctx, chart)


def version_of(warehouse: Warehouse, day: date) -> tuple[str | None, str | None]:
    d = s.ranking_days.c
    with warehouse.read() as conn:
        row = conn.execute(select(d.published_at, d.saved_version).where(d.rank_date == day)).one()
        return row[0], row[1]


def top(simulator: Simulator, slug: str, day: date) -> str:
    return simulator.world.ranking(slug, day).entries[0].track.name


def test_a_later_version_is_fetched_once_more_with_all_that_is_below_and_what_moved_is_told(
    simulator: Simulator, warehouse: Warehouse, chart: ChartSettings
) -> None:
    day, was = newest(simulator, chart), top(simulator, chart.slug, newest(simulator, chart))
    run_cascade(new_context(simulator, warehouse), chart, [day])
    stamp = simulator.publish_again(chart.slug, day)
    ctx = new_context(simulator, warehouse)
    assert look(ctx, chart) == [day]
    assert version_of(warehouse, day) == (stamp, simulator.world.plans[chart.slug].timestamp(day))

    simulator.reset()
    ears = Ears()
    run_cascade(replace(new_context(simulator, warehouse), watcher=ears), chart, [day])

    places = len(simulator.world.ranking(chart.slug, day).entries)
    assert simulator.counters.calls == {"ranking": -(-places // 100)}
    assert stored(warehouse) == expected(simulator.world, chart, [day])
    now = top(simulator, chart.slug, day)
    text = f"{day} published again at {stamp}: 2 places moved, the number one is now {now}, was {was}"
    assert ears.heard_of == [(day, "published_again", text)]
    assert version_of(warehouse, day) == (stamp, stamp)
    simulator.reset()
    assert look(new_context(simulator, warehouse), chart) == []
    run_cascade(new_context(simulator, warehouse), chart, [day])
    assert simulator.counters.calls == {"available_rankings": 1}


def test_a_track_that_only_the_later_version_has_is_completed(simulator: Simulator, warehouse: Warehouse) -> None:
    chart = small_chart(track_audience_platforms=("spotify",), artist_audience_platforms=())
    day = newest(simulator, chart)
    run_cascade(new_context(simulator, warehouse), chart, [day])
    simulator.publish_again(SLUG, day)
    other = last_days(simulator, SLUG, 1, before=200)[0]
    ranked = {entry.track.uuid for entry in simulator.world.ranking(SLUG, day).entries}
    song = next(e.track for e in simulator.world.ranking(SLUG, other).entries if e.track.uuid not in ranked)

    def change(path: str, status: int, body: Any) -> tuple[int, Any]:
        if "/ranking/" in path:
            body["items"][4]["song"] = {"uuid": song.uuid, "name": song.name}
        return status, body

    with altered(simulator.url, change) as url:
        find_published(new_context(simulator, warehouse, url=url), chart)
        run_cascade(new_context(simulator, warehouse, url=url), chart, [day])
    found = stored(warehouse)
    assert song.uuid in {row[0] for row in found["tracks"]}
    assert song.uuid in {row[0] for row in found["track_audience"]}


def test_with_refresh_rankings_off_the_stored_version_stays_and_shows_as_such(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    chart = small_chart(refresh_rankings=False)
    day = newest(simulator, chart)
    first = simulator.world.timestamp(SLUG, day)
    sync_rankings(new_context(simulator, sqlite_warehouse), chart, [day])
    stamp = simulator.publish_again(SLUG, day)
    assert look(new_context(simulator, sqlite_warehouse), chart) == []
    simulator.reset()
    sync_rankings(new_context(simulator, sqlite_warehouse), chart, [day])
    assert simulator.counters.total == 0
    assert version_of(sqlite_warehouse, day) == (stamp, first)


def test_a_day_from_before_heal_days_is_fetched_by_whoever_runs_it_and_not_looked_for(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    chart = small_chart(heal_days=3)
    day = last_days(simulator, SLUG, 1, before=5)[0]
    sync_rankings(new_context(simulator, sqlite_warehouse), chart, [day])
    simulator.publish_again(SLUG, day)
    assert look(new_context(simulator, sqlite_warehouse), chart) == []
    assert due_rankings(new_context(simulator, sqlite_warehouse), chart, [day]) == [day]


@pytest.mark.parametrize("hours", [[-1], [-1, 0, -1, 0], [1, -1, 1, 0, 1, -1]], ids=str)
def test_a_list_that_goes_back_and_forth_has_a_day_fetched_once_at_most(
    simulator: Simulator, sqlite_warehouse: Warehouse, hours: list[int]
) -> None:
    chart, day = small_chart(), newest(simulator, small_chart())
    first = simulator.world.timestamp(SLUG, day)
    sync_rankings(new_context(simulator, sqlite_warehouse), chart, [day])
    simulator.reset()
    for hour in hours:
        listed = f"{day}T{int(first[11:13]) + hour:02}{first[13:]}"
        with sqlite_warehouse.write() as conn:
            save_published(
                conn, SLUG, [PublishedRanking(day, listed)], new_context(simulator, sqlite_warehouse).clock()
            )
        if hour > 0 and simulator.world.version(SLUG, day) == 0:
            simulator.publish_again(SLUG, day)
        sync_rankings(new_context(simulator, sqlite_warehouse), chart, [day])
    assert simulator.counters.total == (1 if 1 in hours else 0)


def test_overlapping_runs_fetch_a_later_version_once(simulator: Simulator, warehouse: Warehouse) -> None:
    chart = small_chart()
    days = last_days(simulator, SLUG, 4)
    sync_rankings(new_context(simulator, warehouse), chart, days)
    for day in days:
        simulator.publish_again(SLUG, day)
    find_published(new_context(simulator, warehouse), chart)
    simulator.reset()
    contexts = [new_context(simulator, warehouse, max_in_flight=1) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(sync_rankings, ctx, chart, days) for ctx in contexts]:
            done.result()
    assert simulator.counters.calls == {"ranking": 4}
    assert simulator.counters.repeats == 0


def test_a_later_version_that_cannot_be_had_leaves_the_stored_one_and_stays_wanted(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    chart, day = small_chart(), newest(simulator, small_chart())
    sync_rankings(new_context(simulator, sqlite_warehouse), chart, [day])
    before = stored(sqlite_warehouse)["chart_rankings"]
    simulator.publish_again(SLUG, day)
    find_published(new_context(simulator, sqlite_warehouse), chart)
    simulator.script("ranking", ["500"] * 5)
    with pytest.raises(SyncIncomplete, match="1 of 1 rankings are still to do"):
        sync_rankings(new_context(simulator, sqlite_warehouse), chart, [day])
    assert stored(sqlite_warehouse)["chart_rankings"] == before
    assert days_due_again(new_context(simulator, sqlite_warehouse), chart) == [day]


def test_a_plan_counts_the_later_version(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    chart, days = small_chart("top-songs-29"), last_days(simulator, "top-songs-29", 3)
    sync_rankings(new_context(simulator, sqlite_warehouse), chart, days)
    simulator.publish_again(chart.slug, days[1])
    find_published(new_context(simulator, sqlite_warehouse), chart)
    plan = plan_cascade(new_context(simulator, sqlite_warehouse), chart, days, [RANKINGS, TRACK_METADATA])
    assert (plan.counts[RANKINGS].calls, plan.counts[RANKINGS].basis) == (2, "1 ranking")
    assert plan.counts[TRACK_METADATA].estimate, "which tracks it has is not known"
    assert plan.missing_rankings == []
    simulator.reset()
    sync_rankings(new_context(simulator, sqlite_warehouse), chart, days)
    assert simulator.counters.total == 2


def test_an_answer_for_another_slug_is_kept_under_the_one_asked_for_and_told(
    simulator: Simulator, warehouse: Warehouse
) -> None:
    chart = small_chart(track_audience_platforms=("spotify",), artist_audience_platforms=())
    day = newest(simulator, chart)
    for hours, alias in enumerate(("viral-50-worldwide", SLUG.upper())):

        def change(path: str, status: int, body: Any, alias: str = alias) -> tuple[int, Any]:
            if "/ranking/" in path:
                body["related"]["chart"]["slug"] = alias
            return status, body

        with altered(simulator.url, change) as url:
            now = new_context(simulator, warehouse).clock() + timedelta(hours=hours)
            ctx = replace(new_context(simulator, warehouse, url=url, now=now), known_since=now)
            run_cascade(ctx, chart, [day])
        assert stored(warehouse) == expected(simulator.world, chart, [day])
        with warehouse.read() as conn:
            assert list(conn.scalars(select(s.charts.c.slug))) == [SLUG]
        told = f"ranking related.chart.slug: {alias} of {SLUG}, kept under the one asked for"
        assert [str(remark) for remark in ctx.client.remarks.drain()] == [told]


@pytest.mark.parametrize(
    ("one", "other", "later"),
    [
        ("2026-11-20T13:00:00+00:00", "2026-11-20T12:00:00+00:00", True),
        ("2026-11-20T12:00:00+00:00", "2026-11-20T12:00:00+00:00", False),
        ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00+00:00", False),
        ("2026-11-20T12:00:00", "2026-11-20T12:00:00+00:00", False),
        ("2026-11-20T12:30:00+02:00", "2026-11-20T12:00:00+00:00", False),
        ("2026-11-20T12:00:00.5+00:00", "2026-11-20T12:00:00+00:00", True),
        ("2026-11-20 b", "2026-11-20 a", True),
    ],
)
def test_timestamps_are_compared_as_moments(one: str, other: str, later: bool) -> None:
    assert is_later(one, other) is later

"""Plan, then run: what was told is what is asked, and telling it costs nothing."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundcharts_pipeline.config.cascade import ANALYTICS, allowed_keys
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.audience import sync_artist_audience, sync_track_audience
from soundcharts_pipeline.sync.catalog import sync_catalog
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.metadata import sync_artist_metadata, sync_track_metadata
from soundcharts_pipeline.sync.planning.guessed_rankings import places_named
from soundcharts_pipeline.sync.planning.plan import EVEN_LOOKS, Allowance, Plan, most_covered, plan_cascade
from soundcharts_pipeline.sync.rankings import sync_rankings
from soundcharts_pipeline.sync.series_worklist import days_followed
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.today import TODAY

OTHER = "airplay-daily"
# Calls of one asset that ask somebody known, after a row of refusals.
MOST_DOUBTS = 2
AIRPLAY = "track_audience/airplay"


def keys_of(chart: ChartSettings) -> list[str]:
    """Every asset of the chart's cascade."""
    return allowed_keys(Settings({chart.slug: chart}), chart)


def planned(simulator: Simulator, ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> Plan:
    """The plan, which asked nothing."""
    simulator.reset()
    plan = plan_cascade(ctx, chart, days, keys_of(chart))
    assert simulator.counters.total == 0
    return plan


def spent(simulator: Simulator, ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> dict[str, int]:
    """Calls that the simulator counted for each asset, in a run of all of them."""
    calls = {}
    for key in keys_of(chart):
        simulator.reset()
        room, _, platform = key.partition("/")
        if room == "track_audience":
            sync_track_audience(ctx, chart, days, platform)
        elif room == "artist_audience":
            sync_artist_audience(ctx, chart, days, platform)
        elif key not in ANALYTICS:
            {
                "chart_rankings": sync_rankings,
                "track_metadata": sync_track_metadata,
                "artist_metadata": sync_artist_metadata,
            }[room](ctx, chart, days)
        calls[key] = simulator.counters.total
    return calls


def assert_exact(plan: Plan, calls: dict[str, int]) -> None:
    """As planned, but for calls that settle a doubt: whether a row of refusals is longer than chance explains hangs on
    the order in which answers come in."""
    assert plan.counts.keys() == calls.keys()
    for key, count in plan.counts.items():
        assert count.calls <= calls[key] <= count.calls + (MOST_DOUBTS if "audience" in key else 0), key
    assert sum(calls.values()) > 0


def test_nothing_is_planned_for_what_is_complete(simulator: Simulator, warehouse: Warehouse) -> None:
    chart, days = small_chart(), last_days(simulator, SLUG, 2)
    run_cascade(new_context(simulator, warehouse), chart, days)

    plan = planned(simulator, new_context(simulator, warehouse), chart, days)

    assert (plan.calls, plan.estimate, plan.missing_rankings) == (0, False, [])


@pytest.mark.parametrize("history_days", [90, 88], ids=["two windows a series", "one window a series"])
def test_with_rankings_and_track_metadata_the_plan_is_exact(
    simulator: Simulator, warehouse: Warehouse, history_days: int
) -> None:
    chart, days = small_chart(history_days=history_days), last_days(simulator, SLUG, 3)
    ctx = new_context(simulator, warehouse)
    sync_rankings(ctx, chart, days)
    sync_track_metadata(ctx, chart, days)

    plan = planned(simulator, ctx, chart, days)

    # Once in a warehouse a day's plays are compared with their stations, a call per 100 of those.
    assert [key for key, count in plan.counts.items() if count.estimate] == [AIRPLAY]
    calls = spent(simulator, ctx, chart, days)
    assert plan.counts[AIRPLAY].calls == pytest.approx(calls[AIRPLAY], abs=4)
    planned_calls = {key: count.calls for key, count in plan.counts.items() if key != AIRPLAY}
    actual = {key: number for key, number in calls.items() if key != AIRPLAY}
    if history_days + len(days) - 1 <= 90:
        assert all(planned_calls[key] <= number for key, number in actual.items())
    # An account that turns out not to exist is not asked for its other windows.
    assert all(planned_calls[key] + MOST_DOUBTS >= number for key, number in actual.items())
    assert sum(planned_calls.values()) == pytest.approx(sum(actual.values()), rel=0.02)


def test_with_artists_off_a_cold_plan_is_exact(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    chart = small_chart(auto_extract_artists=False, track_audience_platforms=("spotify", "youtube"))
    days = last_days(simulator, SLUG, 3)
    ctx = new_context(simulator, sqlite_warehouse)
    sync_rankings(ctx, chart, days)

    plan = planned(simulator, ctx, chart, days)

    assert not plan.estimate
    assert_exact(plan, spent(simulator, ctx, chart, days))


@pytest.mark.parametrize("seed", [1, 5])
@pytest.mark.parametrize("days", [1, 10])
def test_with_rankings_alone_the_plan_is_off_by_less_than_two_percent(
    seed: int, days: int, sqlite_warehouse: Warehouse
) -> None:
    with Simulator(today=TODAY, seed=seed) as simulator:
        chart = small_chart("global-28", track_audience_platforms=("spotify",), artist_audience_platforms=("spotify",))
        span = last_days(simulator, chart.slug, days)
        ctx = new_context(simulator, sqlite_warehouse)
        sync_rankings(ctx, chart, span)

        plan = planned(simulator, ctx, chart, span)
        calls = spent(simulator, ctx, chart, span)

    assert {key for key, count in plan.counts.items() if count.estimate} == {
        *("artist_metadata", "artist_audience/spotify"),
    }
    assert plan.calls == pytest.approx(sum(calls.values()), rel=0.02)
    for key in ("chart_rankings", "track_metadata"):
        assert plan.counts[key].calls == calls[key]
    # Windows from before a track was out are empty in a row, and somebody who is known to have data may be asked then.
    assert 0 <= calls["track_audience/spotify"] - plan.counts["track_audience/spotify"].calls <= 2


def test_a_run_that_stopped_halfway_is_planned_to_its_end(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    chart, days = small_chart(), last_days(simulator, SLUG, 4)
    ctx = new_context(simulator, sqlite_warehouse)
    run_cascade(ctx, chart, days[:2])
    sync_rankings(ctx, chart, days)
    sync_track_metadata(ctx, chart, days)
    sync_track_audience(ctx, chart, days[:3], "spotify")
    sync_artist_audience(ctx, chart, days, "instagram")

    plan = planned(simulator, ctx, chart, days)

    assert plan.counts["artist_audience/instagram"].calls == 0
    assert not plan.estimate
    assert_exact(plan, spent(simulator, ctx, chart, days))


def test_the_next_day_is_planned_with_those_who_left(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    chart = small_chart(follow_days=3)
    *before, today = last_days(simulator, SLUG, 4)
    run_cascade(new_context(simulator, sqlite_warehouse), chart, before)
    now = new_context(simulator, sqlite_warehouse).clock() + timedelta(days=1)
    tomorrow = new_context(simulator, sqlite_warehouse, now=now)
    sync_rankings(tomorrow, chart, [today])
    without = planned(simulator, tomorrow, replace(chart, follow_days=0), [today])

    plan = planned(simulator, tomorrow, chart, [today])

    calls = spent(simulator, tomorrow, chart, [today])
    assert plan.counts[AIRPLAY].calls > without.counts[AIRPLAY].calls == 50
    assert plan.calls == pytest.approx(sum(calls.values()), rel=0.02)
    for key in ("track_metadata", "track_audience/spotify", AIRPLAY):
        assert plan.counts[key].calls == calls[key]


def test_what_another_chart_has_brought_is_not_planned_again(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    chart, other = small_chart(), small_chart(OTHER)
    days = last_days(simulator, SLUG, 1)
    ctx = new_context(simulator, sqlite_warehouse)
    sync_rankings(ctx, chart, days)
    sync_track_metadata(ctx, chart, days)
    alone = planned(simulator, ctx, chart, days)
    run_cascade(ctx, other, days)

    plan = planned(simulator, ctx, chart, days)

    assert not plan.estimate
    assert plan.calls < alone.calls
    assert_exact(plan, spent(simulator, ctx, chart, days))


def test_a_published_day_without_its_ranking_is_known_to_cost_its_pages(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    chart = small_chart("global-28", track_audience_platforms=("spotify",), artist_audience_platforms=())
    days = last_days(simulator, chart.slug, 3)
    ctx = new_context(simulator, sqlite_warehouse)
    sync_rankings(ctx, chart, [days[0]])

    plan = planned(simulator, ctx, chart, days)

    calls = spent(simulator, ctx, chart, days)
    assert plan.missing_rankings == days[1:]
    # The list was read for the first day and named the newer ones on the way.
    assert plan.counts["chart_rankings"].calls == calls["chart_rankings"] == 4
    assert not plan.counts["chart_rankings"].estimate
    assert plan.counts["track_audience/spotify"].estimate
    # Their tracks are a guess, from how the stored ranking moved.
    assert plan.calls == pytest.approx(sum(calls.values()), rel=0.1)


def test_days_of_which_nothing_is_known_cost_the_list_too(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    chart, days = small_chart(), last_days(simulator, SLUG, 2)

    plan = planned(simulator, new_context(simulator, sqlite_warehouse), chart, days)

    assert plan.counts["chart_rankings"].calls == 1 + 2
    assert plan.estimate
    assert [key for key, count in plan.counts.items() if not count.calls] == ["audience_trends"]


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (("Spotify Top 200 Global", "global-28"), 200),
        (("Viral", "viral-50-global"), 50),
        (("Hot 100", "us"), 100),
        (("Airplay Daily", "airplay-daily"), None),
        (("The 28", "global-28"), None),
        (("Hits of 2026", "top-songs-29"), None),
    ],
)
def test_the_size_of_a_chart_may_stand_in_its_name(names: tuple[str, ...], places: int | None) -> None:
    assert places_named(*names) == places


def test_places_are_assumed_until_somebody_tells(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    chart, ctx = small_chart("global-28"), new_context(simulator, sqlite_warehouse)
    days = last_days(simulator, chart.slug, 1)

    blind = planned(simulator, ctx, chart, days)
    sync_catalog(ctx)
    told = planned(simulator, ctx, chart, days)

    assert (blind.assumed_places, told.assumed_places) == (200, None)
    assert blind.calls == told.calls


def test_a_weekly_chart_is_expected_once_a_week(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    chart = small_chart("tiktok-weekly-songs", track_audience_platforms=("spotify",), artist_audience_platforms=())
    (newest,) = last_days(simulator, chart.slug, 1)
    ctx = new_context(simulator, sqlite_warehouse)
    sync_rankings(ctx, chart, [newest])
    older = [newest - timedelta(days=ago) for ago in reversed(range(400, 414))]

    plan = planned(simulator, ctx, chart, older)

    assert plan.missing_rankings == [day for day in older if day.weekday() == newest.weekday()]
    assert len(plan.missing_rankings) == 2


def test_the_stations_of_a_day_are_planned_as_they_were_counted(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    chart = small_chart(
        track_audience_platforms=("airplay",), artist_audience_platforms=(), airplay_source="broadcast-groups"
    )
    *before, today = last_days(simulator, SLUG, 3)
    ctx = new_context(simulator, sqlite_warehouse)
    run_cascade(ctx, chart, before)
    sync_rankings(ctx, chart, [today])

    plan = planned(simulator, ctx, chart, [today])

    calls = spent(simulator, ctx, chart, [today])
    assert calls[AIRPLAY] > 50, "some tracks are on more than a hundred stations"
    assert plan.counts[AIRPLAY].calls == pytest.approx(calls[AIRPLAY], rel=0.1)


@given(st.lists(st.integers(0, 2_000), min_size=1, max_size=900), st.integers(0, 200_000))
def test_what_the_quota_covers_is_found_by_a_few_plans(calls_a_day: list[int], quota: int) -> None:
    total = [0, *itertools.accumulate(calls_a_day)]
    looks: list[int] = []

    def calls_of(days: int) -> int:
        looks.append(days)
        return total[days]

    allowance = Allowance(quota_left=quota, reserve=0, per_minute=1)
    covered = most_covered(len(calls_a_day), calls_of, allowance)
    assert total[covered] <= quota
    assert covered == len(calls_a_day) or total[covered + 1] > quota
    assert len(looks) <= EVEN_LOOKS + math.log2(len(calls_a_day)) + 2


@given(st.sets(st.integers(0, 200)), st.sets(st.integers(0, 200), min_size=1), st.integers(0, 20))
def test_days_are_followed_by_the_rule(ranked: set[int], asked: set[int], follow: int) -> None:
    day = [TODAY + timedelta(days=number) for number in range(221)]
    days = [day[number] for number in sorted(asked)]
    by_rule = [one for one in days if any(day[r] <= one <= day[r] + timedelta(days=follow) for r in ranked)]
    assert days_followed({day[number] for number in ranked}, days, follow) == by_rule

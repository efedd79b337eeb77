"""What the preview of a change says it costs, against the plan that counts every day, without a call."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from soundcharts_pipeline.admin.configuration.costs import COUNTED_DAYS, asks_the_same, price_of, rows_of, sentences_of
from soundcharts_pipeline.config.cascade import scheduled_keys
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.planning.plan import Allowance, plan_cascade
from soundcharts_pipeline.sync.rankings import sync_rankings
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade, small_chart

ONE_DAY = timedelta(days=1)
ENOUGH = Allowance(quota_left=10_000_000, reserve=0, per_minute=5_000)


def planned(ctx: SyncContext, chart: ChartSettings, first: date, last: date) -> int:
    days = [first + ONE_DAY * number for number in range((last - first).days + 1)]
    return plan_cascade(ctx, chart, days, scheduled_keys(Settings({chart.slug: chart}), chart)).calls


def priced(ctx: SyncContext, chart: ChartSettings) -> tuple[int, int]:
    """Calls of the newest day, and of all that is missing."""
    price = price_of(ctx, Settings({chart.slug: chart}), chart)
    return sum(count.calls for count in price.newest.values()), price.total.calls


@pytest.mark.parametrize(("days", "error"), [(1, 0), (COUNTED_DAYS, 0), (COUNTED_DAYS + 50, 0.03)])
def test_a_new_chart_costs_what_its_plan_says(
    simulator: Simulator, sqlite_warehouse: Warehouse, days: int, error: float
) -> None:
    ctx = new_context(simulator, sqlite_warehouse)
    yesterday = ctx.clock().date() - ONE_DAY
    first = yesterday - ONE_DAY * (days - 1)
    platforms = ("spotify", "airplay")
    chart = small_chart(first_date=first, track_audience_platforms=platforms, artist_audience_platforms=("tiktok",))

    newest, history = priced(ctx, chart)

    assert newest == planned(ctx, chart, yesterday, yesterday)
    assert newest > 2 * 50, "totals and radio plays of 50 tracks"
    assert history == pytest.approx(planned(ctx, chart, first, yesterday), rel=error)
    assert simulator.counters.total == 0


def test_what_is_stored_costs_nothing_and_what_lies_before_it_does(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    days = last_days(simulator, SLUG, 2)
    chart = small_chart(
        first_date=days[0], track_audience_platforms=("spotify",), artist_audience_platforms=(), history_days=7
    )
    ctx = new_context(simulator, sqlite_warehouse)
    run_cascade(ctx, chart, days)
    simulator.reset()

    earlier = replace(chart, first_date=days[0] - ONE_DAY * 5)
    before = planned(ctx, earlier, earlier.first_date, days[0] - ONE_DAY)
    assert priced(ctx, chart) == (0, 0)
    assert priced(ctx, earlier) == (0, before)
    assert priced(ctx, replace(earlier, sync_history=False)) == (0, 0)
    newest, _ = priced(ctx, replace(chart, track_audience_platforms=("spotify", "awa")))
    assert newest > 0
    assert simulator.counters.total == 0


def test_days_before_a_long_stored_history_are_counted_too(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    days = last_days(simulator, SLUG, COUNTED_DAYS)
    chart = small_chart(first_date=days[0], fetch_track_metadata=False, trigger_audience_fetch=False)
    ctx = new_context(simulator, sqlite_warehouse)
    sync_rankings(ctx, chart, days)
    earlier = replace(chart, first_date=days[0] - ONE_DAY * 30)
    assert priced(ctx, earlier) == (0, planned(ctx, earlier, earlier.first_date, days[0] - ONE_DAY))


def test_what_a_chart_does_not_ask_by_itself_is_said(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    ctx = new_context(simulator, sqlite_warehouse)
    chart = small_chart(first_date=ctx.clock().date())

    def said(chart: ChartSettings, allowance: Allowance = ENOUGH) -> tuple[list[str], str]:
        price = price_of(ctx, Settings({chart.slug: chart}), chart)
        return [row.asset for row in rows_of(None, price)], " ".join(sentences_of(chart, price, allowance))

    assets, sentences = said(chart)
    assert {"chart_rankings", "track_metadata", "artist_audience/instagram", "in all"} <= {*assets}
    assert "10,000,000 billed calls are left." in sentences
    assert "Assumed: a chart of 50 places" in sentences
    assets, sentences = said(replace(chart, auto_trigger_cascade=False))
    assert assets == ["chart_rankings", "track_metadata", "in all"]
    assert "asked only when somebody launches them" in sentences
    assert said(replace(chart, active=False)) == (
        ["in all"],
        "`active` is false: nothing of it is asked until somebody launches it.",
    )
    _, sentences = said(replace(chart, first_date=ctx.clock().date() + ONE_DAY))
    assert "before its first_date: nothing else is asked" in sentences
    _, sentences = said(chart, Allowance(quota_left=10, reserve=5, per_minute=100))
    assert "WARNING: the quota lacks" in sentences
    assert "10 are left, 5 of them in reserve" in sentences
    assert "minutes, at 100 calls per minute" in sentences
    _, sentences = said(chart, Allowance(quota_left=None, reserve=0, per_minute=0))
    assert "not known yet" in sentences


def test_a_name_and_a_schedule_are_no_reason_to_count_again() -> None:
    chart = small_chart()
    assert asks_the_same(chart, replace(chart, name="x", schedule="0 1 * * *", timezone="Europe/Paris", report=True))
    for change in ({"follow_days": 3}, {"active": False}, {"first_date": date(2026, 1, 2)}):
        assert not asks_the_same(chart, replace(chart, **change))

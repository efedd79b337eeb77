"""A plan of days near which every ranking went to the archive: none is here to be counted, and the days cost calls."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from soundcharts_pipeline.admin.configuration.costs import price_of
from soundcharts_pipeline.clock import A_MOMENT
from soundcharts_pipeline.config.cascade import allowed_keys
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.models import ONE_DAY
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.housekeeping.archive import archive
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.planning.plan import Plan, plan_cascade
from soundcharts_pipeline.sync.rankings import sync_rankings
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade, small_chart

WEEK = timedelta(days=7)


def planned(ctx: SyncContext, chart: ChartSettings, *days: date) -> Plan:
    return plan_cascade(ctx, chart, days, allowed_keys(Settings({chart.slug: chart}), chart))


def archive_all(ctx: SyncContext, folder: Path) -> None:
    """Every ranking that is stored goes."""
    now = ctx.clock()
    archive(ctx.warehouse, folder, before=now.date() + 5 * WEEK, now=now, on_progress=lambda _: None)


@pytest.fixture
def chart() -> ChartSettings:
    """With one platform of each kind, and short histories."""
    return small_chart(track_audience_platforms=("spotify",), artist_audience_platforms=("spotify",), history_days=7)


def test_days_beside_archived_ones_cost_no_less_than_they_did(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path, chart: ChartSettings
) -> None:
    *stored, wanted = last_days(simulator, SLUG, 4)
    ctx = new_context(simulator, warehouse)
    run_cascade(ctx, chart, stored)
    before = planned(ctx, chart, wanted)
    archive_all(ctx, tmp_path)

    after = planned(ctx, chart, wanted)

    assert after.calls >= before.calls > 50
    assert after.missing_rankings == [wanted]
    # What is in the archive is complete, and stays so.
    assert planned(ctx, chart, *stored).calls == 0
    simulator.reset()
    run_cascade(ctx, chart, stored)
    assert simulator.counters.total == 0
    run_cascade(ctx, chart, [wanted])
    assert 0 < simulator.counters.total <= after.calls


def test_archived_days_that_are_asked_again_cost_what_they_did(
    simulator: Simulator, sqlite_warehouse: Warehouse, tmp_path: Path, chart: ChartSettings
) -> None:
    (day,) = last_days(simulator, SLUG, 1)
    ctx = new_context(simulator, sqlite_warehouse)
    run_cascade(ctx, chart, [day])
    refreshing = replace(ctx, known_since=ctx.clock() + A_MOMENT)
    before = planned(refreshing, chart, day)
    archive_all(ctx, tmp_path)

    after = planned(refreshing, chart, day)

    assert after.calls >= before.calls > 50
    assert after.counts["chart_rankings"].calls == before.counts["chart_rankings"].calls == 2


def test_the_nearest_ranking_that_is_here_tells_how_a_day_is(
    simulator: Simulator, sqlite_warehouse: Warehouse, tmp_path: Path, chart: ChartSettings
) -> None:
    older, nearer, wanted = last_days(simulator, SLUG, 3)
    ctx = new_context(simulator, sqlite_warehouse)
    run_cascade(ctx, chart, [nearer])
    archive_all(ctx, tmp_path)
    blind = planned(ctx, chart, wanted)
    run_cascade(ctx, chart, [older])

    plan = planned(ctx, chart, wanted)

    assert blind.counts["track_metadata"].calls == 5
    assert plan.counts["track_metadata"].calls == 1, "most tracks of the day are known"
    assert plan.calls < blind.calls


def test_a_weekly_chart_keeps_its_weekday(simulator: Simulator, sqlite_warehouse: Warehouse, tmp_path: Path) -> None:
    chart = small_chart("tiktok-weekly-songs", track_audience_platforms=("spotify",), artist_audience_platforms=())
    (newest,) = last_days(simulator, chart.slug, 1)
    ctx = new_context(simulator, sqlite_warehouse)
    sync_rankings(ctx, chart, [newest])
    archive_all(ctx, tmp_path)
    older = [newest - ONE_DAY * ago for ago in reversed(range(399, 413))]

    plan = planned(ctx, chart, *older)

    assert plan.missing_rankings == [newest - 58 * WEEK, newest - 57 * WEEK]
    assert plan.counts["track_metadata"].calls > 0


def test_the_price_of_a_longer_history_is_told_with_its_end_in_the_archive(
    simulator: Simulator, sqlite_warehouse: Warehouse, tmp_path: Path, chart: ChartSettings
) -> None:
    days = last_days(simulator, SLUG, 2)
    ctx = new_context(simulator, sqlite_warehouse)
    run_cascade(ctx, chart, days)
    archive_all(ctx, tmp_path)
    with sqlite_warehouse.write() as conn:
        # As where no ranking named it.
        conn.execute(s.charts.update().values(max_results=None))
    longer = replace(chart, first_date=days[0] - 2 * ONE_DAY)

    price = price_of(ctx, Settings({SLUG: longer}), longer)

    assert price.total.calls >= planned(ctx, longer, longer.first_date, days[0] - ONE_DAY).calls > 50
    assert price.assumed_places == 50

"""On any day and at any hour: weekdays, ends of months and years, 29 February, both clock changes, about midnight."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from sqlalchemy import select

from soundcharts_pipeline.admin.pages.day_strip import strip_text
from soundcharts_pipeline.admin.pages.overview import calls_a_day, exhausted_on
from soundcharts_pipeline.admin.pages.rendering import relative
from soundcharts_pipeline.analysis.trends import chart_trends
from soundcharts_pipeline.clock import DAYS_AHEAD, PUBLISHING_DELAY_DAYS
from soundcharts_pipeline.config.cascade import allowed_keys
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.monitoring.chart_status import chart_health
from soundcharts_pipeline.monitoring.health import STRIP_DAYS
from soundcharts_pipeline.monitoring.ticks import next_ticks
from soundcharts_pipeline.orchestration.partitions import chart_days, partition_key
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.housekeeping.archive import archive
from soundcharts_pipeline.storage.housekeeping.backup import back_up
from soundcharts_pipeline.storage.queries.chart_states import chart_states
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.coverage import answered, due_windows, targets_of
from soundcharts_pipeline.sync.planning.plan import plan_cascade
from soundcharts_pipeline.sync.rankings import find_published
from soundcharts_pipeline_tests.monitoring.test_health import CHART
from soundcharts_pipeline_tests.orchestration.sensed import HEALING_SENSOR, spans
from soundcharts_pipeline_tests.support.helpers import SLUG, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.project import chart as project_chart
from soundcharts_pipeline_tests.support.project import open_project
from soundcharts_pipeline_tests.support.rows import put
from soundcharts_pipeline_tests.support.truth import expected, stored

ONE_DAY = timedelta(days=1)
CLOCK_CHANGES = {
    "Europe/Berlin": (date(2026, 10, 25), date(2027, 3, 28)),
    "America/New_York": (date(2026, 11, 1), date(2027, 3, 14)),
}
DAYS = [
    *(date(2026, 11, 16) + n * ONE_DAY for n in range(7)),  # each weekday
    *(date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 31), date(2027, 1, 1)),
    *(date(2027, 2, 28), date(2027, 3, 1), date(2028, 2, 29), date(2028, 3, 1)),
    *(day for changes in CLOCK_CHANGES.values() for day in changes),
]
MIDNIGHTS = [time(0, 0, 30, tzinfo=UTC), time(23, 59, 30, tzinfo=UTC)]
MOMENTS = [datetime.combine(day, at) for day in DAYS for at in MIDNIGHTS]
# As few places as a chart has: a cascade is a second.
CHART_OF_ANY_DAY = small_chart(
    history_days=5, track_audience_platforms=("spotify", "airplay"), artist_audience_platforms=()
)

any_day = pytest.mark.parametrize("day", DAYS, ids=str)
any_moment = pytest.mark.parametrize("now", MOMENTS, ids=lambda now: f"{now:%Y-%m-%d-%H%M%S}")


@any_day
def test_a_cascade_is_whole_half_a_minute_before_midnight_and_free_half_a_minute_after(
    simulator: Simulator, sqlite_warehouse: Warehouse, day: date
) -> None:
    chart = CHART_OF_ANY_DAY
    simulator.set(today=day)
    newest = day - ONE_DAY
    before, after = datetime.combine(day, MIDNIGHTS[1]), datetime.combine(day + ONE_DAY, MIDNIGHTS[0])
    ctx = new_context(simulator, sqlite_warehouse, now=before)
    assert find_published(ctx, replace(chart, first_date=newest - ONE_DAY)) == [newest - ONE_DAY, newest]
    run_cascade(ctx, chart, [newest])
    assert stored(sqlite_warehouse) == expected(simulator.world, chart, [newest])
    calls = simulator.counters.total

    simulator.set(today=day + ONE_DAY)
    later = new_context(simulator, sqlite_warehouse, now=after)
    run_cascade(later, chart, [newest])
    assert simulator.counters.total == calls
    keys = [key for key in allowed_keys(Settings({SLUG: chart}), chart) if "report" not in key]
    assert plan_cascade(later, chart, [newest], keys).calls == 0
    assert find_published(later, replace(chart, first_date=newest)) == [newest, day]
    run_cascade(later, chart, [day])
    with sqlite_warehouse.read() as conn:
        ranked = set(conn.scalars(select(s.chart_rankings.c.rank_date).distinct()))
        assert set(chart_states(conn, day - 2 * ONE_DAY)[SLUG].saved) == ranked == {newest, day}
        assert chart_trends(conn, SLUG, day)["uuid"]


@any_moment
def test_an_answer_settles_by_the_day_on_which_it_was_asked(now: datetime) -> None:
    today = now.date()
    [window] = targets_of([today - ONE_DAY], 60, last=today)
    # Saved after midnight, asked before: what came out in between is still to be asked.
    [ask] = answered([], window, set(), now=now, delay_days=PUBLISHING_DELAY_DAYS, asked_on=today - ONE_DAY)
    assert ask.settled == today - (PUBLISHING_DELAY_DAYS + 1) * ONE_DAY
    again = now + timedelta(hours=12, minutes=1)
    [due] = due_windows([window], [ask], now=again, recheck=timedelta(hours=12), longest=90)
    assert due == (ask.settled + ONE_DAY, window.end)


@any_moment
def test_partitions_reach_to_a_week_after_the_utc_day(now: datetime) -> None:
    charts = {SLUG: ChartSettings(slug=SLUG, name=SLUG, first_date=now.date() - 3 * ONE_DAY)}
    keys = chart_days(Settings(charts)).get_partition_keys(current_time=now)
    days = [now.date() + n * ONE_DAY for n in range(-3, DAYS_AHEAD + 1)]
    assert set(keys) == {partition_key(SLUG, day) for day in days}


@any_moment
def test_a_set_day_moves_the_partitions_of_the_machines_day(now: datetime) -> None:
    for machine in (now - timedelta(days=400), now + timedelta(days=40)):
        charts = {SLUG: ChartSettings(slug=SLUG, name=SLUG, first_date=now.date() - 3 * ONE_DAY)}
        moved = chart_days(Settings(charts), days_from_now=(now.date() - machine.date()).days)
        keys = [key.rpartition("|")[2] for key in moved.get_partition_keys(current_time=machine)]
        assert max(keys) == str(now.date() + DAYS_AHEAD * ONE_DAY)


@any_moment
def test_status_strip_and_forecast_end_today(now: datetime) -> None:
    yesterday = now.date() - ONE_DAY
    chart = replace(
        CHART, published={yesterday: now}, saved=frozenset({yesterday}), newest_saved_at=now - timedelta(hours=30)
    )
    health = chart_health(chart, [], [], now, str)
    days = [day for day, _ in health.strip]
    assert days == [now.date() - n * ONE_DAY for n in reversed(range(STRIP_DAYS))]
    assert strip_text(health.strip) == "Last 30 days: 29 not published, 1 partial"
    late = chart_health(replace(chart, newest_saved_at=now - timedelta(hours=37)), [], [], now, str)
    assert (late.status, late.reason.partition(" since")[0]) == ("degraded", "no new ranking was saved")
    assert calls_a_day({now.date() - n * ONE_DAY: 10 for n in range(9)}, now.date()) == 10.0
    assert exhausted_on(70, 10.0, now.date()) == now.date() + timedelta(days=7)
    assert ">5 min ago<" in relative(now - timedelta(minutes=5), now)


@any_moment
def test_only_months_that_are_over_are_archived(sqlite_warehouse: Warehouse, tmp_path: Path, now: datetime) -> None:
    first = now.date().replace(day=1)
    days = [first - ONE_DAY, first, now.date()]
    with sqlite_warehouse.write() as conn:
        rows = [
            {"track_uuid": "t", "platform": "spotify", "metric": "streams", "identifier": "", "date": day, "value": 1}
            for day in {*days}
        ]
        put(conn, s.track_audience, [{**row, "fetched_at": now} for row in rows])
    report = archive(sqlite_warehouse, tmp_path / "archive", before=now.date(), now=now, on_progress=print)
    assert [part.month for part in report.written] == [f"{first - ONE_DAY:%Y-%m}"]
    with sqlite_warehouse.read() as conn:
        assert set(conn.scalars(select(s.track_audience.c.date))) == {first, now.date()}


def test_of_backups_the_newest_stay(sqlite_warehouse: Warehouse, tmp_path: Path) -> None:
    made = [back_up(sqlite_warehouse, tmp_path / "backups", keep=2, now=now).path for now in sorted(MOMENTS)]
    assert sorted((tmp_path / "backups").glob("soundcharts-*.zst")) == made[-2:]


@pytest.mark.parametrize("zone", [*CLOCK_CHANGES, "Asia/Tokyo", "Pacific/Honolulu", "UTC"])
@pytest.mark.parametrize("cron", ["0 2 * * *", "30 2 * * *", "30 1 * * *", "59 23 * * *"])
def test_a_daily_schedule_ticks_once_on_each_day_of_its_zone(tmp_path: Path, cron: str, zone: str) -> None:
    chart = ChartSettings(slug=SLUG, name=SLUG, schedule=cron, timezone=zone)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        for day in DAYS:
            at = datetime.combine(day - ONE_DAY, time(0), ZoneInfo(zone)).astimezone(UTC) - timedelta(seconds=1)
            ticked: list[date] = []
            while len(ticked) < 3:
                at = next_ticks(instance, Settings({SLUG: chart}), at + timedelta(seconds=1))[SLUG]
                ticked.append(at.astimezone(ZoneInfo(zone)).date())
            assert ticked == [day - ONE_DAY, day, day + ONE_DAY]


@any_moment
def test_healing_looks_back_from_the_utc_day(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    simulator.set(today=now.date())
    moment = {**environ, "SOUNDCHARTS_NOW": now.isoformat()}
    chart = project_chart(SLUG, heal_days=3, track_audience_platforms=(), artist_audience_platforms=())
    with open_project(simulator, moment, monkeypatch, chart) as project:
        project.publish(project.span(6))
        last = now.date() - ONE_DAY
        assert spans(project.evaluate(HEALING_SENSOR)) == [ChartDays(SLUG, now.date() - 3 * ONE_DAY, last)]

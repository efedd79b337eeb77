"""What people read of a chart follows from its facts: status, success rate, strip, errors."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundcharts_pipeline.models import RunError
from soundcharts_pipeline.monitoring.chart_status import chart_health
from soundcharts_pipeline.monitoring.health import (
    ENDED,
    RECENT_RUNS,
    STRIP_DAYS,
    TASKS_SHOWN,
    ChartFacts,
    ChartHealth,
    RunState,
    TaskState,
    newest_first,
    shown_first,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOW.date()
KEYS = ("chart_rankings", "track_metadata")
BROKEN = RunError("track_metadata", "NetworkError", "api.example does not answer")
CHART = ChartFacts(
    slug="global-28",
    name="Global",
    platform="spotify",
    schedule="0 2 * * *",
    active=True,
    keys=frozenset(KEYS),
    heal_days=14,
    freshness=timedelta(hours=36),
    published={TODAY: NOW - timedelta(hours=10)},
    saved=frozenset({TODAY}),
    newest_saved_at=NOW - timedelta(hours=10),
)


def run(state: TaskState, *, ago: int = 0, hours: float = 1, days: int = 1) -> RunState:
    """A run of the days that end `ago` days before today; it ended so many hours before now."""
    last = TODAY - timedelta(days=ago)
    over = state in ENDED
    at = NOW - timedelta(hours=hours)
    return RunState(
        run_id=f"{state}-{ago}-{hours}",
        chart="global-28",
        first=last - timedelta(days=days - 1),
        last=last,
        state=state,
        trigger="schedule",
        steps=KEYS,
        ended_steps=frozenset(KEYS if state == "complete" else KEYS[:1] if state == "failed" else ()),
        created_at=at,
        started_at=at,
        ended_at=at if over else None,
        error=BROKEN if state == "failed" else None,
    )


def health(*runs: RunState, chart: ChartFacts = CHART) -> ChartHealth:
    return chart_health(chart, runs, [], NOW, lambda run: f"mend {run.error and run.error.kind}")


def strip(*runs: RunState, chart: ChartFacts = CHART) -> dict[date, str]:
    return dict(health(*runs, chart=chart).strip)


def test_a_chart_that_was_saved_and_is_fresh_is_healthy() -> None:
    found = health(run("complete", hours=3))

    assert (found.status, found.success_rate, found.error_count, found.last_error) == ("healthy", 1.0, 0, None)
    assert found.last_sync == NOW - timedelta(hours=3)


def test_a_ranking_that_is_too_old_degrades_an_active_chart_alone() -> None:
    old = replace(CHART, newest_saved_at=NOW - timedelta(hours=37))

    assert health(run("complete", hours=40), chart=old).status == "degraded"
    assert "no new ranking" in health(run("complete", hours=40), chart=old).reason
    assert health(run("complete", hours=40), chart=replace(old, active=False)).status == "healthy"


@pytest.mark.parametrize("hours", [37, 35])
def test_what_is_said_holds_at_the_very_hour(hours: int) -> None:
    chart = replace(CHART, newest_saved_at=NOW - timedelta(hours=hours))
    assert health(run("complete"), chart=chart).status == ("degraded" if hours == 37 else "healthy")


def test_the_last_error_comes_with_its_remedy() -> None:
    found = health(run("failed", hours=2), run("complete", hours=1))

    assert found.error_count == 1
    assert found.last_error is not None
    assert (found.last_error.asset, found.last_error.kind) == ("track_metadata", "NetworkError")
    assert found.last_error.remedy == "mend NetworkError"


def test_runs_of_other_charts_do_not_count() -> None:
    assert health(run("complete"), replace(run("failed", hours=0.1), chart="other")).error_count == 0


@pytest.mark.parametrize(
    ("runs", "state"),
    [
        ([run("complete")], "complete"),
        ([run("failed")], "failed"),
        ([run("complete", hours=5), run("failed", hours=1)], "complete"),
        ([run("failed", hours=5), replace(run("failed", hours=1), ended_steps=frozenset(KEYS[1:]))], "complete"),
        ([run("complete", hours=5), run("processing")], "running"),
        ([run("pending")], "running"),
        ([], "partial"),
        ([replace(run("complete"), ended_steps=frozenset(KEYS[:1]))], "partial"),
        # A canceled run leaves what it had complete, and no more.
        ([replace(run("canceled"), ended_steps=frozenset(KEYS[:1]))], "partial"),
        ([run("complete", hours=5), run("canceled")], "complete"),
        ([run("failed", hours=5), run("canceled")], "failed"),
        ([replace(run("failed"), ended_days={KEYS[1]: frozenset({TODAY})})], "complete"),
        ([replace(run("failed"), ended_days={KEYS[1]: frozenset({TODAY - timedelta(days=1)})})], "failed"),
    ],
)
def test_a_day_in_the_strip_shows_what_its_runs_left(runs: list[RunState], state: str) -> None:
    assert strip(*runs)[TODAY] == state


def test_a_day_without_runs_is_missing_or_not_published() -> None:
    yesterday = TODAY - timedelta(days=1)
    chart = replace(CHART, published={yesterday: NOW}, saved=frozenset())
    by_schedule, by_hand = run("complete", ago=5), replace(run("complete", ago=5), trigger="cli")

    assert strip(by_schedule, chart=chart)[yesterday] == "missing"
    assert strip(by_hand, chart=chart)[yesterday] == "offered"
    assert strip(by_schedule, run("canceled", ago=1), chart=chart)[yesterday] == "offered"
    assert strip(by_schedule, chart=chart)[TODAY] == "not published"


def test_a_run_of_a_range_shows_on_every_day_of_it() -> None:
    days = strip(run("processing", ago=1, days=3))

    assert [day for day, state in days.items() if state == "running"] == [TODAY - timedelta(days=n) for n in (3, 2, 1)]


def test_a_partition_reads_as_dagster_writes_it() -> None:
    assert run("complete").partition == "global-28|2026-11-20"
    assert run("complete", days=3).partition == "global-28|2026-11-18...global-28|2026-11-20"


states = st.sampled_from(get_args(TaskState))
some_runs = st.lists(
    st.builds(
        lambda state, ago, hours, days: run(state, ago=ago, hours=hours, days=days),
        states,
        st.integers(0, 40),
        st.floats(0, 900),
        st.integers(1, 40),
    ),
    max_size=60,
)


@given(some_runs)
def test_whatever_ran_the_figures_agree(runs: list[RunState]) -> None:
    found = health(*runs)
    ended = sum(one.state in ("complete", "failed") for one in runs)

    assert [day for day, _ in found.strip] == [TODAY - timedelta(days=n) for n in reversed(range(STRIP_DAYS))]
    assert (found.success_rate is None) == (ended == 0)
    if found.success_rate is not None:
        assert round((1 - found.success_rate) * min(ended, RECENT_RUNS)) == found.error_count
    assert (found.last_error is None) == (found.error_count == 0)
    assert found == health(*reversed(runs))
    assert found.reason
    # Whoever is told that all is well will see no red day.
    assert found.status != "healthy" or "failed" not in dict(found.strip).values()


@given(some_runs)
def test_a_canceled_run_counts_neither_as_a_failure_nor_as_a_success(runs: list[RunState]) -> None:
    found, without = health(*runs), health(*(one for one in runs if one.state != "canceled"))

    assert (found.success_rate, found.error_count, found.last_error, found.last_sync) == (
        *(without.success_rate, without.error_count, without.last_error, without.last_sync),
    )
    assert found.status != "failing" or without.status == "failing"


@given(some_runs)
def test_no_run_at_work_is_left_out_of_what_is_shown(runs: list[RunState]) -> None:
    shown = shown_first(newest_first(runs))
    at_work = [one for one in runs if not one.is_over]

    assert len(shown) == max(min(len(runs), TASKS_SHOWN), len(at_work))
    assert {one.run_id for one in at_work} <= {one.run_id for one in shown}


def test_a_ranking_dated_ahead_is_the_newest_day_of_the_strip_and_is_missed_like_any_other() -> None:
    ahead = TODAY + timedelta(days=4)
    lost = replace(CHART, published={**CHART.published, ahead: NOW - timedelta(hours=1)})
    found = health(run("complete"), chart=lost)
    assert found.strip[-1] == (ahead, "missing")
    assert len(found.strip) == STRIP_DAYS
    assert (found.status, found.reason) == ("degraded", f"1 published day is not complete, the newest is {ahead}")

"""What people read of a chart follows from its facts: status, success rate, strip, errors."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundcharts_pipeline.health import (
    RECENT_RUNS,
    STRIP_DAYS,
    TASKS_SHOWN,
    ChartFacts,
    ChartHealth,
    ErrorFacts,
    RunFacts,
    TaskState,
    chart_health,
    newest_first,
    shown_first,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOW.date()
KEYS = ("chart_rankings", "track_metadata")
BROKEN = ErrorFacts("track_metadata", "NetworkError", "api.example does not answer")
CHART = ChartFacts(
    slug="global-28",
    name="Global",
    platform="spotify",
    schedule="0 2 * * *",
    active=True,
    keys=frozenset(KEYS),
    heal_days=14,
    freshness=timedelta(hours=36),
    published=frozenset({TODAY}),
    saved=frozenset({TODAY}),
    newest_saved_at=NOW - timedelta(hours=10),
)


def run(state: TaskState, *, ago: int = 0, hours: float = 1, days: int = 1) -> RunFacts:
    """A run of the days that end `ago` days before today; it ended so many hours before now."""
    last = TODAY - timedelta(days=ago)
    over = state in ("complete", "failed")
    at = NOW - timedelta(hours=hours)
    return RunFacts(
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


def health(*runs: RunFacts, chart: ChartFacts = CHART) -> ChartHealth:
    return chart_health(chart, runs, [], NOW, lambda error: f"mend {error.kind}")


def strip(*runs: RunFacts, chart: ChartFacts = CHART) -> dict[date, str]:
    return dict(health(*runs, chart=chart).strip)


def test_a_chart_that_was_saved_and_is_fresh_is_healthy() -> None:
    found = health(run("complete", hours=3))

    assert (found.status, found.success_rate, found.error_count, found.last_error) == ("healthy", 1.0, 0, None)
    assert found.last_sync == NOW - timedelta(hours=3)


def test_a_chart_of_which_nothing_was_saved_was_never_synced() -> None:
    empty = replace(CHART, saved=frozenset(), newest_saved_at=None)

    assert health(chart=empty).status == "never_synced"
    assert health(run("failed"), run("failed", hours=2), run("failed", hours=3), chart=empty).status == "never_synced"
    assert health(run("complete"), chart=empty).status == "healthy"


def test_one_failure_degrades_and_three_in_a_row_are_failing() -> None:
    good = [run("complete", hours=9 + n) for n in range(5)]
    bad = [run("failed", hours=n) for n in (1, 2, 3)]

    assert health(*good, bad[0]).status == "degraded"
    assert health(*good, *bad[:2]).status == "degraded"
    assert health(*good, *bad).status == "failing"
    assert health(*good, *bad, run("complete", hours=0.5)).status == "healthy"


def test_a_success_rate_below_one_half_is_failing() -> None:
    mixed = [run("failed", hours=2), run("failed", hours=3), run("complete", hours=1)]

    assert health(*mixed).status == "failing"
    assert health(*mixed, run("complete", hours=4)).status == "healthy"


def test_a_ranking_that_is_too_old_degrades_an_active_chart_alone() -> None:
    old = replace(CHART, newest_saved_at=NOW - timedelta(hours=37))

    assert health(run("complete", hours=40), chart=old).status == "degraded"
    assert "no new ranking" in health(run("complete", hours=40), chart=old).reason
    assert health(run("complete", hours=40), chart=replace(old, active=False)).status == "healthy"


def test_a_missing_day_degrades_until_something_runs() -> None:
    lost = replace(CHART, published=frozenset({TODAY, TODAY - timedelta(days=3)}))
    older = replace(CHART, published=frozenset({TODAY, TODAY - timedelta(days=15)}))

    assert health(run("complete"), chart=lost).status == "degraded"
    assert health(run("complete"), run("pending", ago=3), chart=lost).status == "healthy"
    assert health(run("complete"), chart=older).status == "healthy"


def test_a_healthy_chart_claims_no_day_that_is_missing() -> None:
    lost = replace(CHART, published=frozenset({TODAY, *(TODAY - timedelta(days=ago) for ago in (3, 4))}))
    older = replace(CHART, published=frozenset({TODAY, TODAY - timedelta(days=15)}))

    assert health(run("complete")).reason == "every published day is here"
    at_work = health(run("complete"), run("pending", ago=4), chart=lost)
    assert at_work.reason == "1 published day is not complete, a run is at work"
    assert health(run("complete"), chart=older).reason == "nothing published since 2026-11-06 is missing"


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
    ],
)
def test_a_day_in_the_strip_shows_what_its_runs_left(runs: list[RunFacts], state: str) -> None:
    assert strip(*runs)[TODAY] == state


def test_a_day_without_runs_is_missing_or_not_published() -> None:
    days = strip(chart=replace(CHART, published=frozenset({TODAY - timedelta(days=1)}), saved=frozenset()))

    assert days[TODAY - timedelta(days=1)] == "missing"
    assert days[TODAY] == "not published"


def test_a_run_of_a_range_shows_on_every_day_of_it() -> None:
    days = strip(run("processing", ago=1, days=3))

    assert [day for day, state in days.items() if state == "running"] == [TODAY - timedelta(days=n) for n in (3, 2, 1)]


def test_a_partition_reads_as_dagster_writes_it() -> None:
    assert run("complete").partition == "global-28|2026-11-20"
    assert run("complete", days=3).partition == "global-28|2026-11-18...global-28|2026-11-20"


states = st.sampled_from(["pending", "processing", "complete", "failed"])
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
def test_whatever_ran_the_figures_agree(runs: list[RunFacts]) -> None:
    found = health(*runs)
    ended = sum(one.is_over for one in runs)

    assert [day for day, _ in found.strip] == [TODAY - timedelta(days=n) for n in reversed(range(STRIP_DAYS))]
    assert (found.success_rate is None) == (ended == 0)
    if found.success_rate is not None:
        assert round((1 - found.success_rate) * min(ended, RECENT_RUNS)) == found.error_count
    assert (found.last_error is None) == (found.error_count == 0)
    assert found == health(*reversed(runs))
    assert found.reason


@given(some_runs)
def test_no_run_at_work_is_left_out_of_what_is_shown(runs: list[RunFacts]) -> None:
    shown = shown_first(newest_first(runs))
    at_work = [one for one in runs if not one.is_over]

    assert len(shown) == max(min(len(runs), TASKS_SHOWN), len(at_work))
    assert {one.run_id for one in at_work} <= {one.run_id for one in shown}

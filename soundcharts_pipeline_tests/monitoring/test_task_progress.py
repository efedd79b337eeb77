"""A task's percentage counts entities, never goes backwards and is 100 only at the end."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from soundcharts_pipeline.models import RunError
from soundcharts_pipeline.monitoring.health import RunState
from soundcharts_pipeline.monitoring.task_progress import Counts, Meter, fraction_done, step_under_way, task_of

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
STEPS = ("chart_rankings", "track_metadata", "track_audience/spotify", "artist_metadata")
RUN = RunState(
    run_id="1",
    chart="global-28",
    first=date(2026, 11, 20),
    last=date(2026, 11, 20),
    state="processing",
    trigger="api",
    steps=STEPS,
    created_at=START,
    started_at=START,
)

some_counts = st.dictionaries(
    st.sampled_from(STEPS),
    st.integers(0, 50).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))),
)
looks = st.lists(st.tuples(some_counts, st.frozensets(st.sampled_from(STEPS))), min_size=1, max_size=20)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_entities_inside_a_step_count() -> None:
    run = replace(RUN, ended_steps=frozenset(STEPS[:1]))

    assert fraction_done(run, {STEPS[0]: (1, 1), STEPS[1]: (5, 20)}) == (1 + 0.25) / 4
    assert fraction_done(run, {STEPS[1]: (0, 0)}) == 1 / 4
    assert fraction_done(replace(RUN, steps=()), {}) == 0


@given(looks)
def test_it_never_goes_backwards(seen: list[tuple[Counts, frozenset[str]]]) -> None:
    meter, before = Meter(), 0
    for number, (counts, ended) in enumerate(seen):
        run = replace(RUN, ended_steps=ended)
        meter.look(run, counts, after(number), calls=number % 3)
        assert before <= meter.percent(run) <= 99
        before = meter.percent(run)
        assert meter.seconds_left is None or meter.seconds_left >= 0
        assert meter.calls_per_second is None or meter.calls_per_second >= 0
    assert meter.percent(replace(RUN, state="failed")) == before
    assert meter.percent(replace(RUN, state="complete")) == 100


def test_speed_and_time_left_are_those_of_the_last_minute() -> None:
    meter = Meter()
    slow_then_fast: Mapping[int, int] = {0: 0, 100: 10, 130: 40, 160: 70}
    for seconds, done in slow_then_fast.items():
        # Twice as many calls as questions: a series of two metrics, a ranking of two pages.
        meter.look(RUN, {STEPS[0]: (done, 100)}, after(seconds), calls=2 * done)

    assert meter.calls_per_second == 2.0
    # 0.6 / 4 of the run took a minute, 1 - 0.7 / 4 is left.
    assert meter.seconds_left == round((1 - 0.175) * 60 / 0.15)


def test_nothing_is_said_of_the_speed_after_one_look() -> None:
    meter = Meter()
    meter.look(RUN, {STEPS[0]: (1, 2)}, START, calls=1)

    assert (meter.calls_per_second, meter.seconds_left) == (None, None)


def test_the_step_is_the_one_under_way_or_the_one_that_failed() -> None:
    counts = {STEPS[0]: (1, 1), STEPS[2]: (3, 9)}
    run = replace(RUN, ended_steps=frozenset(STEPS[:1]))
    failed = replace(run, state="failed", error=RunError(STEPS[3], "NetworkError", "no answer"))

    assert step_under_way(run, counts) == STEPS[2]
    assert step_under_way(run, {}) == STEPS[1]
    assert step_under_way(failed, counts) == STEPS[3]
    assert step_under_way(replace(run, state="pending"), {}) is None
    assert step_under_way(replace(run, state="complete"), {}) is None


def test_a_task_that_is_over_has_no_speed() -> None:
    meter = Meter()
    for seconds in (0, 10):
        meter.look(RUN, {STEPS[0]: (seconds, 100)}, after(seconds), calls=10 * seconds)
    running = task_of(RUN, meter, {}, logs_url="http://here/runs/1", remedy=str)
    over = task_of(replace(RUN, state="complete"), meter, {}, logs_url=None, remedy=str)

    assert running.calls_per_second == 10.0
    assert (over.progress, over.calls_per_second, over.seconds_left, over.error) == (100, None, None, None)

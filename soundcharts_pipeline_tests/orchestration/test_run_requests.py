"""What is requested, what counts as being at work, and when a failed span may be tried again."""

import uuid
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, DagsterEventType, JobFailureData
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from hypothesis import given
from hypothesis import strategies as st

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.partitions import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG, range_tags
from soundcharts_pipeline.orchestration.run_requests import (
    FIRST_BACKOFF,
    LONGEST_BACKOFF,
    EndedRun,
    ended_runs,
    materialized_days,
    next_try,
    request_run,
    spans_in_flight,
)

SPAN = ChartDays("global-28", date(2026, 11, 2), date(2026, 11, 5))
ELSEWHERE = ChartDays("global-28", date(2026, 11, 6), date(2026, 11, 9))
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _ended(hours_ago: float, *, succeeded: bool = False, span: ChartDays = SPAN) -> EndedRun:
    return EndedRun(span, succeeded, NOW - timedelta(hours=hours_ago))


def test_a_span_that_never_failed_may_be_tried_at_any_time() -> None:
    assert next_try(SPAN, []) is None
    assert next_try(SPAN, [_ended(1, succeeded=True)]) is None


@pytest.mark.parametrize(
    ("failures", "pause"),
    [(1, 0.5), (2, 1), (3, 2), (4, 4), (5, 8), (6, 16), (7, 24), (8, 24), (400, 24)],
)
def test_the_pause_doubles_with_every_failure_up_to_a_day(failures: int, pause: float) -> None:
    ended = [_ended(hours_ago) for hours_ago in range(failures)]
    assert next_try(SPAN, ended) == NOW + timedelta(hours=pause)


def test_only_failures_since_the_last_success_count() -> None:
    ended = [_ended(1), _ended(2, succeeded=True), _ended(3), _ended(4)]
    assert next_try(SPAN, ended) == NOW - timedelta(hours=1) + FIRST_BACKOFF


def test_runs_of_other_days_and_charts_do_not_count() -> None:
    other_chart = ChartDays("airplay-daily", SPAN.first, SPAN.last)
    assert next_try(SPAN, [_ended(1, span=ELSEWHERE), _ended(1, span=other_chart)]) is None
    assert next_try(SPAN, [_ended(1, span=ChartDays("global-28", SPAN.last, ELSEWHERE.last))]) is not None


@given(st.lists(st.tuples(st.floats(0, 500), st.booleans())).flatmap(st.permutations))
def test_the_next_try_is_within_a_day_of_the_last_failure_in_whatever_order_runs_are_listed(
    runs: list[tuple[float, bool]],
) -> None:
    ended = [_ended(hours_ago, succeeded=succeeded) for hours_ago, succeeded in runs]
    again = next_try(SPAN, ended)
    last = max(ended, key=lambda run: run.ended_at, default=None)
    if last is None or last.succeeded:
        assert again is None or any(run.ended_at == last.ended_at for run in ended if last and not run.succeeded)
    else:
        assert again is not None
        assert FIRST_BACKOFF <= again - last.ended_at <= LONGEST_BACKOFF


def test_one_day_is_a_range_like_several() -> None:
    day = ChartDays("global-28", SPAN.first, SPAN.first)
    single = request_run("full_sync", day, ["chart_rankings", "track_audience/spotify"], "schedule")
    assert single.tags[RANGE_START_TAG] == single.tags[RANGE_END_TAG] == "global-28|2026-11-02"
    assert single.asset_selection == [dg.AssetKey("chart_rankings"), dg.AssetKey(["track_audience", "spotify"])]
    several = request_run("full_sync", SPAN, ["chart_rankings"], "schedule")
    assert several.partition_key is None
    assert several.tags == {
        RANGE_START_TAG: "global-28|2026-11-02",
        RANGE_END_TAG: "global-28|2026-11-05",
        "soundcharts/chart": "global-28",
        "soundcharts/trigger": "schedule",
    }


def _add_run(instance: dg.DagsterInstance, event: DagsterEventType | None, tags: dict[str, str]) -> None:
    """A run that has come as far as this event (None: it was only created)."""
    origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "repository").get_job_origin("anything")
    run = instance.add_run(dg.DagsterRun("anything", str(uuid.uuid4()), tags=tags, remote_job_origin=origin))
    if event is not None:
        failure = JobFailureData(None) if event is DagsterEventType.RUN_FAILURE else None
        instance.report_dagster_event(DagsterEvent(event.value, "anything", event_specific_data=failure), run.run_id)


@pytest.mark.parametrize(
    ("event", "at_work"),
    [
        (None, True),
        (DagsterEventType.RUN_ENQUEUED, True),
        (DagsterEventType.RUN_STARTING, True),
        (DagsterEventType.RUN_START, True),
        (DagsterEventType.RUN_CANCELING, True),
        (DagsterEventType.RUN_CANCELED, False),
        (DagsterEventType.RUN_FAILURE, False),
        (DagsterEventType.RUN_SUCCESS, False),
    ],
)
def test_a_run_is_in_flight_from_its_creation_to_its_end(event: DagsterEventType | None, at_work: bool) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        _add_run(instance, event, range_tags(SPAN))
        assert spans_in_flight(instance, ()) == ([SPAN] if at_work else [])
        ended = ended_runs(instance, (), datetime.now(UTC) - timedelta(minutes=1))
        succeeded = event is DagsterEventType.RUN_SUCCESS
        counts = not at_work and event is not DagsterEventType.RUN_CANCELED
        assert [(run.span, run.succeeded) for run in ended] == ([(SPAN, succeeded)] if counts else [])


def test_runs_count_by_dagsters_own_tags_whoever_launched_them() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for tags in ({PARTITION_TAG: "global-28|2026-11-02"}, {}, {"dagster/backfill": "abc", **range_tags(ELSEWHERE)}):
            _add_run(instance, DagsterEventType.RUN_ENQUEUED, tags)
        assert sorted(spans_in_flight(instance, ())) == [ChartDays("global-28", SPAN.first, SPAN.first), ELSEWHERE]


def test_materialised_days_are_looked_up_by_chart_and_no_others() -> None:
    key = "track_audience/spotify"
    asked = [date(2026, 11, day) for day in range(2, 5)]
    with dg.DagsterInstance.ephemeral() as instance:
        for partition in ("global-28|2026-11-01", "global-28|2026-11-02", "global-28|2026-11-03", "a_b.c|2026-11-03"):
            instance.report_runless_asset_event(dg.AssetMaterialization(key.split("/"), partition=partition))
        days = materialized_days(instance, key, {"global-28": asked, "a_b.c": asked, "never-seen": asked})
        assert days == {"global-28": set(asked[:2]), "a_b.c": {date(2026, 11, 3)}}
        assert days["never-seen"] == set()
        assert materialized_days(instance, key, {"global-28": []}) == {}
        assert materialized_days(instance, key, {}) == {}


def test_more_days_are_looked_up_than_one_query_takes() -> None:
    days = [date(1990, 1, 1) + timedelta(days=number) for number in range(1_000)]
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("chart_rankings", partition=f"c-39|{days[-1]}"))
        there = materialized_days(instance, "chart_rankings", {f"c-{number}": days for number in range(40)})
    assert there == {"c-39": {days[-1]}}

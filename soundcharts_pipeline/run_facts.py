"""From what Dagster records of its runs to the facts that health is computed from: the one place that knows how a
run's tags, selection and status are read. `read_runs` asks an instance; the admin app asks over GraphQL."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorType
from dagster._utils.schedules import cron_string_iterator

from soundcharts_pipeline.cascade import RANKINGS, TRACK_METADATA, all_keys, schedule_names
from soundcharts_pipeline.health import CANCELED, RECENT_RUNS, ErrorFacts, RunFacts, TaskState
from soundcharts_pipeline.jobs import CASCADE, CHART_SYNC
from soundcharts_pipeline.launch import step_failure
from soundcharts_pipeline.partitions import ChartSpan, span_of_tags
from soundcharts_pipeline.run_requests import TRIGGER_TAG
from soundcharts_pipeline.settings import Settings

STATES: Mapping[str, TaskState] = {
    "QUEUED": "pending",
    "NOT_STARTED": "pending",
    "STARTING": "processing",
    "STARTED": "processing",
    "CANCELING": "processing",
    "SUCCESS": "complete",
    "FAILURE": "failed",
    "CANCELED": "failed",
}
# Runs of an instance that are read at most, newest first: a month of forty charts that run three times a day.
MOST_RUNS = 4000

# The kind of error of a run that failed outside of any step: killed, never started, not loaded.
RUN_FAILED = "RunFailed"
WAS_CANCELED = ErrorFacts("", CANCELED, "the run was canceled; what was saved stays")
# What Dagster says of a run that somebody else reported as failed; the engine event before it says what happened.
_FROM_OUTSIDE = "This run has been marked as failed from outside"
UNEXPLAINED = "the run ended without saying why; its log in Dagster's UI holds all that is known"
# Dagster's own tags of runs that people launch.
_BACKFILL_TAG, _SCHEDULE_TAG, _SENSOR_TAG = "dagster/backfill", "dagster/schedule_name", "dagster/sensor_name"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One run as Dagster records it, from wherever it was read. `selection` is None for all that its job has."""

    run_id: str
    status: str
    job: str
    tags: Mapping[str, str]
    selection: Sequence[str] | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


def facts_of(row: RunRow, settings: Settings) -> RunFacts | None:
    """The facts of a run of chart-days; None for any other. The steps that ended and the error of a run that did not
    succeed are still to be added."""
    span = _span(row.tags)
    state = STATES.get(row.status)
    if span is None or state is None:
        return None
    steps = _steps(row, settings)
    return RunFacts(
        run_id=row.run_id,
        chart=span.slug,
        first=span.first,
        last=span.last,
        state=state,
        trigger=_trigger(row.tags),
        steps=steps,
        ended_steps=frozenset(steps) if state == "complete" else frozenset(),
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at if state in ("complete", "failed") else None,
        error=WAS_CANCELED if row.status == "CANCELED" else None,
    )


def key_of_step(step: str) -> str:
    """`track_audience__spotify` is the step of `track_audience/spotify`."""
    return step.replace("__", "/")


def _span(tags: Mapping[str, str]) -> ChartSpan | None:
    try:
        return span_of_tags(tags)
    except ValueError:
        # A partition of another project on the same instance.
        return None


def _steps(row: RunRow, settings: Settings) -> tuple[str, ...]:
    keys = all_keys(settings)
    if row.selection:
        chosen: Collection[str] = set(row.selection)
    elif row.job == CHART_SYNC:
        chosen = (RANKINGS, TRACK_METADATA)
    else:
        chosen = [key for key in keys if row.job != CASCADE or key != RANKINGS]
    return tuple(key for key in keys if key in chosen)


def _trigger(tags: Mapping[str, str]) -> str:
    if ours := tags.get(TRIGGER_TAG):
        return ours
    if _SCHEDULE_TAG in tags:
        return "schedule"
    if sensor := tags.get(_SENSOR_TAG):
        return sensor
    return "backfill" if _BACKFILL_TAG in tags else "ui"


def read_runs(instance: dg.DagsterInstance, settings: Settings, slugs: Collection[str]) -> list[RunFacts]:
    """The newest runs of these charts, with what their steps and events say."""
    found = [
        run
        for record in instance.get_run_records(limit=MOST_RUNS)
        if (run := facts_of(_row(record), settings)) is not None and run.chart in slugs
    ]
    explained = to_explain(found)
    return [_detailed(instance, run, explain=run.run_id in explained) for run in found]


def to_explain(runs: Iterable[RunFacts]) -> set[str]:
    """Failed runs whose reason is still to be read, of the recent ones of each chart; newest first in, ids out."""
    counted: dict[str, int] = {}
    chosen = set()
    for run in runs:
        counted[run.chart] = counted.get(run.chart, 0) + 1
        if run.state == "failed" and run.error is None and counted[run.chart] <= RECENT_RUNS:
            chosen.add(run.run_id)
    return chosen


def next_ticks(instance: dg.DagsterInstance, settings: Settings, now: datetime) -> dict[str, datetime]:
    """When each schedule that is on ticks next, by chart."""
    states = {
        state.instigator_name: state.status.value
        for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
    }
    ticks = {}
    for slug, name in schedule_names(settings).items():
        chart = settings.charts[slug]
        # One that nobody turned on or off is as charts.yaml says.
        status = states.get(name, "DECLARED_IN_CODE")
        if status == "RUNNING" or (status == "DECLARED_IN_CODE" and chart.active):
            ticks[slug] = next(cron_string_iterator(now.timestamp(), chart.schedule, chart.timezone)).astimezone(UTC)
    return ticks


def _row(record: dg.RunRecord) -> RunRow:
    run = record.dagster_run
    return RunRow(
        run_id=run.run_id,
        status=run.status.value,
        job=run.job_name,
        tags=run.tags,
        selection=[key.to_user_string() for key in run.asset_selection] if run.asset_selection else None,
        created_at=record.create_timestamp,
        started_at=moment(record.start_time),
        ended_at=moment(record.end_time),
    )


def moment(seconds: float | None) -> datetime | None:
    """A time of Dagster's records."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _detailed(instance: dg.DagsterInstance, run: RunFacts, *, explain: bool) -> RunFacts:
    if run.state in ("pending", "complete"):
        return run
    stats = instance.get_run_step_stats(run.run_id)
    ended = {key_of_step(stat.step_key) for stat in stats if stat.status is not None and stat.status.name == "SUCCESS"}
    return replace(run, ended_steps=frozenset(ended), error=_error(instance, run.run_id) if explain else run.error)


def _error(instance: dg.DagsterInstance, run_id: str) -> ErrorFacts:
    """Its first failed step, or what was said of the run as a whole."""
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.ENGINE_EVENT}
    events = [entry.dagster_event for entry in instance.all_logs(run_id, of_type=kinds) if entry.dagster_event]
    for event in events:
        if event.is_step_failure:
            failure = step_failure(event)
            return ErrorFacts(failure.asset, failure.kind, failure.message)
    return failed_as_a_whole([event.message or "" for event in events])


def failed_as_a_whole(said: Sequence[str]) -> ErrorFacts:
    """The error of a run in which no step failed, from the messages of its engine, the last of which is its failure."""
    told = [text for text in said if text and not text.startswith(_FROM_OUTSIDE)]
    return ErrorFacts("", RUN_FAILED, told[-1] if told else UNEXPLAINED)

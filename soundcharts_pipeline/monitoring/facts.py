"""From what Dagster records of its runs to the facts that health is computed from: the one place that knows how a
run's tags, selection and status are read. `read_runs` asks an instance; the admin app asks over GraphQL."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial

import dagster as dg

from soundcharts_pipeline.clock import utc_now
from soundcharts_pipeline.config.cascade import (
    ANALYTICS,
    AUDIENCE_TRENDS,
    RANKINGS,
    TRACK_METADATA,
    all_keys,
    scheduled_keys,
)
from soundcharts_pipeline.config.cron import WARN_AFTER_GAPS
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.models import RunError
from soundcharts_pipeline.monitoring.health import (
    CANCELED,
    ENDED,
    RECENT_RUNS,
    ChartFacts,
    FailedTick,
    RunState,
    recorded_days,
)
from soundcharts_pipeline.monitoring.run_history import STATES, RunQuery, RunRecord, past_runs
from soundcharts_pipeline.orchestration.due_days import followed_days
from soundcharts_pipeline.orchestration.freshness import period_of
from soundcharts_pipeline.orchestration.jobs import CASCADE, CHART_SYNC
from soundcharts_pipeline.orchestration.partitions import spans_of_tags
from soundcharts_pipeline.orchestration.run_events import (
    failed_as_a_whole,
    key_of_step,
    moment,
    said_of_run,
    step_failure,
)
from soundcharts_pipeline.orchestration.run_requests import CANCELED_BACKFILLS, CHART_TAG, CUT_TAG, TRIGGER_TAG
from soundcharts_pipeline.remedies import Subject
from soundcharts_pipeline.storage.endpoint_states import EndpointState
from soundcharts_pipeline.storage.queries.chart_states import ChartState
from soundcharts_pipeline.troubleshooting import GIVEN_UP, trouble_of

# Dagster's own tags of runs that people launch.
_BACKFILL_TAG, _SCHEDULE_TAG, _SENSOR_TAG = "dagster/backfill", "dagster/schedule_name", "dagster/sensor_name"


@dataclass(frozen=True, slots=True)
class EndedEarly:
    """Backfills by their id: those that Dagster gave up, and why, which is nobody's wish; those that somebody
    canceled."""

    given_up: Mapping[str, str] = field(default_factory=dict)
    canceled: Collection[str] = frozenset()


NO_BACKFILLS = EndedEarly()


def facts_of(row: RunRecord, settings: Settings, backfills: EndedEarly = NO_BACKFILLS) -> list[RunState]:
    """The facts of a run of chart-days, for each of its charts; none for any other run, nor for one that has handed its
    charts over to runs of their own. The steps that ended and the error of a run that failed are still to be added."""
    state = STATES.get(row.status)
    error = was_canceled(row.tags) if state == "canceled" else None
    backfill = row.tags.get(_BACKFILL_TAG, "")
    if error is not None and backfill in backfills.given_up:
        state = "failed"
        error = RunError("", GIVEN_UP, f"Dagster gave up its backfill {backfill}: {backfills.given_up[backfill]}")
    if state is None or (state == "complete" and CUT_TAG in row.tags):
        return []
    steps = _steps(row, settings)
    return [
        RunState(
            run_id=row.run_id,
            chart=span.slug,
            first=span.first,
            last=span.last,
            state=state,
            trigger=_trigger(row.tags),
            backfill=backfill,
            backfill_canceled=backfill in backfills.canceled,
            steps=steps,
            ended_steps=frozenset(steps) if state == "complete" else frozenset(),
            created_at=row.created_at,
            started_at=row.started_at,
            ended_at=row.ended_at if state in ENDED else None,
            error=error,
        )
        for span in spans_of_tags(row.tags, settings.slugs)
    ]


def backfills_of_canceled(rows: Iterable[RunRecord]) -> set[str]:
    """Backfills that may have been canceled: one of their runs was."""
    return {row.tags[_BACKFILL_TAG] for row in rows if row.status == "CANCELED" and _BACKFILL_TAG in row.tags}


def canceled_backfills(instance: dg.DagsterInstance, backfills: Iterable[str]) -> Iterator[str]:
    """Those of them that somebody canceled, and not one of their runs alone."""
    for backfill in backfills:
        found = instance.get_backfill(backfill)
        if found is not None and found.status in CANCELED_BACKFILLS:
            yield backfill


def was_canceled(tags: Mapping[str, str]) -> RunError:
    """By whom, as far as Dagster records it: it knows no users."""
    where = "in Dagster's UI or by a program"
    if tags.get(TRIGGER_TAG) == "cli":
        where = "in the terminal that it ran in"
    elif backfill := tags.get(_BACKFILL_TAG):
        where += f", by itself or with its backfill {backfill}"
    return RunError("", CANCELED, f"the run was canceled {where}; what was saved stays")


def _steps(row: RunRecord, settings: Settings) -> tuple[str, ...]:
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


def read_runs(
    instance: dg.DagsterInstance, settings: Settings, slugs: Collection[str], given_up: Mapping[str, str] | None = None
) -> list[RunState]:
    """The newest runs of these charts, with what their steps and events say. `given_up`: why, by backfill."""
    rows = past_runs(partial(_ask, instance), partial(_ask_charts, instance), slugs, utc_now())
    backfills = EndedEarly(given_up or {}, {*canceled_backfills(instance, backfills_of_canceled(rows))})
    found = [run for row in rows for run in facts_of(row, settings, backfills) if run.chart in slugs]
    explained = to_explain(found)
    return [_detailed(instance, run, explain=run.run_id in explained) for run in found]


def to_explain(runs: Iterable[RunState]) -> set[str]:
    """Failed runs whose reason is still to be read, of the recent ones of each chart; newest first in, ids out."""
    counted: dict[str, int] = {}
    chosen = set()
    for run in runs:
        counted[run.chart] = counted.get(run.chart, 0) + 1
        if run.state == "failed" and run.error is None and counted[run.chart] <= RECENT_RUNS:
            chosen.add(run.run_id)
    return chosen


def _ask(instance: dg.DagsterInstance, query: RunQuery) -> list[RunRecord]:
    filters = dg.RunsFilter(
        job_name=query.job or None,
        statuses=[dg.DagsterRunStatus(status) for status in query.statuses],
        updated_after=query.changed_since,
    )
    return [_row(record) for record in instance.get_run_records(filters, limit=query.most, cursor=query.before)]


def _ask_charts(instance: dg.DagsterInstance, slugs: Sequence[str], most: int) -> Iterator[RunRecord]:
    for slug in slugs:
        yield from map(_row, instance.get_run_records(dg.RunsFilter(tags={CHART_TAG: slug}), limit=most))


def _row(record: dg.RunRecord) -> RunRecord:
    run = record.dagster_run
    return RunRecord(
        run_id=run.run_id,
        status=run.status.value,
        job=run.job_name,
        tags=run.tags,
        selection=[key.to_user_string() for key in run.asset_selection] if run.asset_selection else None,
        created_at=record.create_timestamp,
        started_at=moment(record.start_time),
        ended_at=moment(record.end_time),
    )


def _detailed(instance: dg.DagsterInstance, run: RunState, *, explain: bool) -> RunState:
    if run.state in ("pending", "complete"):
        return run
    stats = instance.get_run_step_stats(run.run_id)
    ended = {key_of_step(stat.step_key) for stat in stats if stat.status is not None and stat.status.name == "SUCCESS"}
    return replace(
        run,
        ended_steps=frozenset(ended),
        ended_days=recorded_days(_made(instance, run), run.chart),
        error=_error(instance, run.run_id) if explain else run.error,
    )


def _made(instance: dg.DagsterInstance, run: RunState) -> Iterator[tuple[str, str]]:
    """Assets and partitions that a range of days recorded, though it did not come to a good end."""
    if not run.is_over or run.first == run.last:
        return
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        made = entry.asset_materialization
        if made is not None and made.partition:
            yield made.asset_key.to_user_string(), made.partition


def _error(instance: dg.DagsterInstance, run_id: str) -> RunError:
    """Its first failed step, or what was said of the run as a whole."""
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.ENGINE_EVENT}
    events = [entry.dagster_event for entry in instance.all_logs(run_id, of_type=kinds) if entry.dagster_event]
    for event in events:
        if event.is_step_failure:
            failure = step_failure(event)
            return RunError(failure.asset, failure.kind, failure.message)
    return failed_as_a_whole([said_of_run(event) for event in events])


def chart_facts(
    settings: Settings,
    chart: ChartSettings,
    state: ChartState,
    next_run: datetime | None,
    refusing: Iterable[EndpointState] = (),
    failed_tick: FailedTick | None = None,
    made: frozenset[date] = frozenset(),
) -> ChartFacts:
    """`next_run`: when the chart's schedule ticks next, None when it is off; `refusing`: endpoints that refuse
    everything; `failed_tick`: the last one of the schedule, if it failed; `made`: as of `unseen_days`."""
    if failed_tick is not None:
        remedy = trouble_of(failed_tick.error.kind).advice(Subject(chart.slug))
        failed_tick = replace(failed_tick, error=replace(failed_tick.error, remedy=remedy))
    followed = followed_days(state.published, first_date=chart.first_date, sync_history=chart.sync_history)
    keys = scheduled_keys(settings, chart)
    left_out = {_asset_of(one.scope) for one in refusing if one.is_left_out}
    return ChartFacts(
        slug=chart.slug,
        name=chart.name,
        platform=state.platform,
        schedule=chart.schedule,
        active=chart.active,
        keys=frozenset(keys) - ANALYTICS,
        heal_days=chart.heal_days,
        freshness=WARN_AFTER_GAPS * period_of(chart, state.frequency),
        next_run=next_run,
        published={day: found_at for day, found_at in state.published.items() if day in followed},
        saved=state.saved,
        changed=state.changed,
        absent=state.absent,
        made=made,
        incomplete=state.incomplete if AUDIENCE_TRENDS in keys else frozenset(),
        newest_saved_at=state.saved_at,
        failed_tick=failed_tick,
        left_out=tuple(key for key in keys if key in left_out),
    )


def _asset_of(scope: str) -> str:
    """`artist/tiktok/followers` is asked for by `artist_audience/tiktok`, `track/metadata` by `track_metadata`."""
    entity, platform = scope.split("/")[:2]
    return f"{entity}_metadata" if platform == "metadata" else f"{entity}_audience/{platform}"

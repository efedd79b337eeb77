"""What runs without being asked: the rest of the cascade below a ranking, and days that were lost."""

import json
from collections.abc import Collection, Mapping, Sequence, Set
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from soundcharts_pipeline.cascade import RANKINGS, TRACK_METADATA, all_keys, allowed_keys, scheduled_keys
from soundcharts_pipeline.dead_runs import fail_dead_runs
from soundcharts_pipeline.failures import USER_ERRORS, failure_of
from soundcharts_pipeline.jobs import CASCADE, CHART_SYNC, FULL_SYNC
from soundcharts_pipeline.partitions import ChartSpan, parse_key, span_of_key, spans_of, spans_over
from soundcharts_pipeline.resources import WarehouseResource
from soundcharts_pipeline.run_requests import (
    any_overlap,
    asset_key,
    ended_runs,
    materialized_days,
    next_try,
    queue_note,
    request_run,
    spans_in_flight,
)
from soundcharts_pipeline.settings import ChartSettings, Settings
from soundcharts_pipeline.storage import worklists
from soundcharts_pipeline.storage.worklists import ChartDays

# Materialisations read in one evaluation; the rest waits for the next.
EVENTS_AT_ONCE = 1000
# A day found published this recently is the schedule's: its run is only being created.
LEAVE_TO_SCHEDULE = timedelta(minutes=10)


def build_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Both run from the start: they request only what charts.yaml says."""
    return [_cascade_sensor(settings), _healing_sensor(settings)]


def _cascade_sensor(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name="cascade_sensor",
        job_name=CASCADE,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Takes rankings that were materialised by hand or by a backfill through the rest of the cascade, "
        "for charts with auto_trigger_cascade. Runs whose process is gone are marked as failed first.",
    )
    def cascade_sensor(context: dg.SensorEvaluationContext, database: WarehouseResource) -> dg.SensorResult:
        _fail_dead_runs(context, database)
        state = json.loads(context.cursor or '{"after": 0, "waiting": {}}')
        records = context.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=asset_key(RANKINGS), after_storage_id=state["after"]),
            limit=EVENTS_AT_ONCE,
            ascending=True,
        ).records
        below = _Below(context.instance, settings)
        # Of several runs that brought a ranking the last one counts.
        brought_by = dict(state["waiting"]) | {r.partition_key: r.run_id for r in records if r.partition_key}
        busy = spans_in_flight(context.instance)
        # Whoever is at work on the day, perhaps the run that brought its ranking: what is left below shows at its end.
        waiting = {
            partition: run_id
            for partition, run_id in brought_by.items()
            if below.is_followed(partition) and any_overlap(span_of_key(partition), busy)
        }
        left = [
            partition
            for partition, run_id in brought_by.items()
            if partition not in waiting and below.is_left(partition, run_id)
        ]
        requests = [
            request_run(CASCADE, part, below.keys(settings.chart(span.slug)), "cascade_sensor")
            for span in spans_of(left)
            for part in span.split(settings.max_partitions_per_run)
        ]
        after = records[-1].storage_id if records else state["after"]
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else _nothing_below(waiting),
            cursor=json.dumps({"after": after, "waiting": waiting}),
        )

    return cascade_sensor


def _nothing_below(waiting: Collection[str]) -> str:
    if waiting:
        return f"{len(waiting)} chart-days wait for the runs that are at work on them"
    return "no ranking was materialised on its own since the last look"


class _Below:
    """What is below a ranking, and whether the run that made the ranking takes care of it."""

    def __init__(self, instance: dg.DagsterInstance, settings: Settings) -> None:
        self._instance, self._settings = instance, settings
        self._tried: dict[str, set[str] | None] = {}

    def keys(self, chart: ChartSettings) -> list[str]:
        return [key for key in allowed_keys(self._settings, chart) if key != RANKINGS]

    def is_followed(self, partition: str) -> bool:
        """Whether charts.yaml (still) wants the rest of the cascade for this chart-day."""
        slug, day = parse_key(partition)
        chart = self._settings.charts.get(slug)
        return chart is not None and chart.auto_trigger_cascade and day >= chart.first_date

    def is_left(self, partition: str, run_id: str) -> bool:
        """Whether the run, which is over, left what is below the ranking untried."""
        if not self.is_followed(partition):
            return False
        if run_id not in self._tried:
            run = self._instance.get_run_by_id(run_id)
            self._tried[run_id] = None if run is None else self._tried_by(run)
        tried = self._tried[run_id]
        slug, _ = parse_key(partition)
        return tried is not None and not set(self.keys(self._settings.chart(slug))) <= tried

    def _tried_by(self, run: dg.DagsterRun) -> set[str]:
        """The assets that a run went for. When one day of a range is not out yet, the ranking step fails with the
        other days' rankings saved and recorded, and the run goes no further."""
        if run.status != dg.DagsterRunStatus.SUCCESS:
            stats = self._instance.get_run_step_stats(run.run_id, [RANKINGS])
            if "FAILURE" in {step.status.name for step in stats if step.status is not None}:
                return {RANKINGS}
        if run.asset_selection:
            return {key.to_user_string() for key in run.asset_selection}
        # Without a selection a run takes all that its job has.
        return {RANKINGS, TRACK_METADATA} if run.job_name == CHART_SYNC else set(all_keys(self._settings))


def _healing_sensor(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name="healing_sensor",
        job_name=FULL_SYNC,
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Finds published chart-days of the last heal_days that are missing or failed, and requests them "
        "again as ranges; after repeated failure ever less often, once a day at last. Runs whose process is gone are "
        "marked as failed first. Makes no call.",
    )
    def healing_sensor(context: dg.SensorEvaluationContext, database: WarehouseResource) -> dg.SensorResult:
        now = datetime.now(UTC)
        _fail_dead_runs(context, database)
        horizon = max((chart.heal_days for chart in settings.charts.values()), default=0)
        busy = spans_in_flight(context.instance)
        ended = ended_runs(context.instance, now - timedelta(days=horizon))
        materialized = {key: materialized_days(context.instance, key) for key in all_keys(settings)}
        requests: list[dg.RunRequest] = []
        notes: list[str] = []
        for chart in settings.charts.values():
            if not chart.active:
                continue
            try:
                published = _published(database, chart, now, materialized[RANKINGS][chart.slug])
            except USER_ERRORS as error:
                raise failure_of(error) from error
            missing = {key: set(published) - materialized[key][chart.slug] for key in scheduled_keys(settings, chart)}
            for span, keys in _lost(chart, published, missing):
                again = next_try(span, ended)
                if any_overlap(span, busy):
                    notes.append(f"{span} is queued or running")
                elif again is not None and again > now:
                    notes.append(f"{span} failed, next try after {again:%Y-%m-%d %H:%M} UTC")
                else:
                    parts = span.split(settings.max_partitions_per_run)
                    requests += [request_run(FULL_SYNC, part, keys, "healing_sensor") for part in parts]
        reason = "; ".join(notes) or "no published chart-day is missing"
        if waiting := queue_note(context.instance):
            reason = f"{reason}; {waiting}"
        return dg.SensorResult(run_requests=requests, skip_reason=None if requests else reason)

    return healing_sensor


def _fail_dead_runs(context: dg.SensorEvaluationContext, database: WarehouseResource) -> None:
    """They count as at work, and nothing would be requested beside them."""
    try:
        fail_dead_runs(context.instance, database.warehouse, datetime.now(UTC))
    except USER_ERRORS as error:
        raise failure_of(error) from error


def _published(database: WarehouseResource, chart: ChartSettings, now: datetime, ranked: Set[date]) -> list[date]:
    """Known published days that the schedule has requested or, with a ranking already there, never will."""
    first = max(chart.first_date, now.date() - timedelta(days=chart.heal_days))
    with database.warehouse.read() as conn:
        days = worklists.ranking_days(conn, ChartDays(chart.slug, first, now.date())).values()
    known = sorted((d for d in days if d.published_at is not None), key=lambda d: d.day)
    followed = known if chart.sync_history else known[-1:]
    return [d.day for d in followed if d.day in ranked or d.checked_at < now - LEAVE_TO_SCHEDULE]


def _lost(
    chart: ChartSettings, published: Sequence[date], missing: Mapping[str, Set[date]]
) -> list[tuple[ChartSpan, list[str]]]:
    """Spans with something missing, and the assets that are."""
    spans = spans_over(chart.slug, set().union(*missing.values()), published)
    return [(span, [key for key, days in missing.items() if days & set(span.days)]) for span in spans]

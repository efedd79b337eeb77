"""What runs without being asked: the rest of the cascade below a ranking, and days that were lost."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import dagster as dg

from soundcharts_pipeline.clock import Clock, utc_now
from soundcharts_pipeline.config.cascade import (
    RANKINGS,
    TRACK_METADATA,
    all_keys,
    allowed_keys,
    scheduled_keys,
    with_others,
)
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.errors import PipelineError
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.complete_days import days_there
from soundcharts_pipeline.orchestration.dead_runs import fail_dead_runs
from soundcharts_pipeline.orchestration.due_days import LEAVE_TO_SCHEDULE, Wishes, due_days, followed_days
from soundcharts_pipeline.orchestration.failed_days import show_killed_runs
from soundcharts_pipeline.orchestration.failures import failure_of
from soundcharts_pipeline.orchestration.jobs import CASCADE, CHART_SYNC, FULL_SYNC
from soundcharts_pipeline.orchestration.partition_statuses import PartitionStatuses
from soundcharts_pipeline.orchestration.partitions import is_chart_day, parse_key, span_of_key, spans_of, spans_over
from soundcharts_pipeline.orchestration.resources import WarehouseResource
from soundcharts_pipeline.orchestration.run_requests import (
    EndedRun,
    any_overlap,
    asset_key,
    ended_runs,
    next_try,
    not_materialized_since,
    queue_note,
    request_run,
    spans_in_flight,
)
from soundcharts_pipeline.orchestration.stops import canceled_note, mark_canceled_runs, not_stopped, stopped_days
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.storage.queries.worklists import RankingDay
from soundcharts_pipeline.sync.rankings import span_to_heal

# Materialisations read in one evaluation; the rest waits for the next.
EVENTS_AT_ONCE = 1000


def build_sensors(
    settings: Settings, partitions: dg.MultiPartitionsDefinition, clock: Clock = utc_now
) -> list[dg.SensorDefinition]:
    """Both run from the start: they request only what charts.yaml says. `clock` is that of Dagster's records."""
    return [_cascade_sensor(settings, partitions, clock), _healing_sensor(settings, clock)]


def _cascade_sensor(settings: Settings, partitions: dg.MultiPartitionsDefinition, clock: Clock) -> dg.SensorDefinition:
    statuses = PartitionStatuses(all_keys(settings), partitions)

    @dg.sensor(
        name="cascade_sensor",
        job_name=CASCADE,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Takes rankings that were materialised by hand or by a backfill through the rest of the cascade, "
        "for charts with auto_trigger_cascade. Runs whose process is gone are marked as failed first, and their days.",
    )
    def cascade_sensor(context: dg.SensorEvaluationContext, database: WarehouseResource) -> dg.SensorResult:
        now = clock()
        _settle_ended_runs(context, settings, database, now)
        state = {"after": 0, "waiting": {}, "failed_until": now.isoformat(), **json.loads(context.cursor or "{}")}
        failed_until = show_killed_runs(context.instance, datetime.fromisoformat(state["failed_until"]))
        records = context.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=asset_key(RANKINGS), after_storage_id=state["after"]),
            limit=EVENTS_AT_ONCE,
            ascending=True,
        ).records
        below = _Below(context.instance, settings)
        # Of several runs that brought a ranking the last one counts.
        brought = {r.partition_key: r.run_id for r in records if r.partition_key and is_chart_day(r.partition_key)}
        brought_by = dict(state["waiting"]) | brought
        busy = spans_in_flight(context.instance, settings.slugs)
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
        left = not_stopped(context.instance, settings.slugs, left)
        requests = [
            request_run(CASCADE, part, below.keys(settings.chart(span.slug)), "cascade_sensor")
            for span in spans_of(left)
            for part in span.split(settings.max_partitions_per_run)
        ]
        after = records[-1].storage_id if records else state["after"]
        try:
            statuses.update_one(context.instance, now)
        except Exception:  # whatever its storage raises: pages can make the record too, and no chart waits for it
            context.log.warning("Dagster's record of its partitions could not be brought up to date", exc_info=True)
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else _nothing_below(waiting),
            cursor=json.dumps({"after": after, "waiting": waiting, "failed_until": failed_until.isoformat()}),
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


def _healing_sensor(settings: Settings, clock: Clock) -> dg.SensorDefinition:
    @dg.sensor(
        name="healing_sensor",
        job_name=FULL_SYNC,
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Finds published chart-days of the last heal_days that are missing, failed or published again, and "
        "requests them as ranges; after repeated failure ever less often, once a day at last. Runs whose process is "
        "gone are marked as failed first. Makes no call.",
    )
    def healing_sensor(context: dg.SensorEvaluationContext, database: WarehouseResource) -> dg.SensorResult:
        now, calendar_now = clock(), database.clock()
        _settle_ended_runs(context, settings, database, now)
        lost = _all_lost(context.instance, settings, database, calendar_now)
        stopped = stopped_days(context.instance, settings.slugs, {one.chart.slug: one.days for one in lost})
        wanted = [part for one in lost for part in one.spans(stopped.get(one.chart.slug, set()))]
        busy = spans_in_flight(context.instance, settings.slugs)
        ended: Sequence[EndedRun] = ()
        if wanted:  # else nobody asks, and there may be thousands
            horizon = max(chart.heal_days for chart in settings.charts.values())
            ended = ended_runs(context.instance, settings.slugs, now - timedelta(days=horizon))
        requests: list[dg.RunRequest] = []
        notes = [canceled_note(slug, days) for slug, days in stopped.items()]
        for span, keys in wanted:
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


def _settle_ended_runs(
    context: dg.SensorEvaluationContext, settings: Settings, database: WarehouseResource, now: datetime
) -> None:
    """Dead runs count as at work, and nothing would be requested beside them; canceled ones that Dagster calls failed
    would be requested again."""
    mark_canceled_runs(context.instance, now)
    try:
        healed = [span_to_heal(chart, database.clock()) for chart in settings.charts.values() if chart.active]
        fail_dead_runs(context.instance, database.warehouse, database.lengths, healed)
    except PipelineError as error:
        raise failure_of(error) from error


@dataclass(frozen=True, slots=True)
class _Lost:
    """Days of a chart on which something is missing, by asset; `published` are those that it is asked for."""

    chart: ChartSettings
    published: Sequence[date]
    missing: Mapping[str, Set[date]]

    @property
    def days(self) -> set[date]:
        return set().union(*self.missing.values())

    def spans(self, stopped: Set[date]) -> list[tuple[ChartDays, list[str]]]:
        """Spans with something missing, without the stopped days, and the assets to run for it."""
        spans = spans_over(self.chart.slug, self.days - stopped, self.published)
        missing = [[key for key, days in self.missing.items() if days & set(span.days)] for span in spans]
        return [(span, with_others(keys, list(self.missing))) for span, keys in zip(spans, missing, strict=True)]


def _all_lost(
    instance: dg.DagsterInstance, settings: Settings, database: WarehouseResource, now: datetime
) -> list[_Lost]:
    charts = {chart.slug: chart for chart in settings.charts.values() if chart.active}
    keys = {slug: scheduled_keys(settings, chart) for slug, chart in charts.items()}
    try:
        known_days = _known(database, charts.values(), now)
        wanted = {slug: [one.day for one in known] for slug, known in known_days.items()}
        there = days_there(instance, database.warehouse, keys, wanted)
    except PipelineError as error:
        raise failure_of(error) from error
    lost = []
    for slug, known in known_days.items():
        chart = charts[slug]
        republished = _to_fetch_again(chart, known, now)
        published = sorted({*_published(chart, known, now, there[RANKINGS][slug]), *republished})
        stored = [one for one in known if one.day in published and one.saved_at]
        changed = {one.day: one.changed_at for one in stored if one.changed_at}
        missing = {
            key: set(published).difference(there[key][slug])
            | republished
            | not_materialized_since(instance, key, slug, changed)
            for key in keys[slug]
        }
        lost.append(_Lost(chart, published, missing))
    return lost


def _known(database: WarehouseResource, charts: Iterable[ChartSettings], now: datetime) -> dict[str, list[RankingDay]]:
    """Published days of the last heal_days, oldest first, by chart."""
    with database.warehouse.read() as conn:
        days = {one.slug: worklists.ranking_days(conn, span_to_heal(one, now)).values() for one in charts}
    return {
        slug: sorted((one for one in of_chart if one.published_at is not None), key=lambda one: one.day)
        for slug, of_chart in days.items()
    }


def _to_fetch_again(chart: ChartSettings, known: Sequence[RankingDay], now: datetime) -> set[date]:
    """Days of which a later ranking is listed than the stored one, or the stored one lacks places, less those that the
    schedule has only just found."""
    found = {one.day for one in known if one.is_due_again(now, refresh=chart.refresh_rankings)}
    return {one.day for one in known if one.day in found and one.checked_at < now - LEAVE_TO_SCHEDULE}


def _published(
    chart: ChartSettings, known: Sequence[RankingDay], now: datetime, ranked: Collection[date]
) -> list[date]:
    """Known published days that the schedule has requested or, with a ranking already there, never will."""
    found = {one.day: one.checked_at for one in known}
    followed = followed_days(found, first_date=chart.first_date, sync_history=chart.sync_history)
    wishes = Wishes(asked={*ranked}, stopped=set(), by_itself=True)
    return due_days({day: found[day] for day in followed}, wishes, since=chart.first_date, now=now)

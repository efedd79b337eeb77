"""Chart-days that somebody has stopped: the last run of the day was canceled, or a backfill that held it. Nothing that
runs by itself starts them again, whoever had launched them, until somebody asks.

Dagster loses requests to cancel a run: one that comes while the run's process starts (3 s) ends it as failed, and an
interrupt that Python throws away (in a destructor, say) does not end it at all. The request itself is in the run's log.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.dagster_internals import (
    BACKFILL_ID_TAG,
    BulkActionsFilter,
    BulkActionStatus,
    DagsterExecutionInterruptedError,
)
from soundcharts_pipeline.orchestration.partitions import parse_key, partition_key, spans_of_tags, spans_over
from soundcharts_pipeline.orchestration.run_requests import CANCELED_BACKFILLS, keys_of_backfill

# Dagster gives a backfill up by itself, and cancels its runs then.
GIVEN_UP = (BulkActionStatus.FAILED, BulkActionStatus.FAILING)
_CANCELED_RUNS = [dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.CANCELING]

# Newest first. People cancel runs by hand, and who stopped more than that has stopped the chart.
MOST_CANCELED = 500
# A run that failed longer ago was looked at many times.
LOOK_BACK = timedelta(days=1)

Days = Mapping[str, Collection[date]]


def end_if_canceled(context: dg.AssetExecutionContext) -> None:
    """Raises DagsterExecutionInterruptedError, as the interrupt would have, when somebody asked for the run's end, or
    when it is over for everybody else: taken for dead while this process was cut off."""
    run = context.instance.get_run_by_id(context.run.run_id)
    is_over = run is not None and run.is_finished
    if is_over or is_end_requested(context.instance, context.run.run_id):
        if run is not None and run.status == dg.DagsterRunStatus.STARTED:
            # The run's start wrote over it, and without it Dagster would call the end a failure.
            context.instance.report_run_canceling(run, "Somebody asked for its end while it started.")
        raise DagsterExecutionInterruptedError


def mark_canceled_runs(instance: dg.DagsterInstance, now: datetime) -> None:
    """Runs of the last day that failed after somebody had asked for their end become canceled ones."""
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=now - LOOK_BACK)
    for run in instance.get_runs(failed):
        if is_end_requested(instance, run.run_id):
            instance.report_run_canceled(run, "Somebody had asked for its end before it failed: it is canceled.")


def is_end_requested(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether somebody asked for the end of the run, however it ended; one query of an index."""
    requests = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.RUN_CANCELING, limit=1)
    return bool(requests.records)


def not_stopped(instance: dg.DagsterInstance, slugs: Sequence[str], partitions: Sequence[str]) -> list[str]:
    """The partitions, less those that were canceled and not asked for since."""
    wanted: dict[str, set[date]] = {}
    for slug, day in map(parse_key, partitions):
        wanted.setdefault(slug, set()).add(day)
    stopped = stopped_days(instance, slugs, wanted)
    left = [(slug, day) for slug, day in map(parse_key, partitions) if day not in stopped.get(slug, ())]
    return [partition_key(slug, day) for slug, day in left]


def canceled_note(slug: str, days: Collection[date]) -> str:
    """What is said where stopped days are left out."""
    which = ", ".join(map(str, spans_over(slug, days)))
    return f"{which}: canceled, and not requested again until somebody asks (sync, backfill, trigger, or the UI)"


@dataclass(frozen=True, slots=True)
class _Stop:
    """Days of a chart that somebody canceled; whatever was requested after `at` is a new wish."""

    slug: str
    days: frozenset[date]
    at: datetime


def stopped_days(instance: dg.DagsterInstance, slugs: Sequence[str], wanted: Days) -> dict[str, set[date]]:
    """Those of the wanted days, by chart, that were canceled and not asked for since. Two queries of canceled runs and
    backfills; only where one of them held a wanted day, one more of the runs since."""
    days = {slug: set(of_chart) for slug, of_chart in wanted.items() if of_chart}
    if not days:
        return {}
    stops = [*_canceled_runs(instance, slugs), *_canceled_backfills(instance)]
    stops = [stop for stop in stops if stop.days & days.get(stop.slug, set())]
    if not stops:
        return {}
    asked = _asked_for(instance, slugs, min(stop.at for stop in stops))
    stopped: dict[str, set[date]] = {}
    for stop in stops:
        for day in stop.days & days[stop.slug]:
            if not any(at > stop.at and span.first <= day <= span.last for at, span in asked.get(stop.slug, ())):
                stopped.setdefault(stop.slug, set()).add(day)
    return stopped


def _canceled_runs(instance: dg.DagsterInstance, slugs: Sequence[str]) -> Iterator[_Stop]:
    records = instance.get_run_records(dg.RunsFilter(statuses=_CANCELED_RUNS), limit=MOST_CANCELED)
    given_up: dict[str, bool] = {}
    for record in records:
        backfill = record.dagster_run.tags.get(BACKFILL_ID_TAG)
        if backfill and backfill not in given_up:
            found = instance.get_backfill(backfill)
            given_up[backfill] = found is not None and found.status in GIVEN_UP
        if not (backfill and given_up[backfill]):
            for span in spans_of_tags(record.dagster_run.tags, slugs):
                yield _Stop(span.slug, frozenset(span.days), _utc(record.create_timestamp))


def _canceled_backfills(instance: dg.DagsterInstance) -> Iterator[_Stop]:
    """Their days, of which the runs may not have been requested yet."""
    filters = BulkActionsFilter(statuses=CANCELED_BACKFILLS)
    for backfill in instance.get_backfills(filters=filters, limit=MOST_CANCELED):
        days: dict[str, set[date]] = {}
        for slug, day in map(parse_key, keys_of_backfill(backfill)):
            days.setdefault(slug, set()).add(day)
        for slug, of_chart in days.items():
            ended = datetime.fromtimestamp(backfill.backfill_end_timestamp or backfill.backfill_timestamp, UTC)
            yield _Stop(slug, frozenset(of_chart), ended)


def _asked_for(
    instance: dg.DagsterInstance, slugs: Sequence[str], since: datetime
) -> dict[str, list[tuple[datetime, ChartDays]]]:
    """What was requested since, by chart and with its moment; nothing that runs by itself requests a stopped day."""
    asked: dict[str, list[tuple[datetime, ChartDays]]] = {}
    for record in instance.get_run_records(dg.RunsFilter(created_after=since)):
        for span in spans_of_tags(record.dagster_run.tags, slugs):
            asked.setdefault(span.slug, []).append((_utc(record.create_timestamp), span))
    return asked


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

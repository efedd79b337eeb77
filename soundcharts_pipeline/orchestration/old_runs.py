"""Which old runs nobody looks at any more. What a run made is another question: see pruning.py.

A run stays while sensors, schedules, `status` or Dagster's own pages would say something else without it: it is young
or not over, or it is one of the newest of its chart, holds back days that somebody canceled, belongs to a backfill at
work, began what a later run goes on with, or is the failure that a partition or a check shows.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import dagster as dg

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.dagster_internals import (
    BACKFILL_ID_TAG,
    BulkActionsFilter,
    BulkActionStatus,
)
from soundcharts_pipeline.orchestration.jobs import OPERATIONS
from soundcharts_pipeline.orchestration.partitions import spans_of, spans_of_tags
from soundcharts_pipeline.orchestration.run_events import moment
from soundcharts_pipeline.orchestration.run_requests import (
    AUTOMATIC,
    CANCELED_BACKFILLS,
    TRIGGER_TAG,
    keys_of_backfill,
)
from soundcharts_pipeline.orchestration.stops import stopped_days

# A page of runs: each is read whole, with its tags.
READ_AT_ONCE = 500
# Of each chart and each housekeeping job. Status and dashboard look back on twenty runs and list twenty.
NEWEST_KEPT = 50
_JOBS = frozenset(OPERATIONS.values())
OVER = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
BACKFILLS_AT_WORK = [BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING]


@dataclass(frozen=True, slots=True)
class Run:
    """What decides over a run. `spans`: its chart-days, none for a run of housekeeping, which has `job` alone; not
    `is_ours`: of another project on the same instance; `root`: the run that it goes on from."""

    run_id: str
    status: dg.DagsterRunStatus
    job: str
    is_ours: bool
    spans: Sequence[ChartDays]
    created_at: datetime
    ended_at: datetime
    touched_at: datetime
    root: str | None
    backfill: str | None
    is_automatic: bool

    @property
    def of(self) -> Collection[str]:
        """The charts, or the job, whose newest runs are looked at."""
        return {span.slug for span in self.spans} or {self.job}


def read_runs(instance: dg.DagsterInstance, slugs: Sequence[str]) -> list[Run]:
    """Every run, newest first."""
    runs: list[Run] = []
    cursor: str | None = None
    while records := instance.get_run_records(limit=READ_AT_ONCE, cursor=cursor):
        runs += [_run_of(record, slugs) for record in records]
        cursor = records[-1].dagster_run.run_id
    return runs


def _run_of(record: dg.RunRecord, slugs: Sequence[str]) -> Run:
    run = record.dagster_run
    spans = spans_of_tags(run.tags, slugs)
    chosen = {key.to_user_string() for key in run.asset_selection or ()}
    return Run(
        run_id=run.run_id,
        status=run.status,
        job=run.job_name,
        is_ours=bool(spans) or run.job_name in _JOBS or bool(chosen and chosen <= OPERATIONS.keys()),
        spans=spans,
        created_at=record.create_timestamp,
        ended_at=moment(record.end_time) or record.update_timestamp,
        touched_at=record.update_timestamp,
        root=run.root_run_id,
        backfill=run.tags.get(BACKFILL_ID_TAG),
        is_automatic=run.tags.get(TRIGGER_TAG) in AUTOMATIC,
    )


def prunable(
    instance: dg.DagsterInstance,
    slugs: Sequence[str],
    runs: Sequence[Run],
    before: datetime,
    *,
    newest_kept: int = NEWEST_KEPT,
) -> list[Run]:
    """Of all runs, newest first, those that were over before that moment and that nobody looks at any more, oldest
    first: in this order each stop is gone before the run that asked for its days again."""
    last_ended = sorted(runs, key=lambda run: run.ended_at, reverse=True)
    kept = _looked_at(runs, newest_kept) | _looked_at(last_ended, newest_kept)
    at_work = {one.backfill_id for one in instance.get_backfills(BulkActionsFilter(statuses=BACKFILLS_AT_WORK))}
    kept |= {run.run_id for run in runs if run.backfill in at_work}
    kept |= {run.run_id for run in runs if run.status not in OVER or run.touched_at >= before}
    kept |= _holding_back(instance, slugs, runs, kept)
    for run in runs:  # a root is older than all that go on from it
        if run.run_id in kept and run.root:
            kept.add(run.root)
    return [run for run in reversed(runs) if run.is_ours and run.run_id not in kept]


def _looked_at(runs: Iterable[Run], newest_kept: int) -> set[str]:
    """The first of each chart or job, all up to its first good end, and the first that nobody asked for by hand."""
    seen, good, automatic = Counter[str](), set[str](), set[str]()
    kept = set()
    for run in runs:
        for one in run.of:
            is_first_automatic = run.is_automatic and one not in automatic
            if seen[one] < newest_kept or one not in good or is_first_automatic:
                kept.add(run.run_id)
            seen[one] += 1
            if run.status == dg.DagsterRunStatus.SUCCESS:
                good.add(one)
            if run.is_automatic:
                automatic.add(one)
    return kept


def _holding_back(
    instance: dg.DagsterInstance, slugs: Sequence[str], runs: Sequence[Run], kept: Collection[str]
) -> set[str]:
    """Canceled runs of days that nobody asked for since, and the runs that asked again for days of a stop that
    stays: without the one its days would be requested again, without the other they never would."""
    canceled = [run for run in runs if run.status == dg.DagsterRunStatus.CANCELED]
    days: dict[str, set[date]] = {}
    for span in (span for run in canceled for span in run.spans):
        days.setdefault(span.slug, set()).update(span.days)
    stopped = stopped_days(instance, slugs, days)
    holding = {
        run.run_id: run
        for run in canceled
        if run.run_id in kept or any(stopped.get(span.slug, set()) & set(span.days) for span in run.spans)
    }
    stops: dict[str, list[tuple[datetime, ChartDays]]] = {}
    of_runs = ((run.created_at, span) for run in holding.values() for span in run.spans)
    for at, span in (*of_runs, *_canceled_backfills(instance)):
        stops.setdefault(span.slug, []).append((at, span))
    asked = {
        run.run_id
        for run in runs
        for mine in run.spans
        if any(run.created_at > at and span.overlaps(mine) for at, span in stops.get(mine.slug, ()))
    }
    return asked | holding.keys()


def _canceled_backfills(instance: dg.DagsterInstance) -> Iterator[tuple[datetime, ChartDays]]:
    for backfill in instance.get_backfills(BulkActionsFilter(statuses=CANCELED_BACKFILLS)):
        ended = datetime.fromtimestamp(backfill.backfill_end_timestamp or backfill.backfill_timestamp, UTC)
        for span in spans_of(keys_of_backfill(backfill)):
            yield ended, span

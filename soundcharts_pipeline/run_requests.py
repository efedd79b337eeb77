"""Which chart-days Dagster has, is working on, or has failed at; and the one way in which runs are requested."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from soundcharts_pipeline.partitions import ChartSpan, parse_key, span_of_tags
from soundcharts_pipeline.troubleshooting import QUEUED, trouble_of

CHART_TAG = "soundcharts/chart"
TRIGGER_TAG = "soundcharts/trigger"
IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
FIRST_BACKOFF = timedelta(minutes=30)
LONGEST_BACKOFF = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run of some chart-days that is over."""

    span: ChartSpan
    succeeded: bool
    ended_at: datetime


def asset_key(key: str) -> dg.AssetKey:
    return dg.AssetKey(key.split("/"))


def request_run(
    job: str, span: ChartSpan, keys: Iterable[str], trigger: str, *, run_key: str | None = None
) -> dg.RunRequest:
    """One run for the whole span; a single day is a range too (a partition key of two dimensions makes Dagster warn
    of its own tags)."""
    return dg.RunRequest(
        run_key=run_key,
        job_name=job,
        asset_selection=[asset_key(key) for key in keys],
        tags={**span.tags, CHART_TAG: span.slug, TRIGGER_TAG: trigger},
    )


def materialized_days(instance: dg.DagsterInstance, key: str) -> Mapping[str, set[date]]:
    """Days on which the asset is materialised, by chart: one query, which reads all charts of the asset anyway."""
    days: defaultdict[str, set[date]] = defaultdict(set)
    for slug, day in map(parse_key, instance.get_materialized_partitions(asset_key(key))):
        days[slug].add(day)
    return days


def spans_in_flight(instance: dg.DagsterInstance) -> list[ChartSpan]:
    """Chart-days of every run that is queued or running, whoever launched it."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=IN_FLIGHT))
    return [span for run in runs if (span := span_of_tags(run.tags)) is not None]


def queue_note(instance: dg.DagsterInstance) -> str | None:
    """How many runs wait for others to end, and what lets them; None when none does."""
    waiting = instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
    if not waiting:
        return None
    trouble = trouble_of(QUEUED)
    return f"{waiting} runs wait in the queue. {trouble.explanation} {trouble.remedy} ({trouble.place})"


def ended_runs(instance: dg.DagsterInstance, since: datetime) -> list[EndedRun]:
    """Runs that ended since, newest first."""
    records = instance.get_run_records(dg.RunsFilter(statuses=ENDED, updated_after=since))
    return [
        EndedRun(
            span,
            record.dagster_run.status == dg.DagsterRunStatus.SUCCESS,
            datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), UTC),
        )
        for record in records
        if (span := span_of_tags(record.dagster_run.tags)) is not None
    ]


def any_overlap(span: ChartSpan, others: Collection[ChartSpan]) -> bool:
    return any(span.overlaps(other) for other in others)


def next_try(span: ChartSpan, ended: Sequence[EndedRun]) -> datetime | None:
    """When the span may be requested again: half an hour after its first failure, twice as long after each
    further one, a day at most. None when its last run did not fail."""
    failures: list[datetime] = []
    for run in sorted(ended, key=lambda run: run.ended_at, reverse=True):
        if run.span.overlaps(span):
            if run.succeeded:
                break
            failures.append(run.ended_at)
    if not failures:
        return None
    return failures[0] + min(FIRST_BACKOFF * (1 << min(len(failures) - 1, 10)), LONGEST_BACKOFF)

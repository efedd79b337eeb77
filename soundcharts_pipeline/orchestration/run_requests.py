"""Which chart-days Dagster has, is working on, or has failed at; and the one way in which runs are requested."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.dagster_internals import DATA_VERSION_TAG, BulkActionStatus, PartitionBackfill
from soundcharts_pipeline.orchestration.failures import LEFT_OUT
from soundcharts_pipeline.orchestration.partitions import (
    is_chart_day,
    parse_key,
    partition_key,
    range_tags,
    spans_of_tags,
)
from soundcharts_pipeline.troubleshooting import QUEUED, trouble_of

CHART_TAG = "soundcharts/chart"
TRIGGER_TAG = "soundcharts/trigger"
# A run of several charts that was replaced by a run for each of them; with this value, for people who look at it.
CUT_TAG, CUT_INTO = "soundcharts/replaced_by", "one run per chart"
# A run that lost its process.
LOST_TAG = "soundcharts/lost"
# Runs that nobody asked for by hand.
AUTOMATIC = frozenset({"schedule", "healing_sensor", "cascade_sensor"})
IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
CANCELED_BACKFILLS = [BulkActionStatus.CANCELED, BulkActionStatus.CANCELING]
FIRST_BACKOFF = timedelta(minutes=30)
LONGEST_BACKOFF = timedelta(hours=24)
# SQLite takes at most 32,766 values in a query.
ASKED_AT_ONCE = 10_000
# Newest first, of one asset and the few days whose ranking changed.
RECORDS_LOOKED_AT = 1000


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run of some chart-days that is over, and was not canceled; `lost`: its process was, and it had not failed."""

    span: ChartDays
    succeeded: bool
    ended_at: datetime
    lost: bool = False


def asset_key(key: str) -> dg.AssetKey:
    return dg.AssetKey(key.split("/"))


def request_run(
    job: str, span: ChartDays, keys: Iterable[str], trigger: str, *, run_key: str | None = None
) -> dg.RunRequest:
    """One run for the whole span; a single day is a range too (a partition key of two dimensions makes Dagster warn
    of its own tags)."""
    return dg.RunRequest(
        run_key=run_key,
        job_name=job,
        asset_selection=[asset_key(key) for key in keys],
        tags={**range_tags(span), CHART_TAG: span.slug, TRIGGER_TAG: trigger},
    )


def materialized_days(
    instance: dg.DagsterInstance, key: str, wanted: Mapping[str, Collection[date]]
) -> Mapping[str, set[date]]:
    """Those of the wanted days on which the asset is materialised, and was not left out by the settings of then, by
    chart. Each is looked up, so that the cost does not grow with all that is there."""
    asked = [partition_key(slug, day) for slug, days in wanted.items() for day in days]
    found: defaultdict[str, set[date]] = defaultdict(set)
    of = (asset_key(key), dg.DagsterEventType.ASSET_MATERIALIZATION)
    for start in range(0, len(asked), ASKED_AT_ONCE):
        made = instance.get_latest_storage_id_by_partition(*of, set(asked[start : start + ASKED_AT_ONCE]))
        versions = instance.event_log_storage.get_latest_tags_by_partition(*of, [DATA_VERSION_TAG], list(made))
        for partition in made:
            if versions.get(partition, {}).get(DATA_VERSION_TAG) != LEFT_OUT:
                slug, day = parse_key(partition)
                found[slug].add(day)
    return found


def not_materialized_since(
    instance: dg.DagsterInstance, key: str, slug: str, since: Mapping[date, datetime]
) -> set[date]:
    """Those of the days on which the asset was not materialised after the moment given for the day: what is below a
    ranking that changed is there and yet is not complete. One query, none without days."""
    if not since:
        return set()
    days = {partition_key(slug, day): day for day in since}
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(
            asset_key=asset_key(key),
            asset_partitions=list(days),
            after_timestamp=min(since.values()).timestamp(),
        ),
        limit=RECORDS_LOOKED_AT,
    ).records
    seen = {days[r.partition_key]: r.timestamp for r in reversed(records) if r.partition_key}
    return {day for day, moment in since.items() if seen.get(day, 0) < moment.timestamp()}


def spans_in_flight(instance: dg.DagsterInstance, slugs: Sequence[str]) -> list[ChartDays]:
    """Chart-days of every run that is queued or running, whoever launched it."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=IN_FLIGHT))
    return [span for run in runs for span in spans_of_tags(run.tags, slugs)]


def keys_of_backfill(backfill: PartitionBackfill, asset: dg.AssetKey | None = None) -> set[str]:
    """The chart-days that a backfill is for, of one asset or of any. (Read without the asset graph: what charts.yaml
    does not have any more is among them.)"""
    if backfill.asset_backfill_data is None:
        return set()
    subsets = backfill.asset_backfill_data.target_subset.iterate_asset_subsets()
    keys = {
        key
        for subset in subsets
        if subset.is_partitioned and asset in (None, subset.key)
        for key in subset.subset_value.get_partition_keys()
    }
    return {key for key in keys if is_chart_day(key)}


def queue_note(instance: dg.DagsterInstance) -> str | None:
    """How many runs wait for others to end, and what lets them; None when none does."""
    waiting = instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
    if not waiting:
        return None
    trouble = trouble_of(QUEUED)
    return f"{waiting} runs wait in the queue. {trouble.explanation} {trouble.remedy} ({trouble.place})"


def ended_runs(instance: dg.DagsterInstance, slugs: Sequence[str], since: datetime) -> list[EndedRun]:
    """Runs that ended since, newest first, once for each of their charts."""
    records = instance.get_run_records(dg.RunsFilter(statuses=ENDED, updated_after=since))
    return [
        EndedRun(
            span,
            record.dagster_run.status == dg.DagsterRunStatus.SUCCESS,
            datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), UTC),
            LOST_TAG in record.dagster_run.tags,
        )
        for record in records
        if CUT_TAG not in record.dagster_run.tags
        for span in spans_of_tags(record.dagster_run.tags, slugs)
    ]


def any_overlap(span: ChartDays, others: Collection[ChartDays]) -> bool:
    return any(span.overlaps(other) for other in others)


def next_try(span: ChartDays, ended: Sequence[EndedRun]) -> datetime | None:
    """When the span may be requested again: half an hour after its first failure, twice as long after each
    further one, a day at most. None when its last run did not fail, or was the first to do so and lost its process:
    that is no fault of the days, unless it happens again."""
    failures: list[EndedRun] = []
    for run in sorted(ended, key=lambda run: run.ended_at, reverse=True):
        if run.span.overlaps(span):
            if run.succeeded:
                break
            failures.append(run)
    if not failures or (len(failures) == 1 and failures[0].lost):
        return None
    return failures[0].ended_at + min(FIRST_BACKOFF * (1 << min(len(failures) - 1, 10)), LONGEST_BACKOFF)

"""Which days a run failed at, as Dagster shows them.

What a failed run had planned, and did not materialise, Dagster shows as failed. A range is planned as one event
(`dagster_home.PLANNED_AS_ONE`), of which Dagster does not know the days, so those that fail are noted one by one: by
the step that fails, or by a sensor when the run was killed amid its step.
"""

import logging
import time
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from soundcharts_pipeline.orchestration.dagster_internals import (
    AssetMaterializationPlannedData,
    ErrorSource,
    SqlEventLogStorage,
)
from soundcharts_pipeline.orchestration.partitions import parse_key, spans_of_tags

# Written in one statement, of which SQLite bounds the values. Of a longer range the newest days are shown as failed.
MOST_SHOWN = 4000
# A run plans its assets before anything else, and has fewer of them.
MOST_PLANNED = 200
# A day of a step may be recorded a second time.
RECORDS_OF_A_DAY = 2

_OF_STEPS = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}


def record_failed_days(context: dg.AssetExecutionContext, done: Container[str]) -> None:
    """Those of the days of a step that fails which are not done. Nothing where Dagster knows the days by itself."""
    with suppress(SQLAlchemyError):  # such as a full disk, of which the step's own error tells better
        for planned in _planned_as_one(context.instance, context.run.run_id):
            if planned.asset == context.asset_key:
                planned.show_as_failed(context.instance, context.run, done)


def show_killed_runs(instance: dg.DagsterInstance, after: datetime) -> datetime:
    """The days that runs left behind which failed after that moment amid a step, without a word of it. Returns the
    moment up to which that is done."""
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=after)
    records = [one for one in instance.get_run_records(failed) if spans_of_tags(one.dagster_run.tags, ())]
    for record in records:
        run = record.dagster_run
        if left := _left_steps(instance, run.run_id):
            for planned in _planned_as_one(instance, run.run_id):
                if planned.step in left:
                    planned.show_as_failed(instance, run, planned.made_since(instance, record.start_time))
    return max([after, *(record.update_timestamp for record in records)])


@dataclass(frozen=True, slots=True)
class _Planned:
    """The days that a run planned for an asset as one event."""

    asset: dg.AssetKey
    step: str
    keys: Sequence[str]

    def show_as_failed(self, instance: dg.DagsterInstance, run: dg.DagsterRun, done: Container[str]) -> None:
        failed = [key for key in self.keys if key not in done][-MOST_SHOWN:]
        storage = instance.event_log_storage
        if failed and isinstance(storage, SqlEventLogStorage):
            # Reported one by one they take 30 ms each. The run's own log would hold nothing but a line for each.
            with storage.index_transaction() as connection:
                connection.execute(storage.prepare_insert_event_batch([self._entry(run, key) for key in failed]))

    def _entry(self, run: dg.DagsterRun, key: str) -> dg.EventLogEntry:
        planned = AssetMaterializationPlannedData(self.asset, partition=key)
        return dg.EventLogEntry(  # type: ignore[no-untyped-call]
            error_info=None,
            level=logging.DEBUG,
            user_message="",
            run_id=run.run_id,
            timestamp=time.time(),
            step_key=self.step,
            job_name=run.job_name,
            dagster_event=dg.DagsterEvent.build_asset_materialization_planned_event(run.job_name, self.step, planned),
        )

    def made_since(self, instance: dg.DagsterInstance, seconds: float | None) -> set[str]:
        """Those that are materialised since then, by this run or by one that came after it."""
        return made_partitions(instance, self.asset, self.keys, since=seconds or 0.0)


def made_partitions(
    instance: dg.DagsterInstance, asset: dg.AssetKey, keys: Sequence[str], *, since: float = 0.0
) -> set[str]:
    """Those of the partitions that are materialised since that moment (seconds of the epoch)."""
    made = dg.AssetRecordsFilter(asset, asset_partitions=keys, after_timestamp=since)
    records = instance.fetch_materializations(made, limit=RECORDS_OF_A_DAY * len(keys)).records
    return {record.partition_key for record in records if record.partition_key}


def _planned_as_one(instance: dg.DagsterInstance, run_id: str) -> Iterator[_Planned]:
    of_type = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    for record in instance.get_records_for_run(run_id, of_type=of_type, limit=MOST_PLANNED).records:
        event = record.event_log_entry.get_dagster_event()
        planned = event.asset_materialization_planned_data
        if planned.partitions_subset is not None and event.step_key:
            keys = sorted(planned.partitions_subset.get_partition_keys(), key=lambda key: parse_key(key)[::-1])
            yield _Planned(planned.asset_key, event.step_key, keys)


def _left_steps(instance: dg.DagsterInstance, run_id: str) -> set[str]:
    """Steps that were begun, and neither succeeded nor failed by themselves."""
    left = set()
    for entry in instance.all_logs(run_id, of_type=_OF_STEPS):
        event = entry.get_dagster_event()
        if event.is_step_start:
            left.add(event.step_key or "")
        elif event.is_step_success or event.step_failure_data.error_source is not ErrorSource.INTERRUPT:
            left.discard(event.step_key or "")
    return left

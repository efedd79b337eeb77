"""Thousands of runs that are over, as Dagster would have recorded them."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import dagster as dg
from dagster._core.storage.runs.schema import RunsTable, RunTagsTable
from dagster._serdes import serialize_value

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.jobs import FULL_SYNC
from soundcharts_pipeline.orchestration.partitions import range_tags
from soundcharts_pipeline.orchestration.run_requests import CHART_TAG, TRIGGER_TAG


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run that ended at that moment."""

    at: datetime
    job: str = FULL_SYNC
    tags: Mapping[str, str] = field(default_factory=dict)
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.SUCCESS


def tags_of_schedule(span: ChartDays) -> dict[str, str]:
    """What a run has that the schedule of a chart asked for."""
    return {**range_tags(span), CHART_TAG: span.slug, TRIGGER_TAG: "schedule"}


def add_runs(instance: dg.DagsterInstance, runs: Iterable[PastRun]) -> list[str]:
    """Their ids. One by one Dagster takes some milliseconds for each."""
    rows, tags = [], []
    for one in runs:
        run = dg.DagsterRun(job_name=one.job, run_id=str(uuid.uuid4()), status=one.status, tags=dict(one.tags))
        naive, ended = one.at.replace(tzinfo=None), one.at.timestamp()
        row: dict[str, object] = {"run_id": run.run_id, "pipeline_name": one.job, "status": one.status.value}
        row |= {"create_timestamp": naive, "update_timestamp": naive, "start_time": ended - 60, "end_time": ended}
        rows.append({**row, "run_body": serialize_value(run)})
        tags += [{"run_id": run.run_id, "key": key, "value": value} for key, value in one.tags.items()]
    with instance.run_storage.connect() as conn:  # type: ignore[attr-defined]
        conn.execute(RunsTable.insert(), rows)
        if tags:
            conn.execute(RunTagsTable.insert(), tags)
    return [str(row["run_id"]) for row in rows]

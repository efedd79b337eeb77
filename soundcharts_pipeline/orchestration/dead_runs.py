"""Runs whose process is gone without a word (kill -9, reboot): Dagster's run monitoring does not see them when the
process that launched them went too, and they would block their chart for good."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from soundcharts_pipeline.orchestration.dagster_internals import IN_PROGRESS_RUN_STATUSES
from soundcharts_pipeline.orchestration.partitions import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG, spans_of_tags
from soundcharts_pipeline.storage.processes import host_name, is_alive
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.storage.warehouse import Warehouse

HOST_TAG = "soundcharts/host"
PID_TAG = "soundcharts/pid"
# A step saves its progress every few seconds. The longest silence is a call that is tried five times, each with a
# time-out of a minute, after a pause of five that the server asked for.
LONGEST_SILENCE = timedelta(minutes=30)
# A run that is executed again begins with the tags of the first one, and says its own process a moment later.
TAGS_SETTLE = timedelta(seconds=10)


def process_tags() -> dict[str, str]:
    """Which process runs it."""
    return {HOST_TAG: host_name(), PID_TAG: str(os.getpid())}


def fail_dead_runs(instance: dg.DagsterInstance, warehouse: Warehouse, now: datetime) -> list[str]:
    """Report runs as failed that cannot be alive; returns their ids. Healing requests what is missing of their days."""
    failed = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        run = record.dagster_run
        if not spans_of_tags(run.tags, ()):
            continue
        started = datetime.fromtimestamp(record.start_time or record.update_timestamp.timestamp(), UTC)
        if reason := _reason(run.tags, warehouse, run.run_id, started, now):
            instance.report_run_failed(run, f"{reason}. What was saved stays; its days are requested again.")
            failed.append(run.run_id)
    return failed


def runs_at_work(instance: dg.DagsterInstance) -> list[str]:
    """A phrase for each run that is queued or at work, less those whose process of this host is gone."""
    names = (PARTITION_TAG, RANGE_START_TAG, RANGE_END_TAG)
    return [
        f"run {run.run_id} of {' to '.join(run.tags[name] for name in names if name in run.tags) or run.job_name}"
        f" ({run.status.value.lower()})"
        for run in instance.get_runs(dg.RunsFilter(statuses=IN_PROGRESS_RUN_STATUSES))
        if not (run.status == dg.DagsterRunStatus.STARTED and _is_gone(run.tags))
    ]


def _is_gone(tags: Mapping[str, str]) -> bool:
    return tags.get(HOST_TAG) == host_name() and not is_alive(int(tags.get(PID_TAG, "0")))


def _reason(tags: Mapping[str, str], warehouse: Warehouse, run_id: str, started: datetime, now: datetime) -> str | None:
    settled = now - started >= TAGS_SETTLE
    if settled and _is_gone(tags):
        return f"Its process {tags.get(PID_TAG)} is gone"
    with warehouse.read() as conn:
        heard = worklists.last_progress(conn, run_id) or started
    if now - max(heard, started) > LONGEST_SILENCE:
        return f"Nothing was heard of it since {heard:%Y-%m-%d %H:%M} UTC"
    return None

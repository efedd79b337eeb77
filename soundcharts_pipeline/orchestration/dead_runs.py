"""Runs whose process is gone without a word (kill -9, reboot, a network that is cut): Dagster's run monitoring does not
see them when the process that launched them went too, and they would block their chart for good."""

import os
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import dagster as dg

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.dagster_internals import IN_PROGRESS_RUN_STATUSES
from soundcharts_pipeline.orchestration.partitions import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG, spans_of_tags
from soundcharts_pipeline.orchestration.run_requests import LOST_TAG
from soundcharts_pipeline.storage import leases
from soundcharts_pipeline.storage.claims import is_dead
from soundcharts_pipeline.storage.leases import Lengths
from soundcharts_pipeline.storage.processes import host_name, is_alive
from soundcharts_pipeline.storage.warehouse import Warehouse

HOST_TAG = "soundcharts/host"
PID_TAG = "soundcharts/pid"
_NOT_BEGUN = (
    "A worker has taken it and did not begin: the worker's process or machine is gone, or cut off from the database. "
    "If it comes back, it leaves the run alone"
)


@runtime_checkable
class HandsOut(Protocol):
    """A launcher of runs whose workers take them."""

    def has_taken(self, run: dg.DagsterRun) -> bool:
        """Whether a worker has taken it."""


def process_tags() -> dict[str, str]:
    """Which process runs it."""
    return {HOST_TAG: host_name(), PID_TAG: str(os.getpid())}


def fail_dead_runs(
    instance: dg.DagsterInstance, warehouse: Warehouse, lengths: Lengths, healed: Sequence[ChartDays] = ()
) -> list[str]:
    """Report runs as failed whose leases in the database are over; returns their ids. `healed`: the days of charts that
    healing looks after, and requests what is missing of. Raises StorageError."""
    runs = {run.run_id: run for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))}
    taken = _taken(instance)
    of_charts = [run_id for run_id, run in (runs | taken).items() if spans_of_tags(run.tags, ())]
    expected = {run_id: lengths.starting if run_id in taken else lengths.unclaimed for run_id in of_charts}
    runs |= taken
    with warehouse.beside().write() as conn:
        lost = leases.end_lost(conn, runs.keys(), lengths, expected=expected)
    for run_id, holder in lost.items():
        instance.add_run_tags(run_id, {LOST_TAG: "true"})
        reason = _NOT_BEGUN if run_id in taken else _reason(holder, lengths)
        instance.report_run_failed(
            runs[run_id], f"{reason}. What was saved stays; {_afterwards(runs[run_id], healed)}."
        )
    return list(lost)


def _afterwards(run: dg.DagsterRun, healed: Sequence[ChartDays]) -> str:
    """What becomes of its days, or what is to be done."""
    days = [(span.slug, day) for span in spans_of_tags(run.tags, [one.slug for one in healed]) for day in span.days]
    again = {(span.slug, day) for span in healed for day in span.days}.intersection(days)
    if not days:
        return "start it again"
    if len(again) == len(days):
        return "its days are requested again"
    # One that is paused, or is not in charts.yaml any more, and days before the last heal_days.
    others = "only days of the last heal_days of an active chart are, so start it again when it is wanted"
    if not again:
        return f"its days are not requested again: {others}"
    first = min(day for _, day in again)
    return f"its {len(again)} days from {first} on are requested again, the others are not: {others}"


def _taken(instance: dg.DagsterInstance) -> dict[str, dg.DagsterRun]:
    """Runs that have not begun, which a worker on some host has taken."""
    launcher = instance.run_launcher
    if not isinstance(launcher, HandsOut):
        return {}
    starting = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING]))
    return {run.run_id: run for run in starting if launcher.has_taken(run)}


def runs_at_work(instance: dg.DagsterInstance) -> list[str]:
    """A phrase for each run that is queued or at work, less those whose process of this host is gone."""
    names = (PARTITION_TAG, RANGE_START_TAG, RANGE_END_TAG)
    return [
        f"run {run.run_id} of {' to '.join(run.tags[name] for name in names if name in run.tags) or run.job_name}"
        f" ({run.status.value.lower()})"
        for run in instance.get_runs(dg.RunsFilter(statuses=IN_PROGRESS_RUN_STATUSES))
        if not (run.status == dg.DagsterRunStatus.STARTED and _is_gone(run))
    ]


def _is_gone(run: dg.DagsterRun) -> bool:
    return run.tags.get(HOST_TAG) == host_name() and not is_alive(int(run.tags.get(PID_TAG, "0")))


def _reason(holder: str, lengths: Lengths) -> str:
    if holder == leases.NOBODY:
        return f"No process has said that it works on it for {lengths.unclaimed / 60:.0f} minutes"
    host, pid, _ = holder.rsplit("/", 2)
    if is_dead(holder):
        return f"Its process {pid} is gone from {host}: killed, out of memory, or the machine was switched off"
    return (
        f"Its process {pid} on {host} did not renew its lease of {lengths.lease:.0f} s: the process or its machine is "
        "gone, or cut off from the database. If it comes back, it ends by itself"
    )

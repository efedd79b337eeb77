"""Runs that changed since the last look; at the first one, those that are read at all."""

from collections.abc import Collection, Iterator
from datetime import datetime

from soundcharts_pipeline.admin.state.dagster_client import Dagster
from soundcharts_pipeline.admin.state.run_book import RunBook
from soundcharts_pipeline.monitoring.run_history import MOST_RUNS, RunQuery, RunRecord, past_runs

# Dagster's times of change are those of its database's clock, some of them in whole seconds.
OVERLAP_SECONDS = 10.0


def changed_runs(dagster: Dagster, newest_update: float, slugs: Collection[str], now: datetime) -> list[RunRecord]:
    """Newest first. `newest_update`: of the runs that are known, in seconds since 1970; 0.0: none is. Where more have
    changed than are read at once, it is as at the first look."""
    if newest_update:
        changed = list(dagster.runs({"updatedAfter": newest_update - OVERLAP_SECONDS}, most=MOST_RUNS))
        if len(changed) < MOST_RUNS:
            return changed

    def ask(query: RunQuery) -> Iterator[RunRecord]:
        filters: dict[str, object] = {}
        if query.job:
            filters["pipelineName"] = query.job
        if query.statuses:
            filters["statuses"] = list(query.statuses)
        if query.changed_since:
            filters["updatedAfter"] = query.changed_since.timestamp()
        return dagster.runs(filters, most=query.most, before=query.before)

    return past_runs(ask, dagster.newest_of_charts, slugs, now)


def rest_in_flight(dagster: Dagster, runs: RunBook, seen: Collection[str]) -> list[RunRecord]:
    """Runs that were at work at the last look and did not change since; those deleted meanwhile are dropped."""
    left = [run.run_id for run in runs.in_flight() if run.run_id not in seen]
    found = list(dagster.runs({"runIds": left}, most=len(left))) if left else []
    runs.drop({*left} - {one.run_id for one in found})
    return found

"""Backfills as the UI launches them, through GraphQL to a web server, worked through by a daemon: ranges as single
runs, two that overlap, one that is cancelled and one that is killed, and what the next backfill pays for.

What is to run at the same time is launched before the daemon starts.
"""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster_graphql.client.query import LAUNCH_PARTITION_BACKFILL_MUTATION

from soundcharts_pipeline.admin.state.dagster_client import Dagster
from soundcharts_pipeline.config.cascade import all_keys
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.partitions import keys_of, spans_of_tags
from soundcharts_pipeline.orchestration.run_requests import asset_key
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.command_line import user_environ
from soundcharts_pipeline_tests.support.dagster_site import (
    Site,
    ask,
    check_truth,
    daemon,
    open_site,
    wait_until,
    web_server,
)
from soundcharts_pipeline_tests.support.today import TODAY

# Inactive: neither schedules nor sensors add to what is launched here. Tracks that left are not followed: which of them
# a day knows of would depend on which of two overlapping runs comes first.
CHARTS = """
max_partitions_per_run: 5
defaults:
  active: false
  auto_trigger_cascade: false
  first_date: 2026-01-01
  history_days: 7
  follow_days: 0
  track_audience_platforms: [spotify, airplay]
  artist_audience_platforms: [instagram]
charts:
  - slug: viral-50-global
  - slug: viral-50-in
  - slug: viral-50-us
"""
FIRST, SECOND, ENDED = "viral-50-global", "viral-50-in", "viral-50-us"
IN_FLIGHT = 8
TERMINATE_RUN = "mutation($run: String!) { terminateRun(runId: $run) { __typename } }"
PLAYS = "track_audience/airplay"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Simulator(today=TODAY, latency=0.05) as simulator:
        environ = user_environ(simulator, tmp_path) | {"SOUNDCHARTS_MAX_IN_FLIGHT": str(IN_FLIGHT)}
        with open_site(simulator, environ, tmp_path, CHARTS) as site:
            yield site


def test_backfills_of_the_ui_overlap_end_halfway_and_go_on_and_nothing_is_paid_for_twice(site: Site) -> None:
    first, second = _span(site, FIRST, days=3), _span(site, SECOND, days=3)
    overlapping = _span(site, FIRST, days=3, ago=1)
    cancelled, killed = _span(site, ENDED, days=5), _span(site, ENDED, days=5, ago=5)
    counters = site.simulator.counters
    with web_server(site) as url:
        _backfill(url, site, cancelled)
        with daemon(site):
            # Alone: days that share tracks with other runs are complete when those are.
            run = _run_within(site, cancelled, PLAYS)
            assert ask(url, TERMINATE_RUN, run=run)["terminateRun"]["__typename"] == "TerminateRunSuccess"
            for spans in ([first, second], [overlapping]):
                _backfill(url, site, *spans)
            _wait_for(site, run, DagsterRunStatus.CANCELED)
            left = _days_of(site, PLAYS, cancelled)
            assert 0 < len(left) < 5, "the days that were complete, and no other"
            assert [day for asset, day in sorted(Dagster(url).made([run])[run]) if asset == PLAYS] == left
            assert len(_days_of(site, "chart_rankings", cancelled)) == 5
            for span in (first, second, overlapping):
                wait_until(site, f"run of {span}", lambda span=span: bool(_runs(site, span)))  # type: ignore[misc]
                _wait_for(site, _only_run(site, span), DagsterRunStatus.SUCCESS)
            assert counters.repeats == 0

            _backfill(url, site, killed)
            run = _run_within(site, killed, PLAYS)
            os.kill(_pid_of(site, run), signal.SIGKILL)
            _wait_for(site, run, DagsterRunStatus.FAILURE)
            assert _days_of(site, "chart_rankings", killed) == keys_of(killed), "a step that was over is recorded"
            assert _days_of(site, PLAYS, killed) in ([], keys_of(killed)), (
                "a step of seconds is, as a whole or not at all"
            )

            rest = ChartDays(ENDED, killed.first, cancelled.last)
            _backfill(url, site, rest)
            for part in rest.split(5):
                wait_until(site, f"second run of {part}", lambda part=part: len(_runs(site, part)) == 2)  # type: ignore[misc]
                _wait_for(site, _runs(site, part)[0].run_id, DagsterRunStatus.SUCCESS)
    assert counters.repeats <= IN_FLIGHT
    for key in all_keys(site.settings):
        for span in (first, second, overlapping, rest):
            assert _days_of(site, key, span) == keys_of(span), key
    check_truth(site, {FIRST: [overlapping.first, *first.days], SECOND: second.days, ENDED: rest.days})


def _span(site: Site, slug: str, *, days: int, ago: int = 0) -> ChartDays:
    newest = site.simulator.world.newest_day(slug)
    assert newest is not None
    last = newest - timedelta(days=ago)
    return ChartDays(slug, last - timedelta(days=days - 1), last)


def _backfill(url: str, site: Site, *spans: ChartDays) -> None:
    """All assets on these days."""
    selection = [{"path": key.split("/")} for key in all_keys(site.settings)]
    partitions = [key for span in spans for key in keys_of(span)]
    params = {"assetSelection": selection, "partitionNames": partitions}
    launched = ask(url, LAUNCH_PARTITION_BACKFILL_MUTATION, backfillParams=params)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched


def _runs(site: Site, span: ChartDays) -> Sequence[dg.DagsterRun]:
    """Runs of exactly these days, the newest first."""
    return [run for run in site.instance.get_runs() if spans_of_tags(run.tags, ()) == [span]]


def _only_run(site: Site, span: ChartDays) -> str:
    (run,) = _runs(site, span)
    return run.run_id


def _run_within(site: Site, span: ChartDays, step: str) -> str:
    """The run of these days, once it is in the middle of a step."""

    def is_within() -> bool:
        with closing(Warehouse(read_environment(site.environ).database_url)) as warehouse, warehouse.read() as conn:
            steps = [worklists.progress_of(conn, run.run_id) for run in _runs(site, span)]
        return any(step in of_run and of_run[step][0] > of_run[step][1] / 3 for of_run in steps)

    wait_until(site, f"{step} of {span}", is_within, look_seconds=0.05)
    return _only_run(site, span)


def _wait_for(site: Site, run_id: str, status: DagsterRunStatus) -> None:
    def is_over() -> bool:
        run = site.instance.get_run_by_id(run_id)
        assert run is not None
        assert run.status == status or not run.is_finished, f"{run.status}: {site.story(run_id)}"
        return run.status == status

    wait_until(site, f"{status} of {run_id}", is_over)


def _pid_of(site: Site, run_id: str) -> int:
    """The process of a run, as the run itself has told Dagster."""
    for entry in site.instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.get_dagster_event()
        if "pid" in event.engine_event_data.metadata and event.message and event.message.startswith("Executing steps"):
            return int(str(event.engine_event_data.metadata["pid"].value))
    raise AssertionError("the run has not named its process")


def _days_of(site: Site, key: str, span: ChartDays) -> list[str]:
    """Those of the span's days on which the asset is materialised."""
    made = site.instance.get_materialized_partitions(asset_key(key))
    return [one for one in keys_of(span) if one in made]

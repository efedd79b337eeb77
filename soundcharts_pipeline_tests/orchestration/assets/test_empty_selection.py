"""Runs that hold no partition: Dagster starts them, and records a step of nothing as done."""

from collections.abc import Iterator, Mapping

import dagster as dg
import pytest

from soundcharts_pipeline.config.settings import BadUse
from soundcharts_pipeline.monitoring.facts import read_runs
from soundcharts_pipeline.orchestration.failures import KIND
from soundcharts_pipeline.orchestration.jobs import FULL_SYNC
from soundcharts_pipeline.orchestration.partitions import RANGE_END_TAG, RANGE_START_TAG
from soundcharts_pipeline.orchestration.run_requests import asset_key
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.orchestration.assets.recorded import failures_of
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.project import Project, chart, open_project

OTHER = "top-100-global"
RIGHT = f"{OTHER}|2026-11-17...{SLUG}|2026-11-19"


def _range(start: str, end: str) -> Mapping[str, str]:
    return {RANGE_START_TAG: start, RANGE_END_TAG: end}


@pytest.fixture
def project(simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with open_project(simulator, environ, monkeypatch, chart(), chart(OTHER)) as project:
        yield project


def _run(project: Project, key: str, tags: Mapping[str, str], *, dry: bool) -> dg.ExecuteInProcessResult:
    config = {"resources": {"soundcharts": {"config": {"dry_run": dry}}}}
    return project.definitions.resolve_job_def(FULL_SYNC).execute_in_process(
        instance=project.instance,
        asset_selection=[asset_key(key)],
        tags=dict(tags),
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}, **config},
    )


@pytest.mark.parametrize("dry", [False, True])
@pytest.mark.parametrize("key", ["chart_rankings", "track_metadata", "chart_report"])
@pytest.mark.parametrize(
    ("tags", "asked", "right"),
    [
        (_range(f"{SLUG}|2026-11-19", f"{SLUG}|2026-11-17"), "", f"{SLUG}|2026-11-17...{SLUG}|2026-11-19"),
        (_range(f"{SLUG}|2026-11-17", f"{OTHER}|2026-11-19"), "", RIGHT),
        (_range(f"{OTHER}|2026-11-19", f"{SLUG}|2026-11-17"), "", RIGHT),
        ({}, "this run names no chart and day", RANGE_START_TAG),
    ],
)
def test_a_run_of_no_partition_fails_by_name_and_is_no_charts_run(
    project: Project, key: str, tags: Mapping[str, str], asked: str, right: str, dry: bool
) -> None:
    result = _run(project, key, tags, dry=dry)
    assert not result.success
    [message] = failures_of(result).values()
    assert (asked or f"the range {'...'.join(tags.values())} holds no partition") in message
    assert right in message
    [failure] = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failure.user_failure_data is not None
    assert failure.user_failure_data.metadata[KIND].value == BadUse.__name__
    assert project.simulator.counters.total == 0
    recorded = project.instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert list(recorded) == []
    assert read_runs(project.instance, project.settings, [SLUG, OTHER]) == []

"""A dry run of the real jobs: it tells its plan, costs nothing, and leaves nothing behind that looks like work."""

from collections.abc import Iterator

import dagster as dg
import pytest

from soundcharts_pipeline.config.cascade import all_keys
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.jobs import CASCADE, CHART_SYNC, FULL_SYNC
from soundcharts_pipeline.orchestration.partitions import range_tags
from soundcharts_pipeline.orchestration.run_requests import asset_key
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.support.project import Project, open_project

CONFIG = {
    "resources": {"soundcharts": {"config": {"dry_run": True}}},
    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
}


@pytest.fixture
def project(simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """One small chart."""
    with open_project(simulator, environ, monkeypatch) as project:
        yield project


def dry_run(project: Project, span: ChartDays, job: str = FULL_SYNC) -> dg.ExecuteInProcessResult:
    """What the launchpad makes of the configuration above."""
    return project.definitions.resolve_job_def(job).execute_in_process(
        instance=project.instance, tags=range_tags(span), run_config=CONFIG, raise_on_error=False
    )


def planned_calls(result: dg.ExecuteInProcessResult) -> list[object]:
    """The figures that the run observed."""
    observed = [event for event in result.all_events if event.event_type == dg.DagsterEventType.ASSET_OBSERVATION]
    return [event.asset_observation_data.asset_observation.metadata["planned_calls"].value for event in observed]


@pytest.mark.parametrize("job", [FULL_SYNC, CHART_SYNC, CASCADE])
def test_a_dry_run_materialises_nothing_and_pays_nothing(project: Project, job: str) -> None:
    span = project.span(2)
    project.run(span, ["chart_rankings"])
    materialised = {key: project.days(key) for key in all_keys(project.settings)}
    project.simulator.reset()

    result = dry_run(project, span, job)

    assert result.success
    assert project.simulator.counters.billed == 0
    assert {key: project.days(key) for key in all_keys(project.settings)} == materialised
    assert not result.get_asset_materialization_events()
    assert not result.get_asset_check_evaluations()
    assert len(planned_calls(result)) == 1


def test_the_plan_of_a_dry_run_is_what_the_run_then_costs(project: Project) -> None:
    span = project.span(2)
    project.run(span, ["chart_rankings", "track_metadata"])
    (planned,) = planned_calls(dry_run(project, span))
    project.simulator.reset()

    result = project.run(span)

    assert result.success
    assert planned == pytest.approx(project.simulator.counters.total, rel=0.02)
    assert planned_calls(dry_run(project, span)) == [0]


def test_the_plan_stands_in_the_log_and_on_the_first_asset(project: Project) -> None:
    result = dry_run(project, project.span(1), CASCADE)

    records = project.instance.get_records_for_run(result.run_id).records
    said = "\n".join(record.event_log_entry.user_message for record in records)
    assert "track_audience/spotify: 50 windows of tracks" not in said, "no ranking is stored"
    assert "Quota: 500,000 billed calls left" in said
    observation = project.instance.fetch_observations(asset_key("track_metadata"), limit=1).records[0]
    assert observation.asset_observation is not None
    assert "| track_audience/spotify |" in str(observation.asset_observation.metadata["plan"].value)
    assert not observation.asset_observation.metadata["estimate"].value

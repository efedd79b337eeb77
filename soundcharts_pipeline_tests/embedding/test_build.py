"""The definitions beside those of another project: neither takes hold of what is the other's."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap, ResourceConfigEnvVarSnap

from soundcharts_pipeline.config.cascade import all_keys
from soundcharts_pipeline.config.settings import Settings, SettingsError
from soundcharts_pipeline.embedding import build_definitions
from soundcharts_pipeline.orchestration.jobs import CASCADE, CHART_SYNC, FULL_SYNC, OPERATIONS
from soundcharts_pipeline.orchestration.run_requests import asset_key
from soundcharts_pipeline_tests.support.helpers import SLUG, small_chart

SETTINGS = Settings({SLUG: small_chart()})


@dg.asset(group_name="analytics")
def sales() -> None:
    pass


@pytest.fixture
def merged() -> dg.Definitions:
    """With an asset of a team's own, and a job of it."""
    team = dg.Definitions([sales], jobs=[dg.define_asset_job("sell", [sales])])
    return dg.Definitions.merge(build_definitions(SETTINGS), team)


def test_jobs_run_our_assets_alone(merged: dg.Definitions) -> None:
    full = merged.resolve_job_def(FULL_SYNC).asset_layer.selected_asset_keys
    assert full == {asset_key(key) for key in all_keys(SETTINGS)}
    assert merged.resolve_job_def(CASCADE).asset_layer.selected_asset_keys == full - {asset_key("chart_rankings")}


def test_each_keeps_its_own_executor(merged: dg.Definitions) -> None:
    ours = [merged.resolve_job_def(job) for job in (CHART_SYNC, CASCADE, FULL_SYNC, *OPERATIONS.values())]
    assert {job.executor_def for job in ours} == {dg.in_process_executor}
    assert merged.resolve_job_def("sell").executor_def is not dg.in_process_executor


@pytest.mark.parametrize("name", ["soundcharts", "database"])
def test_another_resource_of_the_same_name_is_refused(name: str) -> None:
    team = dg.Definitions(resources={name: dg.ResourceDefinition.hardcoded_resource(1)})
    with pytest.raises(dg.DagsterInvariantViolationError, match=name):
        dg.Definitions.merge(build_definitions(SETTINGS), team)


def test_charts_come_from_a_file_that_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ours.yaml"
    file.write_text(f"charts: [{{slug: {SLUG}}}]\n")
    for path in (file, str(file)):
        schedules = build_definitions(path).get_repository_def().schedule_defs
        assert SLUG in {schedule.tags.get("soundcharts/chart") for schedule in schedules}
    with pytest.raises(SettingsError, match=f"{tmp_path}/none.yaml: there is no such file"):
        build_definitions(tmp_path / "none.yaml")


def test_the_database_is_that_of_its_variable_and_is_shown_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    definitions = build_definitions(SETTINGS, database_url=dg.EnvVar("WAREHOUSE"))
    monkeypatch.setenv("WAREHOUSE", f"sqlite:///{tmp_path}/music.db")
    resources = definitions.resources or {}
    with dg.build_resources(resources) as built:
        urls = [built.database.warehouse.url, built.soundcharts.warehouse.url]
    assert [url.database for url in urls] == [f"{tmp_path}/music.db"] * 2
    snap = RepositorySnap.from_def(definitions.get_repository_def())
    shown = {one.name: one.configured_values for one in snap.resources or ()}
    for name in ("database", "soundcharts"):
        value = shown[name]["database_url"]
        assert isinstance(value, ResourceConfigEnvVarSnap)
        assert value.name == "WAREHOUSE"

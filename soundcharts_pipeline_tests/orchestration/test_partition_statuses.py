"""Dagster's record of which partitions of an asset are there is made by looks of a sensor, before a page needs it."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.definitions.partitions.snap import PartitionsSnap
from dagster._core.storage.partition_status_cache import (
    AssetStatusCacheValue,
    get_and_update_asset_status_cache_value,
)

from soundcharts_pipeline.config.cascade import RANKINGS, all_keys
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.partition_statuses import EVERY, PartitionStatuses
from soundcharts_pipeline.orchestration.partitions import chart_days, keys_of
from soundcharts_pipeline.orchestration.run_requests import asset_key
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.orchestration.sensed import CASCADE_SENSOR, OTHER, small
from soundcharts_pipeline_tests.support.project import Project, open_project

Records = dict[str, AssetStatusCacheValue | None]


@pytest.fixture
def project(simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with open_project(simulator, environ, monkeypatch, small()) as project:
        yield project


def _days(project: Project) -> dg.PartitionsDefinition:
    """As the web server knows them, by what the code server tells of an asset."""
    days = project.definitions.resolve_asset_graph().get(asset_key(RANKINGS)).partitions_def
    assert days is not None
    return PartitionsSnap.from_def(days).get_partitions_definition()


def _kept(project: Project) -> Records:
    """As they are stored."""
    keys = all_keys(project.settings)
    of_keys = {one.asset_entry.asset_key: one for one in project.instance.get_asset_records(list(map(asset_key, keys)))}
    return {key: of_keys[asset_key(key)].asset_entry.cached_status for key in keys}


def _made_anew(project: Project) -> Records:
    """What the web server makes when there is no record."""
    days = _days(project)
    keys = all_keys(project.settings)
    project.instance.wipe_asset_cached_status(list(map(asset_key, keys)))
    return {key: get_and_update_asset_status_cache_value(project.instance, asset_key(key), days) for key in keys}


def _look(project: Project) -> None:
    """As often as there are assets."""
    for _ in all_keys(project.settings):
        project.evaluate(CASCADE_SENSOR)


def _fill(project: Project) -> ChartDays:
    """Days that are there, one that failed, and partitions that are none of these charts; returns the days."""
    span = project.span(4)
    for key in all_keys(project.settings):
        project.mark(key, span.days[:2])
        for other in (f"gone|{span.last}", f"{span.slug}|2001-01-01", f"{span.slug}|x|{span.last}"):
            project.instance.report_runless_asset_event(dg.AssetMaterialization(asset_key(key), partition=other))
    failed = project.begin(ChartDays(span.slug, span.last, span.last))
    project.end(failed, dg.DagsterEventType.RUN_FAILURE, project.now)
    return span


def test_a_look_for_each_asset_leaves_nothing_to_the_pages(project: Project) -> None:
    span = _fill(project)
    _look(project)
    kept = _kept(project)
    assert kept == _made_anew(project)

    days = _days(project)
    of_rankings = kept[RANKINGS]
    assert of_rankings is not None
    assert set(of_rankings.deserialize_materialized_partition_subsets(days).get_partition_keys()) == set(
        keys_of(span)[:2]
    )
    assert set(of_rankings.deserialize_failed_partition_subsets(days).get_partition_keys()) == {keys_of(span)[-1]}


def test_charts_that_were_added_are_looked_at_without_a_page(
    project: Project, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(project)
    _look(project)
    before = _kept(project)
    with open_project(
        project.simulator, environ, monkeypatch, small(), small(OTHER), instance=project.instance
    ) as larger:
        larger.mark(RANKINGS, larger.span(2, OTHER).days, OTHER)
        _look(larger)
        kept = _kept(larger)
        assert all(kept[key] != before[key] for key in before)
        assert kept == _made_anew(larger)


def test_an_asset_is_looked_at_once_an_hour(project: Project) -> None:
    _fill(project)
    statuses, keys = (
        PartitionStatuses(all_keys(project.settings), chart_days(project.settings)),
        all_keys(project.settings),
    )

    def look(times: int, after: timedelta) -> list[str]:
        """Assets that were looked at."""
        project.instance.wipe_asset_cached_status(list(map(asset_key, keys)))
        for _ in range(times):
            statuses.update_one(project.instance, project.now + after)
        return [key for key, record in _kept(project).items() if record is not None]

    assert look(1, timedelta()) == keys[:1]
    assert look(1, timedelta()) == keys[1:2]
    assert look(len(keys), timedelta()) == keys[2:]
    assert look(1, EVERY / 2) == []
    assert look(2 * len(keys), EVERY + timedelta(minutes=1)) == keys

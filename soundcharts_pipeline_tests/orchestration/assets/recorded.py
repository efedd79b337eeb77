"""What a run left in Dagster's event log, in the words of the tests."""

import dagster as dg
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from soundcharts_pipeline.orchestration.partitions import chart_days
from soundcharts_pipeline.orchestration.run_requests import asset_key
from soundcharts_pipeline_tests.support.project import Project


def facts_of(project: Project, result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], dict[str, object]]:
    """Metadata by asset and day, as the instance keeps it."""
    found: dict[tuple[str, str], dict[str, object]] = {}
    for entry in project.instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        made = entry.asset_materialization
        assert made is not None
        if made.partition is not None:
            day = made.partition.rpartition("|")[2]
            key = (made.asset_key.to_user_string(), day)
            assert key not in found, f"{key} is recorded twice"
            found[key] = {name: value.value for name, value in made.metadata.items()}
    return found


def failures_of(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Message of every failed step, by asset."""
    return {str(e.step_key).replace("__", "/"): message(e) for e in result.all_events if e.is_step_failure}


def failure_facts(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, object]:
    """The metadata of the failed step, as Dagster's UI shows it."""
    for one in result.all_events:
        if one.is_step_failure and str(one.step_key).replace("__", "/") == asset:
            failure = one.step_failure_data.user_failure_data
            assert failure is not None
            return {name: value.value for name, value in failure.metadata.items()}
    raise AssertionError(f"{asset} did not fail: {failures_of(result)}")


def shown_as_failed(project: Project, key: str) -> list[str]:
    """Partitions of the asset that Dagster's pages show as failed."""
    days = chart_days(project.settings)
    shown = get_and_update_asset_status_cache_value(project.instance, asset_key(key), days)
    assert shown is not None
    return sorted(shown.deserialize_failed_partition_subsets(days).get_partition_keys())


def message(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    assert data.user_failure_data is not None, data.error
    return data.user_failure_data.description or ""


def checks_of(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {f"{c.asset_key.to_user_string()}: {c.check_name}": c.passed for c in result.get_asset_check_evaluations()}


def everything_recorded(project: Project, run_id: str) -> str:
    return "\n".join(str(entry) for entry in project.instance.all_logs(run_id))


def lines_of(project: Project, result: dg.ExecuteInProcessResult) -> list[str]:
    """What the run's steps told its log, without Dagster's own events."""
    return [entry.user_message for entry in project.instance.all_logs(result.run_id) if not entry.is_dagster_event]

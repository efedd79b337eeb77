"""Runs that cannot be complete: what they record, what they say, and what the next one asks for."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.monitoring.facts import read_runs
from soundcharts_pipeline.orchestration.dagster_home import PLANNED_AS_ONE
from soundcharts_pipeline.orchestration.partitions import chart_days, keys_of
from soundcharts_pipeline.orchestration.run_requests import asset_key
from soundcharts_pipeline.simulator import Fault, Simulator
from soundcharts_pipeline_tests.orchestration.assets.recorded import everything_recorded, facts_of, failures_of
from soundcharts_pipeline_tests.support.helpers import SLUG, asked_keys
from soundcharts_pipeline_tests.support.project import Project, chart, open_project
from soundcharts_pipeline_tests.support.truth import expected, stored

SECRET = "a-secret-that-nobody-may-read"


def test_a_day_that_is_not_out_fails_and_the_other_days_of_the_range_are_recorded(project: Project) -> None:
    newest = project.newest()
    span = ChartDays(SLUG, newest - timedelta(days=2), newest + timedelta(days=1))
    result = project.run(span)
    assert not result.success
    message = failures_of(result)["chart_rankings"]
    assert f"{SLUG} has no ranking for {span.last} yet" in message
    assert f"the newest published day is {newest}" in message
    published = span.days[:-1]
    assert project.days("chart_rankings") == published
    assert {day for _, day in facts_of(project, result)} == set(map(str, published))
    assert stored(project.warehouse)["ranked"] == {(SLUG, day) for day in published}
    assert project.days("track_metadata") == []


@pytest.mark.parametrize("planned_as_one", ["", "1"])
def test_dagster_shows_the_days_that_failed_and_no_others(
    project: Project, monkeypatch: pytest.MonkeyPatch, planned_as_one: str
) -> None:
    monkeypatch.setenv(PLANNED_AS_ONE, planned_as_one)
    newest = project.newest()
    span = ChartDays(SLUG, newest - timedelta(days=1), newest + timedelta(days=2))
    assert not project.run(span, ["chart_rankings"]).success
    shown = get_and_update_asset_status_cache_value(
        project.instance, asset_key("chart_rankings"), chart_days(project.settings)
    )
    assert shown is not None
    failed = shown.deserialize_failed_partition_subsets(chart_days(project.settings))
    assert set(failed.get_partition_keys()) == set(keys_of(span)[-2:])
    [told] = read_runs(project.instance, project.settings, [SLUG])
    assert (told.ended_steps, told.ended_days) == (frozenset(), {"chart_rankings": frozenset(span.days[:2])})


def test_a_day_that_is_not_out_fails_when_it_is_asked_for_alone(project: Project) -> None:
    tomorrow = project.newest() + timedelta(days=1)
    result = project.run(ChartDays(SLUG, tomorrow, tomorrow))
    assert not result.success
    assert f"the newest published day is {project.newest()}" in failures_of(result)["chart_rankings"]
    assert facts_of(project, result) == {}


def test_a_platform_that_fails_leaves_the_others_and_is_all_that_a_rerun_asks_for(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, hasty=True) as project:
        span = project.span(1)
        simulator.script("artist_streaming", [Fault.SERVER_ERROR] * 3)
        result = project.run(span)
        assert not result.success
        failures = failures_of(result)
        assert failures.keys() == {"artist_audience/spotify"}
        message = failures["artist_audience/spotify"]
        assert message.startswith("3 of ")
        assert "audience windows are still to do" in message
        assert "the server answered 500" in message
        # Trends without one of the platforms would look complete.
        others = set(asked_keys(project.settings)) - failures.keys() - {"audience_trends"}
        assert {key for key, _ in facts_of(project, result)} == others
        before = simulator.counters

        rerun = project.run(span)
        assert rerun.success
        assert simulator.counters.total - before.total == 3
        assert simulator.counters.repeats == 0
        assert stored(project.warehouse) == expected(simulator.world, project.settings.chart(SLUG), span.days)


def test_days_of_a_range_that_are_complete_when_a_platform_fails_are_recorded(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, hasty=True) as project:
        assert project.run(project.span(2, ago=1), ["chart_rankings", "track_metadata"]).success
        assert project.run(project.span(1, ago=1), ["track_audience/airplay"]).success
        simulator.script("track_broadcasts", [Fault.SERVER_ERROR])
        result = project.run(project.span(2, ago=1), ["track_audience/airplay"])
        assert failures_of(result).keys() == {"track_audience/airplay"}
        complete = project.span(1, ago=1)
        assert [day for _, day in facts_of(project, result)] == [str(complete.last)]


def test_an_unknown_chart_is_told_the_nearest_ones(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, chart("viral-50-globl")) as project:
        day = project.newest()
        result = project.run(ChartDays("viral-50-globl", day, day))
        message = failures_of(result)["chart_rankings"]
        assert "Soundcharts has no chart 'viral-50-globl'" in message
        assert "viral-50-global" in message
        assert "charts.yaml" in message


@pytest.mark.parametrize(
    "credentials",
    [
        {"SOUNDCHARTS_API_KEY": SECRET},
        {"SOUNDCHARTS_API_KEY": "", "SOUNDCHARTS_CLIENT_ID": "me", "SOUNDCHARTS_CLIENT_SECRET": SECRET},
        {"SOUNDCHARTS_API_KEY": ""},
    ],
    ids=["wrong key", "wrong client secret", "none"],
)
def test_credentials_that_do_not_work_are_named_and_never_shown(
    credentials: Mapping[str, str], simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, {**environ, **credentials}, monkeypatch) as project:
        result = project.run(project.span(1))
        assert not result.success
        failure = next(event.step_failure_data for event in result.all_events if event.is_step_failure)
        assert failure.user_failure_data is not None
        assert failure.user_failure_data.metadata["error"].value == "AuthenticationError"
        names = {name for name in credentials if credentials[name]} or {"SOUNDCHARTS_APP_ID", "SOUNDCHARTS_API_KEY"}
        assert names <= set((failure.user_failure_data.description or "").replace(",", " ").replace(";", " ").split())
        assert SECRET not in everything_recorded(project, result.run_id)
        assert simulator.counters.total <= 1


def test_a_quota_that_is_used_up_says_how_much_is_left_to_do_and_a_later_run_resumes(project: Project) -> None:
    simulator, span = project.simulator, project.span(1)
    simulator.set(quota=20)
    result = project.run(span)
    assert not result.success
    assert (simulator.counters.billed, simulator.counters.rejected_by_quota) == (20, 0)
    failed = [event for event in result.all_events if event.is_step_failure]
    assert failed
    for event in failed:
        data = event.step_failure_data.user_failure_data
        assert data is not None
        assert data.metadata["error"].value == "QuotaExhausted"
        left = int(str(data.metadata["still_to_do"].value))
        assert left > 0
        assert f"{left} of " in str(data.description)
        assert "a later run" in str(data.description) or "run it again" in str(data.description)

    simulator.set(quota=500_000)
    assert project.run(span).success
    assert {question.split("?")[0] for question in simulator.counters.repeated} <= {"GET /api/v2/team/usage"}
    assert stored(project.warehouse) == expected(simulator.world, project.settings.chart(SLUG), span.days)


def test_a_run_with_a_budget_fails_once_keeps_what_it_paid_for_and_the_next_one_pays_for_the_rest(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = 30
    with open_project(simulator, {**environ, "SOUNDCHARTS_RUN_BUDGET": str(budget)}, monkeypatch) as project:
        span = project.span(1)
        result = project.run(span)
        assert not result.success
        assert simulator.counters.billed == simulator.counters.total == budget
        messages = failures_of(result).values()
        assert len(messages) > 1
        assert all("are still to do: the budget of this run is spent: 30 of 30" in message for message in messages)
        assert {entry.step_key for entry in project.instance.all_logs(result.run_id) if "RETRY" in str(entry)} == set()

        monkeypatch.setenv("SOUNDCHARTS_RUN_BUDGET", "1000")
        assert project.run(span).success
        assert simulator.counters.billed == simulator.counters.questions
        assert simulator.counters.repeats == 0
        assert stored(project.warehouse) == expected(simulator.world, project.settings.chart(SLUG), span.days)


def test_a_budget_in_the_configuration_of_a_run_overrides_the_variable(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, {**environ, "SOUNDCHARTS_RUN_BUDGET": "1000"}, monkeypatch) as project:
        resources = {"soundcharts": {"config": {"run_budget": 7}}}
        result = project.run(project.span(1), resources=resources)
        assert not result.success
        assert simulator.counters.billed == 7


def test_made_up_and_real_data_do_not_mix(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    span = project.span(1)
    assert project.run(span, ["chart_rankings"]).success
    monkeypatch.setenv("SOUNDCHARTS_BASE_URL", "https://customer.api.soundcharts.example")
    result = project.run(span, ["track_metadata"])
    assert "this database holds data of 'local'" in failures_of(result)["track_metadata"]

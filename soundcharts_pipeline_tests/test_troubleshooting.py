"""Each row of the table of troubles: caused for real, and said where people look."""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import RemoteJobOrigin

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.checks import audience_checks
from soundcharts_pipeline.orchestration.failures import BELOW, KIND, MORE, NOT_FOUND_MEANS, REMEDY, WITHOUT_DATA
from soundcharts_pipeline.orchestration.partitions import range_tags
from soundcharts_pipeline.remedies import Subject, Trouble
from soundcharts_pipeline.simulator import Fault, Simulator
from soundcharts_pipeline.simulator.world.oddities import Absence
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.troubleshooting import QUEUED, TROUBLES
from soundcharts_pipeline_tests.orchestration.assets.recorded import facts_of, failure_facts, failures_of
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.command_line import run, with_charts
from soundcharts_pipeline_tests.support.full_disk import full_disk
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.project import Project, chart, open_project, repository_origin

RATE = {"errors": [{"code": 429, "message": "You have reached the maximum request count per minute."}]}

# Rows that fail a step: how to cause them, and which asset then says so.


@dataclass(frozen=True, slots=True)
class Scene:
    """What a cause may change."""

    project: Project
    monkeypatch: pytest.MonkeyPatch


@contextmanager
def _wrong_key(scene: Scene) -> Iterator[None]:
    scene.monkeypatch.setenv("SOUNDCHARTS_API_KEY", "wrong")
    yield


@contextmanager
def _nobody_listens(scene: Scene) -> Iterator[None]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        scene.monkeypatch.setenv("SOUNDCHARTS_BASE_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        yield


@contextmanager
def _too_many_calls(scene: Scene) -> Iterator[None]:
    with altered(scene.project.simulator.url, lambda path, status, body: (429, RATE)) as url:  # noqa: ARG005
        scene.monkeypatch.setenv("SOUNDCHARTS_BASE_URL", url)
        yield


@contextmanager
def _no_quota(scene: Scene) -> Iterator[None]:
    scene.project.simulator.set(quota=0)
    yield


@contextmanager
def _small_budget(scene: Scene) -> Iterator[None]:
    scene.monkeypatch.setenv("SOUNDCHARTS_RUN_BUDGET", "1")
    yield


@contextmanager
def _failing_platform(scene: Scene) -> Iterator[None]:
    scene.project.simulator.script("track_audience", [Fault.SERVER_ERROR] * 100)
    yield


@contextmanager
def _failing_metadata(scene: Scene) -> Iterator[None]:
    scene.project.simulator.script("track", [Fault.SERVER_ERROR] * 100)
    yield


@contextmanager
def _full_disk(scene: Scene) -> Iterator[None]:
    with full_disk(scene.project.warehouse):
        yield


Cause = Callable[[Scene], AbstractContextManager[None]]
FAILING: Mapping[str, tuple[Cause, str]] = {
    "AuthenticationError": (_wrong_key, "chart_rankings"),
    "NetworkError": (_nobody_listens, "chart_rankings"),
    "RateLimited": (_too_many_calls, "chart_rankings"),
    "QuotaExhausted": (_no_quota, "chart_rankings"),
    "BudgetSpent": (_small_budget, "chart_rankings"),
    "StorageFull": (_full_disk, "chart_rankings"),
    "ServerError": (_failing_platform, "track_audience/spotify"),
}


def _says(facts: Mapping[str, object], kind: str, span: ChartDays, asset: str) -> Trouble:
    trouble = TROUBLES[kind]
    assert facts[KIND] == kind
    assert facts[REMEDY] == trouble.advice(Subject(span.slug, span.first, span.last, asset))
    assert facts[MORE] == f"{trouble.title}: {trouble.place}"
    return trouble


@pytest.fixture
def project(simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    small = chart(track_audience_platforms=("spotify",), artist_audience_platforms=("instagram",))
    with open_project(simulator, environ, monkeypatch, small, hasty=True) as project:
        yield project


@pytest.mark.parametrize("kind", FAILING)
def test_a_failed_step_says_what_to_do(project: Project, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    cause, asset = FAILING[kind]
    with cause(Scene(project, monkeypatch)):
        result = project.run(project.span(1))
    assert not result.success
    trouble = _says(failure_facts(result, asset), kind, project.span(1), asset)
    assert trouble.advice(Subject()) not in failures_of(result)[asset], "said once"


def test_a_day_that_is_not_out_says_that_nothing_is_broken(project: Project) -> None:
    day = project.span(1, ago=-1)
    _says(failure_facts(project.run(day), "chart_rankings"), "NotPublished", day, "chart_rankings")


def test_a_chart_that_does_not_exist_says_where_to_look(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, chart("viral-50-globl"), hasty=True) as project:
        day = project.newest()
        span = ChartDays("viral-50-globl", day, day)
        facts = failure_facts(project.run(span), "chart_rankings")
        _says(facts, "UnknownChart", span, "chart_rankings")
        assert "`soundcharts-pipeline charts search viral`" in str(facts[REMEDY])


def test_what_is_below_a_failed_step_is_named_with_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with _failing_metadata(Scene(project, monkeypatch)):
        result = project.run(project.span(1))
    below = str(failure_facts(result, "track_metadata")[BELOW]).split(", ")
    metadata = ["artist_audience/instagram", "artist_metadata"]
    assert below == [*metadata, "audience_trends", "chart_report", "track_audience/spotify"]
    assert {str(e.step_key).replace("__", "/") for e in result.all_events if e.is_step_start}.isdisjoint(below)


@pytest.mark.parametrize(
    ("before", "asset", "words"),
    [
        ([], "track_metadata", "is not stored, so there is nothing to work on"),
        ([], "track_audience/spotify", "is not stored, so there is nothing to work on"),
        (["chart_rankings"], "artist_metadata", "it is not known who is credited"),
    ],
)
def test_a_step_without_what_it_works_on_fails_rather_than_look_complete(
    project: Project, before: list[str], asset: str, words: str
) -> None:
    span = project.span(2)
    if before:
        assert project.run(span, before).success
    calls = project.simulator.counters.total
    result = project.run(span, [asset])
    facts = failure_facts(result, asset)
    _says(facts, "UpstreamMissing", span, asset)
    assert f"`soundcharts-pipeline sync {span.slug} --from {span.first} --to {span.last}`" in str(facts[REMEDY])
    assert words in failures_of(result)[asset]
    assert project.simulator.counters.total == calls
    assert project.days(asset) == []


def test_days_of_a_weekly_chart_that_have_no_ranking_are_not_missing(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slug = "tiktok-weekly-songs"
    weekly = chart(slug, track_audience_platforms=("airplay",), artist_audience_platforms=())
    with open_project(simulator, environ, monkeypatch, weekly) as project:
        published = [p.day for p in simulator.world.published_days(slug)][:3]
        newest, older = max(published), min(published)
        for day in published:
            assert project.run(ChartDays(slug, day, day), ["chart_rankings"]).success
        assert project.run(ChartDays(slug, older, newest), ["track_metadata"]).success


def test_tracks_that_soundcharts_has_withdrawn_are_explained(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator.set(oddities=["refusals"])
    with open_project(simulator, environ, monkeypatch) as project:
        span = project.span(1)
        result = project.run(span, ["chart_rankings", "track_metadata"])
        facts = facts_of(project, result)[("track_metadata", str(span.last))]
    trouble = TROUBLES["NotFound"]
    assert facts["not_found"]
    advice = trouble.advice(Subject(span.slug, span.first, span.last, "track_metadata"))
    assert facts[NOT_FOUND_MEANS] == f"{trouble.title}: {trouble.explanation} {advice}"


def _without_points(path: str, status: int, body: Any) -> tuple[int, Any]:
    if "/audience/spotify" in path:
        body = {**body, "items": [], "page": {**body.get("page", {}), "total": 0, "next": None}}
    return status, body


def test_a_platform_without_any_data_is_a_warning_with_its_remedy(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with altered(project.simulator.url, _without_points) as url:
        monkeypatch.setenv("SOUNDCHARTS_BASE_URL", url)
        result = project.run(project.span(1))
    assert result.success
    [coverage] = [
        check
        for check in result.get_asset_check_evaluations()
        if check.asset_key == dg.AssetKey(["track_audience", "spotify"]) and check.check_name == "series_coverage"
    ]
    assert not coverage.passed
    assert str(coverage.metadata[REMEDY].value).startswith("Leave spotify out of charts.yaml")


def test_a_platform_is_not_to_be_left_out_for_one_of_its_two_series(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    def without_listeners(path: str, status: int, body: Any) -> tuple[int, Any]:
        nothing = {"items": [], "page": {"offset": 0, "limit": 100, "next": None, "previous": None, "total": 0}}
        return (200, body | nothing) if "/streaming/spotify" in path else (status, body)

    chart, days = small_chart(track_audience_platforms=()), last_days(simulator, SLUG, 1)
    with altered(simulator.url, without_listeners) as url:
        run_cascade(new_context(simulator, sqlite_warehouse, url=url), chart, days)
    coverage = audience_checks("artist", "spotify")[0]
    with sqlite_warehouse.read() as conn:
        result = coverage.result(conn, [ChartDays(SLUG, *days, *days)])
    assert not result.passed
    assert result.metadata[WITHOUT_DATA].value == "monthly_listeners"
    assert REMEDY not in result.metadata, "the platform has followers"


def test_runs_that_wait_in_the_queue_are_explained_where_healing_skips(project: Project) -> None:
    span = project.span(1)
    project.publish(span)
    project.instance.create_run_for_job(
        project.definitions.resolve_job_def("full_sync"),
        tags=range_tags(span),
        status=dg.DagsterRunStatus.QUEUED,
        remote_job_origin=RemoteJobOrigin(repository_origin(), "full_sync"),
    )
    said = project.evaluate("healing_sensor").skipped or ""
    assert f"{span} is queued or running; 1 runs wait in the queue" in said
    assert TROUBLES[QUEUED].remedy in said


# The same in a terminal.


def test_a_mistake_in_the_charts_file_says_how_to_read_it_again(environ: dict[str, str], tmp_path: Path) -> None:
    done = run(with_charts(environ, tmp_path, "charts:\n  - slug: a\n    shedule: hourly\n"), "sync", "a")
    assert done.code == 2
    trouble = TROUBLES["SettingsError"]
    assert done.says("unknown key 'shedule'", f"What to do: {trouble.remedy}", f"({trouble.place})")


def test_a_terminal_says_what_did_not_run_and_what_soundcharts_does_not_have(
    simulator: Simulator, environ: dict[str, str], tmp_path: Path
) -> None:
    ready = with_charts(environ, tmp_path)
    simulator.script("track", [Fault.SERVER_ERROR] * 100)
    failed = run(ready, "sync", SLUG)
    assert failed.code == 1
    steps = "track_audience/spotify, artist_metadata, artist_audience/instagram, audience_trends"
    assert failed.says(f"Not run: {steps}, below a step")
    newest = last_days(simulator, SLUG, 1)[0]
    assert failed.says(f"What to do: {TROUBLES['ServerError'].advice(Subject(SLUG, newest, newest, 'track_metadata'))}")

    simulator.reset()
    simulator.set(oddities=["refusals"])
    with altered(simulator.url, _without_points) as url:
        done = run({**ready, "SOUNDCHARTS_BASE_URL": url}, "sync", SLUG)
    assert done.says(
        "Note: track_metadata: ", " not found. Metadata missing: ", f"run `soundcharts-pipeline sync {SLUG} --date "
    )
    assert done.says("Note: track_audience/spotify: no data at all. Leave spotify out of charts.yaml")
    world = simulator.world
    tracks = [entry.track.uuid for entry in world.ranking(SLUG, newest).entries]
    refused = [u for u in tracks if world.track(u) and world.track_account(u, "spotify") is Absence.FORBIDDEN]
    assert refused
    assert done.says(
        f"Note: track_audience/spotify: {len(refused)} refused: not in the plan. ",
        "Others were answered: nothing has to be done.",
    )

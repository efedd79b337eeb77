"""The cascade sensor takes rankings further, the healing sensor finds what was lost; each requests nothing twice."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.events import DagsterEventType

from soundcharts_pipeline.partitions import ChartSpan, span_of_tags
from soundcharts_pipeline.settings import ChartSettings
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.helpers import asked_keys
from soundcharts_pipeline_tests.project import Project, Tick, asset_names, chart, open_project
from soundcharts_pipeline_tests.truth import expected, stored

SLUG = "viral-50-global"
OTHER = "viral-50-in"
CASCADE_SENSOR, HEALING_SENSOR = "cascade_sensor", "healing_sensor"
METADATA = ["chart_rankings", "track_metadata"]


def _small(slug: str = SLUG, **changes: object) -> ChartSettings:
    """A chart of two assets below its metadata: enough to be left out or lost."""
    platforms = {"track_audience_platforms": ("airplay",), "artist_audience_platforms": ()}
    return chart(slug, **{**platforms, **changes})


@pytest.fixture
def project(simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with open_project(simulator, environ, monkeypatch, _small()) as project:
        yield project


def _spans(tick: Tick) -> list[ChartSpan]:
    spans = []
    for request in tick.requests:
        span = span_of_tags(request.tags)
        assert span is not None
        assert request.tags["soundcharts/chart"] == span.slug
        spans.append(span)
    return spans


def _below(project: Project) -> list[str]:
    return [key for key in asked_keys(project.settings) if key != "chart_rankings"]


# The cascade sensor.


def test_rankings_that_were_materialised_alone_go_through_the_rest_as_one_range(project: Project) -> None:
    span = project.span(3)
    assert project.run(span, ["chart_rankings"]).success
    tick = project.evaluate(CASCADE_SENSOR)
    assert _spans(tick) == [span]
    request = tick.requests[0]
    assert request.job_name == "cascade"
    assert asset_names(request) == _below(project)
    assert request.tags["soundcharts/trigger"] == CASCADE_SENSOR

    assert project.perform(request).success
    assert stored(project.warehouse) == expected(project.simulator.world, project.settings.chart(SLUG), span.days)
    after = project.evaluate(CASCADE_SENSOR, tick.cursor)
    assert after.requests == []
    assert after.skipped == "no ranking was materialised on its own since the last look"


def test_a_job_of_rankings_and_metadata_is_taken_further_too(project: Project) -> None:
    span = project.span(1)
    assert project.run(span, job="chart_sync").success
    assert _spans(project.evaluate(CASCADE_SENSOR)) == [span]


@pytest.mark.parametrize("keys", [None, "allowed"])
def test_a_run_of_the_whole_cascade_is_left_alone(project: Project, keys: str | None) -> None:
    assert project.run(project.span(2), None if keys is None else asked_keys(project.settings)).success
    assert project.evaluate(CASCADE_SENSOR).requests == []


def test_what_failed_below_in_a_whole_run_is_left_to_healing(project: Project) -> None:
    span = project.span(1)
    project.publish(span)
    project.simulator.set(quota=5)
    result = project.run(span)
    assert not result.success
    assert project.days("chart_rankings") == span.days
    assert project.evaluate(CASCADE_SENSOR).requests == []
    assert "next try after" in (project.evaluate(HEALING_SENSOR).skipped or "")


def test_the_days_that_are_out_go_on_when_one_of_their_range_was_not(project: Project) -> None:
    newest = project.newest()
    with_today = ChartSpan(SLUG, newest - timedelta(days=2), newest + timedelta(days=1))
    assert not project.run(with_today).success
    tick = project.evaluate(CASCADE_SENSOR)
    assert _spans(tick) == [ChartSpan(SLUG, with_today.first, newest)]
    assert asset_names(tick.requests[0]) == _below(project)
    assert project.perform(tick.requests[0]).success
    assert project.evaluate(CASCADE_SENSOR, tick.cursor).requests == []


def test_a_chart_without_auto_trigger_cascade_goes_no_further(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    charts = [_small(auto_trigger_cascade=False), _small(OTHER)]
    with open_project(simulator, environ, monkeypatch, *charts) as project:
        for slug in (SLUG, OTHER):
            assert project.run(project.span(1, slug), ["chart_rankings"]).success
        assert _spans(project.evaluate(CASCADE_SENSOR)) == [project.span(1, OTHER)]


def test_what_the_chart_excludes_is_not_requested(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, _small(trigger_audience_fetch=False)) as project:
        assert project.run(project.span(1), ["chart_rankings"]).success
        tick = project.evaluate(CASCADE_SENSOR)
        assert asset_names(tick.requests[0]) == ["track_metadata", "artist_metadata"]


def test_days_wait_for_the_run_at_work_on_them_and_go_on_when_it_is_over(project: Project) -> None:
    span, early = project.span(2), project.span(2, ago=5)
    for ranked in (span, early):
        assert project.run(ranked, ["chart_rankings"]).success
    run = project.begin(ChartSpan(SLUG, span.last, span.last))
    tick = project.evaluate(CASCADE_SENSOR)
    assert _spans(tick) == [early, ChartSpan(SLUG, span.first, span.first)]
    waiting = project.evaluate(CASCADE_SENSOR, tick.cursor)
    assert waiting.requests == []
    assert waiting.skipped == "1 chart-days wait for the runs that are at work on them"
    project.instance.report_run_canceled(run)
    assert _spans(project.evaluate(CASCADE_SENSOR, waiting.cursor)) == [ChartSpan(SLUG, span.last, span.last)]


def test_a_whole_run_that_came_after_the_ranking_makes_the_wait_superfluous(project: Project) -> None:
    span = project.span(1)
    assert project.run(span, ["chart_rankings"]).success
    run = project.begin(span)
    tick = project.evaluate(CASCADE_SENSOR)
    assert tick.requests == []
    project.instance.report_run_canceled(run)
    assert project.run(span).success
    assert project.evaluate(CASCADE_SENSOR, tick.cursor).requests == []


def test_waiting_days_of_a_chart_that_was_removed_or_starts_later_now_are_forgotten(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, _small(), _small(OTHER)) as project:
        for slug in (SLUG, OTHER):
            assert project.run(project.span(2, slug), ["chart_rankings"]).success
        runs = [project.begin(project.span(2, slug)) for slug in (SLUG, OTHER)]
        tick = project.evaluate(CASCADE_SENSOR)
        assert tick.requests == []
        for run in runs:
            project.instance.report_run_canceled(run)
        later = _small(first_date=project.newest())
        with open_project(simulator, environ, monkeypatch, later, instance=project.instance) as changed:
            after = changed.evaluate(CASCADE_SENSOR, tick.cursor)
            assert _spans(after) == [changed.span(1)]


# The healing sensor.


def test_only_what_is_missing_is_requested_as_ranges_and_without_a_call(project: Project) -> None:
    span = project.span(6)
    project.publish(span)
    missing = {"track_audience/airplay": span.days[:2], "artist_metadata": span.days[4:5]}
    for key in asked_keys(project.settings):
        project.mark(key, set(span.days) - set(missing.get(key, ())))
    tick = project.evaluate(HEALING_SENSOR)
    assert _spans(tick) == [
        ChartSpan(SLUG, span.days[0], span.days[1]),
        ChartSpan(SLUG, span.days[4], span.days[4]),
    ]
    assert [asset_names(request) for request in tick.requests] == [["track_audience/airplay"], ["artist_metadata"]]
    assert {request.job_name for request in tick.requests} == {"full_sync"}
    assert {request.tags["soundcharts/trigger"] for request in tick.requests} == {HEALING_SENSOR}

    for key, days in missing.items():
        project.mark(key, days)
    tick = project.evaluate(HEALING_SENSOR)
    assert tick.requests == []
    assert tick.skipped == "no published chart-day is missing"
    assert project.simulator.counters.total == 0


def test_a_healed_span_is_complete(project: Project) -> None:
    span = project.span(2)
    project.publish(span)
    assert project.run(span, METADATA).success
    tick = project.evaluate(HEALING_SENSOR)
    missing = ["track_audience/airplay", "artist_metadata", "audience_trends"]
    assert [asset_names(request) for request in tick.requests] == [missing]
    assert project.perform(tick.requests[0]).success
    assert stored(project.warehouse) == expected(project.simulator.world, project.settings.chart(SLUG), span.days)
    assert project.evaluate(HEALING_SENSOR).requests == []


def test_a_day_that_no_run_ever_had_is_requested_with_all_that_the_chart_allows(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    charts = [_small(), _small(OTHER, auto_trigger_cascade=False)]
    with open_project(simulator, environ, monkeypatch, *charts) as project:
        for slug in (SLUG, OTHER):
            project.publish(project.span(2, slug))
        tick = project.evaluate(HEALING_SENSOR)
        assert _spans(tick) == [project.span(2), project.span(2, OTHER)]
        assert [asset_names(request) for request in tick.requests] == [asked_keys(project.settings), METADATA]


def test_a_day_that_was_found_published_a_moment_ago_is_the_schedules(project: Project) -> None:
    span = project.span(3)
    project.publish(span, known_since=timedelta(minutes=1))
    assert project.evaluate(HEALING_SENSOR).requests == []
    # With its ranking there the schedule never asks for the day again, however often it looks.
    assert project.run(project.span(1), ["chart_rankings"]).success
    assert _spans(project.evaluate(HEALING_SENSOR)) == [project.span(1)]


def test_days_before_the_last_heal_days_are_left_alone(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, _small(heal_days=4)) as project:
        project.publish(project.span(10))
        today = simulator.world.today
        assert _spans(project.evaluate(HEALING_SENSOR)) == [
            ChartSpan(SLUG, today - timedelta(days=4), project.newest())
        ]


def test_an_inactive_chart_is_left_alone(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, _small(), _small(OTHER, active=False)) as project:
        for slug in (SLUG, OTHER):
            project.publish(project.span(2, slug))
        assert _spans(project.evaluate(HEALING_SENSOR)) == [project.span(2)]


def test_without_history_only_the_newest_day_is_healed(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, _small(sync_history=False)) as project:
        project.publish(project.span(5))
        assert _spans(project.evaluate(HEALING_SENSOR)) == [project.span(1)]


def test_a_weekly_chart_is_healed_as_one_range(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slug = "tiktok-weekly-songs"
    with open_project(simulator, environ, monkeypatch, _small(slug, heal_days=21)) as project:
        newest = project.newest(slug)
        project.publish(project.span(21, slug))
        fridays = [p.day for p in simulator.world.published_days(slug) if p.day >= _horizon(simulator, 21)]
        assert _spans(project.evaluate(HEALING_SENSOR)) == [ChartSpan(slug, min(fridays), newest)]


def _horizon(simulator: Simulator, days: int) -> date:
    return simulator.world.today - timedelta(days=days)


def test_days_in_flight_are_not_healed(project: Project) -> None:
    span = project.span(2)
    project.publish(span)
    run = project.begin(ChartSpan(SLUG, span.last, span.last))
    tick = project.evaluate(HEALING_SENSOR)
    assert tick.requests == []
    assert tick.skipped == f"{span} is queued or running"
    project.instance.report_run_canceled(run)
    # A run that somebody took off is no reason to start it again at once.
    assert "next try after" in (project.evaluate(HEALING_SENSOR).skipped or "")


def test_a_day_that_just_failed_is_left_for_half_an_hour(project: Project) -> None:
    span = project.span(1)
    project.publish(span)
    project.simulator.set(quota=0)
    result = project.run(span)
    assert not result.success
    ended = project.instance.get_run_record_by_id(result.run_id)
    assert ended is not None
    assert ended.end_time is not None
    again = datetime.fromtimestamp(ended.end_time, UTC) + timedelta(minutes=30)
    tick = project.evaluate(HEALING_SENSOR)
    assert tick.requests == []
    assert tick.skipped == f"{span} failed, next try after {again:%Y-%m-%d %H:%M} UTC"


@pytest.mark.parametrize(
    ("failed_minutes_ago", "requested"),
    [([31], True), ([29], False), ([31, 90], False), ([61, 90], True), ([1, 40_000], False)],
)
def test_pauses_grow_with_every_failure(project: Project, failed_minutes_ago: list[int], requested: bool) -> None:
    span = project.span(2)
    project.publish(span)
    for minutes in failed_minutes_ago:
        project.end(project.begin(span), DagsterEventType.RUN_FAILURE, datetime.now(UTC) - timedelta(minutes=minutes))
    assert _spans(project.evaluate(HEALING_SENSOR)) == ([span] if requested else [])


def test_a_lost_day_is_healed_at_once_when_its_last_run_succeeded(project: Project) -> None:
    span = project.span(1)
    project.publish(span)
    for kind, minutes in ((DagsterEventType.RUN_FAILURE, 20), (DagsterEventType.RUN_SUCCESS, 10)):
        project.end(project.begin(span), kind, datetime.now(UTC) - timedelta(minutes=minutes))
    assert _spans(project.evaluate(HEALING_SENSOR)) == [span]


def test_the_sensors_run_from_the_start(project: Project) -> None:
    sensors = project.definitions.get_repository_def().sensor_defs
    assert {sensor.name: sensor.default_status for sensor in sensors} == {
        CASCADE_SENSOR: dg.DefaultSensorStatus.RUNNING,
        HEALING_SENSOR: dg.DefaultSensorStatus.RUNNING,
        "notification_sensor": dg.DefaultSensorStatus.RUNNING,
    }

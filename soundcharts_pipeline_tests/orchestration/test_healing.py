"""The healing sensor finds what was lost, and requests nothing twice."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from dagster._core.events import DagsterEventType
from sqlalchemy import select

from soundcharts_pipeline.config.cascade import scheduled_keys
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.monitoring.chart_status import chart_health
from soundcharts_pipeline.monitoring.facts import chart_facts, read_runs
from soundcharts_pipeline.simulator import Fault, Simulator
from soundcharts_pipeline.storage.queries.chart_states import ChartState, chart_states
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline_tests.orchestration.assets.recorded import failures_of
from soundcharts_pipeline_tests.orchestration.sensed import HEALING_SENSOR, METADATA, OTHER, SLUG, small, spans
from soundcharts_pipeline_tests.support.helpers import asked_keys
from soundcharts_pipeline_tests.support.project import Project, asset_names, open_project
from soundcharts_pipeline_tests.support.truth import expected, stored


@pytest.fixture
def project(simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with open_project(simulator, environ, monkeypatch, small()) as project:
        yield project


def test_only_what_is_missing_is_requested_as_ranges_and_without_a_call(project: Project) -> None:
    span = project.span(6)
    project.publish(span)
    missing = {"track_audience/airplay": span.days[:2], "artist_metadata": span.days[4:5]}
    for key in asked_keys(project.settings):
        project.mark(key, set(span.days) - set(missing.get(key, ())))
    tick = project.evaluate(HEALING_SENSOR)
    assert spans(tick) == [
        ChartDays(SLUG, span.days[0], span.days[1]),
        ChartDays(SLUG, span.days[4], span.days[4]),
    ]
    # With what is computed from it, and the metadata that names artists: what that has already costs no call.
    assert [asset_names(request) for request in tick.requests] == [
        ["track_audience/airplay", "audience_trends"],
        ["track_metadata", "artist_metadata", "audience_trends"],
    ]
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
    missing = ["track_metadata", "track_audience/airplay", "artist_metadata", "audience_trends"]
    assert [asset_names(request) for request in tick.requests] == [missing]
    assert project.perform(tick.requests[0]).success
    assert stored(project.warehouse) == expected(project.simulator.world, project.settings.chart(SLUG), span.days)
    assert project.evaluate(HEALING_SENSOR).requests == []


ARTISTS_LATER: list[dict[str, object]] = [{"auto_extract_artists": False}, {"fetch_track_metadata": False}]


@pytest.mark.parametrize("before", ARTISTS_LATER)
def test_artists_are_not_asked_for_before_it_is_known_who_is_credited(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, before: dict[str, object]
) -> None:
    wanted: dict[str, object] = {"artist_audience_platforms": ("spotify",)}
    now, then = small(SLUG, **wanted), small(SLUG, **{**wanted, **before})
    with open_project(simulator, environ, monkeypatch, then) as project:
        span = project.span(1)
        assert project.run(span, scheduled_keys(project.settings, then)).success
        with open_project(simulator, environ, monkeypatch, now, instance=project.instance) as later:
            for key in ("artist_metadata", "artist_audience/spotify"):
                (failure,) = failures_of(later.run(span, [key])).values()
                assert "it is not known who is credited" in failure


@pytest.mark.parametrize("everything", [True, False])
@pytest.mark.parametrize("before", [*ARTISTS_LATER, {"artist_audience_platforms": ("spotify",)}])
def test_what_settings_add_later_is_whole_with_its_trends(
    simulator: Simulator,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    before: dict[str, object],
    everything: bool,
) -> None:
    # In Dagster's UI people launch all assets, and those that settings leave out are recorded as that.
    wanted: dict[str, object] = {"artist_audience_platforms": ("spotify", "instagram")}
    now, then = small(SLUG, **wanted), small(SLUG, **{**wanted, **before})
    with open_project(simulator, environ, monkeypatch, then) as project:
        span = project.span(2)
        project.publish(span)
        assert project.run(span, None if everything else scheduled_keys(project.settings, then)).success
        assert project.evaluate(HEALING_SENSOR).requests == []
        with open_project(simulator, environ, monkeypatch, now, instance=project.instance) as later:
            (request,) = later.evaluate(HEALING_SENSOR).requests
            assert later.perform(request).success
            assert stored(later.warehouse) == expected(simulator.world, now, span.days)
            with later.warehouse.read() as conn:
                healed = set(conn.execute(select(s.audience_trends)))
            assert later.run(span).success
            with later.warehouse.read() as conn:
                assert set(conn.execute(select(s.audience_trends))) == healed
            assert {row.platform for row in healed if row.entity == "artist"} == {"spotify", "instagram"}
            assert later.evaluate(HEALING_SENSOR).requests == []


def test_a_day_that_no_run_ever_had_is_requested_with_all_that_the_chart_allows(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    charts = [small(), small(OTHER, auto_trigger_cascade=False)]
    with open_project(simulator, environ, monkeypatch, *charts) as project:
        for slug in (SLUG, OTHER):
            project.publish(project.span(2, slug))
        tick = project.evaluate(HEALING_SENSOR)
        assert spans(tick) == [project.span(2), project.span(2, OTHER)]
        assert [asset_names(request) for request in tick.requests] == [asked_keys(project.settings), METADATA]


def test_a_day_that_was_found_published_a_moment_ago_is_the_schedules(project: Project) -> None:
    span = project.span(3)
    project.publish(span, known_since=timedelta(minutes=1))
    assert project.evaluate(HEALING_SENSOR).requests == []
    # With its ranking there the schedule never asks for the day again, however often it looks.
    assert project.run(project.span(1), ["chart_rankings"]).success
    assert spans(project.evaluate(HEALING_SENSOR)) == [project.span(1)]


def test_days_before_the_last_heal_days_are_left_alone(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, small(heal_days=4)) as project:
        project.publish(project.span(10))
        today = simulator.world.today
        assert spans(project.evaluate(HEALING_SENSOR)) == [ChartDays(SLUG, today - timedelta(days=4), project.newest())]


def test_an_inactive_chart_is_left_alone(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, small(), small(OTHER, active=False)) as project:
        for slug in (SLUG, OTHER):
            project.publish(project.span(2, slug))
        assert spans(project.evaluate(HEALING_SENSOR)) == [project.span(2)]


def test_without_history_only_the_newest_day_is_healed(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, small(sync_history=False)) as project:
        project.publish(project.span(5))
        assert spans(project.evaluate(HEALING_SENSOR)) == [project.span(1)]


def test_a_weekly_chart_is_healed_as_one_range(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slug = "tiktok-weekly-songs"
    with open_project(simulator, environ, monkeypatch, small(slug, heal_days=21)) as project:
        newest = project.newest(slug)
        project.publish(project.span(21, slug))
        fridays = [p.day for p in simulator.world.published_days(slug) if p.day >= _horizon(simulator, 21)]
        assert spans(project.evaluate(HEALING_SENSOR)) == [ChartDays(slug, min(fridays), newest)]


def _horizon(simulator: Simulator, days: int) -> date:
    return simulator.world.today - timedelta(days=days)


def test_days_in_flight_are_not_healed(project: Project) -> None:
    span = project.span(2)
    project.publish(span)
    run = project.begin(ChartDays(SLUG, span.last, span.last))
    tick = project.evaluate(HEALING_SENSOR)
    assert tick.requests == []
    assert tick.skipped == f"{span} is queued or running"
    project.instance.report_run_canceled(run)
    assert spans(project.evaluate(HEALING_SENSOR)) == [ChartDays(SLUG, span.first, span.first)], (
        "the canceled day stays"
    )


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
    assert spans(project.evaluate(HEALING_SENSOR)) == ([span] if requested else [])


def test_status_holds_against_a_chart_what_is_asked_for_and_the_sensor_requests_it(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, small(auto_trigger_cascade=False), hasty=True) as project:
        newest, older = project.span(1), project.span(2, ago=1)
        project.publish(project.span(10))
        assert _status(project) == ("never_synced", "nothing of it was ever saved")
        assert project.run(newest, METADATA).success
        offered = "all that was asked for is here; {} more published days of the last 30 can be had"
        assert _status(project) == ("healthy", offered.format(9))

        simulator.script("ranking", [Fault.SERVER_ERROR])
        assert not project.run(project.span(1, ago=3), METADATA).success
        # A backfill of other days does not make it good.
        assert project.run(older, METADATA).success
        assert _status(project) == ("degraded", f"{project.span(1, ago=3).last} failed")

        # With the daemon all that charts.yaml follows is asked for; what failed has its pause.
        missing = ChartDays(SLUG, project.span(10).first, project.span(1, ago=3).last)
        assert f"{missing} failed, next try after" in (project.evaluate(HEALING_SENSOR).skipped or "")
        assert project.run(missing, METADATA).success
        assert _status(project) == ("healthy", "every published day is here")


def _status(project: Project) -> tuple[str, str]:
    """What people are told of the chart."""
    with project.warehouse.read() as conn:
        state = chart_states(conn, project.now.date() - timedelta(days=30)).get(SLUG, ChartState())
    facts = chart_facts(project.settings, project.settings.chart(SLUG), state, None)
    found = chart_health(facts, read_runs(project.instance, project.settings, [SLUG]), [], project.now, str)
    return found.status, found.reason


def test_a_lost_day_is_healed_at_once_when_its_last_run_succeeded(project: Project) -> None:
    span = project.span(1)
    project.publish(span)
    for kind, minutes in ((DagsterEventType.RUN_FAILURE, 20), (DagsterEventType.RUN_SUCCESS, 10)):
        project.end(project.begin(span), kind, datetime.now(UTC) - timedelta(minutes=minutes))
    assert spans(project.evaluate(HEALING_SENSOR)) == [span]

"""One tick of a chart's schedule: what it requests, what it leaves alone, and what it costs."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest

from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.freshness import latest_key
from soundcharts_pipeline.orchestration.jobs import FULL_SYNC
from soundcharts_pipeline.orchestration.partitions import RANGE_END_TAG, RANGE_START_TAG, keys_of, spans_of_tags
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.tables.schema import ranking_days
from soundcharts_pipeline_tests.support.helpers import asked_keys
from soundcharts_pipeline_tests.support.project import Project, Tick, asset_names, chart, open_project_in_files
from soundcharts_pipeline_tests.support.today import TODAY, noon
from soundcharts_pipeline_tests.support.truth import expected, stored

DAYS = 3
SLUG = "viral-50-global"
SCHEDULE = "sync_viral_50_global"


def _chart(simulator: Simulator, slug: str = SLUG, **changes: object) -> ChartSettings:
    """A chart with the last few published days to sync."""
    newest = simulator.world.newest_day(slug)
    assert newest is not None
    return chart(slug, **{"first_date": newest - timedelta(days=DAYS - 1), **changes})


@pytest.fixture
def project(simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with open_project_in_files(simulator, environ, monkeypatch, _chart(simulator)) as project:
        yield project


def _only_request(tick: Tick) -> dg.RunRequest:
    assert tick.skipped is None
    assert len(tick.requests) == 1
    return tick.requests[0]


def _span(request: dg.RunRequest) -> tuple[str, str]:
    return request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]


def test_every_published_day_that_is_missing_is_requested_in_one_run_at_the_cost_of_one_call(project: Project) -> None:
    request = _only_request(project.tick(SCHEDULE))
    span = project.span(DAYS)
    assert _span(request) == (keys_of(span)[0], keys_of(span)[-1])
    assert request.job_name == "full_sync"
    assert asset_names(request) == asked_keys(project.settings)
    assert request.tags["soundcharts/chart"] == SLUG
    assert project.simulator.counters.calls == {"available_rankings": 1}


def test_a_long_range_is_requested_in_the_runs_that_the_charts_file_allows_the_oldest_first(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project_in_files(simulator, environ, monkeypatch, _chart(simulator), most=DAYS - 1) as project:
        spans = [span for request in project.tick(SCHEDULE).requests for span in spans_of_tags(request.tags, ())]
        assert spans == [project.span(DAYS - 1, ago=1), project.span(1)]


def test_the_requested_run_completes_the_days_and_then_nothing_is_new(project: Project) -> None:
    assert project.perform(_only_request(project.tick(SCHEDULE))).success
    span = project.span(DAYS)
    assert stored(project.warehouse) == expected(project.simulator.world, project.settings.chart(SLUG), span.days)
    for key in asked_keys(project.settings):
        assert project.days(key) == span.days
    calls = project.simulator.counters.total
    tick = project.tick(SCHEDULE)
    assert list(tick.requests) == []
    assert tick.skipped == f"{SLUG}: nothing new, the newest published day is {span.last}"
    assert project.simulator.counters.total - calls == 1


def test_a_chart_whose_slug_is_not_ascii_is_requested_and_run_like_any_other(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slug = "shazam-top-50-são-paulo"
    one = _chart(simulator, slug, track_audience_platforms=("shazam",), artist_audience_platforms=())
    with open_project_in_files(simulator, environ, monkeypatch, one) as project:
        assert project.perform(_only_request(project.tick("sync_shazam_top_50_s_o_paulo"))).success
        days = project.span(DAYS, slug=slug).days
        assert stored(project.warehouse) == expected(project.simulator.world, project.settings.chart(slug), days)


def test_a_new_day_is_requested_as_soon_as_it_is_out(project: Project) -> None:
    assert project.run(project.span(DAYS), ["chart_rankings"]).success
    tomorrow = project.simulator.world.today + timedelta(days=1)
    project.simulator.set(today=tomorrow)
    request = _only_request(project.tick(SCHEDULE))
    day = tomorrow - timedelta(days=1)
    assert spans_of_tags(request.tags, ()) == [ChartDays(SLUG, day, day)]


def test_days_in_flight_are_not_requested_twice(project: Project) -> None:
    newest = project.newest()
    run = project.begin(ChartDays(SLUG, newest, newest))
    tick = project.tick(SCHEDULE)
    assert list(tick.requests) == []
    assert tick.skipped == f"{project.span(DAYS)} is already queued or running"
    project.instance.report_run_canceled(run)
    assert len(project.tick(SCHEDULE).requests) == 1


def test_a_run_of_another_chart_holds_nothing_back(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    charts = [_chart(simulator), _chart(simulator, "viral-50-in")]
    with open_project_in_files(simulator, environ, monkeypatch, *charts) as project:
        project.begin(project.span(DAYS, "viral-50-in"))
        assert len(project.tick(SCHEDULE).requests) == 1


@pytest.mark.parametrize(
    ("changes", "left_out"),
    [
        ({"auto_trigger_cascade": False}, {"track_audience", "artist_metadata", "artist_audience", "audience_trends"}),
        ({"trigger_audience_fetch": False}, {"track_audience", "artist_audience", "audience_trends"}),
        ({"trigger_artist_metadata": False}, {"artist_metadata"}),
        ({"auto_extract_artists": False}, {"artist_metadata", "artist_audience"}),
        ({"fetch_track_metadata": False}, {"track_metadata", "artist_metadata", "artist_audience"}),
        ({"auto_trigger_cascade": False, "fetch_track_metadata": False}, {"*"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_only_what_the_chart_allows_is_requested(
    changes: dict[str, object],
    left_out: set[str],
    simulator: Simulator,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open_project_in_files(simulator, environ, monkeypatch, _chart(simulator, SLUG, **changes)) as project:
        names = asset_names(_only_request(project.tick(SCHEDULE)))
        allowed = [key for key in asked_keys(project.settings) if key.partition("/")[0] not in left_out]
        assert names == (["chart_rankings"] if left_out == {"*"} else allowed)


def test_a_platform_of_another_chart_is_not_requested(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = _chart(simulator, "viral-50-in", track_audience_platforms=("shazam",), artist_audience_platforms=())
    with open_project_in_files(simulator, environ, monkeypatch, _chart(simulator), other) as project:
        assert "track_audience/shazam" not in asset_names(_only_request(project.tick(SCHEDULE)))
        names = asset_names(_only_request(project.tick("sync_viral_50_in")))
        below = ["track_metadata", "track_audience/shazam", "artist_metadata", "audience_trends"]
        assert names == ["chart_rankings", *below]


def test_without_history_only_the_newest_day_is_requested(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project_in_files(simulator, environ, monkeypatch, _chart(simulator, sync_history=False)) as project:
        request = _only_request(project.tick(SCHEDULE))
        assert spans_of_tags(request.tags, ()) == [ChartDays(SLUG, project.newest(), project.newest())]
        assert simulator.counters.total == 1


def test_a_weekly_chart_is_one_range_and_its_run_succeeds_on_the_days_between(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slug = "tiktok-weekly-songs"
    newest = simulator.world.newest_day(slug)
    assert newest is not None
    weekly = chart(slug, first_date=newest - timedelta(days=9), auto_trigger_cascade=False)
    with open_project_in_files(simulator, environ, monkeypatch, weekly) as project:
        request = _only_request(project.tick("sync_tiktok_weekly_songs"))
        assert _span(request) == (f"{slug}|{newest - timedelta(days=7)}", f"{slug}|{newest}")
        assert project.perform(request).success
        assert (project.tick("sync_tiktok_weekly_songs").skipped or "").startswith(f"{slug}: nothing new")
        assert simulator.counters.calls["ranking"] == 2


def test_a_tick_reports_a_ranking_of_the_week_as_fresh_as_long_as_none_is_due(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slug, schedule = "tiktok-weekly-songs", "sync_tiktok_weekly_songs"
    charts = [_chart(simulator, slug, sync_history=False), _chart(simulator, sync_history=False)]
    with open_project_in_files(simulator, environ, monkeypatch, *charts) as project:
        for one in charts:
            assert project.run(project.span(1, one.slug), ["chart_rankings"]).success

        def reported(slug: str) -> int:
            return len(project.instance.fetch_materializations(latest_key(slug), limit=9).records)

        assert (reported(slug), reported(SLUG)) == (1, 1)
        assert project.tick(schedule).skipped
        assert project.tick(SCHEDULE).skipped
        assert (reported(slug), reported(SLUG)) == (2, 1)
        with project.warehouse.write() as conn:
            conn.execute(ranking_days.update().values(saved_at=project.now - timedelta(days=6)))
        assert project.tick(schedule).skipped
        assert reported(slug) == 2


def test_a_ranking_dated_ahead_is_requested_run_and_healed_like_any_other(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slug, friday = "tiktok-weekly-songs", TODAY + timedelta(days=(4 - TODAY.weekday()) % 7)
    today = friday - timedelta(days=4)
    simulator.set(oddities=["dated-ahead"], today=today)
    monkeypatch.setitem(environ, "SOUNDCHARTS_NOW", noon(today).isoformat())
    weekly = chart(slug, first_date=friday, track_audience_platforms=("airplay",), artist_audience_platforms=())
    with open_project_in_files(simulator, environ, monkeypatch, weekly) as project:
        request = _only_request(project.tick("sync_tiktok_weekly_songs"))
        assert _span(request) == (f"{slug}|{friday}", f"{slug}|{friday}")
        project.publish(ChartDays(slug, friday, friday))
        [request] = project.evaluate("healing_sensor").requests
        assert spans_of_tags(request.tags, ()) == [ChartDays(slug, friday, friday)]
        assert project.perform(request).success
        assert stored(project.warehouse) == expected(simulator.world, weekly, [friday])
        assert (project.tick("sync_tiktok_weekly_songs").skipped or "").startswith(f"{slug}: nothing new")
        assert project.evaluate("healing_sensor").skipped == "no published chart-day is missing"


def test_a_chart_without_a_ranking_since_its_first_date_is_skipped(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    today = simulator.world.today
    with open_project_in_files(simulator, environ, monkeypatch, _chart(simulator, first_date=today)) as project:
        assert project.tick(SCHEDULE).skipped == f"{SLUG} has no published ranking since {today}"


def test_an_inactive_chart_has_a_schedule_that_is_off(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    charts = [_chart(simulator), _chart(simulator, "viral-50-in", active=False)]
    with open_project_in_files(simulator, environ, monkeypatch, *charts) as project:
        schedules = project.definitions.get_repository_def().schedule_defs
        status = {schedule.name: schedule.default_status for schedule in schedules if schedule.job_name == FULL_SYNC}
        assert status == {
            SCHEDULE: dg.DefaultScheduleStatus.RUNNING,
            "sync_viral_50_in": dg.DefaultScheduleStatus.STOPPED,
        }


def test_a_tick_that_fails_says_what_to_do_and_requests_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOUNDCHARTS_API_KEY", "wrong")
    with pytest.raises(dg.DagsterError) as raised:
        project.tick(SCHEDULE)
    assert "SOUNDCHARTS_API_KEY" in str(raised.value.__cause__)
    assert list(project.instance.get_runs()) == []


def test_a_tick_does_not_mix_made_up_and_real_data(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.tick(SCHEDULE)
    monkeypatch.setenv("SOUNDCHARTS_BASE_URL", "https://customer.api.soundcharts.example")
    with pytest.raises(dg.DagsterError) as raised:
        project.tick(SCHEDULE)
    assert "this database holds data of 'local'" in str(raised.value.__cause__)

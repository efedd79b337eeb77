"""Who is told what, when: the notification sensor on real runs, with a webhook that keeps what arrives."""

import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.remote_origin import RemoteInstigatorOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster_shared.error import SerializableErrorInfo

from soundcharts_pipeline.models import Chart
from soundcharts_pipeline.orchestration.dead_runs import fail_dead_runs
from soundcharts_pipeline.orchestration.partitions import range_tags
from soundcharts_pipeline.remedies import Subject
from soundcharts_pipeline.simulator import Fault, Simulator
from soundcharts_pipeline.storage import alerts
from soundcharts_pipeline.storage.saves import save_charts
from soundcharts_pipeline.storage.tables.schema import ranking_days
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.troubleshooting import trouble_of
from soundcharts_pipeline_tests.support.full_disk import full_disk
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.leased import EVERY_LOOK, held_by_a_dead_process
from soundcharts_pipeline_tests.support.mailbox import SECRET, Mailbox, webhook
from soundcharts_pipeline_tests.support.project import Project, chart, open_project, repository_origin

SENSOR = "notification_sensor"
PLATFORM = "track_audience/spotify"
METADATA = ["chart_rankings", "track_metadata"]


@dataclass(slots=True)
class Watched:
    """A project whose failures are told to a mailbox; the sensor's cursor goes from look to look."""

    project: Project
    box: Mailbox
    cursor: str | None = None
    said: list[str] = field(default_factory=list)

    def look(self) -> list[tuple[str, str]]:
        """One evaluation of the sensor: the messages that it sent."""
        tick = self.project.evaluate(SENSOR, self.cursor)
        self.cursor = tick.cursor
        self.said.append(tick.skipped or "")
        assert SECRET not in self.said[-1]
        assert tick.requests == []
        return self.box.take()

    def told(self) -> str:
        """The one message of a look."""
        [(title, body)] = self.look()
        return f"{title}\n{body}"


@pytest.fixture
def watched(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Watched]:
    small = chart(track_audience_platforms=("spotify",), artist_audience_platforms=())
    # An ephemeral instance has no ticks.
    with webhook() as box, dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        told = environ | {"SOUNDCHARTS_NOTIFY": box.address, "SOUNDCHARTS_UI_URL": "http://ui.example:3000/"}
        with open_project(simulator, told, monkeypatch, small, hasty=True, instance=instance) as project:
            watched = Watched(project, box)
            assert watched.look() == []
            yield watched


def test_repeated_failures_of_a_cause_are_one_message_and_recovery_is_another(watched: Watched) -> None:
    project = watched.project
    assert project.run(project.span(1), METADATA).success
    assert watched.look() == []
    project.simulator.script("track_audience", [Fault.SERVER_ERROR] * 3)
    failed = project.run(project.span(1), [PLATFORM])

    text = watched.told()
    trouble = trouble_of("ServerError")
    assert f"{project.span(1)}, {PLATFORM}" in text
    assert "3 of 50 audience windows are still to do" in text
    span = project.span(1)
    assert trouble.advice(Subject(span.slug, span.first, span.last, PLATFORM)) in text
    assert f"http://ui.example:3000/runs/{failed.run_id}" in text

    assert watched.look() == []
    project.simulator.script("track_audience", [Fault.SERVER_ERROR] * 3)
    assert not project.run(project.span(1), [PLATFORM]).success
    assert watched.look() == [], "the same chart, step and kind"

    assert project.run(project.span(1), [PLATFORM]).success
    assert f"RECOVERED {project.span(1)}, {PLATFORM}" in watched.told()
    assert watched.look() == []
    assert "nothing has newly failed" in watched.said[-1]


def test_another_step_of_the_chart_is_another_cause(watched: Watched) -> None:
    project = watched.project
    assert project.run(project.span(1), ["chart_rankings"]).success
    for endpoint, asset in (("track", "track_metadata"), ("track_audience", PLATFORM)):
        project.simulator.script(endpoint, [Fault.SERVER_ERROR] * 60)
        assert not project.run(project.span(1), [asset]).success
        assert asset in watched.told()
        project.simulator.reset()
    assert len(_alerts(project.warehouse)) == 2


def test_refused_credentials_are_one_message_for_all_charts_and_over_with_the_first_answer(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = watched.project
    monkeypatch.setenv("SOUNDCHARTS_API_KEY", "wrong")
    assert not project.run(project.span(1)).success
    text = watched.told()
    assert "Invalid credentials" in text
    assert "wrong" not in text.replace("went wrong", "")
    assert not project.run(project.span(1, ago=1)).success
    assert watched.look() == []

    monkeypatch.setenv("SOUNDCHARTS_API_KEY", "soundcharts")
    assert project.run(project.span(1), METADATA).success
    assert "RECOVERED" in watched.told()

    monkeypatch.setenv("SOUNDCHARTS_API_KEY", "wrong")
    assert not project.run(project.span(1, ago=2)).success
    assert "FAILING" in watched.told()
    assert project.run(project.span(1), METADATA).success
    assert watched.look() == [], "it had nothing to ask, so it proves nothing"


def test_credentials_that_fail_a_schedule_before_there_is_a_run_are_told(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = watched.project
    monkeypatch.setenv("SOUNDCHARTS_API_KEY", "wrong")
    with pytest.raises(dg.DagsterError) as raised:
        project.tick("sync_viral_50_global")
    error = traceback.TracebackException.from_exception(raised.value)
    _keep_tick(project.instance, TickStatus.FAILURE, SerializableErrorInfo.from_traceback(error))
    text = watched.told()
    assert "Invalid credentials: schedule sync_viral_50_global" in text
    assert "SOUNDCHARTS_API_KEY" in text
    assert watched.look() == []
    _keep_tick(project.instance, TickStatus.SKIPPED, None, "database_backup_schedule")
    assert watched.look() == [], "it asks Soundcharts nothing, so it proves nothing"
    _keep_tick(project.instance, TickStatus.SKIPPED, None)
    assert "RECOVERED schedule sync_viral_50_global" in watched.told()


def test_a_run_that_was_killed_is_told_once_somebody_has_marked_it_as_failed(watched: Watched) -> None:
    project = watched.project
    run = project.begin(project.span(1))
    assert watched.look() == []
    pid = held_by_a_dead_process(project.warehouse, run.run_id)
    assert fail_dead_runs(project.instance, project.warehouse, EVERY_LOOK) == [run.run_id]
    text = watched.told()
    assert "Run ended from outside" in text
    assert f"Its process {pid} is gone" in text
    assert project.run(project.span(1)).success
    assert f"RECOVERED {project.span(1)}" in watched.told()


def test_a_run_that_could_not_load_its_job_is_told_with_the_mistake_that_kept_it(watched: Watched) -> None:
    project, mistake = watched.project, "charts.yaml:15: unknown key 'shedule'"
    run = project.begin(project.span(1))
    assert watched.look() == []
    # What the process of a run leaves behind when charts.yaml has a mistake, in this order.
    error = SerializableErrorInfo(
        f"soundcharts_pipeline.config.settings.SettingsError: {mistake}\n", [], "SettingsError"
    )
    data = EngineEventData.engine_error(error)
    project.instance.report_engine_event("Could not load job definition.", run, data)
    project.instance.report_run_failed(run)
    project.instance.report_engine_event("Process for run exited (pid: 7).", run)
    text = watched.told()
    assert "Invalid chart configuration" in text
    assert mistake in text


def test_a_check_of_severity_error_is_told_and_a_warning_is_not(watched: Watched) -> None:
    outcome = {"passed": False, "severity": dg.AssetCheckSeverity.WARN}

    @dg.asset(check_specs=[dg.AssetCheckSpec("no_doubles", asset="ours")])
    def ours():  # type: ignore[no-untyped-def]
        result = dg.AssetCheckResult(check_name="no_doubles", metadata={"doubles": 3}, **outcome)  # type: ignore[arg-type]
        return dg.MaterializeResult[None](check_results=[result])

    def materialize() -> None:
        tags = range_tags(watched.project.span(1))
        assert dg.materialize([ours], instance=watched.project.instance, tags=tags).success

    materialize()
    assert watched.look() == []
    outcome["severity"] = dg.AssetCheckSeverity.ERROR
    materialize()
    text = watched.told()
    assert f"{watched.project.span(1)}, check ours: no_doubles" in text
    assert "doubles 3" in text
    outcome["passed"] = True
    materialize()
    assert "RECOVERED" in watched.told()


@pytest.mark.parametrize(
    ("frequency", "days_ago", "stale"),
    [("daily", 2.4, False), ("daily", 2.6, True), ("weekly", 2.6, False), ("weekly", 17.6, True)],
)
def test_a_chart_that_grows_stale_is_told_and_its_next_ranking_too(
    watched: Watched, frequency: str, days_ago: float, stale: bool
) -> None:
    project = watched.project
    project.publish(project.span(1))

    def saved(at: datetime) -> None:
        with project.warehouse.write() as conn:
            save_charts(conn, [Chart(slug=SLUG, name=SLUG, platform="spotify", frequency=frequency)])
            conn.execute(ranking_days.update().values(saved_at=at))

    saved(project.now - timedelta(days=days_ago))
    assert ("Freshness breach: viral-50-global" in str(watched.look())) == stale
    assert watched.look() == []
    saved(project.now)
    assert ("RECOVERED viral-50-global" in str(watched.look())) == stale


def test_a_low_quota_is_told_once_per_crossing(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    project = watched.project
    monkeypatch.setenv("SOUNDCHARTS_NOTIFY_QUOTA", "499999")
    project.simulator.set(quota=500_000)
    assert project.run(project.span(1), METADATA).success
    text = watched.told()
    assert "Quota low: the quota" in text
    assert "fewer than 499,999 (SOUNDCHARTS_NOTIFY_QUOTA)" in text
    assert project.run(project.span(1, ago=1), METADATA).success
    assert watched.look() == []
    monkeypatch.setenv("SOUNDCHARTS_NOTIFY_QUOTA", "400000")
    assert "RECOVERED the quota" in watched.told()


def test_a_broken_notifier_fails_nothing_and_the_message_comes_when_it_is_mended(watched: Watched) -> None:
    project = watched.project
    watched.box.status = 500
    project.simulator.script("*", [Fault.SERVER_ERROR] * 5)
    assert not project.run(project.span(1), ["chart_rankings"]).success
    assert watched.look() == []
    assert "1 not told, for nobody took the message: correct address 1 (JSON)" in watched.said[-1]
    with project.warehouse.read() as conn:
        assert alerts.refusing(conn) == "1 (JSON)"
    watched.box.status = 200
    assert "chart_rankings" in watched.told()
    assert watched.look() == []


def test_a_warehouse_out_of_reach_is_told_once_and_nothing_is_lost(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = watched.project
    project.simulator.script("*", [Fault.SERVER_ERROR] * 5)
    assert not project.run(project.span(1), ["chart_rankings"]).success
    monkeypatch.setenv("SOUNDCHARTS_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert "Database out of reach: the warehouse" in watched.told()
    assert watched.look() == []
    monkeypatch.delenv("SOUNDCHARTS_DATABASE_URL")
    text = watched.told()
    assert "RECOVERED the warehouse" in text
    assert "chart_rankings" in text


def test_news_that_the_warehouse_has_no_room_for_is_told_when_it_has(watched: Watched) -> None:
    project = watched.project
    run = project.begin(project.span(1))
    project.instance.report_run_failed(run, "a long story, " * 1000)
    with full_disk(project.warehouse):
        assert "Disk full: the warehouse" in watched.told()
        assert watched.look() == []
    text = watched.told()
    assert "RECOVERED the warehouse" in text
    assert "a long story" in text


def test_a_failure_that_is_read_again_is_no_news(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    project = watched.project
    monkeypatch.setenv("SOUNDCHARTS_API_KEY", "wrong")
    assert not project.run(project.span(1)).success
    assert "FAILING" in watched.told()
    _keep_tick(project.instance, TickStatus.SKIPPED, None)
    assert "RECOVERED" in watched.told()
    assert watched.look() == []


def test_what_failed_before_anybody_was_to_be_told_is_no_news(watched: Watched) -> None:
    project = watched.project
    before = datetime.now(UTC) - timedelta(minutes=5)
    project.end(project.begin(project.span(1)), dg.DagsterEventType.RUN_FAILURE, before)
    watched.cursor = None
    assert watched.look() == []


def test_without_an_address_the_sensor_says_how_to_set_one(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOUNDCHARTS_NOTIFY")
    assert watched.look() == []
    assert "set SOUNDCHARTS_NOTIFY to the address of a service" in watched.said[-1]


def _alerts(warehouse: Warehouse) -> list[alerts.Alert]:
    with warehouse.read() as conn:
        return alerts.all_alerts(conn)


def _keep_tick(
    instance: dg.DagsterInstance,
    status: TickStatus,
    error: SerializableErrorInfo | None,
    schedule: str = "sync_viral_50_global",
) -> None:
    """The record that the daemon makes of a tick."""
    origin = RemoteInstigatorOrigin(repository_origin(), schedule)
    data = ScheduleInstigatorData("0 2 * * *")
    state = InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, data)
    if schedule not in {known.instigator_name for known in instance.all_instigator_state()}:
        instance.add_instigator_state(state)
    instance.create_tick(
        TickData(
            instigator_origin_id=state.instigator_origin_id,
            instigator_name=state.instigator_name,
            instigator_type=InstigatorType.SCHEDULE,
            status=status,
            timestamp=datetime.now(UTC).timestamp(),
            error=error,
            selector_id=state.selector_id,
        )
    )

"""Old runs go from Dagster's state on either database, and nothing that is known of the chart-days changes by it."""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value
from dagster._core.storage.tags import ROOT_RUN_ID_TAG
from sqlalchemy import Engine, event, text

from soundcharts_pipeline.config.cascade import STORAGE_REPORT
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.monitoring.chart_status import chart_health
from soundcharts_pipeline.monitoring.facts import chart_facts, read_runs
from soundcharts_pipeline.monitoring.health import RECENT_RUNS, ChartHealth
from soundcharts_pipeline.orchestration.dagster_home import PLANNED_AS_ONE
from soundcharts_pipeline.orchestration.jobs import OPERATIONS
from soundcharts_pipeline.orchestration.old_runs import NEWEST_KEPT
from soundcharts_pipeline.orchestration.partitions import chart_days
from soundcharts_pipeline.orchestration.pruning import Pruned, prune
from soundcharts_pipeline.orchestration.run_requests import asset_key
from soundcharts_pipeline.orchestration.stops import stopped_days
from soundcharts_pipeline.simulator import Fault, Simulator
from soundcharts_pipeline.storage.queries.chart_states import ChartState, chart_states
from soundcharts_pipeline_tests.orchestration.sensed import CASCADE_SENSOR, HEALING_SENSOR, METADATA, SLUG, small
from soundcharts_pipeline_tests.support.dagster_site import PROJECT
from soundcharts_pipeline_tests.support.helpers import asked_keys
from soundcharts_pipeline_tests.support.project import Project, open_project

FAILED, CANCELED, SUCCEEDED = (
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
    dg.DagsterEventType.RUN_SUCCESS,
)
FORK = multiprocessing.get_context("fork")
# Every run of a test is older than that.
LATER = timedelta(hours=1)
MOST_KILLS = 3


@pytest.fixture(params=["sqlite", "postgresql"])
def project(
    request: pytest.FixtureRequest, simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """A project whose Dagster's state is in files or on a server, as it is served."""
    home = Path(environ["DAGSTER_HOME"])
    home.mkdir()
    kind = "." if request.param == "sqlite" else "deploy/postgres"
    shutil.copy(PROJECT / kind / "dagster.yaml", home)
    served = {PLANNED_AS_ONE: "1", "PGTZ": "UTC"}
    if request.param == "postgresql":
        served["DAGSTER_POSTGRES_URL"] = request.getfixturevalue("postgres_url")
    for name, value in served.items():
        monkeypatch.setenv(name, value)
    with (
        dg.DagsterInstance.from_config(str(home)) as instance,
        open_project(simulator, environ, monkeypatch, small(), hasty=True, instance=instance) as project,
    ):
        yield project


def _read(line: str) -> None:
    assert line


def _prune(project: Project, *, act: bool = True, newest_kept: int = 0) -> Pruned:
    before = datetime.now(UTC) + LATER
    return prune(project.instance, project.settings, before, act=act, newest_kept=newest_kept, on_progress=_read)


def _day(project: Project, ago: int) -> ChartDays:
    return project.span(1, ago=ago)


def _live(project: Project) -> None:
    """Days that came in every way: twice, as a range, failed for good, failed and healed, canceled, and asked again."""
    project.publish(project.span(12))
    for ago in (8, 8):
        assert project.run(_day(project, ago)).success
    project.simulator.script("ranking", [Fault.SERVER_ERROR])
    assert not project.run(_day(project, 7)).success
    project.simulator.script("ranking", [Fault.SERVER_ERROR])
    assert not project.run(_day(project, 6)).success
    assert project.run(_day(project, 6)).success
    for ago in (5, 4):
        project.end(project.begin(_day(project, ago)), CANCELED, datetime.now(UTC))
    assert project.run(_day(project, 4)).success
    assert project.run(project.span(2, ago=1)).success
    assert project.run(_day(project, 0)).success


def _made(project: Project, key: dg.AssetKey) -> dict[str, Any]:
    """The newest materialisation of each partition, less what is only to be looked at."""
    latest = project.instance.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION)
    found = {}
    for partition, number in latest.items():
        [record] = project.instance.fetch_materializations(
            dg.AssetRecordsFilter(key, asset_partitions=[partition]), limit=1
        ).records
        made = record.asset_materialization
        assert made is not None
        told = {name: str(v) for name, v in made.metadata.items() if not isinstance(v, dg.MarkdownMetadataValue)}
        told.pop("pictures_show", None)
        found[partition] = (number, record.storage_id, record.timestamp, made.tags, told)
    return found


def _shown(project: Project, key: dg.AssetKey) -> list[list[str]]:
    """What Dagster's pages show as there, failed and under way, worked out anew."""
    project.instance.wipe_asset_cached_status([key])
    days = chart_days(project.settings)
    value = get_and_update_asset_status_cache_value(project.instance, key, days)
    assert value is not None
    subsets = (
        value.deserialize_materialized_partition_subsets(days),
        value.deserialize_failed_partition_subsets(days),
        value.deserialize_in_progress_partition_subsets(days),
    )
    return [sorted(subset.get_partition_keys()) for subset in subsets]


def _checks(project: Project) -> list[tuple[str, str]]:
    """The state of each check, as Dagster resolves it."""
    storage = project.instance.event_log_storage
    keys = [key for asset in project.definitions.asset_checks or () for key in asset.check_keys]
    keys += [key for asset in project.definitions.assets or () for key in getattr(asset, "check_keys", ())]
    latest = storage.get_latest_asset_check_execution_by_key(keys)
    assert latest
    return sorted((str(key), f"{one.status} {one.id}") for key, one in latest.items())


def _state(project: Project) -> dict[str, Any]:
    """What pages, sensors, schedules and freshness policies go by."""
    keys = [asset_key(key) for key in asked_keys(project.settings)]
    ticks = {name: project.evaluate(name) for name in (HEALING_SENSOR, CASCADE_SENSOR)}
    days = project.span(12).days
    return {
        "made": {str(key): _made(project, key) for key in keys},
        "shown": {str(key): _shown(project, key) for key in keys},
        "last": {
            str(one.asset_entry.asset_key): (
                one.asset_entry.last_materialization_storage_id,
                one.asset_entry.last_run_id,
            )
            for one in project.instance.get_asset_records()
        },
        "checks": _checks(project),
        "stopped": stopped_days(project.instance, [SLUG], {SLUG: days}),
        "requests": {name: [(dict(r.tags), r.asset_selection) for r in t.requests] for name, t in ticks.items()},
        "skipped": {name: tick.skipped for name, tick in ticks.items()},
        "in flight": [
            run.run_id for run in project.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        ],
    }


def _days(project: Project) -> dict[str, Any]:
    """What Dagster's pages say of the days, and whether every run that is listed can be read."""
    for run in project.instance.get_runs():
        project.instance.all_logs(run.run_id)
    return {key: (_made(project, asset_key(key)), _shown(project, asset_key(key))) for key in METADATA}


def _rows(project: Project) -> dict[str, int]:
    """What there is in Dagster's tables and folders."""
    storage = project.instance.event_log_storage
    with storage.index_connection() as connection:  # type: ignore[attr-defined]
        tables = ("event_logs", "asset_event_tags", "asset_check_executions")
        counted = {name: connection.scalar(text(f"SELECT count(*) FROM {name}")) for name in tables}
        counted["text"] = connection.scalar(text("SELECT sum(length(event)) FROM event_logs"))
    logs = Path(os.environ["DAGSTER_HOME"], "history", "runs")
    return {**counted, "runs": project.instance.get_runs_count(), "files": len([*logs.glob("*-*.db")])}


def test_days_are_what_they_were_once_their_runs_are_gone(project: Project) -> None:
    _live(project)
    at_work = project.begin(_day(project, 9))
    before, rows, calls = _state(project), _rows(project), project.simulator.counters.total

    told = _prune(project, act=False)
    assert _rows(project) == rows
    done = _prune(project)

    assert done == told
    assert _state(project) == before
    assert project.simulator.counters.total == calls
    left = _rows(project)
    assert done.runs == rows["runs"] - left["runs"] >= 6
    assert left["text"] < rows["text"] / 3
    assert done.checks == rows["asset_check_executions"] - left["asset_check_executions"] > 0
    if rows["files"]:
        assert left["files"] == left["runs"]
    run = project.instance.get_run_by_id(at_work.run_id)
    assert run is not None
    assert run.status == dg.DagsterRunStatus.STARTED
    assert project.instance.all_logs(at_work.run_id)
    again = _prune(project)
    assert (again.runs, again.events, again.checks, again.size) == (0, 0, 0, 0)


def test_a_day_whose_run_is_gone_can_be_run_again(project: Project) -> None:
    day = _day(project, 1)
    project.publish(project.span(2))
    assert project.run(day).success
    assert project.run(_day(project, 0)).success
    assert _prune(project).runs == 1
    calls = project.simulator.counters.total

    assert project.run(day).success
    assert project.simulator.counters.total == calls, "all that it needs is saved"
    assert project.run(_day(project, 0)).success
    assert _prune(project).runs == 2
    [made] = _made(project, asset_key("track_metadata")).keys() - {f"{SLUG}|{_day(project, 0).first}"}
    assert made == f"{SLUG}|{day.first}"
    # The event that stayed of its first run was replaced by that of the second.
    keys = [asset_key(key) for key in asked_keys(project.settings)]
    for key in keys:
        assert len(project.instance.fetch_materializations(key, limit=10).records) == 2


def _killed_amid(project: Project, write: int) -> bool:
    """Prune in a process that is killed at that write of it; whether it came so far."""

    def die(*of_statement: object) -> None:
        nonlocal write
        write -= str(of_statement[2]).startswith(("DELETE", "UPDATE"))
        if write == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def pruned() -> None:
        event.listen(Engine, "before_cursor_execute", die)
        with dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as instance:
            before = datetime.now(UTC) + LATER
            prune(instance, project.settings, before, act=True, newest_kept=0, on_progress=_read)

    process = FORK.Process(target=pruned)
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def test_killed_anywhere_it_leaves_the_days_what_they_are_and_is_repeated(project: Project) -> None:
    project.publish(project.span(2))
    for ago in (1, 1, 0):
        assert project.run(_day(project, ago), METADATA).success
    before = _days(project)
    kills = 0
    while kills < MOST_KILLS and _killed_amid(project, 1 + kills):
        kills += 1
        assert _days(project) == before
    assert kills == MOST_KILLS
    if _rows(project)["files"]:  # of a run at whose file it was killed
        Path(os.environ["DAGSTER_HOME"], "history", "runs", f"{uuid4()}.db").touch()
    _prune(project)
    assert _days(project) == before
    assert _prune(project).runs == 0
    left = _rows(project)
    assert not left["files"] or left["files"] == left["runs"]


def test_what_later_runs_and_people_go_by_stays(project: Project) -> None:
    now = datetime.now(UTC)
    days = {ago: _day(project, ago) for ago in range(7)}

    def ended(ago: int, kind: dg.DagsterEventType, **tags: str) -> str:
        run = project.begin(days[ago], **tags)
        project.end(run, kind, now)
        return run.run_id

    stopped, asked_first = ended(1, CANCELED), ended(2, CANCELED)
    asked_again = ended(2, SUCCEEDED)
    root = ended(3, SUCCEEDED)
    going_on = project.begin(days[3], **{ROOT_RUN_ID_TAG: root})
    # The run goes on from its root.
    project.instance.delete_run(going_on.run_id)
    going_on = project.instance.add_run(going_on._replace(root_run_id=root, parent_run_id=root))
    housekeeping = [_operation(project) for _ in range(2)]
    foreign = project.instance.create_run_for_job(_of_others(), status=dg.DagsterRunStatus.SUCCESS).run_id
    newest = ended(4, SUCCEEDED)

    _prune(project)
    left = {run.run_id for run in project.instance.get_runs()}
    assert left == {stopped, root, going_on.run_id, housekeeping[1], foreign, newest}
    assert not left & {asked_first, asked_again}


def _operation(project: Project) -> str:
    job = project.definitions.resolve_job_def(OPERATIONS[STORAGE_REPORT])
    return project.instance.create_run_for_job(job, status=dg.DagsterRunStatus.SUCCESS).run_id


def _of_others() -> dg.JobDefinition:
    return dg.JobDefinition(graph_def=dg.GraphDefinition("theirs"), name="theirs")


def test_status_says_of_a_chart_at_rest_what_it_said(project: Project) -> None:
    project.publish(project.span(3))
    assert project.run(_day(project, 1), METADATA).success
    for number in range(RECENT_RUNS + 4):
        at = datetime.now(UTC) - timedelta(days=100, minutes=-number)
        project.end(project.begin(_day(project, 0)), SUCCEEDED if number % 3 else FAILED, at)
    health, runs = _health(project), project.instance.get_runs_count()
    assert health.success_rate is not None
    assert 0 < health.success_rate < 1

    assert NEWEST_KEPT > RECENT_RUNS
    assert _prune(project, newest_kept=RECENT_RUNS).runs > 0
    assert project.instance.get_runs_count() < runs
    assert _health(project) == health


def _health(project: Project) -> ChartHealth:
    with project.warehouse.read() as conn:
        state = chart_states(conn, project.now.date() - timedelta(days=30)).get(SLUG, ChartState())
    facts = chart_facts(project.settings, project.settings.chart(SLUG), state, None)
    return chart_health(facts, read_runs(project.instance, project.settings, [SLUG]), [], project.now, str)


def test_young_runs_are_left_alone(project: Project) -> None:
    project.publish(project.span(2))
    for ago in (1, 0, 0):
        project.end(project.begin(_day(project, ago)), SUCCEEDED, datetime.now(UTC))
    rows = _rows(project)
    before = datetime.now(UTC) - LATER
    done = prune(project.instance, project.settings, before, act=True, newest_kept=0, on_progress=_read)
    assert done == Pruned()
    assert _rows(project) == rows

"""A chart is as it was, however many runs there are besides its own, and without any."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from soundcharts_pipeline.config.cascade import scheduled_keys
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.embedding.build import build_definitions
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.monitoring.run_history import MOST_RUNS
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.admin.site import serving, wait_for
from soundcharts_pipeline_tests.support.command_line import run_here, with_charts
from soundcharts_pipeline_tests.support.dagster_site import PROJECT, Site, web_server
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.many_runs import PastRun, add_runs, tags_of_schedule
from soundcharts_pipeline_tests.support.project import Project

DAYS = 12
FAILED = dg.DagsterRunStatus.FAILURE
# Newer than the runs of the chart; Dagster's time is the machine's.
LATER, EARLIER = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) - timedelta(days=3)


@dataclass(frozen=True)
class Whole:
    """A chart of which twelve days are there, each by a run of its schedule."""

    project: Project
    environ: Mapping[str, str]
    runs: list[str]

    def add_others(self, job: str, tags: Callable[[int], Mapping[str, str]]) -> None:
        runs = (PastRun(LATER + timedelta(seconds=n / 2), job, tags(n)) for n in range(MOST_RUNS + 50))
        add_runs(self.project.instance, runs)

    def status(self) -> dict[str, Any]:
        """As the command tells it."""
        found: dict[str, Any] = json.loads(run_here(self.environ, "status", SLUG, "--json").out)
        return found

    def days(self) -> dict[str, str]:
        """The state of each day."""
        return {one["day"]: one["state"] for one in self.status()["strip"]}


def _set_up(project: Project, environ: Mapping[str, str]) -> Whole:
    span, chart = project.span(DAYS), project.settings.chart(SLUG)
    project.publish(span, known_since=timedelta(days=2))
    for key in scheduled_keys(project.settings, chart):
        project.mark(key, span.days)
    runs = [
        PastRun(EARLIER + timedelta(minutes=n), tags=tags_of_schedule(ChartDays(SLUG, day, day)))
        for n, day in enumerate(span.days)
    ]
    return Whole(project, environ, add_runs(project.instance, runs))


@pytest.fixture(params=["sqlite", "postgresql"])
def whole(
    request: pytest.FixtureRequest,
    simulator: Simulator,
    environ: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Whole]:
    home, is_sqlite = Path(environ["DAGSTER_HOME"]), request.param == "sqlite"
    home.mkdir()
    shutil.copy(PROJECT / ("." if is_sqlite else "deploy/postgres") / "dagster.yaml", home)
    environ = with_charts(environ, tmp_path)
    if not is_sqlite:
        environ |= {"DAGSTER_POSTGRES_URL": request.getfixturevalue("postgres_url"), "PGTZ": "UTC"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(Path(environ["SOUNDCHARTS_CHARTS"]))
    with (
        dg.DagsterInstance.from_config(str(home)) as instance,
        closing(Warehouse(read_environment(environ).database_url)) as warehouse,
    ):
        project = Project(simulator, instance, warehouse, settings, build_definitions(settings))
        yield _set_up(project, environ)


def _of_other_chart(number: int) -> dict[str, str]:
    day = EARLIER.date() - timedelta(days=number % 30)
    return tags_of_schedule(ChartDays(f"other-{number % 300}", day, day))


# By who pushes the chart's runs out: their job and tags.
OTHERS: dict[str, tuple[str, Callable[[int], Mapping[str, str]]]] = {
    "a job of another team": ("other_team_job", lambda _: {}),
    "assets of another team": ("__ASSET_JOB", lambda number: {"dagster/partition": f"part-{number}"}),
    "other charts of ours": ("full_sync", _of_other_chart),
}


@pytest.mark.parametrize("who", OTHERS)
def test_runs_of_others_do_not_push_those_of_a_chart_out(whole: Whole, who: str) -> None:
    before = whole.status()
    assert (before["status"], before["reason"]) == ("healthy", "every published day is here")
    assert before["last_sync"]
    assert len(before["tasks"]) == DAYS
    whole.add_others(*OTHERS[who])
    assert whole.status() == before


@pytest.mark.parametrize("who", OTHERS)
def test_a_day_that_failed_stays_failed_behind_the_runs_of_others(whole: Whole, who: str) -> None:
    newest = whole.project.span(1)
    failed = PastRun(EARLIER + timedelta(hours=2), "full_sync", tags_of_schedule(newest), FAILED)
    whole.project.instance.delete_run(whole.runs[-1])
    add_runs(whole.project.instance, [failed])
    before = whole.status()
    assert (before["status"], whole.days()[str(newest.last)]) == ("degraded", "failed")
    whole.add_others(*OTHERS[who])
    assert whole.status() == before


def test_days_whose_runs_were_pruned_are_what_dagster_and_the_database_say(whole: Whole) -> None:
    instance, before = whole.project.instance, whole.status()
    for run_id in whole.runs:
        instance.delete_run(run_id)
    after = whole.status()
    assert [after[name] for name in ("status", "strip")] == [before[name] for name in ("status", "strip")]


def test_a_day_that_only_one_of_dagster_and_the_database_has_is_not_complete(whole: Whole) -> None:
    project, (lost, forgotten) = whole.project, whole.project.span(2).days
    for run_id in whole.runs:
        project.instance.delete_run(run_id)
    keys = scheduled_keys(project.settings, project.settings.chart(SLUG))
    project.instance.wipe_assets([dg.AssetKey(key.split("/")) for key in keys])
    with project.warehouse.write() as conn:
        conn.exec_driver_sql(f"UPDATE ranking_days SET completed_at = NULL WHERE rank_date = '{lost}'")
    for key in keys:
        project.mark(key, [day for day in project.span(DAYS).days if day not in (lost, forgotten)])
        made = dg.AssetMaterialization(key.split("/"), partition=f"{SLUG}|{lost}")
        project.instance.report_runless_asset_event(made)
    days = whole.days()
    assert [day for day, state in days.items() if state == "partial"] == [str(lost), str(forgotten)]
    assert [*days.values()].count("complete") == DAYS - 2


# On PostgreSQL it is the same query of the web server.
@pytest.mark.parametrize("whole", ["sqlite"], indirect=True)
def test_the_api_says_the_same_behind_the_runs_of_others(whole: Whole, tmp_path: Path) -> None:
    whole.add_others(*OTHERS["a job of another team"])
    project = whole.project
    site = Site(project.simulator, whole.environ, project.settings, project.instance, tmp_path / "log")
    charts, database = Path(whole.environ["SOUNDCHARTS_CHARTS"]), str(project.warehouse.url)
    with web_server(site) as url:
        for deleted in ([], whole.runs):
            for run_id in deleted:
                project.instance.delete_run(run_id)
            with serving(charts, database, dagster_url=url) as client:
                told = whole.status()
                wait_for("the days", lambda: client.status(SLUG)["status"] == told["status"])  # noqa: B023
                found = client.status(SLUG)
            assert told["status"] == "healthy"
            assert [found[name] for name in ("reason", "last_sync", "strip")] == [
                *(told[name] for name in ("reason", "last_sync", "strip")),
            ]
            assert len(found["tasks"]) == len(told["tasks"])

"""`soundcharts-pipeline status`: the facts of the internal API, read from Dagster's state and the warehouse."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date, datetime, timedelta

from rich.console import Console

from soundcharts_pipeline.cli.chart_choice import chart_of
from soundcharts_pipeline.cli.console import print_table
from soundcharts_pipeline.clock import utc_now
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.config.settings import Settings
from soundcharts_pipeline.monitoring.as_json import as_json, status_of
from soundcharts_pipeline.monitoring.chart_status import chart_health
from soundcharts_pipeline.monitoring.facts import chart_facts, read_runs
from soundcharts_pipeline.monitoring.given_up import read_given_up, reasons, told_of
from soundcharts_pipeline.monitoring.health import GOOD, STRIP_DAYS, ChartHealth, RunState, Task, shown_first
from soundcharts_pipeline.monitoring.task_progress import Meter, remedy_of, task_of
from soundcharts_pipeline.monitoring.ticks import failed_ticks, next_ticks
from soundcharts_pipeline.monitoring.unseen_days import days_of, read_made, unseen_days
from soundcharts_pipeline.orchestration.dagster_home import open_instance, prepare_home
from soundcharts_pipeline.storage.endpoint_states import EndpointState, refusing_endpoints
from soundcharts_pipeline.storage.queries.chart_states import ChartState, chart_states, progress_of_runs
from soundcharts_pipeline.storage.warehouse import Warehouse


def print_status(slug: str | None, console: Console, *, in_json: bool) -> bool:
    """Of one chart or of all; returns whether none of them is degraded or failing."""
    environment = read_environment(os.environ)
    settings = load_settings(environment.charts_file, environment.clock)
    slugs = [chart_of(settings, slug, environment.charts_file).slug] if slug else list(settings.slugs)
    prepare_home(environment)
    with closing(Warehouse(environment.database_url)) as warehouse:
        charts, refusing, given_up = _read(settings, slugs, warehouse, environment.clock())
    if in_json:
        said = [json.loads(as_json(status_of(health, given_up))) for health in charts]
        sys.stdout.write(json.dumps(said[0] if slug else said, indent=2, ensure_ascii=False) + "\n")
    else:
        _print(console, charts)
        for refused in refusing:
            console.print(f"refused: {refused.reason()}", soft_wrap=True, markup=False)
        for line in given_up:
            console.print(line, soft_wrap=True, markup=False)
    return all(health.status in GOOD for health in charts)


def _read(
    settings: Settings, slugs: Sequence[str], warehouse: Warehouse, now: datetime
) -> tuple[list[ChartHealth], list[EndpointState], list[str]]:
    """The charts, what Soundcharts refuses to all of them, and what is to be said of backfills."""
    with open_instance() as instance:
        given_up = read_given_up(instance, utc_now())
        concerned = {*slugs, *(slug for one in given_up for slug in one.slugs)}
        of_all = read_runs(instance, settings, concerned, reasons(given_up, settings))
        ticks = next_ticks(instance, settings, utc_now())
        failed = failed_ticks(instance, settings, ticks.keys() & {*slugs})
        runs: dict[str, list[RunState]] = {slug: [] for slug in slugs}
        for run in of_all:
            runs.get(run.chart, []).append(run)
        working = [run.run_id for run in of_all if run.chart in runs and run.state not in ("pending", "complete")]
        since = now.date() - timedelta(days=STRIP_DAYS)
        with warehouse.read() as conn:
            states = chart_states(conn, since)
            counts = progress_of_runs(conn, working)
            refusing = refusing_endpoints(conn)
        unseen = unseen_days(settings, states, {slug: days_of(runs[slug], since) for slug in slugs})
        made = read_made(instance, unseen)
    healths = []
    for slug in slugs:
        of_chart, chart = runs[slug], settings.charts[slug]
        state, no_days = states.get(slug, ChartState()), frozenset[date]()
        facts = chart_facts(
            settings, chart, state, ticks.get(slug), refusing, failed.get(slug), made.get(slug, no_days)
        )
        tasks = [_task(run, counts.get(run.run_id, {}), now) for run in shown_first(of_chart)]
        healths.append(chart_health(facts, of_chart, tasks, now, remedy_of))
    return healths, refusing, told_of(given_up, settings, of_all, utc_now())


def _task(run: RunState, counts: Mapping[str, tuple[int, int]], now: datetime) -> Task:
    meter = Meter()
    meter.look(run, counts, now, calls=0)
    return task_of(run, meter, counts, logs_url=None, remedy=remedy_of)


def _print(console: Console, charts: Sequence[ChartHealth]) -> None:
    headings = ["chart", "why", "status", "last sync", "success rate", "errors", "next run"]
    rows = [
        [
            health.chart,
            health.reason,
            health.status,
            _minute(health.last_sync),
            "" if health.success_rate is None else f"{health.success_rate:.0%}",
            str(health.error_count),
            _minute(health.next_run),
        ]
        for health in charts
    ]
    print_table(console, headings, rows)
    for health in charts:
        if health.tasks and health.tasks[0].status == "canceled" and (error := health.tasks[0].error):
            console.print(f"{health.tasks[0].partition}: {error.message}", soft_wrap=True, markup=False)
        for task in health.tasks:
            if task.status in ("pending", "processing"):
                at = f" at {task.step}" if task.step else ""
                line = f"{task.partition}: {task.status}, {task.progress} %{at} (run {task.task_id})"
                console.print(line, soft_wrap=True, markup=False)
        if health.status not in GOOD and (error := health.last_error):
            where = f"{health.chart}, {error.asset}" if error.asset else health.chart
            console.print(f"{where}: {error.message}", soft_wrap=True, markup=False)
            console.print(f"  what to do: {error.remedy}", soft_wrap=True, markup=False)


def _minute(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"

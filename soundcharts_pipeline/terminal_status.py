"""`soundcharts-pipeline status`: the facts of the internal API, read from Dagster's state and the warehouse."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta

from rich.console import Console

from soundcharts_pipeline.admin.answers import as_json, status_of
from soundcharts_pipeline.chart_facts import chart_facts
from soundcharts_pipeline.environment import read_environment
from soundcharts_pipeline.health import STRIP_DAYS, ChartHealth, ErrorFacts, RunFacts, Task, chart_health, shown_first
from soundcharts_pipeline.launch import open_instance, prepare_home
from soundcharts_pipeline.run_facts import next_ticks, read_runs
from soundcharts_pipeline.settings import Settings, load_settings
from soundcharts_pipeline.storage.chart_states import ChartState, chart_states, progress_of_runs
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import utc_now
from soundcharts_pipeline.task_progress import Meter, task_of
from soundcharts_pipeline.terminal import print_table
from soundcharts_pipeline.terminal_sync import chart_of
from soundcharts_pipeline.troubleshooting import trouble_of

GOOD = ("healthy", "never_synced")


def print_status(slug: str | None, console: Console, *, in_json: bool) -> bool:
    """Of one chart or of all; returns whether none of them is degraded or failing."""
    environment = read_environment(os.environ)
    settings = load_settings(environment.charts_file)
    slugs = [chart_of(settings, slug, environment.charts_file).slug] if slug else list(settings.slugs)
    prepare_home(environment)
    with closing(Warehouse(environment.database_url)) as warehouse:
        charts = _read(settings, slugs, warehouse, utc_now())
    if in_json:
        said = [json.loads(as_json(status_of(health, []))) for health in charts]
        sys.stdout.write(json.dumps(said[0] if slug else said, indent=2, ensure_ascii=False) + "\n")
    else:
        _print(console, charts)
    return all(health.status in GOOD for health in charts)


def _read(settings: Settings, slugs: Sequence[str], warehouse: Warehouse, now: datetime) -> list[ChartHealth]:
    with open_instance() as instance:
        runs = read_runs(instance, settings, slugs)
        ticks = next_ticks(instance, settings, now)
    with warehouse.read() as conn:
        states = chart_states(conn, now.date() - timedelta(days=STRIP_DAYS))
        counts = progress_of_runs(conn, [run.run_id for run in runs if run.state in ("processing", "failed")])
    healths = []
    for slug in slugs:
        of_chart = [run for run in runs if run.chart == slug]
        facts = chart_facts(settings, settings.charts[slug], states.get(slug, ChartState()), ticks.get(slug))
        tasks = [_task(run, counts.get(run.run_id, {}), now) for run in shown_first(of_chart)]
        healths.append(chart_health(facts, of_chart, tasks, now, _remedy_of))
    return healths


def _task(run: RunFacts, counts: Mapping[str, tuple[int, int]], now: datetime) -> Task:
    meter = Meter()
    meter.look(run, counts, now)
    return task_of(run, meter, counts, logs_url=None, remedy=_remedy_of)


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
        for task in health.tasks:
            if task.status in ("pending", "processing"):
                at = f" at {task.step}" if task.step else ""
                line = f"{task.partition}: {task.status}, {task.progress} %{at} (run {task.task_id})"
                console.print(line, soft_wrap=True, markup=False)
        if health.status not in GOOD and health.last_error:
            error = health.last_error
            where = f"{health.chart}, {error.asset}" if error.asset else health.chart
            console.print(f"{where}: {error.message}", soft_wrap=True, markup=False)
            console.print(f"  what to do: {error.remedy}", soft_wrap=True, markup=False)


def _minute(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


def _remedy_of(error: ErrorFacts) -> str:
    return trouble_of(error.kind).remedy

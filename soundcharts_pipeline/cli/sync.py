"""What the commands of a terminal have in common: a context of their own, and one run through Dagster."""

import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from soundcharts_pipeline.cli.console import ASKED_ABOUT, counted
from soundcharts_pipeline.clock import last_ranking_day
from soundcharts_pipeline.config.environment import Environment, read_environment
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.config.settings import BadUse, ChartSettings, Settings, SettingsError
from soundcharts_pipeline.config.yaml_nodes import brief
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.remedies import Subject
from soundcharts_pipeline.sync.account import open_context
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.rankings import newest_day
from soundcharts_pipeline.wording import nearest, program

if TYPE_CHECKING:
    from soundcharts_pipeline.cli.run_in_process import Outcome


def choose_chart(slug: str, first: date | None, last: date | None) -> tuple[Environment, Settings, ChartSettings]:
    """What a command works on. Raises SettingsError for an unknown chart and for days that are never synced."""
    environment = read_environment(os.environ)
    settings = load_settings(environment.charts_file, environment.clock)
    chart = chart_of(settings, slug, environment.charts_file)
    ASKED_ABOUT.set(Subject(slug, first, last))
    if first and last:
        _check_days(chart, first, last, environment)
    return environment, settings, chart


def sync_chart(slug: str, first: date | None, last: date | None, console: Console, *, refresh: bool) -> "Outcome":
    """One run of what the chart's settings allow; without dates for the newest published day (one call more). With
    `refresh` what is known of the days is asked again."""
    environment, settings, chart = choose_chart(slug, first, last)
    with open_context(settings) as ctx:
        if first is None or last is None:
            first = last = newest_day(ctx, chart)
        _announce(console, chart.name, first, last)
        outcome = _launch(ctx, environment, settings, chart, first, last, console, refresh=refresh)
        calls = outcome.calls + ctx.client.usage.calls
    if outcome.succeeded:
        console.print(f"complete, with {counted(calls, 'call')}", soft_wrap=True)
    return outcome


def _announce(console: Console, name: str, first: date, last: date) -> None:
    console.print(f"[bold]{escape(name)}[/bold], {first}" + (f" to {last}" if last != first else ""), soft_wrap=True)


def _launch(
    ctx: SyncContext,
    environment: Environment,
    settings: Settings,
    chart: ChartSettings,
    first: date,
    last: date,
    console: Console,
    *,
    refresh: bool,
) -> "Outcome":
    # Dagster takes two seconds to import; a mistake of the user is reported before.
    from soundcharts_pipeline.cli.run_in_process import run_span
    from soundcharts_pipeline.config.cascade import allowed_keys
    from soundcharts_pipeline.embedding.build import build_definitions
    from soundcharts_pipeline.orchestration.dagster_home import prepare_home

    prepare_home(environment)
    span = ChartDays(chart.slug, first, last)
    keys = allowed_keys(settings, chart)
    return run_span(build_definitions(settings), ctx.warehouse, span, keys, console, refresh=refresh)


def chart_of(settings: Settings, slug: str, path: Path) -> ChartSettings:
    """The chart's settings; raises SettingsError with the nearest slug."""
    if slug not in settings.charts:
        near = nearest(slug, settings.slugs)
        listed = f"did you mean '{near}'? Otherwise" if near else f"it holds {', '.join(settings.slugs)};"
        raise SettingsError(
            f"{path}: no chart '{brief(slug)}'; {listed} add it with `{program()} charts add {brief(slug)}`"
        )
    return settings.charts[slug]


def _check_days(chart: ChartSettings, first: date, last: date, environment: Environment) -> None:
    """Raise SettingsError for days that are never synced: before the chart's first date, or so far in the future that
    no ranking is dated so."""
    latest = last_ranking_day(environment.clock())
    if first < chart.first_date:
        raise SettingsError(
            f"{chart.slug} is synced since {chart.first_date}; for {first} set an earlier first_date in "
            f"{environment.charts_file}"
        )
    if last > latest:
        raise BadUse(f"{last} is in the future; the last day that can be synced is {latest}")

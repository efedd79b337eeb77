"""`soundcharts-pipeline sync`: one chart, in one run through Dagster in this process."""

from datetime import date
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from soundcharts_pipeline.cli.chart_choice import choose_chart
from soundcharts_pipeline.cli.console import counted
from soundcharts_pipeline.config.environment import Environment
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.sync.account import open_context
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.rankings import newest_day

if TYPE_CHECKING:
    from soundcharts_pipeline.cli.run_in_process import Outcome


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

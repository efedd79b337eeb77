"""What the commands of a terminal have in common: a context of their own, and one run through Dagster."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from soundcharts_pipeline.account import open_client, source_of
from soundcharts_pipeline.api.errors import BadRequest
from soundcharts_pipeline.environment import Environment, read_environment
from soundcharts_pipeline.settings import ChartSettings, Refused, Settings, SettingsError, load_settings
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import SyncContext, utc_now
from soundcharts_pipeline.sync.rankings import NotPublished, list_published
from soundcharts_pipeline.sync.source import check_source, note_source
from soundcharts_pipeline.terminal import counted, program
from soundcharts_pipeline.yaml_nodes import nearest

if TYPE_CHECKING:
    from soundcharts_pipeline.launch import Outcome


@contextmanager
def open_context(settings: Settings | None = None) -> Iterator[SyncContext]:
    """Client and warehouse of the environment; calls are counted in the warehouse at the end.

    Raises SourceMismatch when the warehouse was filled from elsewhere. Without settings (a charts file that is
    still to be written) the paths of the endpoints are the built-in ones.
    """
    environment = read_environment(os.environ)
    source = source_of(environment.base_url)
    warehouse = Warehouse(environment.database_url)
    try:
        client = open_client(environment, settings.endpoints if settings else None, warehouse=warehouse)
    except BadRequest as error:
        raise SettingsError(f"{environment.charts_file}: {error}") from None
    ctx = SyncContext(client=client, warehouse=warehouse, max_in_flight=environment.max_in_flight)
    try:
        check_source(ctx, source)
        try:
            yield ctx
        finally:
            client.rest()
            with warehouse.write() as conn:
                note_source(ctx, conn, source)
                ctx.keep_usage(conn)
    finally:
        warehouse.close()


def choose_chart(slug: str, first: date | None, last: date | None) -> tuple[Environment, Settings, ChartSettings]:
    """What a command works on. Raises SettingsError for an unknown chart and for days that are never synced."""
    environment = read_environment(os.environ)
    settings = load_settings(environment.charts_file)
    chart = chart_of(settings, slug, environment.charts_file)
    if first and last:
        _check_days(chart, first, last, environment.charts_file)
    return environment, settings, chart


def sync_chart(slug: str, first: date | None, last: date | None, console: Console) -> "Outcome":
    """One run of what the chart's settings allow; without dates for the newest published day (one call more)."""
    environment, settings, chart = choose_chart(slug, first, last)
    with open_context(settings) as ctx:
        if first is None or last is None:
            first = last = newest_day(ctx, chart)
        _announce(console, chart.name, first, last)
        outcome = _launch(ctx, environment, settings, chart, first, last, console)
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
) -> "Outcome":
    # Dagster takes two seconds to import; a mistake of the user is reported before.
    from soundcharts_pipeline.cascade import allowed_keys
    from soundcharts_pipeline.definitions import build_definitions
    from soundcharts_pipeline.launch import prepare_home, run_span
    from soundcharts_pipeline.partitions import ChartSpan

    prepare_home(environment)
    span = ChartSpan(chart.slug, first, last)
    return run_span(build_definitions(settings), ctx.warehouse, span, allowed_keys(settings, chart), console)


def chart_of(settings: Settings, slug: str, path: Path) -> ChartSettings:
    """The chart's settings; raises SettingsError with the nearest slug."""
    if slug not in settings.charts:
        near = nearest(slug, settings.slugs)
        listed = f"did you mean '{near}'? Otherwise" if near else f"it holds {', '.join(settings.slugs)};"
        raise SettingsError(f"{path}: no chart '{slug}'; {listed} add it with `{program()} charts add {slug}`")
    return settings.charts[slug]


def newest_day(ctx: SyncContext, chart: ChartSettings) -> date:
    """The newest published day; raises NotPublished when there is none since the chart's first date. One call."""
    newest = list_published(ctx, chart.slug, wanted=[]).newest
    ctx.client.rest()  # what follows is the work of others: the process of a run, or its resource
    if newest is None:
        raise NotPublished(f"{chart.slug} has no ranking at all yet; try again later")
    if newest < chart.first_date:
        raise NotPublished(
            f"the newest ranking of {chart.slug} is of {newest}, before its first_date {chart.first_date}; "
            "set an earlier first_date in charts.yaml, or try again later"
        )
    return newest


def _check_days(chart: ChartSettings, first: date, last: date, path: Path) -> None:
    """Raise SettingsError for days that are never synced: before the chart's first date, or in the future."""
    today = utc_now().date()
    if first < chart.first_date:
        raise SettingsError(
            f"{chart.slug} is synced since {chart.first_date}; for {first} set an earlier first_date in {path}"
        )
    if last > today:
        raise Refused(f"{last} is in the future; the last day that can be synced is {today} (UTC)")

"""What the commands of a terminal have in common: a context of their own, and one run through Dagster."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

from rich.console import Console

from soundcharts_pipeline.environment import read_environment
from soundcharts_pipeline.resources import open_client
from soundcharts_pipeline.settings import SettingsError, load_settings
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import SyncContext, utc_now
from soundcharts_pipeline.sync.rankings import list_published

if TYPE_CHECKING:
    from soundcharts_pipeline.launch import Outcome


@contextmanager
def open_context() -> Iterator[SyncContext]:
    """Client and warehouse of the environment; calls are counted in the warehouse at the end."""
    environment = read_environment(os.environ)
    warehouse = Warehouse(environment.database_url)
    ctx = SyncContext(client=open_client(environment), warehouse=warehouse, max_in_flight=environment.max_in_flight)
    try:
        yield ctx
    finally:
        with warehouse.write() as conn:
            ctx.keep_usage(conn)
        warehouse.close()


def sync_chart(slug: str, first: date | None, last: date | None, console: Console) -> "Outcome":
    """One run of what the chart's settings allow; without dates for the newest published day (one call more)."""
    from soundcharts_pipeline.cascade import allowed_keys
    from soundcharts_pipeline.definitions import build_definitions
    from soundcharts_pipeline.launch import prepare_home, run_span
    from soundcharts_pipeline.partitions import ChartSpan

    environment = read_environment(os.environ)
    settings = load_settings(environment.charts_file)
    chart = settings.chart(slug)
    with open_context() as ctx:
        if first is None or last is None:
            newest = list_published(ctx, slug, wanted=[]).newest
            if newest is None:
                raise SettingsError(f"{slug} has no ranking at all yet; try again later")
            first = last = newest
        _check_days(slug, first, last, chart.first_date)
        span = ChartSpan(slug, first, last)
        prepare_home(environment)
        console.print(f"[bold]{chart.name}[/bold], {first}" + (f" to {last}" if last != first else ""))
        return run_span(build_definitions(settings), ctx.warehouse, span, allowed_keys(settings, chart), console)


def _check_days(slug: str, first: date, last: date, first_date: date) -> None:
    today = utc_now().date()
    if first < first_date:
        raise SettingsError(
            f"{slug} is synced since {first_date}; set an earlier first_date in charts.yaml for {first}"
        )
    if last > today:
        raise SettingsError(f"{last} is in the future; the last day that can be synced is {today}")

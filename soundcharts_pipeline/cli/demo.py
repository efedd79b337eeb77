"""The main job on made-up data: three charts, three days, the whole cascade, and what came of it."""

import os
import shlex
import time
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from soundcharts_pipeline.cli.processes.simulator import simulator_process, use_simulator
from soundcharts_pipeline.cli.run_in_process import Outcome, run_span
from soundcharts_pipeline.config.cascade import allowed_keys
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.dagster_home import prepare_home
from soundcharts_pipeline.storage.errors import place
from soundcharts_pipeline.storage.queries import summaries
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.account import open_context
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.ranking_list import list_published
from soundcharts_pipeline.wording import program

CHARTS = {
    "global-28": "Spotify Top 200 Global",
    "shazam-top-200-world": "Shazam Top 200 World",
    "airplay-daily": "Airplay Daily",
}
DAYS = 3
# Three days with their history fit into one call's window.
HISTORY_DAYS = 60
# The simulator is ours alone: its minute is as wide as we like, so that the demo shows the cascade and not a wait.
CALLS_PER_MINUTE = 60_000
LATENCY_SECONDS = 0.03
# The one total that is no count of rows.
CALLS_SPENT = "calls spent"

NEXT = """
[bold]Three things to try next[/bold]
  1. See these runs in the Dagster UI, with the asset graph, schedules and sensors:
       {program} dev
  2. Ask the data in SQL:
       {query}
  3. Go live: set SOUNDCHARTS_APP_ID, SOUNDCHARTS_API_KEY and a new SOUNDCHARTS_DATA_DIR, then:
       {program} doctor
       {program} sync {slug}
"""
QUERY = "SELECT name, credit_name FROM tracks LIMIT 10"


def run_demo(console: Console) -> list[Outcome]:
    """Runs in the foreground and prints; an outcome per chart."""
    started = time.monotonic()
    environment = read_environment(os.environ)
    today = environment.clock().date()
    settings = Settings(
        {
            slug: ChartSettings(slug=slug, name=name, first_date=today - timedelta(days=60), history_days=HISTORY_DAYS)
            for slug, name in CHARTS.items()
        }
    )
    with simulator_process(latency=LATENCY_SECONDS, rate=CALLS_PER_MINUTE, now=environment.now) as url:
        use_simulator(url, calls_per_minute=CALLS_PER_MINUTE)
        prepare_home(read_environment(os.environ))
        with open_context() as ctx:
            console.print(
                f"A local Soundcharts answers at {url}: its data is made up, its paths and limits are not.",
                soft_wrap=True,
            )
            with ctx.warehouse.read() as conn:
                before = summaries.totals(conn)
            outcomes = _sync(ctx, settings, console)
            with ctx.warehouse.write() as conn:
                ctx.keep_usage(conn)
            with ctx.warehouse.read() as conn:
                after = summaries.totals(conn)
            console.print()
            console.print(_table(before, after, time.monotonic() - started))
            console.print(
                NEXT.format(query=_query(ctx.warehouse), program=program(), slug=next(iter(CHARTS))), soft_wrap=True
            )
    return outcomes


def _sync(ctx: SyncContext, settings: Settings, console: Console) -> list[Outcome]:
    from soundcharts_pipeline.embedding.build import build_definitions

    definitions = build_definitions(settings)
    outcomes = []
    for chart in settings.charts.values():
        newest = list_published(ctx, chart.slug, wanted=[]).newest or ctx.clock().date()
        span = ChartDays(chart.slug, newest - timedelta(days=DAYS - 1), newest)
        console.print(f"\n[bold]{chart.name}[/bold], {span.first} to {span.last}", soft_wrap=True)
        outcomes.append(run_span(definitions, ctx.warehouse, span, allowed_keys(settings, chart), console))
    return outcomes


def _query(warehouse: Warehouse) -> str:
    if warehouse.dialect == "sqlite":
        path = Path(warehouse.url.database or "")
        shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        return f'sqlite3 {shlex.quote(str(shown))} "{QUERY}"'
    return f"{QUERY}; in {place(warehouse.url)}"


def _table(before: dict[str, int], after: dict[str, int], seconds: float) -> Table:
    table = Table("in the database", "rows", "new")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, count in after.items():
        if name == CALLS_SPENT:
            table.add_section()
        table.add_row(name, f"{count:,}", f"{count - before.get(name, 0):,}")
    table.add_row("seconds", "", f"{seconds:.1f}")
    return table

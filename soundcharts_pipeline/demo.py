"""The main job on made-up data: three charts, three days, the whole cascade, and what came of it."""

import os
import time
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.table import Table

from soundcharts_pipeline.cascade import allowed_keys
from soundcharts_pipeline.environment import read_environment
from soundcharts_pipeline.launch import Outcome, prepare_home, run_span
from soundcharts_pipeline.local_simulator import simulator_process, use_simulator
from soundcharts_pipeline.partitions import ChartSpan
from soundcharts_pipeline.resources import open_client
from soundcharts_pipeline.settings import ChartSettings, Settings
from soundcharts_pipeline.storage import summaries
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.rankings import list_published

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

NEXT = """
What next?
  1. [bold]make dev[/bold]                          the Dagster UI on this data, with schedules and sensors
  2. [bold]sqlite3 {database}[/bold]   the tables, in SQL
  3. set SOUNDCHARTS_APP_ID, SOUNDCHARTS_API_KEY and a new SOUNDCHARTS_DATA_DIR, then
     [bold]soundcharts-pipeline doctor[/bold] and [bold]soundcharts-pipeline sync global-28[/bold]    your own account
"""


def run_demo(console: Console) -> list[Outcome]:
    """Runs in the foreground and prints; an outcome per chart."""
    from soundcharts_pipeline.definitions import build_definitions

    started = time.monotonic()
    today = datetime.now(UTC).date()
    charts = {
        slug: ChartSettings(slug=slug, name=name, first_date=today - timedelta(days=60), history_days=HISTORY_DAYS)
        for slug, name in CHARTS.items()
    }
    settings = Settings(charts)
    with simulator_process(latency=LATENCY_SECONDS, rate=CALLS_PER_MINUTE) as url:
        use_simulator(url, calls_per_minute=CALLS_PER_MINUTE)
        environment = read_environment(os.environ)
        prepare_home(environment)
        console.print(f"A local Soundcharts answers at {url}: its data is made up, its paths and limits are not.")
        definitions = build_definitions(settings)
        warehouse = Warehouse(environment.database_url)
        ctx = SyncContext(client=open_client(environment), warehouse=warehouse, max_in_flight=1)
        with warehouse.read() as conn:
            before = summaries.totals(conn)
        outcomes = []
        for chart in charts.values():
            newest = list_published(ctx, chart.slug, wanted=[]).newest or today
            span = ChartSpan(chart.slug, newest - timedelta(days=DAYS - 1), newest)
            console.print(f"\n[bold]{chart.name}[/bold], {span.first} to {span.last}")
            outcomes.append(run_span(definitions, warehouse, span, allowed_keys(settings, chart), console))
    with warehouse.read() as conn:
        after = summaries.totals(conn)
    console.print(_table(before, after, time.monotonic() - started))
    database = environment.data_dir / "soundcharts.db" if warehouse.dialect == "sqlite" else "your database"
    console.print(NEXT.format(database=os.path.relpath(database) if warehouse.dialect == "sqlite" else database))
    return outcomes


def _table(before: dict[str, int], after: dict[str, int], seconds: float) -> Table:
    table = Table("in the database", "rows", "new")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, count in after.items():
        table.add_row(name, f"{count:,}", f"{count - before.get(name, 0):,}")
    table.add_section()
    table.add_row("seconds", f"{seconds:.1f}", "")
    return table

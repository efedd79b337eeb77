"""A process that syncs some days of a chart: `python -m ... URL DATABASE CHART FIRST LAST`."""

import sys
from collections.abc import Sequence
from datetime import date

from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.account import open_client
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline_tests.support.helpers import SLUG, run_cascade, small_chart
from soundcharts_pipeline_tests.support.today import noon

IN_FLIGHT = 8


def run_chart(slug: str = SLUG) -> ChartSettings:
    """The settings of the process: two weeks of history, for speed."""
    return small_chart(slug, history_days=14)


def command(simulator: Simulator, database_url: str, chart: str, days: Sequence[date]) -> list[str]:
    """How to start it."""
    arguments = [
        simulator.url,
        database_url,
        noon(simulator.world.today).isoformat(),
        chart,
        str(days[0]),
        str(days[-1]),
    ]
    return [sys.executable, "-m", __name__, *arguments]


def main() -> None:
    url, database, now, slug, first, last = sys.argv[1:]
    span = ChartDays(slug, date.fromisoformat(first), date.fromisoformat(last))
    environment = read_environment(
        {
            "SOUNDCHARTS_BASE_URL": url,
            "SOUNDCHARTS_APP_ID": "soundcharts",
            "SOUNDCHARTS_API_KEY": "soundcharts",
            "SOUNDCHARTS_DATABASE_URL": database,
            "SOUNDCHARTS_NOW": now,
            "SOUNDCHARTS_MAX_IN_FLIGHT": str(IN_FLIGHT),
        }
    )
    warehouse = Warehouse(database)
    client = open_client(environment, warehouse=warehouse)
    ctx = SyncContext(client=client, warehouse=warehouse, max_in_flight=IN_FLIGHT, clock=environment.clock)
    run_cascade(ctx, run_chart(slug), span.days)


if __name__ == "__main__":
    main()

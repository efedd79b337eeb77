"""A process that syncs one chart-day, to be killed: `python -m ... URL DATABASE DAY`."""

import sys
from datetime import date

from soundcharts_pipeline.account import open_client
from soundcharts_pipeline.environment import read_environment
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline_tests.helpers import run_cascade, small_chart

IN_FLIGHT = 8


def main() -> None:
    url, database, day = sys.argv[1:]
    environment = read_environment(
        {
            "SOUNDCHARTS_BASE_URL": url,
            "SOUNDCHARTS_APP_ID": "soundcharts",
            "SOUNDCHARTS_API_KEY": "soundcharts",
            "SOUNDCHARTS_DATABASE_URL": database,
            "SOUNDCHARTS_MAX_IN_FLIGHT": str(IN_FLIGHT),
        }
    )
    warehouse = Warehouse(database)
    client = open_client(environment, warehouse=warehouse)
    ctx = SyncContext(client=client, warehouse=warehouse, max_in_flight=IN_FLIGHT)
    run_cascade(ctx, small_chart(), [date.fromisoformat(day)])


if __name__ == "__main__":
    main()

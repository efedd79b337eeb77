"""The app as a program, on one port, beside a Dagster that runs already."""

import logging
import sys
from contextlib import closing
from datetime import date

import uvicorn

from soundcharts_pipeline.admin.app import build_app
from soundcharts_pipeline.admin.graphql import Dagster
from soundcharts_pipeline.admin.live import Live
from soundcharts_pipeline.environment import Environment
from soundcharts_pipeline.settings import ChartSettings
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.terminal_sync import newest_day, open_context

# A request does not wait as long for a locked database as a run does.
LOCK_TIMEOUT_SECONDS = 10.0
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def run_app(environment: Environment, *, host: str, port: int, dagster_url: str) -> None:
    """Serve until SIGTERM or SIGINT. Addresses and headers of requests are not logged: they may hold a token."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format=LOG_FORMAT)
    with closing(Warehouse(environment.database_url, lock_timeout=LOCK_TIMEOUT_SECONDS)) as warehouse:
        cap = environment.calls_per_minute
        live = Live(environment.charts_file, Dagster(dagster_url), warehouse, calls_per_minute=cap)

        def newest_published(chart: ChartSettings) -> date:
            with open_context(live.settings) as ctx:
                return newest_day(ctx, chart)

        app = build_app(live, token=environment.admin_token, newest_published=newest_published)
        uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False, server_header=False)

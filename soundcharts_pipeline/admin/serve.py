"""The app as a program, on one port, beside a Dagster that runs already."""

import logging
import sys
from contextlib import closing
from datetime import date

import uvicorn
from starlette.applications import Starlette

from soundcharts_pipeline.admin.access.connections import Bounds
from soundcharts_pipeline.admin.app import build_app
from soundcharts_pipeline.admin.configuration import change_log
from soundcharts_pipeline.admin.configuration.change_log import ChangeLog
from soundcharts_pipeline.admin.configuration.editor import Surroundings
from soundcharts_pipeline.admin.state.dagster_client import Dagster
from soundcharts_pipeline.admin.state.live import Live
from soundcharts_pipeline.config.environment import Environment
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.account import open_client, open_context
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.rankings import newest_day

# A request does not wait as long for a locked database as a run does.
LOCK_TIMEOUT_SECONDS = 10.0
# Answers that are under way when the server is to end.
SHUTDOWN_SECONDS = 5
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def run_app(environment: Environment, *, host: str, port: int, dagster_url: str) -> None:
    """Serve until SIGTERM or SIGINT. Addresses and headers of requests are not logged: they may hold a token."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format=LOG_FORMAT)
    # Who changed what in charts.yaml is to be read there.
    logging.getLogger(change_log.__name__).setLevel(logging.INFO)
    bounds = Bounds()
    with closing(Warehouse(environment.database_url, lock_timeout=LOCK_TIMEOUT_SECONDS)) as warehouse:
        cap = environment.calls_per_minute
        dagster = Dagster(dagster_url, shown_url=environment.ui_url)
        live = Live(environment.charts_file, dagster, warehouse, calls_per_minute=cap, clock=environment.clock)

        def newest_published(chart: ChartSettings) -> date:
            with open_context(live.settings) as ctx:
                return newest_day(ctx, chart)

        app = build_app(
            live,
            token=environment.admin_token,
            read_token=environment.read_token,
            newest_published=newest_published,
            surroundings=_surroundings(environment, live, warehouse),
            root_path=environment.root_path,
            trusted_proxies=environment.trusted_proxies,
            most_at_once=bounds.answered_at_once,
        )
        uvicorn.Server(server_config(app, host=host, port=port, bounds=bounds)).run()


def _surroundings(environment: Environment, live: Live, warehouse: Warehouse) -> Surroundings:
    def planning() -> SyncContext:
        client = open_client(environment, live.settings.endpoints, warehouse=warehouse)
        return SyncContext(client=client, warehouse=warehouse, max_in_flight=1, clock=environment.clock)

    return Surroundings(
        asking=lambda: open_context(live.settings),
        planning=planning,
        reserve=environment.quota_floor,
        changes=ChangeLog(environment.data_dir),
    )


def server_config(app: Starlette, *, host: str, port: int, bounds: Bounds) -> uvicorn.Config:
    """How the app is served, within the bounds that it was built with. It looks itself at what a proxy tells."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=bounds.protocol(),  # type: ignore[arg-type]  # called like the class that it wants
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )

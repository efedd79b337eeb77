"""`soundcharts-pipeline notify-test`: does a message arrive?"""

import os

import typer

from soundcharts_pipeline.cli.console import open_console
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.settings import BadUse
from soundcharts_pipeline.monitoring.notifications import HOW_TO_SET, Message, deliver, remedy
from soundcharts_pipeline.storage import alerts
from soundcharts_pipeline.storage.warehouse import Warehouse

TEST = Message(
    "Soundcharts: a test",
    "Whoever reads this is told when a run fails. Nothing has failed, and no reply is due.",
    "info",
)


def send_test() -> None:
    """Send one message to every service in SOUNDCHARTS_NOTIFY, and say which took it.

    Raises BadUse when none is set, and typer.Exit when one did not take it.
    """
    environment = read_environment(os.environ)
    if environment.notify is None:
        raise BadUse(HOW_TO_SET)
    delivery = deliver(environment.notify, TEST)
    if delivery.taken_by:
        open_console().print(f"taken by {', '.join(delivery.taken_by)}", soft_wrap=True)
    if delivery.refused_by:
        names = ", ".join(delivery.refused_by)
        open_console(stderr=True).print(f"[red]Not taken by {names}:[/red] {remedy(names)}", soft_wrap=True)
        raise typer.Exit(1)
    warehouse = Warehouse(environment.database_url)
    try:
        with warehouse.write() as conn:
            alerts.forget_refusals(conn)
    finally:
        warehouse.close()

"""`soundcharts-pipeline prune`: old runs and their events go, what is known of the chart-days stays."""

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from soundcharts_pipeline.cli.console import counted, open_console
from soundcharts_pipeline.clock import utc_now
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.config.settings import Settings

if TYPE_CHECKING:
    from soundcharts_pipeline.orchestration.pruning import Pruned

EXAMPLE = "prune --older-than 90 --yes"
DEFAULT_DAYS = 90
# `status` and the dashboard tell of thirty days, and rankings are dated up to a week ahead.
LEAST_DAYS = 45
# Beyond the days that the healing sensor looks at; a failure counts for a day more.
BEYOND_HEALING_DAYS = 15


def prune(
    older_than: Annotated[int, typer.Option(metavar="DAYS", help="Runs that were over so long ago.")] = DEFAULT_DAYS,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without, only what would go is told.")] = False,
) -> None:
    """Remove old runs and their events from Dagster's state; which days are complete or failed stays as it is.

    Safe while `serve` and runs are at work. Ended halfway, by whatever, the same command goes on from there. Makes no
    call, and leaves the newest runs of each chart, failures that a day still shows, and canceled days alone.
    """
    environment, console = read_environment(os.environ), open_console()
    settings = load_settings(environment.charts_file, environment.clock)
    least = least_days(settings)
    if older_than < least:
        raise typer.BadParameter(
            f"{older_than} days are too few, give at least {least}: {_why(least)}",
            param_hint="--older-than",
        )
    from soundcharts_pipeline.orchestration.dagster_home import open_instance, prepare_home
    from soundcharts_pipeline.orchestration.pruning import free_bytes, prune

    prepare_home(environment)
    before = utc_now() - timedelta(days=older_than)
    with open_instance() as instance:
        done = prune(instance, settings, before, act=yes, on_progress=lambda line: console.print(line))
        room = free_bytes(instance) if yes else 0
    _tell(console, done, f"{before:%Y-%m-%d %H:%M} UTC", acted=yes)
    if room:
        said = f"{_megabytes(room)} in Dagster's index are free for new events; the file itself shrinks by VACUUM alone"
        console.print(escape(said), soft_wrap=True)


def least_days(settings: Settings) -> int:
    """The fewest days that leave alone what anything looks at."""
    healed = max((chart.heal_days for chart in settings.charts.values()), default=0)
    return max(LEAST_DAYS, healed + BEYOND_HEALING_DAYS)


def _why(least: int) -> str:
    if least == LEAST_DAYS:
        return "`status` and the dashboard tell of the last thirty days, and a ranking may be dated a week ahead"
    return f"the healing sensor looks at runs of the last {least - BEYOND_HEALING_DAYS} days (heal_days) and some more"


def _tell(console: Console, done: "Pruned", before: str, *, acted: bool) -> None:
    parts = f"{counted(done.runs, 'run')}, {counted(done.events, 'event')}, {counted(done.checks, 'old check result')}"
    if acted:
        console.print(f"removed: {parts}; {_megabytes(done.size)}", soft_wrap=True)
    elif done.runs or done.events or done.checks or done.size:
        said = f"would go: {parts}; {_megabytes(done.size)}. Nothing is removed yet; repeat it with --yes"
        console.print(said, soft_wrap=True)
    else:
        console.print(f"nothing from before {before} can go", soft_wrap=True)
    if done.kept:
        console.print(
            f"{counted(done.kept, 'run')} from before {before} stay: something still shows them", soft_wrap=True
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"

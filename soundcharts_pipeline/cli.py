"""`soundcharts-pipeline`: arguments to calls, nothing else.

Exit codes: 0 ok, 1 failed, 2 bad use, 3 credentials, 4 quota or rate limit.
Dagster is imported by the commands that launch it: it takes two seconds, and `charts list` need not wait for it.
"""

import os
import sys
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from soundcharts_pipeline.api.errors import AuthenticationError, QuotaExhausted, RateLimited, SoundchartsError
from soundcharts_pipeline.environment import read_environment
from soundcharts_pipeline.settings import SettingsError, load_settings
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.sync.report import SyncIncomplete

OK, FAILED, BAD_USE, CREDENTIALS, LIMITS = 0, 1, 2, 3, 4
EXIT_CODES = {AuthenticationError.__name__: CREDENTIALS, QuotaExhausted.__name__: LIMITS, RateLimited.__name__: LIMITS}

app = typer.Typer(
    name="soundcharts-pipeline",
    help="Soundcharts charts, tracks, artists and audience series, complete and current in your own database.",
    epilog="Start with: soundcharts-pipeline demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
charts_app = typer.Typer(
    help="The charts that are synced (charts.yaml), and the catalogue to choose from.", no_args_is_help=True
)
app.add_typer(charts_app, name="charts")
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD")]


@app.command(epilog="Example: soundcharts-pipeline demo")
def demo() -> None:
    """Sync three charts x three days from a local simulator, with the whole cascade, and show what came of it."""
    from soundcharts_pipeline.demo import run_demo

    _end([outcome for outcome in run_demo(console) if not outcome.succeeded])


@app.command(epilog="Example: soundcharts-pipeline simulate --port 9000 --latency 0.05 --oddities all")
def simulate(
    port: Annotated[int, typer.Option(help="0: any free port.")] = 9000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same world.")] = 1,
    latency: Annotated[float, typer.Option(help="Seconds before an answer.")] = 0.05,
    rate: Annotated[int, typer.Option(help="Calls per minute for the whole account.")] = 10_000,
    quota: Annotated[int, typer.Option(help="Billed calls of the term.")] = 500_000,
    faults: Annotated[float, typer.Option(help="Share of calls that fail: 5xx, resets, cut-off bodies, 429.")] = 0.0,
    oddities: Annotated[str, typer.Option(help="Comma-separated names of data oddities, or 'all'.")] = "",
) -> None:
    """Serve a local Soundcharts on 127.0.0.1, with credentials soundcharts / soundcharts. Prints its URL."""
    from soundcharts_pipeline.simulator import serve

    names = [name.strip() for name in oddities.split(",") if name.strip()]
    try:
        serve(port=port, seed=seed, latency=latency, rate=rate, quota=quota, faults=faults, oddities=names, log=_say)
    except (ValueError, OSError) as error:
        raise SettingsError(str(error)) from None


@app.command(epilog="Example: soundcharts-pipeline sync global-28 --from 2026-11-01 --to 2026-11-20")
def sync(
    slug: Annotated[str, typer.Argument(help="A chart of charts.yaml.")],
    date_: Annotated[
        datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="One day.")
    ] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="First of a range.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Last of a range.")
    ] = None,
) -> None:
    """Take a chart-day, or a range of days, through the cascade; without a date the newest published day.

    Runs through Dagster, in one run, and shows in its UI. What is in the database already costs no call.
    """
    from soundcharts_pipeline.terminal_sync import sync_chart

    if date_ and (first or last):
        raise typer.BadParameter("give --date, or --from and --to, not both")
    if bool(first) != bool(last):
        raise typer.BadParameter("give both --from and --to")
    if first and last and first > last:
        raise typer.BadParameter(f"--from {first:%Y-%m-%d} is after --to {last:%Y-%m-%d}")
    begin, end = first or date_, last or date_
    outcome = sync_chart(slug, begin.date() if begin else None, end.date() if end else None, console)
    _end([] if outcome.succeeded else [outcome])


@app.command(epilog="Example: soundcharts-pipeline dev --port 3000")
def dev(port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000) -> None:
    """Open the Dagster UI and daemon; without credentials a local simulator answers."""
    from soundcharts_pipeline.dev import run_dev

    raise typer.Exit(run_dev(port, console))


@app.command(epilog="Example: soundcharts-pipeline doctor")
def doctor() -> None:
    """Check charts file, data directory, database, credentials, network and quota. Makes one free call."""
    from soundcharts_pipeline.doctor import examine

    code = OK
    for finding in examine(read_environment(os.environ)):
        mark = "[green]ok[/green]  " if finding.fine else "[red]FAIL[/red]"
        console.print(f"{mark} {finding.subject:<15} {escape(finding.text)}", soft_wrap=True)
        if not finding.fine and code in (OK, FAILED):
            code = EXIT_CODES.get(type(finding.error).__name__, LIMITS if finding.subject == "quota" else FAILED)
    raise typer.Exit(code)


@charts_app.command("list", epilog="Example: soundcharts-pipeline charts list")
def charts_list() -> None:
    """The charts of charts.yaml. Makes no call."""
    settings = load_settings(read_environment(os.environ).charts_file)
    table = Table("slug", "name", "schedule", "time zone", "since", "active")
    for chart in settings.charts.values():
        active = "yes" if chart.active else "no"
        table.add_row(chart.slug, escape(chart.name), chart.schedule, chart.timezone, str(chart.first_date), active)
    console.print(table)


@charts_app.command("search", epilog="Example: soundcharts-pipeline charts search top germany --platform spotify")
def charts_search(
    words: Annotated[list[str] | None, typer.Argument(help="Words of the name, slug, country or city.")] = None,
    platform: Annotated[str | None, typer.Option(help="Ask this platform alone: cheaper.")] = None,
    country: Annotated[str | None, typer.Option(help="ISO code of a country, such as DE.")] = None,
) -> None:
    """Ask the live catalogue. One call per 100 charts of the platforms asked."""
    from soundcharts_pipeline.catalogue import search_charts

    with _catalogue() as ctx:
        found = search_charts(ctx, words or [], platform=platform, country=country)
        table = Table("slug", "name", "platform", "country", "city", "frequency", "places")
        for c in sorted(found, key=lambda chart: (chart.platform, chart.slug)):
            places = str(c.max_results or "")
            cells = [c.slug, c.name, c.platform, c.country_code or "", c.city_name or "", c.frequency or "", places]
            table.add_row(*map(escape, cells))
        console.print(table)
        console.print(f"{len(found)} charts, {ctx.client.usage.calls} calls")


@charts_app.command("add", epilog="Example: soundcharts-pipeline charts add top-songs-29")
def charts_add(slug: str) -> None:
    """Add a chart to charts.yaml, after checking that it exists (one call). Comments stay."""
    from soundcharts_pipeline.catalogue import take_chart

    with _catalogue() as ctx:
        path = read_environment(os.environ).charts_file
        chart = take_chart(ctx, path, slug)
        console.print(f"added {slug} ({escape(chart.name)}) to {path}; next: soundcharts-pipeline sync {slug}")


@charts_app.command("remove", epilog="Example: soundcharts-pipeline charts remove top-songs-29")
def charts_remove(slug: str) -> None:
    """Remove a chart from charts.yaml. What was saved of it stays in the database."""
    from soundcharts_pipeline.charts_file import remove_chart

    path = read_environment(os.environ).charts_file
    remove_chart(path, slug)
    console.print(f"removed {slug} from {path}; what was saved of it stays in the database")


def main() -> None:
    """The console script: a user's mistake is one message and an exit code, never a traceback."""
    try:
        app()
    except (SoundchartsError, SyncIncomplete, StorageError, SettingsError) as error:
        errors.print(f"[red]Error:[/red] {escape(str(error))}", soft_wrap=True)
        cause = error.cause if isinstance(error, SyncIncomplete) else error
        default = BAD_USE if isinstance(error, SettingsError) else FAILED
        sys.exit(EXIT_CODES.get(type(cause).__name__, default))


def _catalogue() -> Any:
    from soundcharts_pipeline.terminal_sync import open_context

    return open_context()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _end(failed: list[Any]) -> None:
    """Say what failed, and exit with the code of the first error that has one."""
    for outcome in failed:
        for failure in outcome.failures:
            errors.print(f"[red]{failure.asset}[/red]: {escape(failure.message)}", soft_wrap=True)
        errors.print(f"run {outcome.run_id} is not complete; `soundcharts-pipeline dev` shows it in the UI")
    if failed:
        kinds = [failure.kind for outcome in failed for failure in outcome.failures]
        raise typer.Exit(next((EXIT_CODES[kind] for kind in kinds if kind in EXIT_CODES), FAILED))

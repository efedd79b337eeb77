"""`soundcharts-pipeline`: arguments to calls, nothing else.

Exit codes: 0 ok, 1 failed, 2 bad use, 3 credentials, 4 quota, budget or rate limit, 130 interrupted
(Ctrl-C; 143: SIGTERM, 129: SIGHUP). Programs that run until they are told to end, end with 0.
What a command does is imported when it is called: Dagster takes a second and SQLAlchemy 0.15, for which `--help` and
`charts list` need not wait.
"""

import os
import sys
from datetime import date
from typing import Annotated

import typer

from soundcharts_pipeline.cli.arguments import check_arguments
from soundcharts_pipeline.cli.charts import charts
from soundcharts_pipeline.cli.console import ASKED_ABOUT, open_console
from soundcharts_pipeline.cli.days import as_day, check_range, day_option
from soundcharts_pipeline.cli.exit import (
    FAILED,
    INTERRUPTED,
    OK,
    advise,
    code_of,
    complain,
    end,
    leave_at_once,
    leave_interrupted,
)
from soundcharts_pipeline.cli.export import EXAMPLE, export
from soundcharts_pipeline.cli.forget import EXAMPLE as FORGET_EXAMPLE
from soundcharts_pipeline.cli.forget import forget
from soundcharts_pipeline.cli.help import KEEP, RUN, SYNC, TRY, USE, command
from soundcharts_pipeline.cli.housekeeping import housekeeping_commands
from soundcharts_pipeline.cli.init import EXAMPLE as INIT_EXAMPLE
from soundcharts_pipeline.cli.init import init
from soundcharts_pipeline.cli.outputs import told_outputs
from soundcharts_pipeline.cli.processes.endings import listen
from soundcharts_pipeline.cli.prune import EXAMPLE as PRUNE_EXAMPLE
from soundcharts_pipeline.cli.prune import prune
from soundcharts_pipeline.config.environment import keep_private, read_environment
from soundcharts_pipeline.config.settings import BadUse
from soundcharts_pipeline.errors import PipelineError
from soundcharts_pipeline.sync.report import SyncIncomplete
from soundcharts_pipeline.troubleshooting import trouble_of

app = typer.Typer(
    name="soundcharts-pipeline",
    help="Soundcharts charts, tracks, artists and audience series, complete and current in your own database.",
    epilog=(
        "Example: soundcharts-pipeline demo\n\n"
        "Exit codes: 0 ok, 1 failed, 2 bad use, 3 credentials, 4 quota, budget or rate limit, 130 Ctrl-C, 143 SIGTERM, "
        "129 a terminal that is closed"
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.add_typer(charts, name="charts", rich_help_panel=SYNC)

Slug = Annotated[str, typer.Argument(help="A chart of charts.yaml.")]
OneDay = Annotated[date | None, day_option("--date", "One day.")]
FirstDay = Annotated[date | None, day_option("--from", "First day of a range.")]
LastDay = Annotated[date | None, day_option("--to", "Last day of a range.")]
Refresh = Annotated[bool, typer.Option("--refresh", help="Ask again for all that is known of these days.")]


@command(app, TRY, "demo")
def demo() -> None:
    """Sync three charts x three days from a local simulator, with the whole cascade, and show what came of it."""
    from soundcharts_pipeline.cli.demo import run_demo

    end(run_demo(open_console()))


command(app, TRY, INIT_EXAMPLE)(init)


@command(app, TRY, "simulate --port 9000 --oddities all")
def simulate(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any free port.")] = 9000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same world.")] = 1,
    today: Annotated[date | None, day_option("--today", "The day it is there; the real one when left out.")] = None,
    latency: Annotated[float, typer.Option(min=0, help="Seconds before an answer.")] = 0.05,
    rate: Annotated[int, typer.Option(min=1, help="Calls per minute for the whole account.")] = 10_000,
    quota: Annotated[int, typer.Option(min=0, help="Billed calls of the term.")] = 500_000,
    faults: Annotated[
        float, typer.Option(min=0, max=1, help="Share of calls that fail: 5xx, resets, cut-off bodies, 429.")
    ] = 0.0,
    oddities: Annotated[str, typer.Option(help="Comma-separated names of data oddities, or 'all'.")] = "",
    until_stdin_ends: Annotated[bool, typer.Option("--until-stdin-ends", hidden=True)] = False,
) -> None:
    """Serve a local Soundcharts on 127.0.0.1, with credentials soundcharts / soundcharts. Prints its URL."""
    from soundcharts_pipeline.cli.processes.endings import end_with_stdin
    from soundcharts_pipeline.simulator import serve as serve_simulator

    if until_stdin_ends:
        end_with_stdin()
    names = [name.strip() for name in oddities.split(",") if name.strip()]
    try:
        serve_simulator(
            port=port,
            seed=seed,
            today=today,
            latency=latency,
            rate=rate,
            quota=quota,
            faults=faults,
            oddities=names,
            log=_say,
        )
    except ValueError as error:
        raise BadUse(str(error)) from None
    except OSError as error:
        reason = str(error).rpartition(": ")[2]
        raise BadUse(
            f"port {port} cannot be used ({reason}); choose another one with --port, 0 for any free one"
        ) from None


@command(app, SYNC, "plan global-28 --from 2026-11-01 --to 2026-11-20")
def plan(
    slug: Slug,
    day: OneDay = None,
    first: FirstDay = None,
    last: LastDay = None,
    fetch_rankings: Annotated[
        bool, typer.Option("--fetch-rankings", help="First store the rankings that are missing: billed calls.")
    ] = False,
    fetch_metadata: Annotated[
        bool, typer.Option("--fetch-metadata", help="First store those and their tracks' metadata: billed calls.")
    ] = False,
    refresh: Refresh = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what `sync` would cost, without a billed call; without a date for the newest day whose ranking is stored."""
    check_range(day, first, last)
    from soundcharts_pipeline.cli.plan import Fetch, show_plan

    fetch = Fetch.METADATA if fetch_metadata else Fetch.RANKINGS if fetch_rankings else Fetch.NOTHING
    show_plan(slug, first or day, last or day, fetch=fetch, refresh=refresh, as_json=as_json)


@command(app, SYNC, "sync global-28 --from 2026-11-01 --to 2026-11-20")
def sync(
    slug: Slug,
    day: OneDay = None,
    first: FirstDay = None,
    last: LastDay = None,
    budget: Annotated[int | None, typer.Option(min=1, metavar="CALLS", help="At most so many billed calls.")] = None,
    refresh: Refresh = False,
) -> None:
    """Take a chart-day, or a range of days, through the cascade; without a date the newest published day.

    Runs through Dagster, in one run, and shows in its UI. What is in the database already costs no call, unless it is
    to be asked again with --refresh; `plan` with the same options says what that costs.
    """
    check_range(day, first, last)
    if budget:
        os.environ["SOUNDCHARTS_RUN_BUDGET"] = str(budget)
    from soundcharts_pipeline.cli.sync import sync_chart

    end([sync_chart(slug, first or day, last or day, open_console(), refresh=refresh)])


@command(app, SYNC, "backfill global-28 --from 2026-01-01")
def backfill(
    slug: Slug,
    first: Annotated[date, typer.Option("--from", parser=as_day, metavar="YYYY-MM-DD", help="First day.")],
    last: Annotated[
        date | None,
        typer.Option("--to", parser=as_day, metavar="YYYY-MM-DD", help="Last day.", show_default="newest published"),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Complete days too: late points are asked again.")] = False,
) -> None:
    """Take what is missing of a long range of days through the cascade, oldest first.

    In one run, or in runs of `max_partitions_per_run` days (charts.yaml). Ended halfway, by whatever, the same command
    goes on from there: days that are complete are not run, and what is in the database costs no call.
    """
    if last and first > last:
        raise typer.BadParameter(f"--from {first} is after --to {last}")

    from soundcharts_pipeline.cli.backfill import backfill_chart

    end(backfill_chart(slug, first, last, everything=everything, console=open_console()))


@command(app, RUN, "dev --port 3000")
def dev(port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the Dagster UI.")] = 3000) -> None:
    """Open the Dagster UI and daemon until Ctrl-C; without credentials a local simulator answers."""
    from soundcharts_pipeline.cli.processes.dev import run_dev

    run_dev(port, open_console())
    leave_at_once(OK)


@command(app, RUN, "serve --port 3001 --ui-port 3000")
def serve(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the internal API.")] = 3001,
    ui_port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the Dagster UI.")] = 3000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; Dagster's UI has no login of its own.")
    ] = "127.0.0.1",
    alone: Annotated[bool, typer.Option("--alone", help="The internal API alone, beside a running Dagster.")] = False,
    dagster_url: Annotated[str, typer.Option(help="Where Dagster's UI is, for --alone.")] = "http://127.0.0.1:3000",
) -> None:
    """Run Dagster's UI and daemon with the internal API until Ctrl-C; a part that dies is started again."""
    from soundcharts_pipeline.cli.processes.serve import serve_all, serve_alone

    if alone:
        serve_alone(host, port, dagster_url, open_console())
    else:
        serve_all(host, port, ui_port, open_console())
    leave_at_once(OK)


@command(app, RUN, "status global-28 --json")
def status(
    slug: Annotated[str | None, typer.Argument(help="A chart of charts.yaml; all of them when left out.")] = None,
    in_json: Annotated[bool, typer.Option("--json", help="As the internal API gives it.")] = False,
) -> None:
    """How each chart is doing: last sync, success rate, errors, tasks. Exit code 1 when one is degraded or failing."""
    from soundcharts_pipeline.cli.status import print_status

    raise typer.Exit(OK if print_status(slug, open_console(), in_json=in_json) else FAILED)


@command(app, RUN, "doctor")
def doctor() -> None:
    """Check charts file, data directory, database, credentials, network and quota.

    Makes one free call, and a billed one for each endpoint that refused everything when it was asked last.
    """
    from soundcharts_pipeline.cli.doctor import print_findings

    raise typer.Exit(print_findings(read_environment(os.environ), open_console()))


@command(app, RUN, "notify-test")
def notify_test() -> None:
    """Send one message to every service in SOUNDCHARTS_NOTIFY, and say which took it."""
    from soundcharts_pipeline.cli.notify import send_test

    send_test()


command(app, SYNC, FORGET_EXAMPLE)(forget)
command(app, USE, EXAMPLE)(export)
app.add_typer(housekeeping_commands)
command(app, KEEP, PRUNE_EXAMPLE)(prune)


def main() -> None:
    """The console script: a user's mistake is one message and an exit code, never a traceback."""
    told_by = listen()
    keep_private(os.environ)
    try:
        check_arguments(sys.argv[1:])
        with told_outputs():
            app()
    except PipelineError as error:
        complain("Error", str(error))
        kind = type(error.cause if isinstance(error, SyncIncomplete) else error).__name__
        advise([(kind, trouble_of(kind).advice(ASKED_ABOUT.get()))])
        sys.exit(code_of(error))
    except SystemExit as exited:
        # Typer ends an interrupted command with this code, without a word.
        if exited.code == INTERRUPTED:
            leave_interrupted(told_by())
        raise


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()

"""Housekeeping from a terminal: each command launches an asset, in a run that shows in the UI, or works on tables."""

import os
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from soundcharts_pipeline.cli.console import counted, open_console
from soundcharts_pipeline.cli.exit import end
from soundcharts_pipeline.cli.help import KEEP, command
from soundcharts_pipeline.config.cascade import CHART_CATALOG, DATABASE_BACKUP, RANKING_ARCHIVE, STORAGE_REPORT
from soundcharts_pipeline.config.environment import Environment, read_environment
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.config.settings import BadUse
from soundcharts_pipeline.wording import day_named, month_of

if TYPE_CHECKING:
    from sqlalchemy import URL

    from soundcharts_pipeline.cli.run_in_process import Outcome

# Of what is at work, in a message.
MOST_NAMED = 5

housekeeping_commands = typer.Typer()


def launch(asset: str) -> "Outcome":
    """One run of the asset; prints what it recorded."""
    environment = read_environment(os.environ)
    settings = load_settings(environment.charts_file, environment.clock)
    from soundcharts_pipeline.cli.run_in_process import run_operation
    from soundcharts_pipeline.embedding.build import build_definitions
    from soundcharts_pipeline.orchestration.dagster_home import prepare_home

    prepare_home(environment)
    outcome, facts = run_operation(build_definitions(settings), asset)
    console = open_console()
    for name, value in facts.items():
        console.print(f"{name.rpartition('/')[2]:<20} {escape(value)}", soft_wrap=True)
    return outcome


def as_month(text: str) -> date:
    """Its first day. Raises BadParameter for what is no month."""
    try:
        return day_named(f"{text}-01")
    except ValueError:
        raise typer.BadParameter(f"'{text}' is no month; write it like 2024-03") from None


@command(housekeeping_commands, KEEP, "migrate")
def migrate() -> None:
    """Make the tables of the database and of Dagster's state, or bring them up to date. Before a new version starts."""
    from soundcharts_pipeline.orchestration.dagster_home import make_tables, prepare_home
    from soundcharts_pipeline.storage.errors import place
    from soundcharts_pipeline.storage.warehouse import Warehouse

    environment, console = read_environment(os.environ), open_console()
    with closing(Warehouse(environment.database_url)) as warehouse:
        warehouse.migrate()
    console.print(f"{escape(place(warehouse.url))}: tables are up to date", soft_wrap=True)
    home = prepare_home(environment)
    make_tables(upgrade=True)
    console.print(f"Dagster's state, as {escape(str(home))}/dagster.yaml names it: up to date", soft_wrap=True)


@command(housekeeping_commands, KEEP, "catalog")
def catalog() -> None:
    """Save every chart that Soundcharts has. One call for the platforms, and one per 100 charts of each."""
    end([launch(CHART_CATALOG)])


@command(housekeeping_commands, KEEP, "report")
def report() -> None:
    """Measure the database: size, growth, forecast, slow queries. The UI shows the tables and the plot."""
    end([launch(STORAGE_REPORT)])


@command(housekeeping_commands, KEEP, "backup")
def backup() -> None:
    """Back up the whole database, verified and compressed, into the data directory's `backups`."""
    end([launch(DATABASE_BACKUP)])


@command(housekeeping_commands, KEEP, "restore data/backups/soundcharts-20261123T030000Z.db.zst --yes")
def restore(
    file: Annotated[Path, typer.Argument(help="A file of the data directory's `backups`.")],
    yes: Annotated[bool, typer.Option("--yes", help="Replace a database that holds data.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also while runs and others are at work with it.")] = False,
) -> None:
    """Make the database what a backup holds: all of it, or on failure nothing. End `dev` and every run before."""
    from soundcharts_pipeline.storage.engine import parse_url
    from soundcharts_pipeline.storage.errors import place
    from soundcharts_pipeline.storage.housekeeping.backup import FOLDER
    from soundcharts_pipeline.storage.housekeeping.backup import restore as restore_backup

    environment = read_environment(os.environ)
    if not file.is_file():
        raise BadUse(f"there is no file {file}; backups are in {environment.data_dir / FOLDER}, unless they were moved")
    url = parse_url(environment.database_url)
    if not force:
        _refuse_in_use(environment, url)
    restore_backup(url, file, replace=yes)
    open_console().print(f"{escape(place(url))} is what {escape(str(file))} holds", soft_wrap=True)


def _refuse_in_use(environment: Environment, url: "URL") -> None:
    """Raise InUse when something is at work with the database."""
    from soundcharts_pipeline.storage.errors import place
    from soundcharts_pipeline.storage.housekeeping.backup import InUse
    from soundcharts_pipeline.storage.housekeeping.holders import others_at

    if found := [*_runs_at_work(environment), *others_at(url)]:
        more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        raise InUse(
            f"{place(url)} is in use: {', '.join(found[:MOST_NAMED])}{more}. End them (`dev`, `serve`, runs, other "
            "programs) and repeat the command; with --force what they are at work with is replaced under them. Nothing "
            "was changed"
        )


def _runs_at_work(environment: Environment) -> list[str]:
    """A phrase for each run that Dagster has queued or at work."""
    if not environment.dagster_home.is_dir():
        return []
    from soundcharts_pipeline.orchestration.dagster_home import open_instance
    from soundcharts_pipeline.orchestration.dead_runs import runs_at_work
    from soundcharts_pipeline.storage.errors import StorageError

    os.environ["DAGSTER_HOME"] = str(environment.dagster_home)
    try:
        with open_instance() as instance:
            return runs_at_work(instance)
    except StorageError as error:
        return [f"maybe runs, for {error}"]


@command(housekeeping_commands, KEEP, "archive")
def archive() -> None:
    """Move rankings and series older than `archive_after_days` (charts.yaml) to Parquet files."""
    end([launch(RANKING_ARCHIVE)])


@command(housekeeping_commands, KEEP, "restore-archive --from 2024-01 --before 2024-04")
def restore_archive(
    table: Annotated[list[str] | None, typer.Option(help="This table alone; may be given again.")] = None,
    since: Annotated[
        date | None, typer.Option("--from", parser=as_month, metavar="YYYY-MM", help="First month.", show_default="all")
    ] = None,
    before: Annotated[
        date | None, typer.Option(parser=as_month, metavar="YYYY-MM", help="Only months before.", show_default="all")
    ] = None,
) -> None:
    """Bring archived rankings and series back into the database, with every column as it was. Makes no call."""
    from soundcharts_pipeline.storage.housekeeping.archive import ARCHIVED, FOLDER, restore
    from soundcharts_pipeline.storage.warehouse import Warehouse

    if unknown := set(table or ()) - ARCHIVED.keys():
        raise typer.BadParameter(f"'{unknown.pop()}' is never archived; write one of {', '.join(ARCHIVED)}")
    if since and before and since >= before:
        raise typer.BadParameter(f"no month is from {month_of(since)} on and before {month_of(before)}")
    environment, console = read_environment(os.environ), open_console()
    with closing(Warehouse(environment.database_url)) as warehouse:
        done = restore(
            warehouse,
            environment.data_dir / FOLDER,
            tables=table or (),
            since=since or date.min,
            before=before or date.max,
            on_progress=lambda line: console.print(escape(line), soft_wrap=True),
        )
    if not done.files and (table or since or before):
        raise BadUse(
            "the archive has nothing of what was asked for; leave out --table, --from and --before for all of it"
        )
    for name, rows in done.restored.items():
        console.print(f"{name}: {counted(rows, 'row')} brought back", soft_wrap=True)
    console.print(f"{counted(done.files, 'file')} read; they stay in the archive", soft_wrap=True)

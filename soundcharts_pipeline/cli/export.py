"""`export`: stored rows as a file, for Excel, another program or a notebook. Makes no call."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from soundcharts_pipeline.cli.console import counted, open_console
from soundcharts_pipeline.cli.days import day_option
from soundcharts_pipeline.cli.exit import FAILED, complain
from soundcharts_pipeline.config.environment import Environment, read_environment
from soundcharts_pipeline.config.yaml_nodes import brief
from soundcharts_pipeline.wording import nearest, program, uuid_named

if TYPE_CHECKING:
    from rich.console import Console

    from soundcharts_pipeline.storage.housekeeping.cold_exports import Export
    from soundcharts_pipeline.storage.queries.exports import Scope, Source
    from soundcharts_pipeline.storage.warehouse import Warehouse

FOLDER = "exports"
FORMATS = ("xlsx", "csv", "parquet")
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
EXAMPLE = "export global-28 --what track-audience --from 2026-11-01 --output streams.csv"


def export(
    slug: Annotated[str | None, typer.Argument(help="A chart; or --track or --artist.")] = None,
    track: Annotated[str | None, typer.Option(metavar="UUID", help="One track.")] = None,
    artist: Annotated[str | None, typer.Option(metavar="UUID", help="One artist.")] = None,
    what: Annotated[
        str,
        typer.Option(help="rankings, tracks, artists, track-audience, artist-audience, trends or geography."),
    ] = "rankings",
    first: Annotated[date | None, day_option("--from", "First day.")] = None,
    last: Annotated[date | None, day_option("--to", "Last day.")] = None,
    columns: Annotated[str | None, typer.Option(metavar="A,B,C", help="These columns, in this order.")] = None,
    kind: Annotated[
        str | None, typer.Option("--format", metavar="|".join(FORMATS), help="By default as --output ends, else xlsx.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The file.", show_default="exports/ in the data directory")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="CSV: texts as they are, also those that a spreadsheet would run.")
    ] = False,
    bom: Annotated[bool, typer.Option("--bom", help="CSV: with a mark by which Excel knows UTF-8.")] = False,
) -> None:
    """Write stored rows to an .xlsx, .csv or .parquet file. Makes no call."""
    from soundcharts_pipeline.storage.housekeeping.archive import FOLDER as ARCHIVE
    from soundcharts_pipeline.storage.housekeeping.cold import Archive
    from soundcharts_pipeline.storage.housekeeping.cold_exports import Export
    from soundcharts_pipeline.storage.queries.exports import Scope
    from soundcharts_pipeline.storage.warehouse import Warehouse

    if sum(name is not None for name in (slug, track, artist)) != 1:
        raise typer.BadParameter("name one chart, or one --track, or one --artist")
    if first and last and first > last:
        raise typer.BadParameter(f"--from {first} is after --to {last}")
    source = _source(what)
    chosen = _columns(source, what, columns)
    environment = read_environment(os.environ)
    track, artist = track and uuid_named(track), artist and uuid_named(artist)
    scope = Scope(slug=slug, track=track, artist=artist, first=first or date.min, last=last or date.max)
    kind = _kind(kind, output, raw=raw, bom=bom)
    path = output or _default_path(environment, scope, what, kind)
    if _is_there(path) and not force:
        complain("Error", f"{path} is there already; --force replaces it, --output names another file")
        raise typer.Exit(FAILED)
    with closing(Warehouse(environment.database_url)) as warehouse:
        archive = Archive(environment.data_dir / ARCHIVE)
        wanted = Export(source=source, scope=scope, columns=chosen, archive=archive)
        _write(warehouse, wanted, path, kind=kind, what=what, raw=raw, bom=bom)


def _write(
    warehouse: "Warehouse",
    wanted: "Export",
    path: Path,
    *,
    kind: str,
    what: str,
    raw: bool,
    bom: bool,
) -> None:
    from soundcharts_pipeline.reports.export.export import NothingToExport, export_rows

    console = open_console()
    try:
        with _progress(warehouse, wanted, console) as on_progress:
            rows = export_rows(warehouse, wanted, path, kind=kind, raw=raw, bom=bom, on_progress=on_progress)
    except NothingToExport:
        complain("Nothing to export", _why_nothing(warehouse, wanted.scope, what))
        raise typer.Exit(FAILED) from None
    except OSError as error:
        # What a folder is to be made of is a file.
        reason = (
            f"{error.filename} is no folder" if error.errno == errno.EEXIST else os.strerror(error.errno or errno.EIO)
        )
        room = "free some space there, or " * (error.errno in NO_ROOM)
        complain("Error", f"{path} cannot be written ({reason}), nothing was left there; {room}name another --output")
        raise typer.Exit(FAILED) from None
    console.print(f"{escape(str(path))}: {counted(rows, 'row')}, {path.stat().st_size:,} bytes", soft_wrap=True)
    if came := wanted.archive.said():
        open_console(stderr=True).print(came, soft_wrap=True)


def _source(what: str) -> "Source":
    from soundcharts_pipeline.storage.queries.exports import EXPORTS

    if what not in EXPORTS:
        near = nearest(what, list(EXPORTS))
        hint = f"did you mean '{near}'? There are" if near else "there are"
        raise typer.BadParameter(f"nothing is called '{what}'; {hint} {', '.join(EXPORTS)}", param_hint="--what")
    return EXPORTS[what]


def _columns(source: "Source", what: str, wanted: str | None) -> list[str]:
    known = list(source.columns)
    if wanted is None:
        return known
    names = list(dict.fromkeys(name.strip() for name in wanted.split(",") if name.strip()))
    if not names:
        raise typer.BadParameter("name at least one column", param_hint="--columns")
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean '{near}'? There are" if near else "there are"
            raise typer.BadParameter(
                f"{what} has no column '{name}'; {hint} {', '.join(known)}", param_hint="--columns"
            )
    return names


def _kind(kind: str | None, output: Path | None, *, raw: bool, bom: bool) -> str:
    if output and (what := _no_file(output)):
        remedy = "name a file in it" if what == "a folder" else "name a file"
        raise typer.BadParameter(f"{output} is {what}; {remedy}", param_hint="--output")
    ending = output.suffix.lower().removeprefix(".") if output else ""
    made = kind or (ending if output else FORMATS[0])
    if kind and kind not in FORMATS:
        raise typer.BadParameter(f"'{kind}' is no format; write one of {', '.join(FORMATS)}", param_hint="--format")
    if made not in FORMATS:
        endings = ", ".join(f".{one}" for one in FORMATS)
        raise typer.BadParameter(
            f"by its name {output} is no file of ours; let it end in {endings}, or give --format", param_hint="--output"
        )
    if ending in FORMATS and ending != made:
        raise typer.BadParameter(f"the file is named .{ending} and --format says {made}", param_hint="--output")
    if (raw or bom) and made != "csv":
        raise typer.BadParameter("--raw and --bom are about csv alone")
    return made


def _no_file(path: Path) -> str | None:
    from soundcharts_pipeline.storage.files import no_file

    # Of a link that leads to itself nothing is there, either.
    return no_file(path) if _is_there(path) or path.is_symlink() else None


def _is_there(path: Path) -> bool:
    """Raises BadParameter for a name that no file can have."""
    try:
        return path.exists()
    except OSError as error:
        raise typer.BadParameter(f"{brief(str(path))} can be no file ({error.strerror}); name a shorter one") from None


def _default_path(environment: Environment, scope: "Scope", what: str, kind: str) -> Path:
    days = [str(day) for day in (scope.first, scope.last) if day not in (date.min, date.max)]
    return environment.data_dir / FOLDER / f"{'_'.join([_owner(scope), what, *days])}.{kind}"


def _owner(scope: "Scope") -> str:
    return scope.slug or scope.track or scope.artist or ""


def _why_nothing(warehouse: "Warehouse", scope: "Scope", what: str) -> str:
    from soundcharts_pipeline.storage.queries.exports import is_known, stored_days

    days = f" from {scope.first}" * (scope.first > date.min) + f" to {scope.last}" * (scope.last < date.max)
    said = f"no {what.replace('-', ' ')} of {brief(_owner(scope))}{days} stored"
    with warehouse.read() as conn:
        ranked, known = stored_days(conn), is_known(conn, scope)
    if scope.slug and scope.slug not in ranked:
        near = nearest(scope.slug, list(ranked))
        return f"{said}; " + (f"did you mean '{near}'?" if near else f"charts stored are {', '.join(ranked) or 'none'}")
    if scope.slug:
        return f"{said}; its rankings are from {' to '.join(map(str, ranked[scope.slug]))}"
    if not known:
        return f"{said}, and nothing else of that UUID; the UUIDs are in `{program()} export CHART --what tracks`"
    return f"{said}; leave out --from and --to for all days" if days else said


@contextmanager
def _progress(warehouse: "Warehouse", wanted: "Export", console: "Console") -> Iterator[Callable[[int], object]]:
    """A bar in a terminal, without an end where files of the archive would have to be read for it; elsewhere nothing,
    and no row is counted beforehand."""
    if not console.is_terminal:
        yield lambda _rows: None
        return
    with warehouse.read() as conn:
        total = None if wanted.is_archived(conn) else wanted.count(conn)
    with Progress(
        TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    ) as progress:
        task = progress.add_task("rows", total=total)
        yield lambda rows: progress.advance(task, rows)

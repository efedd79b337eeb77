"""Is everything in place to run? One line a question, with the remedy where the answer is no."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryFile

from rich.console import Console
from rich.markup import escape
from sqlalchemy import make_url

from soundcharts_pipeline.admin.access.tokens import check_tokens
from soundcharts_pipeline.api.endpoints import Endpoints
from soundcharts_pipeline.api.errors import (
    AuthenticationError,
    BadRequest,
    NetworkError,
    NotFound,
    NotInPlan,
    SoundchartsError,
)
from soundcharts_pipeline.cli.console import counted
from soundcharts_pipeline.cli.exit import FAILED, LIMITS, OK, code_of
from soundcharts_pipeline.cli.processes.simulator import has_credentials, unread_env_file
from soundcharts_pipeline.config.environment import Environment
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.config.settings import BadUse, Settings, SettingsError
from soundcharts_pipeline.monitoring import notifications
from soundcharts_pipeline.storage import alerts
from soundcharts_pipeline.storage.disk import FULL_BYTES, NO_ROOM, free_bytes, free_in_words, is_full
from soundcharts_pipeline.storage.endpoint_states import EndpointState, refusing_endpoints
from soundcharts_pipeline.storage.engine import is_itself_in_a_url
from soundcharts_pipeline.storage.errors import StorageError, StorageFull, StorageUnavailable, place
from soundcharts_pipeline.storage.files import readable_by_others
from soundcharts_pipeline.storage.rights import check_rights, try_to_write
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.account import open_client, source_of
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.forget import ask_once
from soundcharts_pipeline.sync.preconditions import check_filled_from
from soundcharts_pipeline.wording import nearest

PREFIX = "SOUNDCHARTS_"
# A night of many charts and a backup fill that.
LOW_BYTES = 1_000_000_000
# What files under deploy/ name, for others than us.
OF_DEPLOY = {"OWNER_PASSWORD", "APP_PASSWORD", "READER_PASSWORD"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, whether it is fine, what was seen or what to do. `note`: it works, and yet somebody
    should know."""

    subject: str
    fine: bool
    text: str
    error: Exception | None = None
    note: bool = False


def examine(environment: Environment) -> Iterator[Finding]:
    """Charts file, folders, database, notifications, credentials, network and quota, in this order: one free call. Then
    what refused everything lately: a billed call each. A disk that will soon be full, who else reads the files, and
    tokens that can be guessed are told of only where there is something to do."""
    yield from _misspelt(os.environ)
    yield _finding("charts file", lambda: _charts(environment))
    yield _finding("data directory", lambda: _folder(environment.data_dir, "SOUNDCHARTS_DATA_DIR"))
    yield _finding("Dagster's state", lambda: _folder(environment.dagster_home, "DAGSTER_HOME"))
    yield from _path(environment)
    yield from _room(environment)
    yield from _others(environment)
    yield _finding("database", lambda: _database(environment))
    yield _finding("notifications", lambda: _notifications(environment))
    yield from _tokens(environment)
    yield _credentials(environment)
    yield from _account(environment)
    yield from _refusing(environment)


def print_findings(environment: Environment, console: Console) -> int:
    """Every finding on a line; returns the exit code, which is that of the first one that says more than "failed"."""
    code = OK
    for finding in examine(environment):
        mark = "[yellow]note[/yellow]" if finding.note else "[green]ok[/green]  "
        mark = mark if finding.fine else "[red]FAIL[/red]"
        text = escape(finding.text).replace("\n", "\n" + " " * len("FAIL Dagster's state  "))
        console.print(f"{mark} {finding.subject:<15}  {text}", soft_wrap=True)
        if not finding.fine and code in (OK, FAILED):
            code = LIMITS if finding.subject == "quota" else code_of(finding.error)
    return code


def _finding(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, look())
    except (SettingsError, StorageError) as error:
        return Finding(subject, False, str(error), error)


def _misspelt(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Variables that nobody reads, named nearly like one that is read. Others may be another program's."""
    read = {field.name.upper() for field in fields(Environment)} - {"CHARTS_FILE", "DAGSTER_HOME"}
    known = sorted({"CHARTS", *read})
    for name in sorted(name.removeprefix(PREFIX) for name in environ if name.startswith(PREFIX)):
        if name not in {*known, *OF_DEPLOY} and (near := nearest(name, known)):
            yield Finding("variables", True, f"{PREFIX}{name} is not read; did you mean {PREFIX}{near}?", note=True)


def _charts(environment: Environment) -> str:
    settings: Settings = load_settings(environment.charts_file, environment.clock)
    try:
        Endpoints(settings.endpoints)
    except BadRequest as error:
        raise SettingsError(f"{environment.charts_file}: {error}") from None
    active = sum(chart.active for chart in settings.charts.values())
    return f"{environment.charts_file}: {len(settings.charts)} charts, {active} active"


def _folder(folder: Path, variable: str) -> str:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        # Permission bits do not tell the whole truth (read-only file systems, root): try.
        with TemporaryFile(dir=existing):
            pass
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise StorageUnavailable(
                f"{folder} cannot be written ({error.strerror}); set {variable} to a folder that can"
            ) from None
    _check_room(folder, variable)
    return str(folder) + ("" if folder.exists() else " (made on first use)")


def _path(environment: Environment) -> Iterator[Finding]:
    """Dagster's configuration, which may name a server, takes a second to read."""
    if not is_itself_in_a_url(environment.dagster_home):
        text = (
            "a ? in its path, or a % before two digits, means something else to Dagster: set DAGSTER_HOME to a folder"
        )
        yield Finding("Dagster's state", True, f"{text} without them, unless it is in PostgreSQL", note=True)


def _check_room(path: Path, variable: str) -> None:
    if is_full(path):
        raise StorageFull(
            f"no space left for {path} ({free_in_words(path)}); free some disk space, or set {variable} to a place on "
            "another disk"
        )


def _room(environment: Environment) -> Iterator[Finding]:
    """A note of the first disk that is not full and soon will be."""
    file = _file_of(environment)
    for path in (environment.data_dir, environment.dagster_home, *([file] if file else [])):
        if FULL_BYTES <= free_bytes(path) < LOW_BYTES:
            text = f"{path} has little room ({free_in_words(path)}); free some disk space before it is full"
            yield Finding("disk space", True, text, note=True)
            return


def _file_of(environment: Environment) -> Path | None:
    """The database, where it is a file."""
    url = make_url(environment.database_url)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _others(environment: Environment) -> Iterator[Finding]:
    """Files of older versions were made as the umask of the moment had it, and are left as they are."""
    file = _file_of(environment)
    for path in (environment.data_dir, environment.dagster_home, *([file] if file else [])):
        with suppress(OSError):  # what cannot be looked at is told by the lines above
            if found := readable_by_others(path, environment.umask):
                whom = "go" if environment.umask & 0o040 else "o"
                text = f"{found} can be read by others; `chmod -R {whom}= {path}`, or say by SOUNDCHARTS_UMASK who may"
                yield Finding("private files", True, text, note=True)
                return


def _tokens(environment: Environment) -> Iterator[Finding]:
    try:
        check_tokens(environment)
    except SettingsError as error:
        yield Finding("internal API", False, str(error), error)


def _database(environment: Environment) -> str:
    warehouse, file = Warehouse(environment.database_url), _file_of(environment)
    try:
        check_filled_from(warehouse, source_of(environment.base_url))
        with warehouse.read() as conn:
            check_rights(conn)
        if file:
            with warehouse.write() as conn:
                try_to_write(conn)
    finally:
        warehouse.close()
    if file:
        _check_room(file, "SOUNDCHARTS_DATA_DIR")
    return f"{place(warehouse.url)}: tables are up to date"


def _notifications(environment: Environment) -> str:
    if environment.notify is None:
        return f"off: {notifications.HOW_TO_SET}"
    if places := notifications.unusable(environment.notify):
        raise BadUse(f"no service has such an address: {notifications.remedy(', '.join(places))}")
    warehouse = Warehouse(environment.database_url)
    try:
        with warehouse.read() as conn:
            refused_by = alerts.refusing(conn)
    finally:
        warehouse.close()
    if refused_by:
        raise BadUse(f"the last message was not taken: {notifications.remedy(refused_by)}")
    return f"{notifications.VARIABLE} holds {counted(len(environment.notify.split()), 'service')}"


def _credentials(environment: Environment) -> Finding:
    if not has_credentials(environment):
        text = (
            "none set: set SOUNDCHARTS_APP_ID and SOUNDCHARTS_API_KEY, or SOUNDCHARTS_CLIENT_ID and "
            f"SOUNDCHARTS_CLIENT_SECRET{unread_env_file()}"
        )
        return Finding("credentials", False, text, AuthenticationError(text))
    with_token = environment.client_id and environment.client_secret
    pair = "SOUNDCHARTS_CLIENT_ID and _SECRET" if with_token else "SOUNDCHARTS_APP_ID and _API_KEY"
    team = f", for the team {environment.team_id}" if with_token and environment.team_id else ""
    return Finding("credentials", True, f"{pair} are set{team}")


def _account(environment: Environment) -> Iterator[Finding]:
    if not has_credentials(environment):
        return
    try:
        client = open_client(environment, warehouse=None, attempts=2, rate_limited_attempts=1)
        quota = client.team_usage()
    except (NetworkError, SettingsError) as error:
        yield Finding("network", False, str(error), error)
        return
    except (NotFound, NotInPlan) as error:
        # The credentials were let in: it is this endpoint that the plan (or the sandbox) lacks.
        yield Finding("network", True, f"{environment.base_url} answers")
        left = client.usage.quota_remaining
        unknown = Finding("quota", True, f"not known before the first billed call: {error}")
        yield unknown if left is None else _quota(environment, left)
        return
    except SoundchartsError as error:
        yield Finding("network", True, f"{environment.base_url} answers")
        yield Finding("account", False, str(error), error)
        return
    yield Finding("network", True, f"{environment.base_url} answers")
    yield _quota(environment, quota)


def _refusing(environment: Environment) -> Iterator[Finding]:
    """Each scope that refused everything when it was asked last is asked once more; an answer lifts the note."""
    if not has_credentials(environment):
        return
    # What is wrong with the charts file or the database is said above.
    with suppress(SettingsError, StorageError), closing(Warehouse(environment.database_url)) as warehouse:
        with warehouse.read() as conn:
            states = refusing_endpoints(conn)
        endpoints = load_settings(environment.charts_file, environment.clock).endpoints if states else {}
        client = open_client(environment, endpoints, warehouse=warehouse)
        ctx = SyncContext(client=client, warehouse=warehouse, max_in_flight=1, clock=environment.clock)
        for state in states:
            yield _tried(ctx, state)


def _tried(ctx: SyncContext, state: EndpointState) -> Finding:
    try:
        ask_once(ctx, state)
    except SoundchartsError as error:
        since = f"{state.refused_since:%Y-%m-%d %H:%M} UTC"
        text = f"everything asked of {state.scope} is refused since {since}, and again just now: {error}"
        return Finding("refused", False, f"{text}. Take it out of charts.yaml, or have it included in the plan", error)
    finally:
        with ctx.warehouse.write() as conn:
            ctx.keep_usage(conn)
    return Finding("refused before", True, f"{state.scope} answers again; the next run asks for all of it")


def _quota(environment: Environment, left: int | None) -> Finding:
    if left is None:
        return Finding("quota", True, "the server does not say how many calls are left")
    reserve = environment.quota_floor
    kept = f", {reserve:,} of them kept in reserve" if reserve > 0 else ""
    kept += f", and {-reserve:,} allowed beyond them" if reserve < 0 else ""
    if left <= reserve:
        remedy = "wait for the next term, ask for a larger plan" + (
            ", or lower SOUNDCHARTS_QUOTA_RESERVE" if reserve > 0 else ", or allow more by SOUNDCHARTS_QUOTA_OVERAGE"
        )
        return Finding("quota", False, f"{left:,} billed calls left{kept}, so no more will be made; {remedy}")
    return Finding("quota", True, f"{left:,} billed calls left{kept}")

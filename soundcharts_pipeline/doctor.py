"""Is everything in place to run? One line a question, with the remedy where the answer is no."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from soundcharts_pipeline import notifications
from soundcharts_pipeline.account import open_client, source_of
from soundcharts_pipeline.api.endpoints import Endpoints
from soundcharts_pipeline.api.errors import (
    AuthenticationError,
    BadRequest,
    NetworkError,
    NotFound,
    NotInPlan,
    SoundchartsError,
)
from soundcharts_pipeline.environment import Environment
from soundcharts_pipeline.local_simulator import has_credentials
from soundcharts_pipeline.settings import Refused, Settings, SettingsError, load_settings
from soundcharts_pipeline.storage import alerts
from soundcharts_pipeline.storage.errors import StorageError, StorageUnavailable, place
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.source import check_source
from soundcharts_pipeline.terminal import counted


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, whether it is fine, what was seen or what to do."""

    subject: str
    fine: bool
    text: str
    error: Exception | None = None


def examine(environment: Environment) -> Iterator[Finding]:
    """Charts file, folders, database, notifications, credentials, network and quota, in this order: one free call."""
    yield _finding("charts file", lambda: _charts(environment))
    yield _finding("data directory", lambda: _folder(environment.data_dir, "SOUNDCHARTS_DATA_DIR"))
    yield _finding("Dagster's state", lambda: _folder(environment.dagster_home, "DAGSTER_HOME"))
    yield _finding("database", lambda: _database(environment))
    yield _finding("notifications", lambda: _notifications(environment))
    yield _credentials(environment)
    yield from _account(environment)


def _finding(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, look())
    except (SettingsError, StorageError) as error:
        return Finding(subject, False, str(error), error)


def _charts(environment: Environment) -> str:
    settings: Settings = load_settings(environment.charts_file)
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
        raise StorageUnavailable(
            f"{folder} cannot be written ({error.strerror}); set {variable} to a folder that can"
        ) from None
    return str(folder) + ("" if folder.exists() else " (made on first use)")


def _database(environment: Environment) -> str:
    warehouse = Warehouse(environment.database_url)
    try:
        ctx = SyncContext(client=open_client(environment, warehouse=warehouse), warehouse=warehouse, max_in_flight=1)
        check_source(ctx, source_of(environment.base_url))
    finally:
        warehouse.close()
    return f"{place(warehouse.url)}: tables are up to date"


def _notifications(environment: Environment) -> str:
    if environment.notify is None:
        return f"off: {notifications.HOW_TO_SET}"
    if places := notifications.unusable(environment.notify):
        raise Refused(f"no service has such an address: {notifications.remedy(', '.join(places))}")
    warehouse = Warehouse(environment.database_url)
    try:
        with warehouse.read() as conn:
            refused_by = alerts.refusing(conn)
    finally:
        warehouse.close()
    if refused_by:
        raise Refused(f"the last message was not taken: {notifications.remedy(refused_by)}")
    return f"{notifications.VARIABLE} holds {counted(len(environment.notify.split()), 'service')}"


def _credentials(environment: Environment) -> Finding:
    if not has_credentials(environment):
        text = (
            "none set: set SOUNDCHARTS_APP_ID and SOUNDCHARTS_API_KEY, or SOUNDCHARTS_CLIENT_ID and "
            "SOUNDCHARTS_CLIENT_SECRET"
        )
        return Finding("credentials", False, text, AuthenticationError(text))
    pair = "SOUNDCHARTS_CLIENT_ID and _SECRET" if environment.client_id else "SOUNDCHARTS_APP_ID and _API_KEY"
    return Finding("credentials", True, f"{pair} are set")


def _account(environment: Environment) -> Iterator[Finding]:
    if not has_credentials(environment):
        return
    client = open_client(environment, warehouse=None, attempts=2, rate_limited_attempts=1)
    try:
        quota = client.team_usage()
    except NetworkError as error:
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


def _quota(environment: Environment, left: int | None) -> Finding:
    if left is None:
        return Finding("quota", True, "the server does not say how many calls are left")
    reserve = environment.quota_reserve
    kept = f", {reserve:,} of them kept in reserve" if reserve else ""
    if left <= reserve:
        remedy = "wait for the next term, ask for a larger plan" + (
            ", or lower SOUNDCHARTS_QUOTA_RESERVE" if reserve else ""
        )
        return Finding("quota", False, f"{left:,} billed calls left{kept}, so no more will be made; {remedy}")
    return Finding("quota", True, f"{left:,} billed calls left{kept}")

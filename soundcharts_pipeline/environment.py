"""The environment variables as one frozen record, with their defaults and their checks.

`read_environment` is called at the edges (command line, resources), never at import. Secrets are fields that
no repr and no message shows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from soundcharts_pipeline.settings import SettingsError

_BASE_URL = "https://customer.api.soundcharts.com"
_AUTH_URL = "https://account.soundcharts.com"
_UI_URL = "http://127.0.0.1:3000"

# One driver for the warehouse and for Dagster's own storage, which works with psycopg2 only.
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg2",
    "postgresql": "postgresql+psycopg2",
    "postgresql+psycopg2": "postgresql+psycopg2",
}
_DATABASE_FORMS = "write sqlite:///path/to/file.db or postgresql://user:password@host/database"

Default = TypeVar("Default", int, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Every variable with its value or default.

    Paths are absolute, hosts end without a slash, the database URL names its driver.
    """

    app_id: str | None
    api_key: str | None = field(repr=False)
    client_id: str | None
    client_secret: str | None = field(repr=False)
    base_url: str
    auth_url: str
    database_url: str = field(repr=False)
    data_dir: Path
    dagster_home: Path
    charts_file: Path
    calls_per_minute: int
    max_in_flight: int
    quota_reserve: int
    run_budget: int | None
    admin_token: str | None = field(repr=False)
    notify: str | None = field(repr=False)
    notify_quota: int
    ui_url: str


def read_environment(environ: Mapping[str, str], *, current_folder: Path | None = None) -> Environment:
    """The variables of `environ`, relative paths resolved against the current folder.

    Raises one SettingsError that lists every mistake.
    """
    current = (current_folder or Path.cwd()).absolute()
    project = project_folder(package=Path(__file__).absolute().parent, current_folder=current)
    reader = _Reader(environ, current)
    data_dir = reader.path("SOUNDCHARTS_DATA_DIR", default=project / "data")
    environment = Environment(
        app_id=reader.text("SOUNDCHARTS_APP_ID"),
        api_key=reader.text("SOUNDCHARTS_API_KEY"),
        client_id=reader.text("SOUNDCHARTS_CLIENT_ID"),
        client_secret=reader.text("SOUNDCHARTS_CLIENT_SECRET"),
        base_url=reader.web_address("SOUNDCHARTS_BASE_URL", default=_BASE_URL),
        auth_url=reader.web_address("SOUNDCHARTS_AUTH_URL", default=_AUTH_URL),
        database_url=reader.database("SOUNDCHARTS_DATABASE_URL", default=data_dir / "soundcharts.db"),
        data_dir=data_dir,
        dagster_home=reader.path("DAGSTER_HOME", default=data_dir / "dagster"),
        charts_file=reader.path("SOUNDCHARTS_CHARTS", default=project / "charts.yaml"),
        calls_per_minute=reader.whole_number("SOUNDCHARTS_CALLS_PER_MINUTE", least=1, default=5000),
        max_in_flight=reader.whole_number("SOUNDCHARTS_MAX_IN_FLIGHT", least=1, default=32),
        quota_reserve=reader.whole_number("SOUNDCHARTS_QUOTA_RESERVE", least=0, default=0),
        run_budget=reader.whole_number("SOUNDCHARTS_RUN_BUDGET", least=1, default=None),
        admin_token=reader.text("SOUNDCHARTS_ADMIN_TOKEN"),
        notify=reader.text("SOUNDCHARTS_NOTIFY"),
        notify_quota=reader.whole_number("SOUNDCHARTS_NOTIFY_QUOTA", least=0, default=10_000),
        ui_url=reader.web_address("SOUNDCHARTS_UI_URL", default=_UI_URL),
    )
    if reader.mistakes:
        raise SettingsError("\n".join(reader.mistakes))
    return environment


def project_folder(*, package: Path, current_folder: Path) -> Path:
    """The folder of pyproject.toml beside the package; the current folder when the package is installed elsewhere."""
    return package.parent if (package.parent / "pyproject.toml").is_file() else current_folder


class _Reader:
    """Reads one variable after the other; a mistake is kept and the default stands in for the value."""

    def __init__(self, environ: Mapping[str, str], current_folder: Path) -> None:
        self._environ = environ
        self._current_folder = current_folder
        self.mistakes: list[str] = []

    def text(self, name: str) -> str | None:
        """The value, None when unset, empty or blank."""
        return self._environ.get(name, "").strip() or None

    def path(self, name: str, *, default: Path) -> Path:
        text = self.text(name)
        return self._current_folder / text if text else default

    def whole_number(self, name: str, *, least: int, default: Default) -> int | Default:
        text = self.text(name)
        if text is None:
            return default
        if re.fullmatch(r"[0-9]{1,9}", text) and int(text) >= least:
            return int(text)
        remedy = f"write one such as {1000 if default is None else default}, or unset it"
        self.mistakes.append(f"{name}: '{text}' is not a whole number from {least} up; {remedy}")
        return default

    def web_address(self, name: str, *, default: str) -> str:
        text = self.text(name)
        if text is None or re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", text):
            return (text or default).rstrip("/")
        self.mistakes.append(f"{name}: not a web address; write one such as {default}, or unset it")
        return default

    def database(self, name: str, *, default: Path) -> str:
        text = self.text(name)
        url = URL.create("sqlite", database=default.as_posix())
        if text is not None:
            try:
                url = self._database_url(text)
            except SettingsError as error:
                self.mistakes.append(f"{name}: {error}")
        return url.render_as_string(hide_password=False)

    def _database_url(self, text: str) -> URL:
        """The URL with its driver and an absolute file; no message repeats the text, for it may hold a password."""
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):
            raise SettingsError(f"not a database URL; {_DATABASE_FORMS}") from None
        driver = _DRIVERS.get(url.drivername)
        if driver is None:
            raise SettingsError(f"databases of the kind '{url.drivername}' are not supported; {_DATABASE_FORMS}")
        if driver != "sqlite":
            if "@" in (url.host or ""):
                raise SettingsError("the password or user holds an '@' of its own; write it as %40")
            return url.set(drivername=driver)
        if url.host:
            raise SettingsError("two slashes are one too few for a file; write sqlite:///path/to/file.db")
        if not url.database or url.database == ":memory:":
            raise SettingsError(f"a database in memory is lost when the process ends; {_DATABASE_FORMS}")
        if not url.database.startswith("file:"):
            url = url.set(database=(self._current_folder / url.database).as_posix())
        return url.set(drivername=driver)

"""The URL of a database as somebody wrote it: read by SQLAlchemy, and refused where nothing of ours could use it."""

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from soundcharts_pipeline.config.settings import SettingsError

# One driver for the warehouse and for Dagster's own storage, which works with psycopg2 only.
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg2",
    "postgresql": "postgresql+psycopg2",
    "postgresql+psycopg2": "postgresql+psycopg2",
}
_FORMS = "write sqlite:///path/to/file.db or postgresql://user:password@host/database"


def checked_url(text: str, current_folder: Path) -> str:
    """The URL with its driver and an absolute file. Raises SettingsError, which repeats nothing that may be a
    password."""
    return _checked(text, current_folder).render_as_string(hide_password=False)


def _checked(text: str, current_folder: Path) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise SettingsError(f"not a database URL; {_FORMS}") from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise SettingsError(f"databases of the kind '{url.drivername}' are not supported; {_FORMS}")
    if driver != "sqlite":
        if "@" in (url.host or ""):
            raise SettingsError("the password or user holds an '@' of its own; write it as %40")
        _check_server(url)
        return url.set(drivername=driver)
    if url.query:
        raise SettingsError(f"a database file takes no options such as '?{next(iter(url.query))}'; {_FORMS}")
    if url.host:
        raise SettingsError("two slashes are one too few for a file; write sqlite:///path/to/file.db")
    if not url.database or url.database == ":memory:":
        raise SettingsError(f"a database in memory is lost when the process ends; {_FORMS}")
    if not url.database.startswith("file:"):
        url = url.set(database=(current_folder / url.database).as_posix())
    return url.set(drivername=driver)


def _check_server(url: URL) -> None:
    """Raises SettingsError for a port that cannot be, or an option that PostgreSQL's library does not know."""
    if url.port is not None and not 0 < url.port < 65_536:
        raise SettingsError(f"{url.port} is no port; {_FORMS}")
    # Only users of PostgreSQL wait for it.
    from psycopg2 import ProgrammingError
    from psycopg2.extensions import make_dsn

    for name in url.query:
        try:
            make_dsn(**{name: ""})
        except ProgrammingError:
            raise SettingsError(
                f"'{name}' is no option of a PostgreSQL connection; correct or remove ?{name}="
            ) from None

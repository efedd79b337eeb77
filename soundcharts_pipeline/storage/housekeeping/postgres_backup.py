"""A PostgreSQL warehouse into a dump and back, with the server's own programs `pg_dump`, `pg_restore` and `psql`.

Only our tables: other programs, Dagster among them, may live in the same database. No password is on a command line,
where every user of the machine could read it.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

from sqlalchemy import URL, text

from soundcharts_pipeline.storage import engine, migrations
from soundcharts_pipeline.storage.dependents import refuse_built
from soundcharts_pipeline.storage.errors import (
    GRANTED,
    MonthDetached,
    RightsMissing,
    StorageBusy,
    StorageError,
    StorageFull,
    StorageUnavailable,
    explained,
    place,
)
from soundcharts_pipeline.storage.files import FileDamaged
from soundcharts_pipeline.storage.tables import months
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.tables.schema import metadata
from soundcharts_pipeline.storage.tables.views import VIEWS

SERVICE = "warehouse"
# How the month is written that ends a partition's name, as a pattern of pg_dump.
MONTH = "[0-9][0-9][0-9][0-9]_[0-9][0-9]"
# How long a restore waits for transactions that use the tables.
LOCK_TIMEOUT_SECONDS = 60
# In the words of the programs, which say no code: what a user may not do, and a month that lies where a new one comes.
NO_RIGHT = re.compile("permission denied for|may lack SELECT privilege")
NOT_THE_OWNER = re.compile(r"must be owner of|permission denied for|in a read-only transaction")
IN_THE_WAY = re.compile(rf'"({"|".join(months.TABLES)})_(\d{{4}})_(\d\d)\w*" already exists')
# Nor do they of what only looks like a dump.
NO_STATEMENT = re.compile(r"syntax error|invalid |missing data|extra data|unexpected |unterminated ")


class ProgramMissing(StorageUnavailable):
    """A program of PostgreSQL is not installed, or too old for the server."""


def dump(url: URL, path: Path) -> int:
    """Our tables and views in a new file of pg_dump's custom format, compressed; returns how many tables have their
    rows in it."""
    program = find_program("pg_dump", server_version(url))
    names = [*_tables(), *(f"{table}_{MONTH}" for table in months.TABLES), *(view.table.name for view in VIEWS)]
    tables = [argument for name in names for argument in ("--table", name)]
    # Otherwise in the user's own, which may lack letters that the database has.
    options = ["--format=custom", "--encoding=UTF8", "--no-password", f"--file={path}"]
    with _environment(url) as environ:
        _run([program, *options, *tables, _database()], environ, url)
        listed = _list(path)
    held = len(re.findall(r" TABLE DATA ", listed))
    if missing := [name for name in metadata.tables if name not in _held(listed)]:
        raise FileDamaged(f"the dump of {place(url)} lacks the rows of {', '.join(missing)}; try again")
    return held


def load(url: URL, path: Path) -> None:
    """Our tables as the dump holds them, in one transaction, which is only committed once all of it has come. Before
    it begins the dump is known to hold a whole database of ours. Raises BuiltOnOurs where something of others' would
    go with the tables."""
    version = server_version(url)
    psql, pg_restore = find_program("psql", version), find_program("pg_restore", version)
    migrations.check_whole(_columns(pg_restore, path), _revisions(pg_restore, path), str(path))
    function = months.function_of(_replaceable(url))
    command = [psql, "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    ended_early = False
    with _environment(url) as environ, tempfile.TemporaryFile() as said:
        target = subprocess.Popen([*command, _database()], env=environ, stdin=subprocess.PIPE, stderr=said)  # noqa: S603
        assert target.stdin is not None  # noqa: S101  # for the type checker
        try:
            with subprocess.Popen(  # noqa: S603
                [pg_restore, "--no-owner", "--no-privileges", "--file=-", path], stdout=subprocess.PIPE, stderr=said
            ) as source:
                assert source.stdout is not None  # noqa: S101
                target.stdin.write(_clearing().encode())
                shutil.copyfileobj(source.stdout, target.stdin)
            if source.returncode == 0:
                target.stdin.write(f"RESET search_path;\n{function};\nCOMMIT;\n".encode())
            target.stdin.close()
        except BrokenPipeError:
            ended_early = True  # psql has ended, and says why
        except BaseException:
            # Without a COMMIT the server forgets all of it.
            target.kill()
            raise
        finally:
            with suppress(BrokenPipeError):
                target.stdin.close()
            target.wait()
        said.seek(0)
        reason = " ".join(said.read().decode(errors="replace").split())
    if source.returncode and not ended_early:
        raise FileDamaged(_no_dump(path, reason))
    if target.returncode or source.returncode:
        raise _refusal(url, path, reason)


def _clearing() -> str:
    """The statements that come before those of a dump."""
    return (
        f"BEGIN; SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s';\n"
        f"SET LOCAL client_min_messages = warning; DROP TABLE IF EXISTS {', '.join(_tables())} CASCADE;\n"
        # Where an older version made them they are tables; as views they went with the tables below them.
        f"DROP TABLE IF EXISTS {', '.join(view.name for view in s.AUDIENCE)};\n"
    )


def _refusal(url: URL, path: Path, reason: str) -> StorageError:
    """Why the server took nothing of a dump that is whole."""
    told = f"{path} could not be restored into {place(url)}: {_shortened(reason)}. Nothing was changed"
    if NOT_THE_OWNER.search(reason):
        # A role that only reads is refused as every role of a standby is.
        where = ", on the primary" if "read-only" in reason else ""
        return RightsMissing(
            f"{told}; restore as the user that owns the tables and has CREATE and USAGE on their schema{where} (docs/"
            "production.md, Upgrade)"
        )
    if found := IN_THE_WAY.search(reason):
        return MonthDetached(f"{told}; {months.taken_out(found[1], date(int(found[2]), int(found[3]), 1))}")
    if NO_STATEMENT.search(reason):
        return FileDamaged(_no_dump(path, reason))
    if "lock timeout" in reason:
        return StorageBusy(f"{told}; end what holds the tables, and repeat the command")
    if "No space left on device" in reason:
        return StorageFull(f"{told}; free some disk space on the server")
    return StorageUnavailable(f"{told}")


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
    return _read([program, "--list"], path)


def _held(listed: str) -> set[str]:
    """The tables whose rows are in the dump; those that have none of their own, their months have, are only made."""
    made = {name for name in months.TABLES if re.search(rf" TABLE \S+ {name} ", listed)}
    return made | set(re.findall(r" TABLE DATA \S+ (\S+) ", listed))


def _replaceable(url: URL) -> str:
    """Where the warehouse's tables are; raises BuiltOnOurs unless they can go alone."""
    names = [*_tables(), *(view.table.name for view in VIEWS)]
    opened = engine.open_engine(url, lock_timeout=LOCK_TIMEOUT_SECONDS)
    try:
        with explained(url), opened.connect() as connection:
            refuse_built(connection, names, ours=names)
            return str(connection.scalar(text("SELECT current_schema()")))
    finally:
        opened.dispose()


def _columns(program: str, path: Path) -> Mapping[str, Collection[str]]:
    """The columns of every table whose rows are in the dump, as the statements say that would make it."""
    held = _held(_read([program, "--list"], path))
    made = _read([program, "--schema-only", "--file=-"], path)
    tables = re.findall(r"^CREATE TABLE (?:[^\s.]+\.)?(\S+) \(\n(.*?)^\)", made, re.MULTILINE | re.DOTALL)
    return {name: set(re.findall(r'^ +"?(\w+)', columns, re.MULTILINE)) for name, columns in tables if name in held}


def _revisions(program: str, path: Path) -> list[str]:
    """The rows of the table that names the revision; none where it is not there."""
    rows = _read([program, "--data-only", f"--table={migrations.VERSION_TABLE}", "--file=-"], path)
    copied = re.search(r"^COPY .*? FROM stdin;\n(.*?)^\\\.$", rows, re.MULTILINE | re.DOTALL)
    return copied[1].splitlines() if copied else []


def _read(command: Sequence[str], path: Path) -> str:
    """What pg_restore prints of a file; raises FileDamaged when it cannot."""
    done = subprocess.run([*command, path], capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    if done.returncode:
        raise FileDamaged(_no_dump(path, done.stderr))
    return done.stdout


def _no_dump(path: Path, said: str) -> str:
    return f"{path} is no whole dump ({_shortened(said)}); take another backup. Nothing was changed"


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
        told = f"{Path(command[0]).name} could not read {place(url)}: {_shortened(done.stderr)}"
        if NO_RIGHT.search(done.stderr):
            raise RightsMissing(f"{told}; a backup needs SELECT on all tables, views and sequences. {GRANTED}")
        raise StorageUnavailable(told)


def _shortened(said: str) -> str:
    line = " ".join(said.split())
    return line if len(line) <= 300 else f"{line[:300]}…"

"""Dagster's own state: its folder, its tables, and the one door through which our commands open it.

Dagster makes its tables when it is first opened, and programs that do so at the same moment break them for good. So
whoever comes through this door does it alone, and finds what others left half made complete.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path

import dagster as dg
from sqlalchemy import Connection, insert, inspect, select, text

from soundcharts_pipeline.config.environment import PACKAGE_FOLDER, PROJECT_FILES, Environment, project_folder
from soundcharts_pipeline.orchestration.dagster_connections import close_connections, keep_connections
from soundcharts_pipeline.orchestration.dagster_internals import (
    LAST_KNOWN_STAMPED_SQLITE_ALEMBIC_REVISION as STAMPED_AMID_THE_MAKING,
)
from soundcharts_pipeline.orchestration.dagster_internals import (
    ConfigurableClassData,
    DagsterStorage,
    InstanceRef,
)
from soundcharts_pipeline.orchestration.dagster_state import (
    OF_DATABASES,
    PARTS,
    VERSION,
    Part,
    in_short,
    lost,
    open_file,
    unopened,
    unwritten,
)
from soundcharts_pipeline.storage.engine import is_itself_in_a_url
from soundcharts_pipeline.storage.errors import StorageError, StorageUnavailable

SQLITE_STORAGE = "DagsterSqliteStorage"
# Any constant will do, as long as every process takes the same one ("dagster" in ASCII).
ADVISORY_LOCK = 0x64616773746572
# Dagster notes a range that is planned as one event per asset, not one per asset and day: 0.4 s a day before the first
# call. Which days failed is then ours to record (failed_days.py).
PLANNED_AS_ONE = "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS"
TO_THE_TERMINAL = ConfigurableClassData("dagster._core.storage.noop_compute_log_manager", "NoOpComputeLogManager", "{}")


def prepare_home(environment: Environment) -> Path:
    """Make Dagster's home usable and point this process and its children to it.

    Raises StorageUnavailable when it cannot be written, StorageFull when its disk is full.
    """
    home = environment.dagster_home
    config = project_folder(package=PACKAGE_FOLDER, current_folder=Path.cwd()) / "dagster.yaml"
    if not config.exists():
        config = PROJECT_FILES / "dagster.yaml"
    ours = home / "dagster.yaml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not ours.exists():
            # Moved into place whole: another command may read it at this moment.
            copy = ours.with_name(f"{ours.name}.{os.getpid()}")
            shutil.copyfile(config, copy)
            copy.replace(ours)
    except OSError as error:
        raise unwritten(home, error) from None
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ.setdefault(PLANNED_AS_ONE, "1")
    # Dagster lets PostgreSQL date its runs, in columns without a zone, and takes them for UTC.
    os.environ.setdefault("PGTZ", "UTC")
    return home


def make_tables(*, upgrade: bool = False) -> None:
    """Dagster's own tables, where they are new: its programs, which are started next, would all make them, and fail.
    `upgrade`: those of an older version of Dagster are brought up to date, too."""
    with open_instance() as instance:
        if upgrade:
            instance.upgrade()


@contextmanager
def open_instance() -> Iterator[dg.DagsterInstance]:
    """The instance in Dagster's home.

    Raises StorageUnavailable when it cannot be opened, StorageFull when it cannot because its disk is full,
    StateUnavailable when it fails in the block.
    """
    home = Path(os.environ["DAGSTER_HOME"])
    try:
        instance = _opened(home)
    except StorageError:
        raise
    except Exception as error:  # whatever its configuration and its storages raise
        raise unopened(home, error) from None
    with instance:
        keep_connections(instance)
        try:
            yield instance
        except OF_DATABASES as error:
            # Our own database has errors of its own (storage.errors), and what a step raises is caught by Dagster.
            raise lost(home, in_short(error)) from None
        finally:
            close_connections(instance)


def _opened(home: Path) -> dg.DagsterInstance:
    """The instance, once its tables are whole."""
    with _alone_on_this_host(home):
        ref = InstanceRef.from_dir(str(home))
        _check_path(home, ref)
        # A run in a terminal prints there. Dagster would copy all of it, progress bars too, through a file, by programs
        # that answer Ctrl-C with tracebacks.
        ref = ref._replace(compute_logs_data=TO_THE_TERMINAL)
        with _alone_on_the_server(ref):
            found = [_mend(database, parts) for database, parts in _databases(ref)]
            instance = dg.DagsterInstance.from_ref(ref)
            if any(found):
                _complete(instance)
            return instance


def _check_path(home: Path, ref: InstanceRef) -> None:
    """Raise StorageUnavailable where Dagster would keep SQLite files elsewhere than it is told, or nowhere."""
    data = ref.storage_data
    if data is not None and data.class_name == SQLITE_STORAGE and not is_itself_in_a_url(home):
        raise StorageUnavailable(
            f"Dagster cannot keep its state in {home}: a ? in a path, and a % before two digits, mean something else "
            "to it; set DAGSTER_HOME to a folder without them"
        )


@contextmanager
def _alone_on_this_host(home: Path) -> Iterator[None]:
    """One process at a time; the kernel ends a lock together with its process, kill -9 included."""
    folder = os.open(home, os.O_RDONLY)
    try:
        # A file system that knows no locks is one of several hosts: their state is in PostgreSQL, with a lock there.
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextmanager
def _alone_on_the_server(ref: InstanceRef) -> Iterator[None]:
    """One process of all hosts at a time, where the state is in PostgreSQL, which ends a lock with its connection."""
    server = _server_of(ref)
    if server is None:
        yield
        return
    with _connected(server) as connection:
        # In a transaction of its own: Dagster's connections commit every statement, and a pooler may part those.
        alone = connection.execution_options(isolation_level="READ COMMITTED")
        with alone.begin():
            alone.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
            yield


def _server_of(ref: InstanceRef) -> ConfigurableClassData | None:
    """The PostgreSQL that holds all three parts, if one does. dagster.yaml names it once, or, as Dagster's Helm chart
    writes that file, once for each part."""
    storages = (ref.run_storage_data, ref.event_storage_data, ref.schedule_storage_data)
    configs = {data.config_yaml for data in storages if data and data.class_name.startswith("Postgres")}
    if len(configs) != 1 or not all(data and data.config_yaml in configs for data in storages):
        return None
    return ConfigurableClassData("dagster_postgres", "DagsterPostgresStorage", configs.pop())


@contextmanager
def _connected(server: ConfigurableClassData) -> Iterator[Connection]:
    """A connection as Dagster makes it, before Dagster has made its tables."""
    config = json.dumps({**server.config_dict, "should_autocreate_tables": False})
    storage = server._replace(config_yaml=config).rehydrate(as_type=DagsterStorage)  # type: ignore[type-abstract]
    with storage.run_storage.connect() as connection:  # type: ignore[attr-defined]  # of every storage in SQL
        yield connection


def _databases(ref: InstanceRef) -> Iterator[tuple[AbstractContextManager[Connection], Sequence[Part]]]:
    """Those that there are, and whose tables each of them holds."""
    data, server = ref.storage_data, _server_of(ref)
    if server is not None:
        yield _connected(server), PARTS
    elif data is not None and data.class_name == SQLITE_STORAGE:
        folder = Path(str(data.config_dict["base_dir"]))
        yield from ((open_file(folder / part.file), [part]) for part in PARTS if (folder / part.file).exists())


def _mend(database: AbstractContextManager[Connection], parts: Sequence[Part]) -> bool:
    """Complete the tables of parts that programs made at the same moment, or one that was killed over it. Whether
    there were any: Dagster has the rest to do."""
    with database as connection:
        there = set(inspect(connection).get_table_names())
        broken = [part for part in parts if _is_half_made(connection, part, there)]
        for part in broken:
            part.tables.create_all(connection)
        if broken:
            VERSION.create(connection, checkfirst=True)
            versions = set(connection.scalars(select(VERSION.c.version_num)))
            if len(versions) > 1:
                # Who came amid the making took the tables for old ones, and wrote so beside the true version.
                connection.execute(VERSION.delete().where(VERSION.c.version_num == STAMPED_AMID_THE_MAKING))
            elif not versions:
                connection.execute(insert(VERSION).values(version_num=STAMPED_AMID_THE_MAKING))
        return bool(broken)


def _is_half_made(database: Connection, part: Part, there: set[str]) -> bool:
    """Whether its tables are there, but not one version of them, or not the mark that comes last."""
    if not there & (part.tables.tables.keys() - {"secondary_indexes"}):  # all parts of a server share that one
        return False
    versions = list(database.scalars(select(VERSION.c.version_num))) if VERSION.name in there else []
    marks = part.tables.tables["secondary_indexes"]
    marked = marks.name in there and database.scalar(
        select(marks.c.migration_completed).where(marks.c.name == part.mark)
    )
    return len(versions) != 1 or not marked


def _complete(instance: dg.DagsterInstance) -> None:
    """What Dagster does to tables after it has made them, which it leaves out of tables that it finds."""
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # it counts runs, to whoever listens
        instance.upgrade()
        instance.run_storage.optimize()
        instance.event_log_storage.reindex_events()
        if instance.schedule_storage:
            instance.schedule_storage.optimize()

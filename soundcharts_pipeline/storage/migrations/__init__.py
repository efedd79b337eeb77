"""How a database gets from empty, or from an older version of this package, to the tables of `storage/tables/`.

A new step is a file in `versions/` that names its predecessor, plus the new `HEAD` here; a test compares the result
with the schema on both databases and says what is missing. A changed view needs a step too, an empty one.
"""

import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, create_engine, inspect, text

from soundcharts_pipeline.storage.dependents import refuse_built
from soundcharts_pipeline.storage.errors import SchemaMismatch
from soundcharts_pipeline.storage.migrations import narrow
from soundcharts_pipeline.storage.rights import check_encoding
from soundcharts_pipeline.storage.tables import comments, view_sql
from soundcharts_pipeline.storage.tables.schema import metadata
from soundcharts_pipeline.storage.tables.views import VIEWS

if TYPE_CHECKING:
    from alembic.config import Config

# Written down so that a database already up to date is recognised without loading Alembic (0.2 s).
HEAD = "0016"
# The revision whose new tables are beside the old ones until all rows have moved.
BESIDE = "0012"

# Not Alembic's default name: Dagster keeps its own `alembic_version` and may live in the same database.
VERSION_TABLE = "soundcharts_schema_version"
_VERSION = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String, comment="the last step that was made"),
    comment="Which version the tables are of: one row",
)

# Any constant will do, as long as every process takes the same one ("soundch" in ASCII).
ADVISORY_LOCK = 0x736F756E646368

# In messages on a backup.
_UNCHANGED = "Nothing was changed"
_MOST_NAMED = 3

# Alembic keeps the running migration in module globals, so that two threads of a process cannot both be in one.
_one_at_a_time = threading.Lock()


def config(connection: Connection) -> "Config":
    """Alembic's configuration for this package, on an open connection."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings


def upgrade(engine: Engine) -> None:
    """Bring the database to `HEAD`; other processes wait until it is there. One transaction, unless many rows have to
    move: then each step is one, and a process that was ended goes on from there when it is started again. Raises
    BuiltOnOurs, before anything is changed, where others' views hang on ours, StorageUnavailable where an empty
    database cannot hold every name."""
    with engine.begin() as connection:
        found = _revision(connection)
        if found is None:
            check_encoding(connection)
        moving = found is not None and found < HEAD and narrow.left(connection) >= narrow.STEP
        if moving:
            narrow.announce(connection)
        _run(connection, BESIDE if moving else HEAD)
    while moving:
        with engine.begin() as connection:
            moving = _revision(connection) != HEAD and narrow.step(connection)
    with engine.begin() as connection:
        _revision(connection)
        _run(connection, HEAD)


def _revision(connection: Connection) -> str | None:
    """What is found, once no other process migrates. Raises SchemaMismatch for what a later version made."""
    from alembic.runtime.migration import MigrationContext

    # On SQLite the transaction already holds the only write lock.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    found = context.get_current_revision()
    if found is not None and found not in _revisions(config(connection)):
        raise SchemaMismatch(newer("the database", found))
    return found


def _run(connection: Connection, revision: str) -> None:
    from alembic import command
    from alembic.runtime.migration import MigrationContext

    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    if context.get_current_revision() in (revision, HEAD):
        return
    with _one_at_a_time:
        # Views hold nothing, and a table below one cannot be changed freely: they are made anew by every step.
        names = [view.table.name for view in VIEWS]
        refuse_built(connection, names, ours=[*names, *metadata.tables])
        view_sql.drop(connection, VIEWS)
        command.upgrade(config(connection), revision)
        if revision == HEAD:
            view_sql.create(connection, VIEWS)
        else:
            narrow.begin(connection)


def describe(connection: Connection) -> None:
    """Have the database say what its tables, views and columns mean, where it keeps such words. For their owner."""
    if connection.dialect.name == "postgresql":
        # Processes that start together would otherwise all write the same words.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        comments.write(connection, tables=[*metadata.tables.values(), _VERSION], views=[view.table for view in VIEWS])


def check_whole(found: Mapping[str, Collection[str]], revisions: Sequence[str], what: str) -> None:
    """Raise SchemaMismatch unless tables with these columns and revisions are a whole database of ours, which this
    version can bring up to date. Tables of others beside them are none of our business."""
    if len(revisions) != 1:
        raise SchemaMismatch(f"{what} is no database of this program: its tables have no revision. {_UNCHANGED}")
    needed = _columns_at(revisions[0], what)
    missing = [table for table in sorted(needed) if table not in found]
    missing += [f"{t}.{c}" for t in sorted(needed.keys() & found.keys()) for c in sorted({*needed[t]} - {*found[t]})]
    if missing:
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        what_lacks = f"{what} is no whole database of revision {revisions[0]}: it lacks"
        raise SchemaMismatch(f"{what_lacks} {', '.join(missing[:_MOST_NAMED])}{more}. {_UNCHANGED}")


def columns_of(connection: Connection) -> Mapping[str, Collection[str]]:
    """The columns of every table that is there."""
    found = inspect(connection)
    return {name: {column["name"] for column in found.get_columns(name)} for name in found.get_table_names()}


def _columns_at(revision: str, what: str) -> Mapping[str, Collection[str]]:
    """Those that the migrations make, tried out in memory."""
    from alembic import command

    with create_engine("sqlite://").begin() as connection:
        settings = config(connection)
        if revision not in _revisions(settings):
            raise SchemaMismatch(f"{newer(what, revision)}. {_UNCHANGED}")
        with _one_at_a_time:
            command.upgrade(settings, revision)
        return columns_of(connection)


def _revisions(settings: "Config") -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory.from_config(settings).walk_revisions()}


def newer(what: str, revision: str) -> str:
    """What to say of tables that a later version made."""
    return (
        f"{what} has tables of revision {revision}, this version of soundcharts-pipeline knows them up to"
        f" {HEAD}; upgrade soundcharts-pipeline, or restore a backup made with this version"
    )


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether Alembic may look at this object: other programs' tables in the same database are none of its business."""
    return kind != "table" or name in metadata.tables

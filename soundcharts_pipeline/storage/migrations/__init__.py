"""How a database gets from empty, or from an older version of this package, to the tables of `storage.schema`.

A new step is a file in `versions/` that names its predecessor, plus the new `HEAD` here; a test compares the
result with the schema on both databases and says what is missing. A changed view needs a step too, an empty one.
"""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from soundcharts_pipeline.storage import view_sql
from soundcharts_pipeline.storage.errors import SchemaMismatch
from soundcharts_pipeline.storage.schema import metadata
from soundcharts_pipeline.storage.views import VIEWS

if TYPE_CHECKING:
    from alembic.config import Config

# Written down so that a database already up to date is recognised without loading Alembic (0.2 s).
HEAD = "0008"

# Not Alembic's default name: Dagster keeps its own `alembic_version` and may live in the same database.
VERSION_TABLE = "soundcharts_schema_version"

# Any constant will do, as long as every process takes the same one ("soundch" in ASCII).
ADVISORY_LOCK = 0x736F756E646368

# Alembic keeps the running migration in module globals, so that two threads of a process cannot both be in one.
_one_at_a_time = threading.Lock()


def config(connection: Connection) -> "Config":
    """Alembic's configuration for this package, on an open connection."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings


def upgrade(connection: Connection) -> None:
    """Bring the database to `HEAD` inside the caller's write transaction; other processes wait until it ends."""
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    # On SQLite the transaction already holds the only write lock.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    settings = config(connection)
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    found = context.get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(settings).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaMismatch(newer("the database", found))
    if found != HEAD:
        with _one_at_a_time:
            # Views hold nothing, and a table below one cannot be changed freely: they are made anew by every step.
            view_sql.drop(connection, VIEWS)
            command.upgrade(settings, "head")
            view_sql.create(connection, VIEWS)


def newer(what: str, revision: str) -> str:
    """What to say of tables that a later version made."""
    return (
        f"{what} has tables of revision {revision}, this version of soundcharts-pipeline knows them up to"
        f" {HEAD}; upgrade soundcharts-pipeline, or restore a backup made with this version"
    )


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether Alembic may look at this object: other programs' tables in the same database are none of its business."""
    return kind != "table" or name in metadata.tables

"""What the user of a PostgreSQL database may do with the tables, before a save finds out that it may not."""

from sqlalchemy import Connection, false, text

from soundcharts_pipeline.storage.errors import (
    GRANTED,
    TO_SAVE,
    URL_IS_IN,
    RightsMissing,
    StorageUnavailable,
    place,
)
from soundcharts_pipeline.storage.tables.schema import metadata, tracks

_ON_TABLES = text("""
    SELECT wanted, count(*) AS lacking FROM unnest(CAST(:rights AS text[])) wanted, pg_class c
    WHERE c.relnamespace = CAST(current_schema() AS regnamespace) AND c.relname = ANY (:tables)
      AND NOT has_table_privilege(c.oid, wanted)
    GROUP BY wanted
""")
_ON_SEQUENCES = text("""
    SELECT count(*) FROM pg_sequence q
      JOIN pg_depend d ON d.classid = CAST('pg_class' AS regclass) AND d.objid = q.seqrelid AND d.deptype = 'a'
      JOIN pg_class t ON t.oid = d.refobjid
    WHERE t.relnamespace = CAST(current_schema() AS regnamespace) AND t.relname = ANY (:tables)
      AND NOT has_sequence_privilege(q.seqrelid, 'USAGE')
""")
RIGHTS = ["SELECT", "INSERT", "UPDATE", "DELETE"]


def check_rights(conn: Connection) -> None:
    """Raise RightsMissing unless the user may save, StorageUnavailable where nobody may. SQLite knows no rights but
    those of the file."""
    if conn.dialect.name != "postgresql":
        return
    if conn.scalar(text("SELECT pg_is_in_recovery()")):
        raise StorageUnavailable(
            f"{place(conn.engine.url)} is a standby, which accepts no writes; point {URL_IS_IN} to the primary"
        )
    if lacking := _lacking(conn):
        raise RightsMissing(
            f"{place(conn.engine.url)}: this user lacks {'; '.join(lacking)}; so nothing can be saved, for {TO_SAVE}. "
            f"{GRANTED}"
        )


def try_to_write(conn: Connection) -> None:
    """Write nothing, in a transaction that writes: what an SQLite file and those beside it allow shows no sooner."""
    conn.execute(tracks.delete().where(false()))


def _lacking(conn: Connection) -> list[str]:
    tables = list(metadata.tables)
    counts = {row.wanted: row.lacking for row in conn.execute(_ON_TABLES, {"rights": RIGHTS, "tables": tables})}
    found: list[str] = []
    if counts:
        rights = ", ".join(right for right in RIGHTS if right in counts)
        found.append(f"{rights} on {max(counts.values())} of {len(tables)} tables")
    if conn.scalar(_ON_SEQUENCES, {"tables": tables}):
        found.append("USAGE on the sequences")
    if not conn.scalar(text("SELECT has_database_privilege(current_database(), 'TEMPORARY')")):
        found.append("TEMPORARY on the database")
    if conn.scalar(text("SELECT current_setting('default_transaction_read_only') = 'on'")):
        found.append("transactions that write (default_transaction_read_only is on)")
    return found

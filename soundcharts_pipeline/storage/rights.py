"""What a PostgreSQL database takes, and what its user may do with the tables, before a save finds out."""

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
# The second one takes every byte as it comes.
EVERY_NAME = ("UTF8", "SQL_ASCII")
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


def check_encoding(conn: Connection) -> None:
    """Raise StorageUnavailable where the database cannot hold every name: answers would be paid for and not be saved,
    again and again. What it holds can be read."""
    if conn.dialect.name != "postgresql":
        return
    encoding = conn.scalar(text("SHOW server_encoding"))
    if encoding not in EVERY_NAME:
        raise StorageUnavailable(
            f"{place(conn.engine.url)} keeps text in {encoding}, which lacks the letters of many names: make a database"
            f" with ENCODING 'UTF8' TEMPLATE template0, point {URL_IS_IN} to it, and bring over what this one holds"
            " with `soundcharts-pipeline backup` and `restore`"
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

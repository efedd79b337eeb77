"""What tables, views and columns mean, in the database itself where it keeps such words: as COMMENT ON in PostgreSQL.

Their owner writes them, whenever the tables have been brought up to date and in `soundcharts-pipeline migrate`. What
says the same already is left alone, so a database that is up to date is not changed.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, Table, text

_HELD = text("""
SELECT c.relname, coalesce(a.attname, ''), d.description
FROM pg_description d
JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
WHERE pg_table_is_visible(c.oid)
""")


def write(connection: Connection, *, tables: Iterable[Table], views: Iterable[Table]) -> None:
    """Bring the comments of a PostgreSQL database up to date."""
    held = {(table, column): words for table, column, words in connection.execute(_HELD)}
    for kind, table in [*(("TABLE", one) for one in tables), *(("VIEW", one) for one in views)]:
        wanted = {"": table.comment, **{column.name: column.comment for column in table.columns}}
        for name, words in wanted.items():
            if words and words != held.get((table.name, name)):
                target = f"COLUMN {table.name}.{name}" if name else f"{kind} {table.name}"
                quoted = words.replace("'", "''").replace(":", r"\:")  # a colon would begin a parameter
                connection.execute(text(f"COMMENT ON {target} IS '{quoted}'"))

"""What others have built in a PostgreSQL database on tables and views of ours, and what would go with them: views,
foreign keys, functions. An SQLite database keeps a view whose table is gone.
"""

from collections.abc import Collection

from sqlalchemy import Connection, text

from soundcharts_pipeline.storage.errors import BuiltOnOurs, place

_MOST_NAMED = 5

# All that DROP ... CASCADE would take: a view goes with the rule that makes it one. Of those, what is not a part of
# ours, the oldest first.
_BUILT = text("""
WITH RECURSIVE gone (class, id, part) AS (
    SELECT CAST(CAST('pg_class' AS regclass) AS oid), c.oid, 0 FROM pg_class c
    WHERE c.relname = ANY (:names) AND c.relnamespace = CAST(current_schema() AS regnamespace)
  UNION
    SELECT CASE WHEN v.oid IS NULL THEN d.classid ELSE CAST(CAST('pg_class' AS regclass) AS oid) END,
           coalesce(v.oid, d.objid), CASE WHEN v.oid IS NULL THEN d.objsubid ELSE 0 END
    FROM gone g
    JOIN pg_depend d ON d.refclassid = g.class AND d.refobjid = g.id AND (g.part = 0 OR d.refobjsubid = g.part)
    LEFT JOIN pg_rewrite w ON d.classid = CAST('pg_rewrite' AS regclass) AND w.oid = d.objid
    LEFT JOIN pg_class v ON v.oid = w.ev_class AND v.relkind IN ('v', 'm')
)
SELECT pg_describe_object(g.class, g.id, g.part) FROM gone g
LEFT JOIN pg_class c ON g.class = CAST('pg_class' AS regclass) AND c.oid = g.id
LEFT JOIN pg_constraint k ON g.class = CAST('pg_constraint' AS regclass) AND k.oid = g.id
LEFT JOIN pg_class t ON t.oid = coalesce(c.oid, k.conrelid)
WHERE (t.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT t.relispartition
       AND NOT (t.relname = ANY (:ours) AND t.relnamespace = CAST(current_schema() AS regnamespace))
       AND (k.oid IS NULL OR t.oid NOT IN (SELECT id FROM gone WHERE class = CAST('pg_class' AS regclass) AND part = 0))
      ) OR g.class = CAST('pg_proc' AS regclass)
ORDER BY g.id
""")


def refuse_built(connection: Connection, names: Collection[str], *, ours: Collection[str]) -> None:
    """Raise BuiltOnOurs when something of others' would go with the tables and views of these names; `ours` are all
    that belong to this program."""
    if connection.dialect.name != "postgresql":
        return
    built = list(connection.scalars(_BUILT, {"names": list(names), "ours": list(ours)}))
    if built:
        more = f" and {len(built) - _MOST_NAMED} more" if len(built) > _MOST_NAMED else ""
        raise BuiltOnOurs(
            f"{place(connection.engine.url)}: what others have built on its tables and views would go with them: "
            f"{', '.join(built[:_MOST_NAMED])}{more}. Keep how it is made (`pg_dump --schema-only --table=NAME`), drop "
            "it, repeat the command, and make it again. Nothing was changed"
        )

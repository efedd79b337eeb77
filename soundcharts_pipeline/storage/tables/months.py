"""Months of points on PostgreSQL: each a partition of its own, which is made before its first point comes.

The role that saves may not make tables. It calls a function that the owner has made with the tables: all it does is to
make one month of one of the two tables of points, for whoever may insert there.
"""

from datetime import date

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from soundcharts_pipeline.storage.errors import MonthDetached, place
from soundcharts_pipeline.wording import month_of

TABLES = ("points", "located_points")
FUNCTION = "soundcharts_make_month"
LAST = date(9999, 12, 1)
# SQLSTATE of a table that exists.
IS_THERE = "42P07"

# A table that is attached when it is whole: unlike CREATE TABLE ... PARTITION OF, that lets others read and save on.
_MAKE = """
CREATE OR REPLACE FUNCTION {function}(parent text, first_day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE
  part text := parent || to_char(first_day, '_YYYY_MM');
  whole regclass := to_regclass(quote_ident(parent));
BEGIN
  IF parent NOT IN ('points', 'located_points') OR first_day <> date_trunc('month', first_day)
     OR first_day NOT BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN
    RAISE EXCEPTION '% of % is no month of points', first_day, parent;
  END IF;
  IF NOT has_table_privilege(session_user, whole, 'INSERT') THEN
    RAISE insufficient_privilege USING MESSAGE = 'permission denied for table ' || parent;
  END IF;
  EXECUTE format('LOCK TABLE %I IN SHARE UPDATE EXCLUSIVE MODE', parent);
  IF EXISTS (SELECT FROM pg_inherits WHERE inhparent = whole AND inhrelid = to_regclass(quote_ident(part))) THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, parent);
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part, first_day,
                 (first_day + interval '1 month')::date);
END
$$
"""


def function_of(schema: str) -> str:
    """The statement that makes it, or makes it anew, for the tables of a schema; the owner of the tables runs it."""
    quoted = schema.replace('"', '""')
    return _MAKE.format(function=FUNCTION, schema=f'"{quoted}"').strip()


def make_function(conn: Connection) -> None:
    """The same in the current schema."""
    statement = function_of(str(conn.scalar(text("SELECT current_schema()"))))
    conn.exec_driver_sql(statement.replace("%", "%%"))


def made(conn: Connection, table: str) -> set[str]:
    """The names of the table's months."""
    query = text(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = to_regclass(:parent)"
    )
    return set(conn.scalars(query, {"parent": table}))


def make(conn: Connection, table: str, first_day: date) -> None:
    """The month that begins on this day, unless it is there. Raises MonthDetached for one that was detached."""
    try:
        conn.execute(text(f"SELECT {FUNCTION}(:parent, :day)"), {"parent": table, "day": first_day})
    except ProgrammingError as error:
        if getattr(error.orig, "pgcode", None) != IS_THERE:
            raise
        told = f"nothing can be saved of this month: {taken_out(table, first_day)}"
        raise MonthDetached(f"{place(conn.engine.url)}: {told}") from error


def taken_out(table: str, first_day: date) -> str:
    """What to do about a month that was detached and lies where another one would come."""
    month, bounds = name_of(table, first_day), f"FROM ('{first_day}') TO ('{after(first_day)}')"
    attached = f"ALTER TABLE {table} ATTACH PARTITION {month} FOR VALUES {bounds}"
    return f"{month} was taken out of {table}. Put it back with `{attached}`, or drop it"


def name_of(table: str, day: date) -> str:
    """The name of the month of this day."""
    return f"{table}_{month_of(day).replace('-', '_')}"


def after(day: date) -> date:
    """The first day of the next month; the last month that there is has none."""
    if day >= LAST:
        return LAST
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)

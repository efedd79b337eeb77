"""How a view comes about on either database: its SELECT in the database's own date arithmetic, and its comments."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, Table, text

DATE_ARITHMETIC = {
    "sqlite": {
        r"DAYS\(([\w.]+), ([\w.]+)\)": r"CAST(julianday(\1) - julianday(\2) AS INTEGER)",
        r"NEXT\(([\w.]+)\)": r"date(\1, '+1 day')",
        r"BEFORE\(([\w.]+)\)": r"date(\1, '-1 day')",
    },
    "postgresql": {
        r"DAYS\(([\w.]+), ([\w.]+)\)": r"(\1 - \2)",
        r"NEXT\(([\w.]+)\)": r"(\1 + 1)",
        r"BEFORE\(([\w.]+)\)": r"(\1 - 1)",
    },
}


@dataclass(frozen=True, slots=True)
class View:
    """`table` has the columns as the view gives them. In `sql`, DAYS(a, b) are the days from b to a; NEXT(a) and
    BEFORE(a) are the days beside a."""

    table: Table
    sql: str

    def statement(self, dialect: str) -> str:
        """CREATE VIEW, for `sqlite` or `postgresql`."""
        columns = ", ".join(column.name for column in self.table.columns)
        sql = self.sql.strip()
        for pattern, replacement in DATE_ARITHMETIC[dialect].items():
            sql = re.sub(pattern, replacement, sql)
        return f"CREATE VIEW {self.table.name} ({columns}) AS\n{sql}"


def create(connection: Connection, views: Iterable[View]) -> None:
    """Make the views, with comments where the database keeps them."""
    for view in views:
        # Not `text`, which would take a colon in the SQL for a parameter.
        connection.exec_driver_sql(view.statement(connection.dialect.name))
        if connection.dialect.name == "postgresql":
            _comment(connection, "VIEW", view.table.name, view.table.comment)
            for column in view.table.columns:
                _comment(connection, "COLUMN", f"{view.table.name}.{column.name}", column.comment)


def drop(connection: Connection, views: Iterable[View]) -> None:
    """Remove those of the views that are there: the tables below them can then be changed."""
    for view in views:
        connection.execute(text(f"DROP VIEW IF EXISTS {view.table.name}"))


def _comment(connection: Connection, kind: str, name: str, comment: str | None) -> None:
    if comment:
        quoted = comment.replace("'", "''")
        connection.execute(text(f"COMMENT ON {kind} {name} IS '{quoted}'"))

"""How a view comes about on either database."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, Table, inspect, text


@dataclass(frozen=True, slots=True)
class View:
    """`table` has the columns as the view gives them; `postgresql` is a SELECT of its own where that of SQLite is not
    served well."""

    table: Table
    sql: str
    postgresql: str | None = None

    def statement(self, dialect: str) -> str:
        """CREATE VIEW, for `sqlite` or `postgresql`."""
        columns = ", ".join(column.name for column in self.table.columns)
        sql = self.postgresql if dialect == "postgresql" and self.postgresql else self.sql
        return f"CREATE VIEW {self.table.name} ({columns}) AS\n{sql.strip()}"


def create(connection: Connection, views: Iterable[View]) -> None:
    """Make the views. What they mean is written by `comments`."""
    for view in views:
        # Not `text`, which would take a colon in the SQL for a parameter.
        connection.exec_driver_sql(view.statement(connection.dialect.name))


def drop(connection: Connection, views: Iterable[View]) -> None:
    """Remove those of the views that are there: the tables below them can then be changed."""
    there = inspect(connection).get_view_names()
    for name in (view.table.name for view in views if view.table.name in there):
        connection.execute(text(f"DROP VIEW {name}"))

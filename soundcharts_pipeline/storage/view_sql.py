"""How a view comes about on either database, with comments where the database keeps them."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, Table, text


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

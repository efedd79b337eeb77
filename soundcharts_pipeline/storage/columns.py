"""What the tables' columns are made of: types that both databases keep alike, and a column of a natural key."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Column, DateTime, Dialect, String, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime: TIMESTAMP WITH TIME ZONE on PostgreSQL, naive UTC text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; times are stored in UTC")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


# JSONB, because PostgreSQL cannot compare two values of its JSON type, and a merge has to.
Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def key(name: str, kind: Any = String) -> Column[Any]:
    """A column of a primary key; its values come with the row, the database makes none up."""
    return Column(name, kind, primary_key=True, autoincrement=False)

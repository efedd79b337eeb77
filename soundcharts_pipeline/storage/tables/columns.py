"""What the tables' columns are made of: types that both databases keep alike, and a column of a natural key."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Column, Date, DateTime, Dialect, Integer, String, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine


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


class Day(TypeDecorator[date]):
    """A day of a point: DATE on PostgreSQL; on SQLite, whose DATE is a text of ten bytes, days since 1970-01-01."""

    impl = Date
    cache_ok = True
    ZERO = date(1970, 1, 1).toordinal()

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else Date())

    def process_bind_param(self, value: date | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name != "sqlite" else self.number(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> date | None:
        return value if value is None or dialect.name != "sqlite" else date.fromordinal(self.ZERO + value)

    @classmethod
    def number(cls, day: date) -> int:
        """What SQLite keeps."""
        return day.toordinal() - cls.ZERO


class Moment(TypeDecorator[datetime]):
    """An aware UTC datetime, kept to the second in four bytes: seconds since 2000-01-01, good until 2068."""

    impl = Integer
    cache_ok = True
    ZERO = datetime(2000, 1, 1, tzinfo=UTC)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else self.number(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else self.ZERO + timedelta(seconds=value)

    @classmethod
    def number(cls, moment: datetime) -> int:
        """What both databases keep; a part of a second is dropped."""
        if moment.tzinfo is None:
            raise ValueError(f"{moment} has no time zone; times are stored in UTC")
        return (moment - cls.ZERO) // timedelta(seconds=1)


# JSONB, because PostgreSQL cannot compare two values of its JSON type, and a merge has to.
Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def key(name: str, kind: Any = String) -> Column[Any]:
    """A column of a primary key; its values come with the row, the database makes none up."""
    return Column(name, kind, primary_key=True, autoincrement=False)

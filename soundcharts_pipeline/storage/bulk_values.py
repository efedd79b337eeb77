"""Turns rows of plain Python values into what each driver takes fastest, column by column.

PostgreSQL gets fields of COPY text, SQLite what SQLAlchemy's own types would store there. Neither can hold
everything a Python string can: a NUL is dropped and half of a surrogate pair becomes U+FFFD, on both alike.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, date, datetime
from operator import itemgetter
from types import NoneType
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Date, Float, Integer, String, Table
from sqlalchemy.types import TypeEngine

from soundcharts_pipeline.storage.errors import RowsLost, ValueOutOfRange
from soundcharts_pipeline.storage.tables.columns import Day, Moment, UtcDateTime
from soundcharts_pipeline.wording import clean, cleaned

# COPY's text format: a bare \N is NULL, and these four would end a field or a row, or start an escape.
NULL = r"\N"
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
NEEDS_ESCAPE = re.compile(r"[\\\t\n\r]")

# The column types of the schema and the one Python type each takes. A subclass comes after none of its parents.
ACCEPTED: tuple[tuple[type[TypeEngine[Any]], frozenset[type]], ...] = (
    (String, frozenset({str})),
    (BigInteger, frozenset({int})),
    (Integer, frozenset({int})),
    (Float, frozenset({float})),
    (Boolean, frozenset({bool})),
    (Date, frozenset({date})),
    (JSON, frozenset({dict, list})),
)


class _Memo(dict[Any, Any]):
    """Renders each distinct value once: most columns of a series hold few."""

    def __init__(self, function: Callable[[Any], Any], *, null: Any) -> None:
        super().__init__({None: null})
        self._function = function

    def __missing__(self, value: Any) -> Any:
        rendered = self[value] = self._function(value)
        return rendered


def copy_lines(
    table: Table, rows: Iterable[Sequence[Any]], *, columns: Sequence[str], unique: Sequence[str]
) -> list[str]:
    """Lines of COPY text, one for each value of the `unique` columns; those come first in a line. A row that is given
    twice is one; RowsLost is raised for two that differ in other columns alone.

    They are sorted: two processes that save the same rows then lock them in the same order and cannot deadlock.
    """
    fields = _fields(table, rows, columns, _as_copy_text)
    heads = list(map("\t".join, zip(*(fields[name] for name in unique), strict=True)))
    rest = [field for name, field in fields.items() if name not in unique]
    lines = list(map("\t".join, zip(heads, *rest, strict=True)))
    kept = dict(zip(heads, lines, strict=True))
    if len(kept) < len(lines):
        check_repeated(table, unique, zip(heads, lines, strict=True))
    return sorted(kept.values())


def sqlite_values(
    table: Table, rows: Iterable[Sequence[Any]], *, columns: Sequence[str], unique: Sequence[str]
) -> list[Any]:
    """Parameters for the driver, row after row in the table's order. SQLite takes a row that comes twice in its
    stride; RowsLost is raised for two that differ in other columns than the `unique` ones alone."""
    fields = _fields(table, rows, columns, _as_sqlite)
    heads = list(zip(*(fields[name] for name in unique), strict=True))
    if len(set(heads)) < len(heads):
        check_repeated(table, unique, zip(heads, zip(*fields.values(), strict=True), strict=True))
    values = [None] * sum(map(len, fields.values()))
    for place, field in enumerate(fields.values()):
        values[place :: len(fields)] = field
    return values


def check_repeated(table: Table, unique: Sequence[str], rows: Iterable[tuple[Any, Any]]) -> None:
    """Raise RowsLost when two rows have one key (the first of each pair) and say different things: one of them would
    be stored, and nobody would miss the other."""
    said: dict[Any, Any] = {}
    for head, row in rows:
        if said.setdefault(head, row) != row:
            raise RowsLost(
                f"two rows for {table.name} have the same {', '.join(unique)} and differ, {_short(said[head])} and"
                f" {_short(row)}; nothing of them was saved"
            )


def _fields(
    table: Table,
    rows: Iterable[Sequence[Any]],
    columns: Sequence[str],
    render: Callable[[Column[Any], list[Any]], list[Any]],
) -> dict[str, list[Any]]:
    given = list(rows)
    if set(map(len, given)) - {len(columns)}:
        raise ValueError(f"rows for {table.name} need {len(columns)} values: {', '.join(columns)}")
    fields = {}
    for column in in_table_order(table, columns):
        values = list(map(itemgetter(columns.index(column.name)), given))
        _check(column, values, given)
        fields[column.name] = render(column, values)
    return fields


def in_table_order(table: Table, names: Collection[str]) -> list[Column[Any]]:
    """The named columns as the table lists them."""
    if unknown := set(names) - set(table.columns.keys()):
        raise ValueError(f"{table.name} has no column {', '.join(sorted(unknown))}")
    return [column for column in table.columns if column.name in names]


def _check(column: Column[Any], values: list[Any], rows: list[Sequence[Any]]) -> None:
    found = set(map(type, values))
    if NoneType in found and not column.nullable:
        raise ValueError(f"{column} is null in {_short(rows[values.index(None)])}")
    accepted = _accepted(column)
    if wrong := found - accepted - {NoneType}:
        names = " or ".join(sorted(kind.__name__ for kind in accepted))
        raise TypeError(f"{column} takes {names}, not {', '.join(sorted(kind.__name__ for kind in wrong))}")
    if isinstance(column.type, Integer) and int in found:
        limit = 1 << (63 if isinstance(column.type, BigInteger) else 31)
        numbers = [value for value in values if value is not None] if NoneType in found else values
        for extreme in (min(numbers), max(numbers)):
            if not -limit <= extreme < limit:
                where = _short(rows[values.index(extreme)])
                raise ValueOutOfRange(f"{column} holds whole numbers below {limit} only, not {extreme}, in {where}")


def _accepted(column: Column[Any]) -> frozenset[type]:
    if isinstance(column.type, UtcDateTime | Moment):
        return frozenset({datetime})
    if isinstance(column.type, Day):
        return frozenset({date})
    for kind, accepted in ACCEPTED:
        if isinstance(column.type, kind):
            return accepted
    raise TypeError(f"no rule says how to save {column}, a {column.type}")


def _as_sqlite(column: Column[Any], values: list[Any]) -> list[Any]:
    kind = column.type
    if isinstance(kind, Integer | Float):
        return values
    if isinstance(kind, JSON):
        return [None if value is None else _json(value) for value in values]
    function: Callable[[Any], Any] = clean
    if isinstance(kind, UtcDateTime):
        function = _sqlite_time
    elif isinstance(kind, Moment):
        function = Moment.number
    elif isinstance(kind, Day):
        function = Day.number
    elif isinstance(kind, Date):
        function = date.isoformat
    elif isinstance(kind, Boolean):
        function = int
    return list(map(_Memo(function, null=None).__getitem__, values))


def _as_copy_text(column: Column[Any], values: list[Any]) -> list[str]:
    kind = column.type
    if isinstance(kind, Integer | Float):
        return (
            [NULL if value is None else str(value) for value in values] if column.nullable else list(map(str, values))
        )
    if isinstance(kind, JSON):
        return [NULL if value is None else _escape(_json(value)) for value in values]
    function: Callable[[Any], str] = _copy_text
    if isinstance(kind, UtcDateTime):
        function = _utc_text
    elif isinstance(kind, Moment):
        function = _moment_text
    elif isinstance(kind, Date | Day):
        function = date.isoformat
    elif isinstance(kind, Boolean):
        function = str
    return list(map(_Memo(function, null=NULL).__getitem__, values))


def _copy_text(text: str) -> str:
    return _escape(clean(text))


def _escape(text: str) -> str:
    return text.translate(ESCAPES) if NEEDS_ESCAPE.search(text) else text


def _utc_text(time: datetime) -> str:
    if time.tzinfo is None:
        raise ValueError(f"{time} has no time zone; times are stored in UTC")
    return time.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")


def _moment_text(time: datetime) -> str:
    return str(Moment.number(time))


def _sqlite_time(time: datetime) -> str:
    # As SQLAlchemy's DateTime writes it there: always six decimals, and no offset.
    return _utc_text(time).removesuffix("+00:00")


def _json(value: Any) -> str:
    # Sorted, so that on SQLite, which compares the text, another order of the keys is no change.
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)
    if r"\u0000" in text or not text.isascii():
        text = json.dumps(cleaned(value), ensure_ascii=False, sort_keys=True, allow_nan=False)
    return text


def _short(row: Sequence[Any]) -> str:
    text = repr(row if isinstance(row, str) else tuple(row))
    return text if len(text) <= 200 else f"{text[:200]}…"

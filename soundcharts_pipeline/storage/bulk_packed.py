"""Rows of numbers and days as PostgreSQL's COPY packs them, in its binary format.

A row is a count of fields, and each field after its length. No column of points is null, so all rows of a table have
one length, each begins with its key, and rows that are equal are the same bytes.
"""

import struct
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain
from operator import itemgetter
from struct import Struct
from typing import Any

from sqlalchemy import BigInteger, Table

from soundcharts_pipeline.storage.errors import ValueOutOfRange

# https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"
OPTIONS = " WITH (FORMAT binary)"
HEADER, END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
# Rows that are put together while the server stores those before.
PART = 2_000
DAY_ZERO = date(2000, 1, 1).toordinal()


class Packing:
    """Of a table whose columns are a number, a day and more numbers; days count from `DAY_ZERO`."""

    def __init__(self, table: Table) -> None:
        self._columns = list(table.columns)
        self._codes = ["q" if isinstance(column.type, BigInteger) else "i" for column in self._columns]
        self._row = Struct(">h" + "".join(f"i{code}" for code in self._codes))
        self._sizes = [struct.calcsize(f">{code}") for code in self._codes]
        self.key_of = itemgetter(slice(2 + sum(4 + size for size in self._sizes[: len(table.primary_key)])))

    def rows(self, columns: Sequence[Sequence[int]], last: Sequence[int]) -> list[bytes]:
        """Rows of all columns but the last, whose values are the same in all rows. Raises ValueOutOfRange for a value
        that its column cannot hold."""
        first = (*[0] * len(columns), *last)
        template = self._row.pack(len(first), *chain.from_iterable(zip(self._sizes, first, strict=True)))
        body, end = bytearray(template * len(columns[0])), 2
        for column, values, code, size in zip(self._columns, columns, self._codes, self._sizes, strict=False):
            start, end = end + 4, end + 4 + size
            try:
                field = Struct(f">{len(values)}{code}").pack(*values)
            except struct.error as error:
                raise ValueOutOfRange(f"{column} cannot hold one of {len(values)} values: {error}") from error
            # One byte of all rows at a time: a call for each row takes twice as long.
            for place in range(size):
                body[start + place :: self._row.size] = field[place::size]
        return self._split(body)

    def copied(self, file: bytes) -> list[bytes]:
        """The rows of what COPY sent."""
        return self._split(file[len(HEADER) : -len(END)])

    def parts(self, rows: Sequence[bytes]) -> Iterator[bytes]:
        """What COPY takes, in parts."""
        yield HEADER
        for start in range(0, len(rows), PART):
            yield b"".join(rows[start : start + PART])
        yield END

    def values(self, row: bytes) -> tuple[Any, ...]:
        """What a row says."""
        number, day, *rest = self._row.unpack(row)[2::2]
        return number, date.fromordinal(DAY_ZERO + day), *rest

    def _split(self, body: bytes | bytearray) -> list[bytes]:
        # Not one by one: an iterator over them takes four times as long.
        return list(Struct(f"{self._row.size}s" * (len(body) // self._row.size)).unpack(body))

"""What may be stored of an answer, worked out from its JSON alone by a reader that shares nothing with the pipeline."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from soundcharts_pipeline.models import PublishedRanking, Window

Row = tuple[Any, ...]

# What is asked for, and when.
NOW = datetime(2026, 11, 28, tzinfo=UTC)
RANKING = PublishedRanking(date(2026, 5, 29), "2026-05-29T12:00:00+00:00")
# A week is not split into shorter windows.
WINDOW = Window(date(2026, 5, 25), date(2026, 5, 31))
SECOND = "11111111-2222-11e9-9375-aaaaaaaaaaaa"

# What may be stored, field by field. UNCLEAR: the reading is a matter of taste, and not looked at.
UNCLEAR: Any = type("Unclear", (), {"__repr__": lambda _: "UNCLEAR"})()
EMPTY: tuple[Any, ...] = (None, "", [])
DAY = re.compile(r"\d{4}-\d\d-\d\d(?=$|T)", re.ASCII)


@dataclass
class Reading:
    """Reads values, and notes that one of them must have been remarked."""

    odd: bool = False

    def _odd(self) -> Any:
        self.odd = True
        return None

    def text(self, value: Any) -> Any:
        if any(value is empty or value == empty for empty in EMPTY):
            return None
        if isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value) if isinstance(value, int) else UNCLEAR
        return self._odd()

    def name(self, value: Any) -> Any:
        """The name of a track or an artist, which says something."""
        found = self.text(value)
        return None if isinstance(found, str) and not found.strip() else found

    def whole(self, value: Any, bits: int = 32) -> Any:
        if any(value is empty or value == empty for empty in EMPTY):
            return None
        if isinstance(value, str) and re.fullmatch(r"\s*-?\d+(\.0)?\s*", value, re.ASCII):
            value = float(value) if "." in value else int(value)
        if isinstance(value, float) and value == math.floor(value):
            value = int(value)
        if type(value) is not int or not -(2 ** (bits - 1)) <= value <= 2 ** (bits - 1) - 1:
            return self._odd()
        return value

    def day(self, value: Any) -> Any:
        if any(value is empty or value == empty for empty in EMPTY):
            return None
        if isinstance(value, str) and value.startswith(("0000-", "-0001-")):
            return None
        if not isinstance(value, str) or not DAY.match(value):
            return self._odd()
        try:
            return date(int(value[:4]), int(value[5:7]), int(value[8:10]))
        except ValueError:
            return self._odd()

    def flag(self, value: Any) -> Any:
        if isinstance(value, bool):
            return value
        return None if any(value is empty or value == empty for empty in EMPTY) else UNCLEAR

    def key(self, value: Any) -> str | None:
        """A text that names a record; None and a remark where there is none."""
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, float):
            value = str(value)
        if isinstance(value, str) and 0 < len(value) <= 200:
            return value
        self.odd = True
        return None


def same(expected: tuple[Any, ...], found: tuple[Any, ...]) -> bool:
    """Whether a row is the expected one, as far as that is clear."""
    return len(expected) == len(found) and all(
        wanted is UNCLEAR or (wanted == is_ and type(wanted) is type(is_))
        for wanted, is_ in zip(expected, found, strict=True)
    )


class ChangedApi(Exception):
    """The API is another one: the whole answer must be refused."""


def carried(rows: list[Any], key: str) -> bool:
    return not rows or any(isinstance(row, dict) and key in row for row in rows)


def required(item: Any, key: str, read: Callable[[Any], Any], reading: Reading) -> Any:
    """A required field: None, and odd, where the record cannot be kept."""
    value = item.get(key) if isinstance(item, dict) else None
    # A text may be '' as far as it is no key.
    found = value if value == "" and read == reading.text else read(value)
    if found is None:
        reading.odd = True
    return found


def some(found: list[Any], items: list[Any]) -> None:
    if items and all(one is None for one in found):
        raise ChangedApi

"""Single JSON values as the API means them. Each function raises ValueError for a form that nobody foresaw."""

import math
import re
from datetime import date
from functools import lru_cache
from typing import Any

# PostgreSQL's index entries hold 2,704 bytes, and a place's key holds three such texts of up to four bytes a character.
KEY_LENGTH = 200
# What a JSON column keeps: objects and lists in each other this deep.
DEPTH = 5

_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_WHOLE = re.compile(r"[+-]?[0-9]{1,30}(\.0*)?")


def whole_number(value: Any, bits: int = 64) -> int | None:
    """A whole number that a signed column of so many bits can hold; None where it is missing. Numbers in text or with
    `.0` are read too; `true` is no number. Raises ValueError for anything else."""
    if value is None or value == "":
        return None
    if type(value) is int:
        number = value
    elif type(value) is float and value.is_integer():
        number = int(value)
    elif type(value) is str and _WHOLE.fullmatch(value.strip()):
        number = int(value.strip().partition(".")[0])
    else:
        raise ValueError("no whole number")
    if not -(1 << (bits - 1)) <= number < 1 << (bits - 1):
        raise ValueError("a number that is too large")
    return number


def calendar_day(timestamp: Any) -> date:
    """The day that a timestamp prints: its first ten characters. Converting the rest to UTC could move it a day back,
    and a year or a month alone is no day. Raises ValueError for anything else."""
    if not isinstance(timestamp, str):
        raise ValueError("no date")
    return _day_named(timestamp[:10])


@lru_cache(maxsize=1024)
def _day_named(text: str) -> date:
    # Remembered: all series of a run tell of the same days, a hundred in each answer.
    if text[4:5] != "-" or text[7:8] != "-":
        raise ValueError("no date")
    return date.fromisoformat(text)


def text(value: Any) -> str:
    """A text, or a number as one. Raises ValueError for anything else."""
    if isinstance(value, str):
        return value
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return str(value)
    raise ValueError("no text")


def key_text(value: Any) -> str:
    """A text that a row is known by. Raises ValueError for none."""
    found = text(value)
    if not found or len(found) > KEY_LENGTH:
        raise ValueError("a text that is empty or too long")
    return found


def uuid_text(value: Any) -> str:
    """A text that a track or artist is known by; a UUID in small letters, for capitals name the same (RFC 9562). Raises
    ValueError for none."""
    found = key_text(value)
    return found.lower() if _UUID.fullmatch(found) else found


def name_text(value: Any) -> str:
    """A name, which a blank text is not: it must not take the place of a good one. Raises ValueError for one."""
    found = text(value)
    if not found.strip():
        raise ValueError("a blank text")
    return found


def listed(value: Any) -> list[Any]:
    """The values of a list, less empty ones. One value alone is a list of one; PHP prints a list with gaps as an object
    of numbered values, and an empty object as an empty list. Raises ValueError for anything else."""
    if value is None or value == "":
        return []
    if isinstance(value, dict) and all(key.isdigit() for key in value):
        value = list(value.values())
    if isinstance(value, str | dict):
        value = [value]
    if not isinstance(value, list):
        raise ValueError("no list")
    return [item for item in value if item is not None and item != ""]


def document(value: Any, depth: int = DEPTH) -> Any:
    """What a JSON column can hold: no number beyond all bounds, and nothing nested without end. Raises ValueError for
    anything else."""
    if depth == 0 or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("nested too deep, or a number that is too large")
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            document(item, depth - 1)
    return value

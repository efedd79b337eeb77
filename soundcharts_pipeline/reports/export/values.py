"""What every kind of export file does with values: a column at a time, and each value once."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.types import TypeEngine

Columns = Mapping[str, TypeEngine[Any]]
Rows = Sequence[Sequence[Any]]
Shown = TypeVar("Shown")


def each(show: Callable[[Any], Shown], values: Sequence[Any]) -> list[Shown | None]:
    """All values as shown, null as null. One that repeats, as most do, is shown once; a document, which cannot be
    looked up, each time."""
    try:
        shown = {value: show(value) for value in set(values) if value is not None}
    except TypeError:
        return [None if value is None else show(value) for value in values]
    return list(map(shown.get, values))


def as_json(value: object) -> str:
    """A document as text."""
    return json.dumps(value, ensure_ascii=False)

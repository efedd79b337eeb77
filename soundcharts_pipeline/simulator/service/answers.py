"""The shapes of every answer: single object, collection with its page, errors; and reading of common parameters."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

PAGE_LIMIT = 100
"""Items of a page, default and maximum."""

DEFAULT_WINDOW = timedelta(days=30)
"""How long before its end a window starts when no start is given."""


class Refusal(Exception):
    """An answer other than 200, with the body Soundcharts gives."""

    def __init__(self, status: int, message: str, key: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(status, message, key)


@dataclass(frozen=True, slots=True)
class Question:
    """One API call: path as asked, parameters of the path, of the query, and what pages it may lose."""

    path: str
    parts: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    lost_next: bool = False


_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)


def dump(content: Any) -> bytes:
    """Compact JSON."""
    return _ENCODER.encode(content).encode()


def error_body(status: int, message: str, key: str | None = None) -> bytes:
    """The body of an error."""
    keys = {400: "argument", 401: "access", 403: "access", 404: "access", 410: "gone", 429: "limit"}
    return dump({"errors": [{"key": key or keys.get(status, "server"), "code": status, "message": message}]})


def single(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The envelope of one object."""
    return {"type": kind, "object": content, "errors": []}


def page_span(question: Question, limit_max: int = PAGE_LIMIT) -> tuple[int, int]:
    """Offset and limit as asked. Raises Refusal (400) outside their bounds."""
    offset = whole_number(question, "offset", 0)
    limit = whole_number(question, "limit", limit_max)
    if offset < 0:
        raise Refusal(400, "Parameter offset must not be negative.")
    if not 1 <= limit <= limit_max:
        raise Refusal(400, f"Parameter limit must be between 1 and {limit_max}.")
    return offset, limit


def whole_number(question: Question, name: str, default: int) -> int:
    """An integer parameter. Raises Refusal (400) for anything else."""
    text = question.query.get(name)
    if text is None or text == "":
        return default
    try:
        return int(text)
    except ValueError:
        raise Refusal(400, f"Parameter {name} must be an integer.") from None


def collection(
    question: Question, items: Sequence[Any], *, related: Any = None, limit_max: int = PAGE_LIMIT
) -> dict[str, Any]:
    """The page that was asked for, cut out of all items. Raises Refusal (400) as `page_span` does."""
    offset, limit = page_span(question, limit_max)
    shown = items[offset : offset + limit]
    return envelope(question, list(shown), total=len(items), offset=offset, limit=limit, related=related)


def envelope(
    question: Question, shown: list[Any], *, total: int, offset: int, limit: int, related: Any = None
) -> dict[str, Any]:
    """Items with their page. Links are relative; a lost one is null or, as recorded, text."""
    following = _link(question, offset + limit, limit) if offset + limit < total else None
    preceding = _link(question, max(0, offset - limit), limit) if offset else None
    if question.lost_next:
        following, preceding = ("", "None") if total % 2 else (None, None)
    page = {"offset": offset, "limit": limit, "next": following, "previous": preceding, "total": total}
    body = {"items": shown, "page": page, "errors": []}
    return {"related": related, **body} if related is not None else body


def _link(question: Question, offset: int, limit: int) -> str:
    kept = {name: value for name, value in question.query.items() if name not in ("offset", "limit")}
    return f"{question.path}?{urlencode({**kept, 'offset': offset, 'limit': limit})}"


def window(question: Question, today: date) -> tuple[date, date]:
    """The span of days asked for, both ends inclusive. Raises Refusal (400) when it makes no sense."""
    end = _day(question, "endDate") or today
    start = _day(question, "startDate") or end - DEFAULT_WINDOW
    if start > end:
        raise Refusal(400, "Parameter startDate must not be after endDate.")
    return start, end


def _day(question: Question, name: str) -> date | None:
    text = question.query.get(name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise Refusal(400, f"Parameter {name} is not a valid date (YYYY-MM-DD).")
    return day

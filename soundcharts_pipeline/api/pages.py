"""Offset pages and date windows. Knows the page envelope; fewer rows than announced is an error.

Only `page.total` and our own offset are trusted: `next` was seen null, '' and 'None' while rows were left.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from soundcharts_pipeline.api.errors import IncompleteAnswer, UnexpectedPayload

# The documented maximum (developers.soundcharts.com, getting started); a larger one is refused, not clamped.
PAGE_LIMIT = 100
# The documented maximum of days in one request, both ends counted (help.soundcharts.com).
WINDOW_DAYS = 90

GetPage = Callable[[Mapping[str, int]], dict[str, Any]]


def total_of(body: Mapping[str, Any], endpoint: str) -> int:
    """The number of rows a collection announces."""
    page = body.get("page")
    total = page.get("total") if isinstance(page, dict) else None
    if not isinstance(total, int):
        raise UnexpectedPayload(f"{endpoint}: the answer has no page.total", endpoint=endpoint)
    return total


def items_of(body: Mapping[str, Any], endpoint: str) -> list[Any]:
    items = body.get("items")
    if not isinstance(items, list):
        raise UnexpectedPayload(f"{endpoint}: the answer has no items", endpoint=endpoint)
    return items


def each_page(get_page: GetPage, endpoint: str) -> Iterator[dict[str, Any]]:
    """Pages in order, up to the announced total; a caller that has what it wants stops early and pays no more.

    Raises IncompleteAnswer when the pages are exhausted, or one brings nothing new, with fewer distinct rows than
    announced. A row that stands twice on one page counts twice (a series may hold two points a day); a row of an
    earlier page does not count again (that is how overlapping pages were seen to hide missing rows).
    """
    offset, seen, distinct = 0, set[str](), 0
    while True:
        body = get_page({"offset": offset, "limit": PAGE_LIMIT})
        items, total = items_of(body, endpoint), total_of(body, endpoint)
        # An answer of one page, the usual case, has no earlier rows to compare with.
        rows = [json.dumps(item, sort_keys=True) for item in items] if total > len(items) else []
        new = sum(row not in seen for row in rows) if rows else len(items)
        distinct += new
        seen.update(rows)
        yield body
        offset += len(items)
        if offset >= total or not new:
            break
    if distinct < total:
        raise IncompleteAnswer(
            f"{endpoint}: {distinct} distinct rows of {total} announced; nothing of it was saved, run again",
            endpoint=endpoint,
        )


def all_pages(get_page: GetPage, endpoint: str) -> list[dict[str, Any]]:
    """Every page, or an error: never a part."""
    return list(each_page(get_page, endpoint))

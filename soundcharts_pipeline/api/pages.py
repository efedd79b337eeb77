"""Offset pages and date windows. Knows the page envelope; fewer rows than announced is an error.

So is a later page that is refused: the first one was given, so the refusal says nothing of the entity.
Only `page.total` and our own offset are trusted: `next` was seen null, '' and 'None' while rows were left.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from soundcharts_pipeline.api.errors import BadRequest, IncompleteAnswer, NotFound, NotInPlan, UnexpectedPayload

# The documented maximum (developers.soundcharts.com, getting started); a larger one is refused, not clamped.
PAGE_LIMIT = 100
# The documented maximum of days in one request, both ends counted (help.soundcharts.com).
WINDOW_DAYS = 90

GetPage = Callable[[Mapping[str, int]], dict[str, Any]]
# An answer without anything: there is no such thing, or not for us, or the question is wrong.
REFUSALS = (NotFound, NotInPlan, BadRequest)
# What a row is known by, hashable; None where that cannot be read, and the whole row counts.
Key = Callable[[Any], Any]


def _no_key(_: Any) -> None:
    return None


def total_of(body: Mapping[str, Any], endpoint: str) -> int:
    """The number of rows a collection announces. Raises UnexpectedPayload without one."""
    page = body.get("page")
    total = page.get("total") if isinstance(page, dict) else None
    # `true` is an int to Python, and a count that no column can hold is none.
    if type(total) is not int or not 0 <= total < 1 << 63:
        raise UnexpectedPayload(f"{endpoint}: the answer has no page.total that is a count", endpoint=endpoint)
    return total


def items_of(body: Mapping[str, Any], endpoint: str) -> list[Any]:
    """The rows of a collection. Raises UnexpectedPayload when there is no list of them."""
    items = body.get("items")
    if not isinstance(items, list):
        raise UnexpectedPayload(f"{endpoint}: the answer has no items", endpoint=endpoint)
    return items


def each_page(get_page: GetPage, endpoint: str, key: Key = _no_key) -> Iterator[dict[str, Any]]:
    """Pages in order, up to the announced total; a caller that has what it wants stops early and pays no more. Where
    there are more rows than that, the total is wrong, and pages are read until one brings nothing new.

    Raises IncompleteAnswer when a later page is refused, and when the pages are exhausted, or one brings nothing new,
    with fewer distinct rows than the first page announced: while they are read, rows may be added in front, which
    moves the others. A row that stands twice on one page counts twice (a series may hold two points a day; for lists
    with a `key`, `all_pages` asks again); a row of an earlier page does not count again (that is how overlapping pages
    were seen to hide missing rows), nor does one of the same `key` with other values.
    """
    offset, seen, distinct = 0, set[Any](), 0
    announced: int | None = None
    while True:
        body = _page(get_page, endpoint, offset, announced)
        items, total = items_of(body, endpoint), total_of(body, endpoint)
        announced = total if announced is None else announced
        # An answer of one page, the usual case, has no earlier rows to compare with.
        several = max(total, announced) != len(items)
        rows = [_known_by(item, key, endpoint) for item in items] if several else []
        new = sum(row not in seen for row in rows) if rows else len(items)
        distinct += new
        seen.update(rows)
        if not new and distinct > announced:
            break  # the rows beyond the total have come to their end
        yield body
        offset += len(items)
        if not new or (offset >= total and distinct <= total):
            break
    if distinct < announced:
        raise IncompleteAnswer(
            f"{endpoint}: {distinct} distinct rows of {announced} announced; nothing of it was saved, run again",
            endpoint=endpoint,
        )


def _page(get_page: GetPage, endpoint: str, offset: int, announced: int | None) -> dict[str, Any]:
    try:
        return get_page({"offset": offset, "limit": PAGE_LIMIT})
    except REFUSALS as error:
        if announced is None:
            raise
        raise IncompleteAnswer(
            f"{endpoint}: the pages of one answer contradict each other: {announced} rows are announced, and those "
            f"from {offset} on refused ({error}); nothing of it was saved, run again",
            endpoint=endpoint,
            status=error.status,
        ) from error


def all_pages(
    get_page: GetPage,
    endpoint: str,
    *,
    tries: int = 2,
    identity: Callable[[dict[str, Any]], Any] = lambda _: None,
    key: Key = _no_key,
    subject: Key = _no_key,
    told: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Every page, or an error: never a part.

    Pages that contradict each other, in their total, in the `identity` of what they tell of or by the refusal of a
    later one, are asked again as a whole, `tries` times in all; then IncompleteAnswer is raised. So are those that
    lack rows and repeat others with other values: the list moved while it was read.

    Asked again are pages, too, of which one has a `key` twice, for the double may stand where another row belongs, and
    those that have the `subject` of an earlier page under another key, for it may have moved and have moved others.
    Where they say the same again, row by row, that is how the list is, and `told` hears of it.
    """
    before: list[Any] | None = None
    while True:
        tries -= 1
        pages, incomplete = _tried(get_page, endpoint, key)
        error = _contradiction(pages, endpoint, identity) or incomplete
        if error is None:
            doubt = _doubled(pages, key) or _moved(pages, key, subject)
            rows = [_known_by(item, key, endpoint) for item in _items(pages)] if doubt else []
            if not doubt or rows == before:
                if doubt:
                    told(doubt)
                return pages
            before, error = rows, _contradicted(endpoint, f"{doubt}, and what came in another try differs")
        elif error is incomplete and error.status is None and not _repeat_changed_rows(pages, key, endpoint):
            raise error
        if not tries:
            raise error


def _contradiction(
    pages: Iterable[dict[str, Any]], endpoint: str, identity: Callable[[dict[str, Any]], Any]
) -> IncompleteAnswer | None:
    totals = sorted({total_of(page, endpoint) for page in pages})
    told = [found for page in pages if (found := identity(page)) is not None]
    if len(totals) > 1:
        return _contradicted(endpoint, f"they announce {' and '.join(map(str, totals))} rows")
    return _contradicted(endpoint, "they tell of different things") if any(it != told[0] for it in told) else None


def _contradicted(endpoint: str, what: str) -> IncompleteAnswer:
    return IncompleteAnswer(
        f"{endpoint}: the pages of one answer contradict each other: {what}; nothing of it was saved, run again",
        endpoint=endpoint,
    )


def _items(pages: Iterable[dict[str, Any]]) -> list[Any]:
    return [item for page in pages for item in page["items"]]


def _doubled(pages: Iterable[dict[str, Any]], key: Key) -> str | None:
    """How many rows stand on one page twice, as far as their key can be read."""
    twice = 0
    for page in pages:
        known = [found for item in page["items"] if (found := key(item)) is not None]
        twice += len(known) - len(set(known))
    return f"{twice} of {len(_items(pages))} rows came twice on a page" if twice else None


def _moved(pages: Iterable[dict[str, Any]], key: Key, subject: Key) -> str | None:
    """How many rows have the subject of one on an earlier page, and another key than it had there."""
    earlier: dict[Any, set[Any]] = {}
    moved = 0
    for page in pages:
        rows = [(found, key(item)) for item in page["items"] if (found := subject(item)) is not None]
        moved += sum(known not in earlier.get(found, {known}) for found, known in rows)
        for found, known in rows:
            earlier.setdefault(found, set()).add(known)
    return f"{moved} of {len(_items(pages))} rows came on an earlier page at another place" if moved else None


def _tried(get_page: GetPage, endpoint: str, key: Key) -> tuple[list[dict[str, Any]], IncompleteAnswer | None]:
    pages = []
    try:
        for page in each_page(get_page, endpoint, key):
            pages.append(page)  # those before an error are looked at
    except IncompleteAnswer as error:
        return pages, error
    return pages, None


def _repeat_changed_rows(pages: Iterable[dict[str, Any]], key: Key, endpoint: str) -> bool:
    rows = ((key(item), _as_text(item, endpoint)) for item in _items(pages))
    first: dict[Any, str] = {}
    return any(known is not None and first.setdefault(known, text) != text for known, text in rows)


def _known_by(item: Any, key: Key, endpoint: str) -> Any:
    known = key(item)
    return _as_text(item, endpoint) if known is None else known


def _as_text(item: Any, endpoint: str) -> str:
    try:
        return json.dumps(item, sort_keys=True)
    except RecursionError:
        raise UnexpectedPayload(f"{endpoint}: an item is nested too deep", endpoint=endpoint) from None

"""Bodies in the shapes of every endpoint, changed at random."""

import json
import math
import operator
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from soundcharts_pipeline.wording import cleaned

from .recorded import payload

LONG = "".join(chr(0x4E00 + n * 7919 % 20000) for n in range(4000))
DEEP: Any = [[[[[[[[["deep"]]]]]]]]]

ODD_VALUES: list[Any] = [
    *[None, True, False, -1, 0, 7, 7.0, 215.4, 1 << 31, (1 << 63) - 1, 1 << 63, 10**30, -(10**30)],
    *[
        math.nan,
        math.inf,
        -math.inf,
        "",
        " ",
        "x",
        "215",
        "215.0",
        "NaN",
        "true",
        "a\0b",
        "\ud83d",
        "\ude00x",
        "😀",
        LONG,
    ],
    *["1975", "1975-06", "0000-00-00", "2026-05-29", "2026-05-29T12:00:00+00:00", "9999-12-31T00:00:00+00:00"],
    *[[], {}, [[1]], [None], ["x"], {"a": 1}, {"1": "x"}, {"uuid": "u"}, DEEP],
]


def _nodes(found: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for key, value in inner:
        yield from _nodes(value, (*path, key))


def _changed(body: Any, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
    """The body with one change at a place of it."""
    path = draw(st.sampled_from(list(_nodes(body))))
    if not path:
        return deepcopy(draw(st.sampled_from(ODD_VALUES))) if draw(st.integers(0, 20)) == 0 else body
    holder = body
    for key in path[:-1]:
        holder = holder[key]
    last = path[-1]
    odd = deepcopy(draw(st.sampled_from(ODD_VALUES)))
    changes: list[Callable[[], Any]] = [
        *[lambda: operator.setitem(holder, last, odd)] * 3,
        lambda: operator.delitem(holder, last),
        lambda: operator.setitem(holder, last, [holder[last]]),
    ]
    if isinstance(holder, dict):
        changes.append(lambda: operator.setitem(holder, f"{last}New", holder.pop(last)))
    else:
        changes.append(lambda: holder.insert(last, deepcopy(holder[last])))
    if isinstance(holder[last], list):
        changes += [holder[last].reverse, lambda: holder[last].extend(deepcopy(holder[last]))]
    draw(st.sampled_from(changes))()
    return body


def _everywhere(body: Any, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
    """A key of the records renamed or dropped in all of them."""
    names = sorted({key for path in _nodes(body) if "items" in path for key in path[2:] if isinstance(key, str)})
    if not names:
        return body
    name, drop = draw(st.sampled_from(names)), draw(st.booleans())

    def walk(found: Any) -> Any:
        if isinstance(found, dict):
            kept = found.items() if not drop else [(key, value) for key, value in found.items() if key != name]
            return {f"{key}New" if key == name else key: walk(value) for key, value in kept}
        return [walk(item) for item in found] if isinstance(found, list) else found

    return {**body, "items": walk(body["items"])}


@st.composite
def mutated(draw: Callable[[st.SearchStrategy[Any]], Any], name: str) -> Any:
    """The body of a payload file after up to three changes; the announced total follows the items unless it was changed
    itself."""
    body = payload(name)
    before = deepcopy(body.get("page"))
    if draw(st.integers(0, 9)) == 0:
        body = _everywhere(body, draw)
    for _ in range(draw(st.integers(0, 3))):
        if isinstance(body, dict | list):
            body = _changed(body, draw)
    if isinstance(body, dict) and isinstance(body.get("items"), list) and body.get("page") == before and before:
        body["page"]["total"] = len(body["items"])
    return body


def as_bytes(body: Any) -> bytes:
    """As a server would send it; what is no number is sent as the text that some servers send."""
    return json.dumps(body).encode()


def as_read(body: Any) -> Any:
    """What a careful reader finds in those bytes: Python's own reading, with text that can be stored."""
    return cleaned(json.loads(as_bytes(body)))


def holds_no_number(body: Any) -> bool:
    """Whether the bytes hold NaN or an infinity, which are no JSON."""
    values = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    return (isinstance(body, float) and not math.isfinite(body)) or any(map(holds_no_number, values))

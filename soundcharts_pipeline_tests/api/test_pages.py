"""Paging against servers that page as they please: the whole answer or an error, and no request too many."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from itertools import islice
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from soundcharts_pipeline.api.errors import IncompleteAnswer, UnexpectedPayload
from soundcharts_pipeline.api.pages import PAGE_LIMIT, all_pages, each_page, items_of, total_of

from .recorded import payload

Span = Callable[[int], slice]
# A busy machine is no failure.
UNTIMED = settings(deadline=None)


class Server:
    """Plays the rows; `span` says which of them it gives for an offset, `total` what it announces."""

    def __init__(self, rows: Sequence[Any], span: Span, total: int | None = None) -> None:
        self.rows, self.span = rows, span
        self.total = len(rows) if total is None else total
        self.asked: list[Mapping[str, int]] = []

    def page(self, params: Mapping[str, int]) -> dict[str, Any]:
        self.asked.append(dict(params))
        items = list(self.rows[self.span(params["offset"])])
        # What it says of the next page is as wrong as was recorded.
        page = {"offset": 0, "limit": 1, "next": "", "previous": "None", "total": self.total}
        return {"items": items, "page": page, "errors": []}

    def received(self) -> list[Any]:
        return [row for body in all_pages(self.page, "series") for row in body["items"]]


def _plots(count: int) -> list[dict[str, int]]:
    return [{"value": number % 3, "day": number} for number in range(count)]


@UNTIMED
@given(total=st.integers(0, 450), size=st.integers(1, 100))
@example(total=0, size=100)
@example(total=100, size=100)
@example(total=101, size=100)
def test_every_row_comes_once_in_order_in_no_more_requests_than_pages(total: int, size: int) -> None:
    server = Server(_plots(total), lambda offset: slice(offset, offset + size))

    assert server.received() == _plots(total)
    pages = max(1, -(-total // size))
    assert server.asked == [{"offset": size * number, "limit": PAGE_LIMIT} for number in range(pages)]


@UNTIMED
@given(total=st.integers(1, 300), sizes=st.lists(st.integers(1, 100), min_size=1, max_size=8))
def test_pages_may_differ_in_size(total: int, sizes: list[int]) -> None:
    server = Server(_plots(total), lambda offset: slice(offset, offset + sizes[offset % len(sizes)]))

    assert server.received() == _plots(total)


@UNTIMED
@given(
    total=st.integers(1, 300),
    size=st.integers(1, 60),
    overlap=st.integers(0, 59),
    shown=st.none() | st.integers(1, 300),
)
@example(total=54, size=15, overlap=4, shown=None)  # as it was observed
@example(total=104, size=100, overlap=4, shown=None)  # nothing is missing in spite of the overlap
def test_overlapping_or_short_answers_are_given_whole_or_not_at_all(
    total: int, size: int, overlap: int, shown: int | None
) -> None:
    rows = _plots(min(total, total if shown is None else shown))
    server = Server(rows, lambda offset: slice(max(0, offset - overlap), max(0, offset - overlap) + size), total)
    received: list[Any] = []
    with suppress(IncompleteAnswer):
        received = server.received()
        assert {row["day"] for row in received} == set(range(total))
    if not received:
        with pytest.raises(IncompleteAnswer, match=rf"^series: \d+ distinct rows of {total} announced") as raised:
            Server(rows, server.span, total).received()
        assert raised.value.endpoint == "series"
    # Nothing is asked beyond the announced rows, nor twice.
    offsets = [asked["offset"] for asked in server.asked]
    assert offsets == sorted(set(offsets))
    assert offsets[-1] < total


@UNTIMED
@given(total=st.integers(1, 400), announced=st.integers(1, 500), size=st.integers(1, 100))
def test_a_total_that_is_too_large_is_an_error_and_one_that_a_page_exceeds_is_not_believed(
    total: int, announced: int, size: int
) -> None:
    server = Server(_plots(total), lambda offset: slice(offset, offset + size), announced)
    if announced > total:
        with pytest.raises(IncompleteAnswer, match=f"{total} distinct rows of {announced} announced"):
            server.received()
    else:
        pages = -(-announced // size)
        reached = min(total, pages * size)
        # Nothing contradicts a total that is reached to the row; beyond it, only a page of nothing new is an end.
        assert server.received()[:total] == (_plots(total) if reached > announced else _plots(reached))
        assert len(server.asked) == (-(-total // size) + 1 if reached > announced else pages)


@UNTIMED
@given(doubled=st.lists(st.integers(0, 79), max_size=20, unique=True))
def test_a_row_twice_on_one_page_counts_twice(doubled: list[int]) -> None:
    rows = [row for row in _plots(80) for _ in range(1 + (row["day"] in doubled))]
    server = Server(rows, lambda offset: slice(offset, offset + PAGE_LIMIT))

    assert server.received() == rows
    assert len(server.asked) == 1


def test_a_row_of_an_earlier_page_does_not_count_again() -> None:
    rows = [*_plots(PAGE_LIMIT), *_plots(PAGE_LIMIT)[-5:]]
    server = Server(rows, lambda offset: slice(offset, offset + PAGE_LIMIT))

    with pytest.raises(IncompleteAnswer, match="100 distinct rows of 105 announced"):
        server.received()


@pytest.mark.parametrize("reordered", [False, True])
def test_a_server_that_ignores_the_offset_is_found_out_with_the_second_page(reordered: bool) -> None:
    def page(params: Mapping[str, int]) -> dict[str, Any]:
        asked.append(params)
        keys = ("day", "value") if reordered and len(asked) == 2 else ("value", "day")
        items = [{key: row[key] for key in keys} for row in _plots(15)]
        return {"items": items, "page": {"total": 5_000}}

    asked: list[Mapping[str, int]] = []
    with pytest.raises(IncompleteAnswer, match="15 distinct rows of 5000 announced"):
        all_pages(page, "series")
    assert len(asked) == 2


@UNTIMED
@given(wanted=st.integers(1, 5))
def test_whoever_stops_early_pays_for_no_further_page_and_meets_no_error(wanted: int) -> None:
    server = Server(_plots(100 * 5), lambda offset: slice(offset, offset + 100), total=10_000)
    pages = list(islice(each_page(server.page, "rankings"), wanted))

    assert [row for body in pages for row in body["items"]] == _plots(100 * wanted)
    assert len(server.asked) == wanted


class Changing:
    """A list of `len(rows)` rows, of which each request (by number, from 0) finds another state."""

    def __init__(self, states: Callable[[int], Sequence[Any]], related: Callable[[int], Any] = lambda _: None) -> None:
        self.states, self.related = states, related
        self.asked: list[int] = []

    def page(self, params: Mapping[str, int]) -> dict[str, Any]:
        rows = self.states(len(self.asked))
        self.asked.append(params["offset"])
        items = rows[params["offset"] : params["offset"] + 100]
        return {"related": self.related(len(self.asked) - 1), "items": items, "page": {"total": len(rows)}}


def test_pages_that_announce_different_totals_are_asked_again_as_a_whole() -> None:
    server = Changing(lambda request: _plots(130 if request == 0 else 123))

    assert [row for body in all_pages(server.page, "ranking") for row in body["items"]] == _plots(123)
    assert server.asked == [0, 100, 0, 100]


@pytest.mark.parametrize("more", [7, -7, 1, -1])
def test_pages_that_go_on_contradicting_each_other_are_refused(more: int) -> None:
    server = Changing(lambda request: _plots(130 + more * (request % 2)))

    with pytest.raises(
        IncompleteAnswer, match=r"ranking: the pages .* contradict each other: they announce 1\d\d and 1"
    ):
        all_pages(server.page, "ranking")
    assert server.asked == [0, 100, 0, 100]


@pytest.mark.parametrize(("second", "is_refused"), [("2026-05-30", True), (None, False), ("2026-05-29", False)])
def test_pages_that_tell_of_different_things_are_refused_and_one_that_does_not_say_is_no_contradiction(
    second: str | None, is_refused: bool
) -> None:
    server = Changing(lambda _: _plots(130), lambda request: "2026-05-29" if request % 2 == 0 else second)

    with pytest.raises(IncompleteAnswer, match="tell of different things") if is_refused else nullcontext():
        all_pages(server.page, "ranking", identity=lambda body: body["related"])
    assert len(server.asked) == (4 if is_refused else 2)


@pytest.mark.parametrize("new", [1, 3])
def test_a_list_that_grows_in_front_while_it_is_read_is_read_all_the_same(new: int) -> None:
    """Rankings come out while the list of them is read: all others move on."""
    old = [f"day {number}" for number in range(250)]
    server = Changing(lambda request: old if request == 0 else [*[f"new {n}" for n in range(new)], *old])

    read = [row for body in each_page(server.page, "available_rankings") for row in body["items"]]
    assert set(read) == set(old)
    assert server.asked == [0, 100, 200]


def test_a_list_that_shrinks_while_it_is_read_may_hide_a_row() -> None:
    old = _plots(250)
    server = Changing(lambda request: old if request == 0 else old[1:])

    with pytest.raises(IncompleteAnswer, match="249 distinct rows of 250 announced"):
        list(each_page(server.page, "available_rankings"))


def test_rows_of_a_long_answer_that_are_nested_without_end_are_refused_by_name() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    server = Server([deep] * 130, lambda offset: slice(offset, offset + 100))

    with pytest.raises(UnexpectedPayload, match="series: an item is nested too deep"):
        server.received()


def test_bare_texts_are_rows_too() -> None:
    stamps = [f"2026-01-01T00:00:{number:02}+00:00" for number in range(60)]
    server = Server(stamps, lambda offset: slice(offset, offset + 25))

    assert server.received() == stamps


def test_recorded_links_to_the_next_page_are_not_believed() -> None:
    asked: list[Mapping[str, int]] = []

    def page(params: Mapping[str, int]) -> dict[str, Any]:
        asked.append(params)
        body: dict[str, Any] = payload("ranking_recorded")
        return body

    # It names a next page although both of its two rows are here.
    assert all_pages(page, "ranking") == [payload("ranking_recorded")]
    assert len(asked) == 1


@pytest.mark.parametrize(
    "page",
    [
        *[None, [], "None", {}, {"total": None}, {"total": "200"}, {"total": []}],
        *[{"total": True}, {"total": False}, {"total": -1}, {"total": 2.0}, {"total": 1 << 63}],
    ],
)
def test_an_answer_without_a_total_is_refused(page: object) -> None:
    with pytest.raises(UnexpectedPayload, match=r"series: the answer has no page\.total") as raised:
        total_of({"items": [], "page": page}, "series")
    assert raised.value.endpoint == "series"


@pytest.mark.parametrize("body", [{}, {"items": None}, {"items": {}}, {"object": {}}])
def test_an_answer_without_items_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedPayload, match="series: the answer has no items") as raised:
        items_of(body, "series")
    assert raised.value.endpoint == "series"

"""Pages of a list that moves while it is read: rows come again with other values, and others never come."""

from collections.abc import Callable
from typing import Any

import pytest

from soundcharts_pipeline.api.errors import IncompleteAnswer

from .calling import BAD_GUY, Asked, Says, answering, caller_of
from .lists import LISTS, NOON, RELATED, TOTAL, Ask, Row, entry


def _moving(row: Row, moves: int) -> Callable[[Asked], Says]:
    """The second page begins with three rows of the first one, changed, the first `moves` times that it is asked."""
    seconds = iter([True] * moves)

    def answer(asked: Asked) -> Says:
        offset = int(asked.params["offset"])
        back = 3 if offset and next(seconds, False) else 0
        numbers = range(offset + 1 - back, min(TOTAL, offset + 100) + 1 - back)
        items = [row(number, 2 if offset else 1) for number in numbers]
        return Says.json({"related": RELATED, "items": items, "page": {"total": TOTAL}})

    return answer


@pytest.mark.parametrize(("row", "ask"), [(row, ask) for row, ask, _ in LISTS])
def test_rows_that_come_again_with_other_values_do_not_stand_for_those_that_never_came(row: Row, ask: Ask) -> None:
    with answering(_moving(row, moves=9)) as stub, pytest.raises(IncompleteAnswer, match="127 distinct rows of 130"):
        ask(caller_of(stub.url).client)
    assert [int(asked.params["offset"]) for asked in stub.asked] == [0, 100, 0, 100]


@pytest.mark.parametrize(("row", "ask", "count"), LISTS)
def test_a_list_that_moved_once_is_whole_when_it_is_asked_again(
    row: Row, ask: Ask, count: Callable[[Any], int]
) -> None:
    with answering(_moving(row, moves=1)) as stub:
        assert count(ask(caller_of(stub.url).client)) == TOTAL
    assert len(stub.asked) == 4


def _reading(*states: list[Any]) -> Callable[[Asked], Says]:
    """A list that each call finds in its next state, and at the end in the last one."""
    left = list(states)

    def answer(asked: Asked) -> Says:
        rows = left.pop(0) if len(left) > 1 else left[0]
        offset = int(asked.params["offset"])
        return Says.json({"related": RELATED, "items": rows[offset : offset + 100], "page": {"total": len(rows)}})

    return answer


def _ranked(*tracks: object) -> list[dict[str, Any]]:
    return [
        {"song": {"uuid": f"track-{track}", "name": "x"}, "position": number} for number, track in enumerate(tracks, 1)
    ]


BEFORE = _ranked(*range(TOTAL))
AFTER = _ranked("new", *range(TOTAL - 1))


def _taken(answer: Callable[[Asked], Says]) -> tuple[list[tuple[int, str]], list[str], int]:
    """The places of the ranking, the remarks on it, and the calls it took."""
    with answering(answer) as stub:
        client = caller_of(stub.url).client
        places = [(entry.position, entry.track.uuid) for entry in client.ranking(NOON, "global-28").entries]
        return places, [str(remark) for remark in client.remarks.drain()], len(stub.asked)


def _places(rows: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(row["position"], row["song"]["uuid"]) for row in rows]


def test_a_ranking_that_moves_between_two_pages_is_read_again_with_its_new_number_one() -> None:
    assert _taken(_reading(BEFORE, AFTER)) == (_places(AFTER), [], 4)


def test_a_ranking_that_does_not_move_is_read_once() -> None:
    assert _taken(_reading(BEFORE)) == (_places(BEFORE), [], 2)


def test_a_track_that_holds_places_on_two_pages_is_believed_when_the_next_reading_says_the_same() -> None:
    rows = _ranked(*range(120), 7, *range(121, TOTAL))
    jittery = [{**row, "metric": 7} for row in rows]
    told = "ranking items: 1 of 130 rows came on an earlier page at another place of global-28, taken as they are: "
    assert _taken(_reading(rows, rows, jittery)) == (_places(rows), [f"{told}asked again, the answer was the same"], 4)


def test_a_ranking_that_moves_whenever_it_is_read_is_refused() -> None:
    answer = _reading(BEFORE, AFTER, BEFORE, _ranked("newer", "new", *range(TOTAL - 2)))
    with answering(answer) as stub, pytest.raises(IncompleteAnswer, match="2 of 130 rows came on an earlier page"):
        caller_of(stub.url).client.ranking(NOON, "global-28")
    assert len(stub.asked) == 4


def test_a_list_that_goes_on_moving_is_no_proof_of_itself() -> None:
    again = _ranked("newer", "new", *range(TOTAL - 2))
    with answering(_reading(BEFORE, AFTER, AFTER, again)) as stub, pytest.raises(IncompleteAnswer):
        caller_of(stub.url).client.ranking(NOON, "global-28")
    assert len(stub.asked) == 4


def _as_stations(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"radio": {"slug": row["song"]["uuid"]}, "playCount": 1} for row in rows]


def _as_charts(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"slug": row["song"]["uuid"], "name": "x", "platform": "spotify"} for row in rows]


SHORT = _ranked(*range(12))
# The fourth row twice, and the fifth nowhere.
DOUBLED = [*SHORT[:4], SHORT[3], *SHORT[5:]]
KEYED: list[tuple[Callable[[list[dict[str, Any]]], list[dict[str, Any]]], Ask, Callable[[Any], int], str]] = [
    (list, LISTS[0][1], LISTS[0][2], "ranking items: 1 of 12 rows came twice on a page of global-28"),
    (
        _as_charts,
        LISTS[1][1],
        lambda charts: len(set(charts)),
        "charts items: 1 of 12 rows came twice on a page of spotify",
    ),
    (_as_stations, LISTS[2][1], int, f"track_broadcast_groups items: 1 of 12 rows came twice on a page of {BAD_GUY}"),
]


@pytest.mark.parametrize(("shape", "ask", "count", "told"), KEYED)
@pytest.mark.parametrize("passes", [True, False])
def test_a_row_twice_on_a_page_is_no_other_row_until_the_next_reading_says_so_again(
    shape: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
    ask: Ask,
    count: Callable[[Any], int],
    told: str,
    passes: bool,
) -> None:
    doubled = shape(DOUBLED)
    with answering(_reading(doubled, shape(SHORT) if passes else doubled)) as stub:
        client = caller_of(stub.url).client
        assert count(ask(client)) == (12 if passes else 11)
    remarks = [str(remark) for remark in client.remarks.drain()]
    assert remarks == ([] if passes else [f"{told}, taken as they are: asked again, the answer was the same"])
    assert len(stub.asked) == 2


def test_doubles_that_are_others_in_the_next_reading_are_refused() -> None:
    other = [*SHORT[:8], SHORT[7], *SHORT[9:]]
    with (
        answering(_reading(DOUBLED, other)) as stub,
        pytest.raises(IncompleteAnswer, match="1 of 12 rows came twice on a page, and what came in another try"),
    ):
        caller_of(stub.url).client.ranking(NOON, "global-28")


def test_rows_that_cannot_be_read_are_no_doubles() -> None:
    rows = [*SHORT[:8], None, None, {"song": None, "position": 9}, {"song": None, "position": 9}]
    places, remarks, calls = _taken(_reading(rows))
    assert (len(places), calls) == (8, 1)
    assert not any("twice" in remark for remark in remarks)


def test_a_row_without_a_readable_key_is_known_by_all_that_it_holds() -> None:
    def answer(asked: Asked) -> Says:
        numbers = range(1, 101) if asked.params["offset"] == "0" else range(101, TOTAL + 1)
        items: list[Any] = [entry(number, 1) for number in numbers]
        odd = [{**items[0], "song": None, "n": 1}, {**items[1], "position": [2]}, {**items[2], "position": "one"}]
        items[:3] = [{**item, "page": asked.params["offset"]} for item in odd]
        return Says.json({"related": RELATED, "items": items, "page": {"total": TOTAL}})

    with answering(answer) as stub:
        assert len(caller_of(stub.url).client.ranking(NOON, "global-28").entries) == TOTAL - 6
    assert len(stub.asked) == 2

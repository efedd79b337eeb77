"""Pages of a list that moves while it is read: rows come again with other values, and others never come."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from soundcharts_pipeline.api.client import SoundchartsClient
from soundcharts_pipeline.api.errors import IncompleteAnswer
from soundcharts_pipeline.models import PublishedRanking

from .calling import BAD_GUY, Asked, Says, answering, caller_of
from .recorded import payload

TOTAL = 130
RELATED = payload("ranking")["related"]
NOON = PublishedRanking(date(2026, 5, 29), RELATED["date"])

Row = Callable[[int, int], dict[str, Any]]
Ask = Callable[[SoundchartsClient], Any]


def _entry(number: int, page: int) -> dict[str, Any]:
    return {"song": {"uuid": f"track-{number}", "name": "x"}, "position": number, "metric": 1000 + page}


def _chart(number: int, page: int) -> dict[str, Any]:
    return {"slug": f"chart-{number}", "name": f"as of page {page}", "platform": "spotify"}


def _station(number: int, page: int) -> dict[str, Any]:
    return {"radio": {"slug": f"station-{number}"}, "playCount": number + page}


LISTS: list[tuple[Row, Ask, Callable[[Any], int]]] = [
    (_entry, lambda c: c.ranking(NOON, "global-28"), lambda ranking: len(ranking.entries)),
    (_chart, lambda c: c.charts("spotify"), len),
    (_station, lambda c: c.spins_by_station(BAD_GUY, NOON.day), lambda plays: TOTAL if plays > 8_000 else 0),
]


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


def test_a_row_without_a_readable_key_is_known_by_all_that_it_holds() -> None:
    def answer(asked: Asked) -> Says:
        numbers = range(1, 101) if asked.params["offset"] == "0" else range(101, TOTAL + 1)
        items: list[Any] = [_entry(number, 1) for number in numbers]
        odd = [{**items[0], "song": None, "n": 1}, {**items[1], "position": [2]}, {**items[2], "position": "one"}]
        items[:3] = [{**item, "page": asked.params["offset"]} for item in odd]
        return Says.json({"related": RELATED, "items": items, "page": {"total": TOTAL}})

    with answering(answer) as stub:
        assert len(caller_of(stub.url).client.ranking(NOON, "global-28").entries) == TOTAL - 6
    assert len(stub.asked) == 2

"""Lists of which a later page is refused."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from soundcharts_pipeline.api.errors import IncompleteAnswer
from soundcharts_pipeline.models import Window

from .calling import BILLIE, Asked, Says, answering, caller_of
from .lists import LISTS, RELATED, TOTAL, Ask, Row

REFUSALS = [
    *[(400, "Invalid offset."), (403, "Forbidden."), (404, "Not found."), (410, "Gone.")],
    *[(404, "No social account found for artist x."), (404, "Not a social platform.")],
]
FIRST = date(2026, 5, 1)
Refusal = tuple[int, str]


def _platform(number: int, _: int) -> dict[str, Any]:
    return {"code": f"platform-{number}", "name": "x"}


def _stamp(number: int, _: int) -> str:
    return f"{FIRST - timedelta(days=number)}T12:00:00+00:00"


def _refusing(row: Callable[[int, int], Any], refusal: Refusal, times: int) -> Callable[[Asked], Says]:
    """The second page is refused the first `times` times that it is asked."""
    refusals = iter([True] * times)

    def answer(asked: Asked) -> Says:
        offset = int(asked.params["offset"])
        if offset and next(refusals, False):
            status, message = refusal
            return Says.json({"errors": [{"key": "access", "code": status, "message": message}]}, status)
        items = [row(number, 1) for number in range(offset + 1, min(TOTAL, offset + 100) + 1)]
        return Says.json({"related": RELATED, "items": items, "page": {"total": TOTAL}})

    return answer


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize(
    ("row", "ask"), [*[(row, ask) for row, ask, _ in LISTS], (_platform, lambda c: c.chart_platforms())]
)
def test_a_refusal_of_the_second_page_contradicts_the_first_one_and_is_no_verdict(
    row: Row, ask: Ask, refusal: Refusal
) -> None:
    with answering(_refusing(row, refusal, times=9)) as stub, pytest.raises(IncompleteAnswer) as raised:
        ask(caller_of(stub.url).client)
    assert "130 rows are announced, and those from 100 on refused" in str(raised.value)
    assert (refusal[1].rstrip(".") in str(raised.value), raised.value.status) == (True, refusal[0])
    assert [int(asked.params["offset"]) for asked in stub.asked] == [0, 100, 0, 100]


@pytest.mark.parametrize(("row", "ask", "count"), LISTS)
def test_a_second_page_that_was_refused_once_is_there_when_the_list_is_asked_again(
    row: Row, ask: Ask, count: Callable[[Any], int]
) -> None:
    with answering(_refusing(row, (403, "Forbidden."), times=1)) as stub:
        assert count(ask(caller_of(stub.url).client)) == TOTAL
    assert len(stub.asked) == 4


@pytest.mark.parametrize("refusal", REFUSALS)
def test_the_list_of_rankings_gives_the_pages_before_the_one_that_is_refused(refusal: Refusal) -> None:
    with answering(_refusing(_stamp, refusal, times=9)) as stub:
        pages = caller_of(stub.url).client.published_rankings("global-28")
        assert len(next(pages)) == 100
        with pytest.raises(IncompleteAnswer, match="those from 100 on refused"):
            next(pages)
    assert len(stub.asked) == 2


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_series_whose_second_page_is_refused_is_asked_in_halves(refusal: Refusal) -> None:
    """Two points a day: 180 in the whole window, and each half of it is one page."""

    def answer(asked: Asked) -> Says:
        if asked.params["offset"] != "0":
            return Says.json({"errors": [{"code": refusal[0], "message": refusal[1]}]}, refusal[0])
        first, last = (date.fromisoformat(asked.params[end]) for end in ("startDate", "endDate"))
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        items = [{"date": f"{day}T{hour}:00:00+00:00", "value": day.day} for day in days for hour in ("08", "18")]
        return Says.json({"items": items[:100], "page": {"total": len(items)}})

    window = Window(FIRST, FIRST + timedelta(days=89))
    with answering(answer) as stub:
        series = caller_of(stub.url).client.artist_followers(BILLIE, "instagram", window)
    assert {point.day for point in series.points} == {FIRST + timedelta(days=number) for number in range(90)}
    assert [asked.params["offset"] for asked in stub.asked] == ["0", "100", "0", "0"]


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("half", ["startDate", "endDate"])
def test_a_half_that_is_refused_is_no_verdict_on_a_series_that_gave_rows(refusal: Refusal, half: str) -> None:
    window = Window(FIRST, FIRST + timedelta(days=89))

    def answer(asked: Asked) -> Says:
        ends = {"startDate": str(window.start), "endDate": str(window.end)}
        if asked.params[half] != ends[half]:
            return Says.json({"errors": [{"code": refusal[0], "message": refusal[1]}]}, refusal[0])
        items = [{"date": f"{FIRST}T00:00:00+00:00", "value": 1}]
        whole = all(asked.params[end] == day for end, day in ends.items())
        return Says.json({"items": items, "page": {"total": 2 if whole else 1}})

    with answering(answer) as stub, pytest.raises(IncompleteAnswer, match=r"1 distinct rows of 2 .*a half was refused"):
        caller_of(stub.url).client.artist_followers(BILLIE, "instagram", window)

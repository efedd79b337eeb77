"""Pages of a list that moves while it is read: rows come again with other values, and others never come. And lists of
which a later page is refused."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from soundcharts_pipeline.api.client import SoundchartsClient
from soundcharts_pipeline.api.errors import IncompleteAnswer
from soundcharts_pipeline.models import PublishedRanking, Window

from .calling import BAD_GUY, BILLIE, Asked, Says, answering, caller_of
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
        items: list[Any] = [_entry(number, 1) for number in numbers]
        odd = [{**items[0], "song": None, "n": 1}, {**items[1], "position": [2]}, {**items[2], "position": "one"}]
        items[:3] = [{**item, "page": asked.params["offset"]} for item in odd]
        return Says.json({"related": RELATED, "items": items, "page": {"total": TOTAL}})

    with answering(answer) as stub:
        assert len(caller_of(stub.url).client.ranking(NOON, "global-28").entries) == TOTAL - 6
    assert len(stub.asked) == 2


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

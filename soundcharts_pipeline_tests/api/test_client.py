"""Each question as the API reference spells it, and what a client does with answers that are not plain."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest

from soundcharts_pipeline.api.client import SoundchartsClient
from soundcharts_pipeline.api.errors import BadRequest, IncompleteAnswer, UnexpectedPayload
from soundcharts_pipeline.api.remarks import KEPT, LEFT_OUT
from soundcharts_pipeline.models import AudiencePoint, PublishedRanking, Series, Window

from .calling import BAD_GUY, BILLIE, Asked, Says, Stub, answering, caller_of
from .conftest import TODAY, Simulate
from .recorded import payload

SECOND = "11111111-2222-11e9-9375-aaaaaaaaaaaa"
UNKNOWN = "00000000-0000-11e9-9375-000000000000"
MAY = Window(date(2026, 5, 1), date(2026, 5, 31))
SPAN = "startDate=2026-05-01&endDate=2026-05-31&offset=0&limit=100"
NOON = PublishedRanking(date(2026, 5, 29), "2026-05-29T12:00:00+00:00")

Ask = Callable[[SoundchartsClient], Any]

QUESTIONS: list[tuple[str, Ask, str]] = [
    ("chart_platforms", lambda c: c.chart_platforms(), "/api/v2/chart/song/platforms?offset=0&limit=100"),
    ("charts", lambda c: c.charts("spotify"), "/api/v2/chart/song/by-platform/spotify?offset=0&limit=100"),
    (
        "available_rankings",
        lambda c: list(c.published_rankings("global-28")),
        "/api/v2/chart/song/global-28/available-rankings?offset=0&limit=100",
    ),
    (
        "ranking",
        lambda c: c.newest_ranking("global-28"),
        "/api/v2.14/chart/song/global-28/ranking/latest?offset=0&limit=1",
    ),
    (
        "ranking",
        lambda c: c.ranking(NOON, "global-28"),
        "/api/v2.14/chart/song/global-28/ranking/2026-05-29T12%3A00%3A00%2B00%3A00?offset=0&limit=100",
    ),
    ("track", lambda c: c.tracks([BAD_GUY]), f"/api/v2.25/song/{BAD_GUY}"),
    ("track_batch", lambda c: c.tracks([BAD_GUY, SECOND]), f"/api/v2.25/song/{BAD_GUY},{SECOND}"),
    ("artist", lambda c: c.artists([BILLIE]), f"/api/v2.9/artist/{BILLIE}"),
    (
        "track_audience",
        lambda c: c.track_audience(BAD_GUY, "shazam", MAY),
        f"/api/v2/song/{BAD_GUY}/audience/shazam?{SPAN}",
    ),
    (
        "artist_streaming",
        lambda c: c.artist_streaming(BILLIE, "spotify", MAY),
        f"/api/v2/artist/{BILLIE}/streaming/spotify?{SPAN}",
    ),
    (
        "artist_followers_untidy",
        lambda c: c.artist_followers(BILLIE, "instagram", MAY),
        f"/api/v2.37/artist/{BILLIE}/social/instagram/followers/?{SPAN}",
    ),
    (
        "track_broadcasts",
        lambda c: c.spins(BAD_GUY, NOON.day),
        f"/api/v2/song/{BAD_GUY}/broadcasts?startDate=2026-05-29T00%3A00%3A00Z&endDate=2026-05-29T23%3A59%3A59Z&limit=1",
    ),
    (
        "track_broadcast_groups",
        lambda c: c.spins_by_station(BAD_GUY, NOON.day),
        f"/api/v2/song/{BAD_GUY}/broadcast-groups?startDate=2026-05-29&endDate=2026-05-29&offset=0&limit=100",
    ),
    ("error_404", lambda c: c.team_usage(), "/api/v2/team/usage"),
]


@contextmanager
def _answering_client(answer: Callable[[Asked], Says]) -> Iterator[tuple[SoundchartsClient, Stub]]:
    with answering(answer) as stub:
        yield caller_of(stub.url).client, stub


@pytest.mark.parametrize(("name", "ask", "target"), QUESTIONS)
def test_a_question_is_one_call_spelt_as_the_reference_spells_it(name: str, ask: Ask, target: str) -> None:
    body = {**payload(name), "errors": []}
    with _answering_client(lambda _: Says.json(body)) as (client, stub):
        ask(client)

    assert [asked.target for asked in stub.asked] == [target]


def test_spins_are_the_announced_total_and_not_the_one_play_that_came() -> None:
    with _answering_client(lambda _: Says.json(payload("track_broadcasts"))) as (client, _):
        assert client.spins(BAD_GUY, NOON.day) == 137


def test_what_is_left_of_the_plan_is_the_header_of_a_free_call() -> None:
    with _answering_client(lambda _: Says.json({"object": {}}, x_quota_remaining="4711")) as (client, _):
        assert client.team_usage() == 4711
        assert (client.usage.calls, client.usage.answered) == (1, 0)


# Rankings.


def test_a_ranking_of_another_day_than_asked_for_is_not_taken() -> None:
    asked = PublishedRanking(date(2026, 5, 28), "2026-05-28T12:00:00+00:00")
    with (
        _answering_client(lambda _: Says.json(payload("ranking"))) as (client, _),
        pytest.raises(UnexpectedPayload, match="asked for global-28 of 2026-05-28, got 2026-05-29"),
    ):
        client.ranking(asked, "global-28")


def test_a_chart_that_answers_under_another_name_is_kept_under_the_one_asked_for() -> None:
    with _answering_client(lambda _: Says.json(payload("ranking"))) as (client, _):
        found = [client.newest_ranking("old-name")[0].slug, client.ranking(NOON, "old-name").chart.slug]
    assert found == ["old-name", "old-name"]
    assert _remarks(client) == [("ranking", "related.chart.slug", KEPT, [("old-name", "global-28")] * 2)]


def test_days_beyond_those_wanted_are_not_paid_for(simulate: Simulate) -> None:
    simulator = simulate()
    client = caller_of(simulator.url).client
    first = next(client.published_rankings("global-28"))

    assert first == list(simulator.world.published_days("global-28")[:100])
    assert simulator.counters.total == 1


# Windows.


def _remarks(client: SoundchartsClient) -> list[tuple[str, str, str, list[tuple[str, str]]]]:
    return [(r.endpoint, r.field, r.done, r.examples) for r in client.remarks.drain()]


@pytest.mark.parametrize(
    "related",
    [{"uuid": SECOND}, {"artist": {"uuid": SECOND}}, {"artist": {"uuid": BILLIE}}, {"uuid": BILLIE}, None, [], 7],
)
def test_a_series_of_another_one_is_kept_under_the_one_asked_for_and_remarked(related: Any) -> None:
    body = {**payload("artist_streaming"), "related": related}
    with _answering_client(lambda _: Says.json(body)) as (client, _):
        assert client.artist_streaming(BILLIE, "spotify", MAY).points
    is_other = SECOND in str(related)
    assert _remarks(client) == ([("artist_streaming", "related.uuid", KEPT, [(BILLIE, SECOND)])] if is_other else [])


@pytest.mark.parametrize("odd", ["2027-02-01", "1999-02-01", "2026-06-01", "2026-04-30"])
def test_a_day_that_was_not_asked_for_is_left_out_and_remarked(odd: str) -> None:
    days = ["2026-05-01", odd, "2026-05-31"]
    items = [{"date": f"{day}T00:00:00+00:00", "value": 1, "plots": [{"identifier": "x", "value": 1}]} for day in days]
    with _answering_client(lambda _: Says.json({"items": items, "page": {"total": 3}})) as (client, _):
        for ask in (client.track_audience, client.artist_streaming, client.artist_followers):
            assert [str(point.day) for point in ask(BILLIE, "spotify", MAY).points] == [days[0], days[2]]
            ((_, field, done, examples),) = _remarks(client)
            assert (field, done, examples) == ("date", LEFT_OUT, [(BILLIE, items[1]["date"])])


@pytest.mark.parametrize("days", [-5, 0, 91, 365])
def test_a_window_of_no_day_or_more_than_ninety_is_refused_without_a_call(simulate: Simulate, days: int) -> None:
    simulator = simulate()
    client = caller_of(simulator.url).client
    window = Window(TODAY - timedelta(days=days - 1), TODAY)
    for ask in (client.artist_streaming, client.artist_followers, client.track_audience):
        with pytest.raises(BadRequest, match=f"1 to 90 days, not {days}"):
            ask(BILLIE, "spotify", window)

    assert simulator.counters.total == 0


def _days(window: Window) -> list[date]:
    return [window.start + timedelta(days=n) for n in range((window.end - window.start).days + 1)]


class Truncating:
    """A located series of one value a day that is cut off, as was observed, in windows over `whole` days: the newest
    15, the true total, no next page, and rows given before at the further offsets."""

    def __init__(self, whole: int) -> None:
        self.whole = whole
        self.windows: list[Window] = []

    def __call__(self, asked: Asked) -> Says:
        window = Window(*(date.fromisoformat(asked.params[name]) for name in ("startDate", "endDate")))
        offset, days = int(asked.params["offset"]), _days(window)
        if offset == 0:
            self.windows.append(window)
        shown = days if len(days) <= self.whole else days[::-1][max(0, offset - 4) :][:15]
        items = [{"date": f"{day}T00:00:00+00:00", "value": day.toordinal()} for day in shown]
        return Says.json({"items": items, "page": {"total": len(days), "next": None}, "errors": []})


NINETY = Window(date(2026, 3, 3), date(2026, 5, 31))


def test_a_truncated_window_is_split_until_the_answers_are_whole() -> None:
    truncating = Truncating(whole=30)
    with _answering_client(truncating) as (client, _):
        series = client.artist_streaming(BILLIE, "spotify", NINETY)

    assert series == Series(tuple(AudiencePoint(day, "", day.toordinal()) for day in _days(NINETY)))
    asked = [(window.end - window.start).days + 1 for window in truncating.windows]
    assert asked == [90, 45, 22, 23, 45, 22, 23]


def test_a_week_that_is_still_incomplete_is_an_error() -> None:
    def short_by_one(asked: Asked) -> Says:
        first = asked.params["startDate"]
        items = [{"date": f"{first}T00:00:00+00:00", "value": 1}]
        return Says.json({"items": items, "page": {"total": 2}, "errors": []})

    with (
        _answering_client(short_by_one) as (client, stub),
        pytest.raises(IncompleteAnswer, match=r"artist_followers: 1 distinct rows of 2 announced.*run again"),
    ):
        client.artist_followers(BILLIE, "instagram", NINETY)
    # 90, 45, 22, 11 and 5 days, each given up with the page that brought nothing new.
    assert len(stub.asked) == 10

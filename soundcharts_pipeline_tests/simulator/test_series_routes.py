"""Audience series on the wire equal the truth, arrive late, and are cut where the API cuts them."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from soundcharts_pipeline import models
from soundcharts_pipeline.simulator import Simulator

from .asking import BAD_GUY, BILLIE, Api
from .conftest import TODAY, Simulate

START, END = TODAY - timedelta(days=89), TODAY
WINDOW = {"startDate": str(START), "endDate": str(END)}


def _day(item: dict[str, Any]) -> date:
    return date.fromisoformat(item["date"][:10])


def _points(items: list[dict[str, Any]]) -> tuple[models.AudiencePoint, ...]:
    return tuple(models.AudiencePoint(_day(item), "", item["value"]) for item in items)


def _geo(items: list[dict[str, Any]]) -> set[models.GeoPoint]:
    return {
        models.GeoPoint(
            _day(plot), plot["countryCode"], plot.get("region", ""), plot.get("cityName", ""), plot["value"]
        )
        for item in items
        for plot in item["cityPlots"] + item["countryPlots"]
    }


@pytest.mark.parametrize("platform", ["spotify", "youtube", "shazam", "tiktok", "melon"])
def test_track_audience_equals_the_truth(sim: Simulator, api: Api, platform: str) -> None:
    for track in sim.world.catalog.tracks[:12]:
        items = api.items(f"/api/v2/song/{track.uuid}/audience/{platform}", **WINDOW)
        wire = [
            models.AudiencePoint(_day(item), plot["identifier"], plot["value"])
            for item in reversed(items)
            for plot in item["plots"]
        ]
        assert tuple(wire) == sim.world.track_series(track.uuid, platform, START, END)


def test_totals_only_grow_and_follow_the_week(sim: Simulator) -> None:
    points = sim.world.track_series(BAD_GUY, "spotify", date(2026, 1, 1), date(2026, 10, 31)) or ()
    identifier = points[0].identifier
    values = [point.value for point in points if point.identifier == identifier]
    growth = [after - before for before, after in pairwise(values)]
    by_weekday = [sum(growth[day::7]) / len(growth[day::7]) for day in range(7)]

    assert min(growth) > 0
    assert max(by_weekday) > 1.1 * min(by_weekday)


def test_tracks_have_one_to_three_identifiers(sim: Simulator, api: Api) -> None:
    tracks = sim.world.catalog.tracks[:60]
    accounts = [sim.world.accounts.track(track.index, "spotify") for track in tracks]
    counts = {len(account.identifiers) for account in accounts if account}
    several = next(
        (track.uuid, account.identifiers)
        for track, account in zip(tracks, accounts, strict=True)
        if account and len(account.identifiers) > 1 and track.released < START.toordinal()
    )
    one = api.items(f"/api/v2/song/{several[0]}/audience/spotify", **WINDOW, identifier=several[1][1])

    assert counts == {1, 2, 3}
    assert {plot["identifier"] for item in one for plot in item["plots"]} == {several[1][1]}


@pytest.mark.parametrize("platform", ["spotify", "youtube"])
def test_artist_streaming_equals_the_truth(sim: Simulator, api: Api, platform: str) -> None:
    for uuid in sim.world.catalog.artist_uuids[:5]:
        items = api.items(f"/api/v2/artist/{uuid}/streaming/{platform}", **WINDOW)
        truth = sim.world.artist_streaming(uuid, platform, START, END)
        assert truth is not None
        assert _points(items) == truth.points
        assert _geo(items) == set(truth.geo)


def test_listeners_are_located_once_a_week_in_at_most_50_cities(api: Api) -> None:
    items = api.items(f"/api/v2/artist/{BILLIE}/streaming/spotify", **WINDOW)
    located = [item for item in items if item["cityPlots"]]

    assert {(after - before).days for before, after in _pairs([_day(item) for item in located])} == {7}
    for item in located:
        assert len(item["cityPlots"]) == 50
        assert 20 <= len(item["countryPlots"]) <= 30
        totals = {plot["countryCode"]: plot["value"] for plot in item["countryPlots"]}
        for code, total in totals.items():
            assert total == sum(p["value"] for p in item["cityPlots"] if p["countryCode"] == code)
        assert sum(totals.values()) < item["value"]


def _pairs(days: list[date]) -> list[tuple[date, date]]:
    return list(pairwise(days))


def test_listening_is_the_same_without_places(api: Api) -> None:
    located = api.items(f"/api/v2/artist/{BILLIE}/streaming/spotify", **WINDOW)
    plain = api.items(f"/api/v2/artist/{BILLIE}/streaming/spotify/listening", **WINDOW)

    assert plain == [{"date": item["date"], "value": item["value"]} for item in located]


@pytest.mark.parametrize("platform", ["instagram", "tiktok", "youtube", "spotify"])
def test_followers_equal_the_truth_and_the_plain_audience(sim: Simulator, api: Api, platform: str) -> None:
    items = api.items(f"/api/v2.37/artist/{BILLIE}/social/{platform}/followers/", **WINDOW)
    plain = api.items(f"/api/v2/artist/{BILLIE}/audience/{platform}", **WINDOW)
    truth = sim.world.artist_followers(BILLIE, platform, START, END)
    located = [_day(item) for item in items if item["countryPlots"]]

    assert truth is not None
    assert _points(items) == truth.points
    assert _geo(items) == set(truth.geo)
    assert [item["followerCount"] for item in plain] == [item["value"] for item in items]
    assert len({day.month for day in located}) == len(located)
    assert bool(located) == (platform != "spotify")


def test_small_accounts_are_read_days_apart(sim: Simulator, api: Api) -> None:
    steps = set()
    for index, uuid in enumerate(sim.world.catalog.artist_uuids):
        account = sim.world.accounts.followers(index, "instagram")
        if account and account.step not in steps:
            steps.add(account.step)
            items = api.items(f"/api/v2/artist/{uuid}/audience/instagram", startDate="2026-05-01", endDate="2026-07-20")
            gaps = {(after - before).days for before, after in _pairs([_day(item) for item in items])}
            assert gaps == {account.step}
    assert steps == {2, 3, 5, 7, 15}


def test_audience_can_be_sorted(api: Api) -> None:
    path = f"/api/v2/artist/{BILLIE}/audience/youtube"
    ascending, descending = (api.get(path, **WINDOW, sort=order)["items"] for order in ("asc", "desc"))

    assert descending == ascending[::-1]
    assert descending[0]["viewCount"] > descending[0]["followerCount"]
    assert descending[0]["likeCount"] is None
    assert api.refused(path, sort="upwards")[0] == 400


def test_a_missing_account_is_404_for_followers_and_empty_for_streaming(sim: Simulator, api: Api) -> None:
    world = sim.world
    index = next(n for n in range(400, 900) if world.accounts.followers(n, "tiktok") is None)
    uuid, name = world.catalog.artist_uuids[index], world.catalog.artist(index).name
    message = f"No social account found for artist {name}."

    assert api.refused(f"/api/v2.37/artist/{uuid}/social/tiktok/followers/") == (404, message)
    assert api.refused(f"/api/v2/artist/{uuid}/audience/tiktok") == (404, message)
    assert world.artist_followers(uuid, "tiktok", START, END) is None
    assert api.items(f"/api/v2/artist/{uuid}/streaming/youtube") == []
    assert world.artist_streaming(uuid, "youtube", START, END) == models.Series(())


def test_points_come_out_one_to_four_days_after_their_day(simulate: Simulate) -> None:
    simulator, api = simulate()
    path, day = f"/api/v2/song/{BAD_GUY}/audience/spotify", date(2026, 10, 1)
    out: dict[date, int] = {}
    for age in range(8):
        simulator.set(today=day + timedelta(days=10 + age))
        for item in api.items(path, startDate=str(day + timedelta(days=6)), endDate=str(day + timedelta(days=13))):
            out.setdefault(_day(item), (simulator.world.today - _day(item)).days)
    delays = [out[day + timedelta(days=number)] for number in range(9, 13)]

    assert all(1 <= delay <= 4 for delay in delays)


def test_windows_include_both_ends_and_default_to_thirty_days(api: Api) -> None:
    path = f"/api/v2/song/{BAD_GUY}/audience/spotify"
    days = [_day(item) for item in api.items(path, startDate="2020-10-01", endDate="2020-10-10")]
    default = [_day(item) for item in api.items(path, endDate="2026-06-30")]

    assert (days[-1], days[0], len(days)) == (date(2020, 10, 1), date(2020, 10, 10), 10)
    assert (default[-1], default[0]) == (date(2026, 5, 31), date(2026, 6, 30))


@pytest.mark.parametrize(
    "window",
    [
        {"startDate": "2026-13-01"},
        {"startDate": "20261101"},
        {"endDate": "yesterday"},
        {"startDate": "2026-02-02", "endDate": "2026-02-01"},
    ],
)
def test_a_window_that_makes_no_sense_is_refused(api: Api, window: dict[str, str]) -> None:
    assert api.refused(f"/api/v2/song/{BAD_GUY}/audience/spotify", **window)[0] == 400
    assert api.refused(f"/api/v2/artist/{BILLIE}/streaming/spotify", **window)[0] == 400


@pytest.mark.parametrize(
    ("path", "supported"),
    [
        (f"/api/v2/song/{BAD_GUY}/audience/airplay", "shazam"),
        (f"/api/v2/song/{BAD_GUY}/streaming/spotify", "youtube"),
        (f"/api/v2/artist/{BILLIE}/streaming/shazam", "youtube"),
        (f"/api/v2/artist/{BILLIE}/audience/airplay", "instagram"),
    ],
)
def test_an_unsupported_platform_names_the_supported_ones(api: Api, path: str, supported: str) -> None:
    status, message = api.refused(path)

    assert status == 400
    assert supported in message


@pytest.mark.parametrize("path", ["/api/v2/song/{}/audience/spotify", "/api/v2/artist/{}/streaming/spotify"])
def test_an_unknown_entity_is_not_found(api: Api, path: str) -> None:
    status, message = api.refused(path.format("00000000-0000-11e9-0000-000000000000"))

    assert (status, message.split()[1:]) == (404, ["not", "found."])


def test_long_windows_are_whole_for_plain_series_and_cut_for_located_ones(api: Api) -> None:
    year = {"startDate": "2025-11-01", "endDate": "2026-10-31"}
    plain = api.items(f"/api/v2/artist/{BILLIE}/streaming/spotify/listening", **year)
    path = f"/api/v2/artist/{BILLIE}/streaming/spotify"
    cut, more = (api.get(path, **year, offset=offset) for offset in (0, 15))

    assert len(plain) == 365
    assert (len(cut["items"]), cut["page"]["total"], cut["page"]["next"]) == (15, 365, None)
    assert cut["items"][0]["date"] == "2026-10-31T00:00:00+00:00"
    assert {item["date"] for item in cut["items"]} & {item["date"] for item in more["items"]}


def test_track_streaming_is_located_youtube_views(sim: Simulator, api: Api) -> None:
    items = api.items(f"/api/v2/song/{BAD_GUY}/streaming/youtube", **WINDOW)
    unlisted = next(t.uuid for t in sim.world.catalog.tracks if not sim.world.accounts.track_streaming(t.index))

    assert len(items) > 80
    assert any(item["cityPlots"] for item in items)
    assert api.items(f"/api/v2/song/{unlisted}/streaming/youtube") == []

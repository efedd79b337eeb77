"""Every method against the simulator with all its oddities on: what comes back is the world's truth."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from soundcharts_pipeline.api.client import BATCH_SIZE, SoundchartsClient
from soundcharts_pipeline.api.errors import NotFound, NotInPlan, SoundchartsError
from soundcharts_pipeline.models import PublishedRanking, Series, Window, artist_metrics
from soundcharts_pipeline.simulator import ODDITIES, Simulator, World

from .calling import APP, CLIENT, caller_of
from .conftest import TODAY

DAY = TODAY - timedelta(days=1)
WINDOW = Window(TODAY - timedelta(days=89), TODAY)
SLUG = "viral-50-global"


@pytest.fixture(scope="module")
def odd() -> Iterator[Simulator]:
    with Simulator(today=TODAY, oddities=ODDITIES, slow=0.0, app=APP, client=CLIENT) as simulator:
        yield simulator


@pytest.fixture(params=["plain", "odd"])
def both(request: pytest.FixtureRequest, sim: Simulator) -> Simulator:
    """A simulator without oddities, and one with all of them."""
    simulator: Simulator = sim if request.param == "plain" else request.getfixturevalue("odd")
    return simulator


@pytest.fixture
def client(both: Simulator) -> SoundchartsClient:
    return caller_of(both.url).client


@pytest.fixture
def world(both: Simulator) -> World:
    return both.world


def _tracks(world: World) -> list[str]:
    return [entry.track.uuid for entry in world.ranking(SLUG, DAY).entries]


def _artists(world: World) -> list[str]:
    catalog = world.catalog
    indexes = [catalog.tracks[catalog.track_index[uuid]].artist for uuid in _tracks(world)]
    return list(dict.fromkeys(catalog.artist_uuids[index] for index in indexes))


def test_the_catalog(client: SoundchartsClient, world: World) -> None:
    platforms = client.chart_platforms()

    assert set(platforms) >= {"spotify", "airplay", "apple-music", "shazam", "tiktok", "youtube"}
    assert {chart for platform in platforms for chart in client.charts(platform)} == set(world.charts())
    assert len(client.charts("spotify")) > 100


@pytest.mark.parametrize("slug", [SLUG, "global-28", "tiktok-weekly-songs"])
def test_published_rankings(client: SoundchartsClient, world: World, slug: str) -> None:
    listed = [published for page in client.published_rankings(slug) for published in page]
    chart, newest = client.newest_ranking(slug)

    assert tuple(listed) == world.published_days(slug)
    assert newest == listed[0]
    assert chart == world.plans[slug].record()


@pytest.mark.parametrize("slug", [SLUG, "global-28", "airplay-daily", "tiktok-weekly-songs", "soundcloud-top-1000"])
def test_rankings(client: SoundchartsClient, world: World, slug: str) -> None:
    days = world.published_days(slug)[:3]

    assert [client.ranking(published, slug) for published in days] == [world.ranking(slug, day) for day, _ in days]


def test_unknown_charts_and_unpublished_days_are_not_found(client: SoundchartsClient) -> None:
    asks: list[Callable[[], Any]] = [
        lambda: client.newest_ranking("global-82"),
        lambda: list(client.published_rankings("global-82")),
        lambda: client.ranking(PublishedRanking(TODAY, f"{TODAY}T12:00:00+00:00"), "global-28"),
        lambda: client.charts("nowhere"),
    ]
    for ask in asks:
        with pytest.raises(NotFound):
            ask()


def _in_batches(
    fetch: Callable[[Sequence[str]], dict[str, Any]], uuids: Sequence[str]
) -> dict[str, Any | SoundchartsError]:
    found: dict[str, Any] = {}
    for start in range(0, len(uuids), BATCH_SIZE):
        found |= fetch(uuids[start : start + BATCH_SIZE])
    return {uuid: None if isinstance(answer, NotFound) else answer for uuid, answer in found.items()}


def test_metadata(client: SoundchartsClient, world: World) -> None:
    tracks, artists = _tracks(world), _artists(world)

    assert _in_batches(client.tracks, tracks) == {uuid: world.track(uuid) for uuid in tracks}
    assert _in_batches(client.artists, artists) == {uuid: world.artist(uuid) for uuid in artists}


def _asked(ask: Callable[[str, str, Window], Series], uuid: str, platform: str) -> Series | None:
    """What a worklist step makes of an answer: refused is None."""
    try:
        return ask(uuid, platform, WINDOW)
    except (NotFound, NotInPlan):
        return None


@pytest.mark.parametrize("platform", ["spotify", "youtube", "shazam", "melon"])
def test_track_audience(client: SoundchartsClient, world: World, platform: str) -> None:
    for uuid in _tracks(world):
        points = world.track_series(uuid, platform, *WINDOW)
        asked = _asked(client.track_audience, uuid, platform)
        assert (None if asked is None else (set(asked.points), asked.geo)) == (
            None if points is None else (set(points), ())
        )
        days = [point.day for point in asked.points] if asked else []
        assert days == sorted(days)


@pytest.mark.parametrize("platform", ["spotify", "youtube", "instagram", "tiktok", "facebook"])
def test_artist_audience(client: SoundchartsClient, world: World, platform: str) -> None:
    for uuid in _artists(world):
        pairs = [(_asked(client.artist_followers, uuid, platform), world.artist_followers(uuid, platform, *WINDOW))]
        if len(artist_metrics(platform)) > 1:
            truth = world.artist_streaming(uuid, platform, *WINDOW)
            pairs.append((_asked(client.artist_streaming, uuid, platform), truth))
        for asked, truth in pairs:
            assert (asked is None) == (truth is None)
            if asked is not None and truth is not None:
                assert asked.points == truth.points
                assert (len(asked.geo), set(asked.geo)) == (len(truth.geo), set(truth.geo))


@pytest.mark.parametrize("day", [DAY, TODAY - timedelta(days=40), date(2027, 1, 1)])
def test_radio_plays_by_either_way(client: SoundchartsClient, world: World, day: date) -> None:
    for uuid in _tracks(world)[:6]:
        assert client.spins(uuid, day) == client.spins_by_station(uuid, day) == world.plays_so_far(uuid, day)


def test_a_platform_that_the_endpoint_does_not_have_is_a_bad_question(client: SoundchartsClient, world: World) -> None:
    with pytest.raises(SoundchartsError, match="Supported platforms: spotify, youtube"):
        client.artist_streaming(_artists(world)[0], "shazam", WINDOW)

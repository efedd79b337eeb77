"""Each oddity is met within a chart-day of 50 tracks when it is on, never when it is off, and never changes
what a client that makes no mistake stores."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from soundcharts_pipeline.simulator import ODDITIES, Simulator, World

from . import storing
from .asking import RANKING, Api
from .conftest import TODAY, Simulate

SLUG, DAY = "viral-50-global", TODAY - timedelta(days=1)
WINDOW = {"startDate": str(TODAY - timedelta(days=89)), "endDate": str(TODAY)}
SPAN = (TODAY - timedelta(days=89), TODAY)
RANKING_PATH = RANKING.format(SLUG, "latest")


def _tracks(simulator: Simulator) -> list[str]:
    return [entry.track.uuid for entry in simulator.world.ranking(SLUG, DAY).entries]


def _artists(simulator: Simulator) -> list[str]:
    world = simulator.world
    return list(
        dict.fromkeys(
            world.catalog.artist_uuids[world.catalog.tracks[world.catalog.track_index[uuid]].artist]
            for uuid in _tracks(simulator)
        )
    )


def _audience(simulator: Simulator, api: Api) -> list[list[Any]]:
    paths = [f"/api/v2/song/{uuid}/audience/{p}" for uuid in _tracks(simulator) for p in ("spotify", "shazam")]
    return [items for path in paths if (items := storing.collect(api, path, **WINDOW)) is not None]


def _see_no_data(simulator: Simulator, api: Api) -> set[str]:
    responses = [api.call(f"/api/v2/song/{uuid}/audience/spotify") for uuid in _tracks(simulator)]
    messages = {r.json()["errors"][0]["message"][:30] for r in responses if r.status_code == 404}
    empty = {"empty" for r in responses if r.status_code == 200 and not r.json()["items"]}
    return messages | empty


def _see_untidy_series(simulator: Simulator, api: Api) -> set[str]:
    seen = set()
    for items in _audience(simulator, api):
        stamps = [item["date"] for item in items]
        days = [stamp[:10] for stamp in stamps]
        dated = sorted({date.fromisoformat(stamp[:10]) for stamp in stamps[8:]})
        if any((after - before).days > 1 for before, after in pairwise(dated)):
            seen.add("missing day")
        if len(set(stamps)) < len(stamps):
            seen.add("same timestamp twice")
        if len(set(days)) < len(set(stamps)):
            seen.add("same day twice")
        if any(plot["value"] is None for item in items for plot in item["plots"]):
            seen.add("null")
        if any((plot["value"] or 0) > 2**32 for item in items for plot in item["plots"]):
            seen.add("billions")
        points = sorted(storing.track_points(items), key=lambda point: (point.identifier, point.day))
        if any(b.identifier == a.identifier and b.value < a.value for a, b in pairwise(points)):
            seen.add("falling")
    return seen


def _see_bare_plots(simulator: Simulator, api: Api) -> set[str]:
    seen = set()
    for uuid in _artists(simulator)[:20]:
        items = api.items(f"/api/v2/artist/{uuid}/streaming/spotify", **WINDOW)
        seen |= {"absent" for item in items if "cityPlots" not in item}
        seen |= {"no region" for item in items if len({plot["region"] for plot in item.get("cityPlots", "")}) == 1}
        located = [storing.day(item["date"]) for item in items if item.get("cityPlots")]
        seen |= {"empty" for a, b in pairwise(located) if a and b and (b - a).days > 7}
    return seen


def _see_bare_rankings(simulator: Simulator, api: Api) -> set[str]:
    seen = {"short"} if len(_tracks(simulator)) < 50 else set()
    for item in api.items(RANKING_PATH):
        if item["position"] == 0:
            seen.add("position 0")
            continue
        seen |= {f"no {key}" for key in ("metric", "oldPosition", "entryDate") if item.get(key) is None}
        seen |= {"absent key" for key in ("metric", "oldPosition", "entryDate") if key not in item}
    return seen


def _see_bare_metadata(simulator: Simulator, api: Api) -> set[str]:
    tracks = [api.get(f"/api/v2.25/song/{uuid}")["object"] for uuid in _tracks(simulator)]
    artists = [api.get(f"/api/v2.9/artist/{uuid}")["object"] for uuid in _artists(simulator)]
    bare = {f"track {key}" for item in tracks for key in ("isrc", "artists", "audio", "labels") if not item[key]}
    bare |= {f"artist {key}" for item in artists for key in ("countryCode", "genres", "imageUrl") if not item[key]}
    return bare | {"''" for item in tracks + artists for value in item.values() if value == ""}


def _see_lost_next(simulator: Simulator, api: Api) -> set[str]:
    seen = set()
    for uuid in _artists(simulator):
        for offset in (0, 10):
            body = api.get(f"/api/v2/artist/{uuid}/streaming/spotify", **WINDOW, limit=10, offset=offset)
            seen |= {f"next {body['page']['next']!r}"} if not body["page"]["next"] else set()
            days = [item["date"] for item in body["items"]]
            seen |= {"newest first"} if days != sorted(days) else set()
    return seen


def _see_refusals(simulator: Simulator, api: Api) -> set[str]:
    paths = [f"/api/v2.25/song/{uuid}" for uuid in _tracks(simulator)]
    paths += [f"/api/v2/song/{uuid}/audience/{p}" for uuid in _tracks(simulator) for p in ("spotify", "youtube")]
    seen = set()
    for path in paths:
        response = api.call(path)
        seen.add("slow" if response.elapsed.total_seconds() > 0.2 else str(response.status_code))
    return seen - {"200"}


def _see_errors_in_answer(simulator: Simulator, api: Api) -> set[str]:
    responses = [api.call(f"/api/v2.25/song/{uuid}") for uuid in _tracks(simulator)]
    return {r.json()["errors"][0]["message"] for r in responses if r.status_code == 200 and r.json()["errors"]}


def _see_throttling(simulator: Simulator, api: Api) -> set[str]:
    seen = set()
    for uuid in _tracks(simulator) + _artists(simulator):
        response = api.call(f"/api/v2/song/{uuid}/audience/shazam")
        if response.status_code == 429:
            assert "x-ratelimit-reset" not in response.headers
            seen.add("retry-after" if "retry-after" in response.headers else "bare")
    return seen


def _see_late(simulator: Simulator, api: Api) -> set[str]:
    seen = set()
    for items in _audience(simulator, api):
        days = {item["date"][:10] for item in items}
        late = {str(TODAY - timedelta(days=age)) for age in range(5, 15)} - days
        released_before = min(days, default="") < str(TODAY - timedelta(days=15))
        seen |= {"late"} if late and released_before else set()
        assert not released_before or str(TODAY - timedelta(days=15)) in days
    return seen


def _see_dated_ahead(simulator: Simulator, api: Api) -> set[str]:
    seen = set()
    for ago in range(7):
        simulator.set(today=TODAY - timedelta(days=ago))
        newest = api.items("/api/v2/chart/song/tiktok-weekly-songs/available-rankings")[0]
        seen |= {"ahead"} if date.fromisoformat(newest[:10]) > simulator.world.today else set()
    return seen


def _see_ties(_simulator: Simulator, api: Api) -> set[str]:
    places = [int(item["position"]) for item in storing.collect(api, RANKING_PATH) or []]
    signs = {"shared" for one, other in pairwise(places) if one == other}
    return signs | {"counted" for one, other in pairwise(places) if other - one > 1}


def _see_republished(_simulator: Simulator, api: Api) -> set[str]:
    stamps = [str(stamp) for stamp in storing.collect(api, f"/api/v2/chart/song/{SLUG}/available-rankings") or []]
    return {"later time" for stamp in stamps if stamp[11:] != stamps[0][11:]}


SIGNS: dict[str, tuple[Callable[[Simulator, Api], set[str]], set[str]]] = {
    "no-data": (_see_no_data, {"No social account found for ar", "empty"}),
    "untidy-series": (
        _see_untidy_series,
        {"missing day", "same timestamp twice", "same day twice", "null", "billions", "falling"},
    ),
    "bare-plots": (_see_bare_plots, {"absent", "empty", "no region"}),
    "bare-rankings": (
        _see_bare_rankings,
        {"short", "position 0", "no metric", "no oldPosition", "no entryDate", "absent key"},
    ),
    "bare-metadata": (
        _see_bare_metadata,
        {f"track {key}" for key in ("isrc", "artists", "audio", "labels")}
        | {f"artist {key}" for key in ("countryCode", "genres", "imageUrl")}
        | {"''"},
    ),
    "lost-next": (_see_lost_next, {"next None", "next ''", "newest first"}),
    "refusals": (_see_refusals, {"403", "410", "502", "503", "slow"}),
    "errors-in-answer": (_see_errors_in_answer, {"Partial data."}),
    "throttling": (_see_throttling, {"retry-after", "bare"}),
    "late": (_see_late, {"late"}),
    "dated-ahead": (_see_dated_ahead, {"ahead"}),
    "ties": (_see_ties, {"shared", "counted"}),
    "republished": (_see_republished, {"later time"}),
}


def test_every_oddity_has_its_signs() -> None:
    assert SIGNS.keys() == ODDITIES.keys()


@pytest.mark.parametrize("name", SIGNS)
def test_an_oddity_is_met_when_on_and_not_when_off(simulate: Simulate, name: str) -> None:
    simulator, api = simulate(oddities={name}, slow=0.25)
    see, signs = SIGNS[name]

    assert see(simulator, api) >= signs
    simulator.set(oddities=[])
    assert not see(simulator, api) & signs


def test_an_unknown_oddity_is_refused() -> None:
    with pytest.raises(ValueError, match="no oddity named bad-hair; choose from"):
        Simulator(oddities={"bad-hair"})


@pytest.mark.parametrize("name", ["refusals", "errors-in-answer", "throttling"])
def test_upsets_of_transport_pass_when_the_call_is_repeated(simulate: Simulate, name: str) -> None:
    simulator, api = simulate(oddities={name}, slow=0.0)
    paths = [f"/api/v2/song/{uuid}/audience/spotify" for uuid in _tracks(simulator)]
    first = [api.call(path) for path in paths]
    second = [api.call(path) for path in paths]

    assert any(r.status_code >= 429 or r.json()["errors"] for r in first if r.status_code != 403)
    assert all(r.status_code == 403 or (r.status_code == 200 and not r.json()["errors"]) for r in second)


def test_shapes_are_the_same_each_time_and_in_each_process_of_a_seed() -> None:
    everything = frozenset(ODDITIES)
    one, other = World(1, TODAY, everything), World(1, TODAY, everything)
    uuids = [entry.track.uuid for entry in one.ranking(SLUG, DAY).entries]

    assert one.ranking(SLUG, DAY) == other.ranking(SLUG, DAY)
    for uuid in reversed(uuids):
        assert one.track(uuid) == other.track(uuid)
        assert one.track_series(uuid, "spotify", *SPAN) == other.track_series(uuid, "spotify", *SPAN)


@pytest.fixture
def odd(simulate: Simulate) -> tuple[Simulator, Api]:
    return simulate(oddities={"all"}, slow=0.01)


def test_with_all_oddities_a_ranking_is_stored_as_the_truth_says(odd: tuple[Simulator, Api]) -> None:
    simulator, api = odd
    items = storing.collect(api, RANKING_PATH) or []
    entries = sorted((item for item in items if item["position"] > 0), key=lambda item: int(item["position"]))
    truth = simulator.world.ranking(SLUG, DAY)

    assert len(entries) == len(truth.entries) < 50
    for item, entry in zip(entries, truth.entries, strict=True):
        old = item.get("oldPosition") or None
        change = item.get("positionEvolution")
        assert (item["position"], item["song"]["uuid"]) == (entry.position, entry.track.uuid)
        assert old == entry.old_position
        assert (change if old else change or None) == entry.position_change
        assert item.get("metric") == entry.metric
        assert storing.day(item.get("entryDate")) == entry.entry_date


def test_with_all_oddities_metadata_is_stored_as_the_truth_says(odd: tuple[Simulator, Api]) -> None:
    simulator, api = odd
    statuses: Counter[int] = Counter()
    for uuid in _tracks(simulator):
        response = storing.persist(api, f"/api/v2.25/song/{uuid}")
        statuses[response.status_code] += 1
        stored = storing.track(response.json()["object"]) if response.status_code == 200 else None
        assert stored == simulator.world.track(uuid)
    for uuid in _artists(simulator):
        body = storing.persist(api, f"/api/v2.9/artist/{uuid}").json()
        assert storing.artist(body["object"]) == simulator.world.artist(uuid)

    assert statuses.keys() == {200, 410}


@pytest.mark.parametrize("platform", ["spotify", "youtube", "shazam"])
def test_with_all_oddities_track_series_are_stored_as_the_truth_says(odd: tuple[Simulator, Api], platform: str) -> None:
    simulator, api = odd
    for uuid in _tracks(simulator):
        items = storing.collect(api, f"/api/v2/song/{uuid}/audience/{platform}", **WINDOW)
        truth = simulator.world.track_series(uuid, platform, *SPAN)
        assert (items is None) == (truth is None)
        assert storing.track_points(items or []) == set(truth or ())


@pytest.mark.parametrize(
    ("path", "platform"),
    [
        ("/api/v2/artist/{}/streaming/spotify", "spotify"),
        ("/api/v2/artist/{}/streaming/youtube", "youtube"),
        ("/api/v2.37/artist/{}/social/instagram/followers/", "instagram"),
        ("/api/v2.37/artist/{}/social/spotify/followers/", "spotify"),
    ],
)
def test_with_all_oddities_artist_series_are_stored_as_the_truth_says(
    odd: tuple[Simulator, Api], path: str, platform: str
) -> None:
    simulator, api = odd
    world = simulator.world
    truth_of = world.artist_followers if "followers" in path else world.artist_streaming
    for uuid in _artists(simulator)[:25]:
        items = storing.collect(api, path.format(uuid), **WINDOW)
        truth = truth_of(uuid, platform, *SPAN)
        assert (items is None) == (truth is None)
        if truth is not None:
            assert storing.artist_series(items or []) == storing.as_sets(truth)

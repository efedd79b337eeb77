"""Charts, metadata, searches and envelopes on the wire."""

from typing import Any

import pytest

from soundcharts_pipeline.simulator import Simulator

from .asking import BAD_GUY, BILLIE, RANKING, TONES, Api


def test_every_platform_lists_its_charts_to_the_total(sim: Simulator, api: Api) -> None:
    platforms = [item["code"] for item in api.items("/api/v2/chart/song/platforms")]
    listed = {code: api.items(f"/api/v2/chart/song/by-platform/{code}") for code in platforms}

    assert {item["slug"] for items in listed.values() for item in items} == {chart.slug for chart in sim.world.charts()}
    for chart in sim.world.charts():
        item = next(item for item in listed[chart.platform] if item["slug"] == chart.slug)
        assert (item["name"], item["countryCode"], item["cityName"]) == (
            chart.name,
            chart.country_code,
            chart.city_name,
        )
        assert (item["frequency"], item["maxResultsCount"]) == (chart.frequency, chart.max_results)


def test_charts_can_be_asked_for_by_country(api: Api) -> None:
    items = api.items("/api/v2/chart/song/by-platform/spotify", countryCode="IN")

    assert {item["countryCode"] for item in items} == {"IN"}
    assert "top-songs-29" in {item["slug"] for item in items}
    assert api.refused("/api/v2/chart/song/by-platform/spotify", countryCode="India")[0] == 400
    assert api.refused("/api/v2/chart/song/by-platform/myspace") == (404, "Platform not found.")


def test_next_is_a_relative_path_that_leads_through_all_pages(api: Api) -> None:
    path, seen, pages = "/api/v2/chart/song/by-platform/spotify?limit=50", 0, []
    while path:
        body = api.get(path)
        pages.append(body["page"])
        seen += len(body["items"])
        path = body["page"]["next"]

    assert len(pages) >= 3
    assert seen == pages[0]["total"]
    assert pages[0]["previous"] is None
    assert pages[1]["offset"] == 50
    assert pages[0]["next"] == "/api/v2/chart/song/by-platform/spotify?offset=50&limit=50"
    assert pages[1]["previous"] == "/api/v2/chart/song/by-platform/spotify?offset=0&limit=50"


def test_next_keeps_the_window(api: Api) -> None:
    path = f"/api/v2/song/{BAD_GUY}/audience/spotify"
    page = api.get(path, startDate="2026-10-01", endDate="2026-10-10", limit=4)["page"]

    assert page["next"] == f"{path}?startDate=2026-10-01&endDate=2026-10-10&offset=4&limit=4"


@pytest.mark.parametrize("limit", [0, 101, -1, "many"])
def test_a_limit_out_of_bounds_is_refused(api: Api, limit: int | str) -> None:
    assert api.refused(RANKING.format("global-28", "latest"), limit=limit)[0] == 400
    assert api.refused(f"/api/v2/song/{BAD_GUY}/audience/spotify", limit=limit)[0] == 400


def test_an_offset_must_be_a_number_from_zero(api: Api) -> None:
    assert api.refused("/api/v2/chart/song/platforms", offset=-1)[0] == 400
    assert api.refused("/api/v2/chart/song/platforms", offset="x")[0] == 400


def test_a_track_is_a_single_object(sim: Simulator, api: Api) -> None:
    body, truth = api.get(f"/api/v2.25/song/{BAD_GUY}"), sim.world.track(BAD_GUY)
    found = body["object"]

    assert (body["type"], body["errors"]) == ("song", [])
    assert truth is not None
    assert found["isrc"] == {"value": "USUM71900764", "countryCode": "US", "countryName": "United States"}
    assert found["isrc"]["value"] == truth.isrc
    assert found["releaseDate"] == f"{truth.release_date}T00:00:00+00:00"
    assert [one["uuid"] for one in found["artists"]] == [one.uuid for one in truth.artists]
    assert found["genres"] == [{"root": genre.root, "sub": list(genre.subs)} for genre in truth.genres]
    assert (found["duration"], found["labels"], found["audio"]) == (
        truth.duration_seconds,
        truth.labels,
        truth.audio_features,
    )


def test_an_artist_is_a_single_object(sim: Simulator, api: Api) -> None:
    body, truth = api.get(f"/api/v2.9/artist/{BILLIE}"), sim.world.artist(BILLIE)
    found = body["object"]

    assert truth is not None
    assert body["type"] == "artist"
    assert (found["careerStage"], found["growthLevel"]) == (truth.career_stage, truth.growth_level)
    assert found["birthDate"] == "2001-12-18T00:00:00+00:00"


def _uuids(api: Api, count: int) -> list[str]:
    items = api.get(RANKING.format("global-28", "latest"))["items"]
    return [item["song"]["uuid"] for item in items[:count]]


def test_ten_tracks_fit_one_call_and_eleven_do_not(api: Api) -> None:
    uuids = _uuids(api, 11)
    batch = api.get(f"/api/v2.25/song/{','.join(uuids[:10])}")

    assert [item["uuid"] for item in batch["items"]] == uuids[:10]
    assert batch["items"][3] == api.get(f"/api/v2.25/song/{uuids[3]}")["object"]
    assert batch["page"]["total"] == 10
    assert api.refused(f"/api/v2.25/song/{','.join(uuids)}")[0] == 400


def test_one_unknown_uuid_spoils_a_batch(api: Api) -> None:
    assert api.refused(f"/api/v2.25/song/{BAD_GUY},{BILLIE}") == (404, "Song not found.")
    assert api.refused(f"/api/v2.9/artist/{BILLIE},{BAD_GUY}") == (404, "Artist not found.")
    assert len(api.get(f"/api/v2.9/artist/{BILLIE},{TONES}")["items"]) == 2


def test_search_finds_by_name_and_refuses_large_pages(api: Api) -> None:
    assert BILLIE in {item["uuid"] for item in api.items("/api/v2/artist/search/billie")}
    assert BAD_GUY in {item["uuid"] for item in api.items("/api/v2/song/search/bad%20guy")}
    assert api.refused("/api/v2/artist/search/a", limit=21)[0] == 400
    assert api.refused("/api/v2/song/search/a", limit=21)[0] == 400


@pytest.mark.parametrize(("kind", "some"), [("", "airplay"), ("/social", "instagram"), ("/streaming", "pandora")])
def test_referential_platforms(api: Api, kind: str, some: str) -> None:
    items: list[Any] = api.items(f"/api/v2/referential/platforms{kind}")

    assert some in {item["code"] for item in items}


@pytest.mark.parametrize(
    "path",
    [
        f"/api/v2.37/artist/{BILLIE}",
        f"/api/v2/artist/{BILLIE}",
        f"/api/v2.37/song/{BAD_GUY}",
        f"/api/v2.37/track/{BAD_GUY}",
        "/api/v2/chart/song/global-28/ranking/latest",
        f"/api/v2.37/artist/{BILLIE}/social/instagram/followers",
        "/nowhere",
    ],
)
def test_any_other_version_or_path_is_not_found(api: Api, path: str) -> None:
    assert api.refused(path) == (404, "Not found.")

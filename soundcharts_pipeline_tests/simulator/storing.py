"""A client that makes no mistake, written from the API reference alone: wire items to what should be stored.

It shares no code with the simulator, so that comparing it with `World` tests both.
"""

from datetime import date
from typing import Any

import requests

from soundcharts_pipeline.models import Artist, ArtistRef, AudiencePoint, Genre, GeoPoint, Series, Track

from .asking import Api

Item = dict[str, Any]


def persist(api: Api, path: str, **query: str | int) -> requests.Response:
    """The first answer that is one: not a failure, not a complaint within a 200."""
    for _ in range(5):
        response = api.call(path, **query)
        if response.status_code in (403, 404, 410):
            return response
        if response.status_code == 200 and not response.json()["errors"]:
            return response
    raise AssertionError(f"{path} never answered")


def collect(api: Api, path: str, **query: str | int) -> list[Any] | None:
    """All items, by offset to the total; None where the API refuses."""
    found: list[Any] = []
    while True:
        response = persist(api, path, **query, offset=len(found))
        if response.status_code != 200:
            return None
        body = response.json()
        found += body["items"]
        if len(found) >= body["page"]["total"]:
            assert len({repr(item) for item in found}) == body["page"]["total"]
            return found


def day(text: str | None) -> date | None:
    return date.fromisoformat(text[:10]) if text else None


def in_order(items: list[Item]) -> list[Item]:
    """Oldest first; of equal timestamps the last listed stays last."""
    return sorted(items, key=lambda item: str(item["date"]))


def track_points(items: list[Item]) -> set[AudiencePoint]:
    """One value per day and identifier; the last one counts, null is nothing."""
    kept: dict[tuple[date | None, str], int] = {}
    for item in in_order(items):
        for plot in item["plots"]:
            if plot["value"] is not None:
                kept[day(item["date"]), plot["identifier"]] = plot["value"]
    return {AudiencePoint(when, identifier, value) for (when, identifier), value in kept.items() if when}


def artist_series(items: list[Item]) -> tuple[set[AudiencePoint], set[GeoPoint]]:
    """Values and places, likewise."""
    values: dict[date, int] = {}
    places: dict[tuple[date, str, str, str], int] = {}
    for item in in_order(items):
        when = day(item["date"])
        assert when is not None
        if item["value"] is not None:
            values[when] = item["value"]
        for plot in [*item.get("cityPlots", []), *item.get("countryPlots", [])]:
            where = (when, plot["countryCode"], plot.get("region", ""), plot.get("cityName", ""))
            places[where] = plot["value"]
    return (
        {AudiencePoint(when, "", value) for when, value in values.items()},
        {GeoPoint(*where, value) for where, value in places.items()},
    )


def as_sets(series: Series) -> tuple[set[AudiencePoint], set[GeoPoint]]:
    return set(series.points), set(series.geo)


def _genres(item: Item) -> tuple[Genre, ...]:
    return tuple(Genre(root=genre["root"], subs=tuple(genre["sub"])) for genre in item["genres"])


def _refs(items: list[Item]) -> tuple[ArtistRef, ...]:
    return tuple(
        ArtistRef(
            uuid=item["uuid"],
            name=item["name"],
            slug=item["slug"] or None,
            app_url=item["appUrl"] or None,
            image_url=item["imageUrl"] or None,
        )
        for item in items
    )


def track(item: Item) -> Track:
    """Empty text is null."""
    return Track(
        uuid=item["uuid"],
        name=item["name"],
        credit_name=item["creditName"] or None,
        image_url=item["imageUrl"] or None,
        isrc=item["isrc"]["value"] if item["isrc"] else None,
        release_date=day(item["releaseDate"]),
        duration_seconds=item["duration"],
        explicit=item["explicit"],
        language_code=item["languageCode"] or None,
        copyright=item["copyright"] or None,
        distributor=item["distributor"] or None,
        app_url=item["appUrl"] or None,
        preview_url=item["previewUrl"] or None,
        labels=item["labels"],
        composers=item["composers"],
        producers=item["producers"],
        iswcs=item["iswcs"],
        audio_features=item["audio"],
        artists=_refs(item["artists"]),
        main_artists=_refs(item["mainArtists"]),
        featured_artists=_refs(item["featuredArtists"]),
        genres=_genres(item),
    )


def artist(item: Item) -> Artist:
    """Likewise."""
    return Artist(
        uuid=item["uuid"],
        name=item["name"],
        slug=item["slug"] or None,
        image_url=item["imageUrl"] or None,
        app_url=item["appUrl"] or None,
        web_url=item["webUrl"] or None,
        country_code=item["countryCode"] or None,
        city_name=item["cityName"] or None,
        biography=item["biography"] or None,
        career_stage=item["careerStage"] or None,
        growth_level=item["growthLevel"] or None,
        gender=item["gender"] or None,
        type=item["type"] or None,
        birth_date=day(item["birthDate"]),
        isni=item["isni"] or None,
        ipi=item["ipi"] or None,
        genres=_genres(item),
    )

"""Tracks, artists and searches as the API prints them."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from soundcharts_pipeline.models import Artist, ArtistRef, Genre, Track
from soundcharts_pipeline.simulator.service.answers import Question, Refusal, collection, single
from soundcharts_pipeline.simulator.service.chart_routes import track_ref_object
from soundcharts_pipeline.simulator.world.accounts import SOCIAL, STREAMING
from soundcharts_pipeline.simulator.world.catalog import country_name
from soundcharts_pipeline.simulator.world.chart_list import PLATFORM_NAMES
from soundcharts_pipeline.simulator.world.holes import blank
from soundcharts_pipeline.simulator.world.world import World

BATCH_LIMIT = 10
"""UUIDs in one metadata call."""

SEARCH_LIMIT = 20
"""Items of a page of search results."""

Payload = dict[str, Any]


def track(world: World, question: Question) -> Payload:
    """Metadata of one track, or of several in one call."""
    return _by_uuid("song", question, lambda uuid: _track_object(world, uuid))


def artist(world: World, question: Question) -> Payload:
    """Metadata of one artist, or of several in one call."""
    return _by_uuid("artist", question, lambda uuid: _artist_object(world, uuid))


def _by_uuid(kind: str, question: Question, build: Callable[[str], Payload]) -> Payload:
    uuids = question.parts["uuids"].split(",")
    if len(uuids) > BATCH_LIMIT:
        raise Refusal(400, f"At most {BATCH_LIMIT} identifiers are allowed.")
    if len(uuids) == 1:
        return single(kind, build(uuids[0]))
    return collection(question, [build(uuid) for uuid in uuids])


def _track_object(world: World, uuid: str) -> Payload:
    if world.oddities.gone(uuid) and uuid in world.catalog.track_index:
        raise Refusal(410, "This song is no longer available: its ISRC is shared by several songs.")
    found = world.track(uuid)
    if found is None:
        raise Refusal(404, "Song not found.")
    none = blank(uuid, world.oddities)
    return {
        "uuid": found.uuid,
        "name": found.name,
        "isrc": _isrc(found),
        "iswcs": found.iswcs,
        "creditName": found.credit_name,
        "artists": _refs(found.artists),
        "mainArtists": _refs(found.main_artists),
        "featuredArtists": _refs(found.featured_artists),
        "releaseDate": _midnight(found.release_date),
        "copyright": found.copyright or none,
        "appUrl": found.app_url or none,
        "imageUrl": found.image_url or none,
        "duration": found.duration_seconds,
        "explicit": found.explicit,
        "genres": _genres(found.genres),
        "composers": found.composers,
        "producers": found.producers,
        "labels": found.labels,
        "audio": found.audio_features,
        "languageCode": found.language_code or none,
        "distributor": found.distributor or none,
        "previewUrl": found.preview_url or none,
    }


def _isrc(found: Track) -> Payload | None:
    if found.isrc is None:
        return None
    code = found.isrc[:2]
    return {"value": found.isrc, "countryCode": code, "countryName": country_name(code)}


def _artist_object(world: World, uuid: str) -> Payload:
    found = world.artist(uuid)
    if found is None:
        raise Refusal(404, "Artist not found.")
    none = blank(uuid, world.oddities)
    return {
        "uuid": found.uuid,
        "slug": found.slug,
        "name": found.name,
        "appUrl": found.app_url or none,
        "imageUrl": found.image_url or none,
        "webUrl": found.web_url or none,
        "countryCode": found.country_code or none,
        "cityName": found.city_name or none,
        "genres": _genres(found.genres),
        "biography": found.biography or none,
        "isni": found.isni or none,
        "ipi": found.ipi or none,
        "gender": found.gender or none,
        "type": found.type or none,
        "birthDate": _midnight(found.birth_date),
        "careerStage": found.career_stage or none,
        "growthLevel": found.growth_level or none,
    }


def _midnight(day: date | None) -> str | None:
    return f"{day}T00:00:00+00:00" if day else None


def _genres(genres: Sequence[Genre]) -> list[Payload]:
    return [{"root": genre.root, "sub": list(genre.subs)} for genre in genres]


def _refs(artists: Sequence[ArtistRef]) -> list[Payload]:
    return [artist_ref_object(one) for one in artists]


def artist_ref_object(found: ArtistRef | Artist) -> Payload:
    """An artist as tracks and series name it."""
    return {
        "uuid": found.uuid,
        "slug": found.slug,
        "name": found.name,
        "appUrl": found.app_url,
        "imageUrl": found.image_url,
    }


def artist_search(world: World, question: Question) -> Payload:
    """Artists whose name contains the term, largest first."""
    term, catalog = question.parts["term"].casefold(), world.catalog
    everyone = (catalog.artist(index) for index in range(len(catalog.artist_uuids)))
    found = [artist_ref_object(one) for one in everyone if term in one.name.casefold()]
    return collection(question, found, limit_max=SEARCH_LIMIT)


def track_search(world: World, question: Question) -> Payload:
    """Tracks whose name contains the term, most popular first."""
    term, catalog = question.parts["term"].casefold(), world.catalog
    ranked = sorted(catalog.tracks, key=lambda one: (-one.popularity, one.index))
    found = [
        track_ref_object(world.track_ref(one.index))
        for one in ranked
        if term in catalog.track(one.index).name.casefold()
    ]
    return collection(question, found, limit_max=SEARCH_LIMIT)


def platforms(_world: World, question: Question) -> Payload:
    """Platform codes: all, social ones or streaming ones."""
    codes = {
        "": sorted({*PLATFORM_NAMES, *SOCIAL, *STREAMING}),
        "/social": list(SOCIAL),
        "/streaming": list(STREAMING),
    }[question.parts["kind"] or ""]
    named = [{"name": PLATFORM_NAMES.get(code, code.title()), "code": code} for code in codes]
    return collection(question, named)

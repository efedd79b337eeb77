"""What oddities take out of records: the result is the truth a client should store, and what goes on the wire.

`bare-rankings`, `bare-metadata`, `ties` and later versions of rankings work here; every choice is made by the
chart-day or the entity.
"""

from dataclasses import replace

from soundcharts_pipeline.models import Artist, Ranking, RankingEntry, Track
from soundcharts_pipeline.simulator.world.oddities import Oddities
from soundcharts_pipeline.simulator.world.seeding import fingerprint, mix

_EVERY = 9
"""A row in so many misses a field, so that even a short chart meets each."""


def later_version(ranking: Ranking, number: int) -> Ranking:
    """The ranking as it is published for the so many-th time after the first: each time two neighbours change places,
    beginning at the top."""
    entries = list(ranking.entries)
    for place in range(1, number + 1):
        upper, lower = entries[place - 1 : place + 1]
        entries[place - 1] = _moved(lower, upper.position)
        entries[place] = _moved(upper, lower.position)
    return replace(ranking, entries=tuple(entries))


def ranking_with_ties(ranking: Ranking, oddities: Oddities) -> Ranking:
    """The ranking with some tracks on the position of the one before."""
    entries: list[RankingEntry] = []
    for entry in ranking.entries:
        shares = oddities.shares_place(ranking.chart.slug, ranking.day, entry.position)
        entries.append(_moved(entry, entries[-1].position) if shares and entries else entry)
    return replace(ranking, entries=tuple(entries))


def _moved(entry: RankingEntry, position: int) -> RankingEntry:
    old = entry.old_position
    return replace(entry, position=position, position_change=None if old is None else old - position)


def ranking_with_holes(ranking: Ranking, oddities: Oddities) -> Ranking:
    """The ranking without the fields and last rows that the API leaves out."""
    if not oddities.on("bare-rankings"):
        return ranking
    offset = fingerprint(oddities.seed, "holes", ranking.chart.slug, ranking.day)
    listed = len(ranking.entries) - (1 + offset % 3)
    entries = tuple(_entry(entry, offset + entry.position) for entry in ranking.entries[:listed])
    return replace(ranking, entries=entries)


def _entry(entry: RankingEntry, turn: int) -> RankingEntry:
    match turn % _EVERY:
        case 0:
            return replace(entry, metric=None)
        case 1:
            # Without the old place, a change of 0 reads like a new entry, which has no change.
            return replace(entry, old_position=None, position_change=entry.position_change or None)
        case 2:
            return replace(entry, entry_date=None)
        case _:
            return entry


def track_with_holes(track: Track, oddities: Oddities) -> Track:
    """The track without what the API does not know of it."""
    if not oddities.on("bare-metadata"):
        return track
    seed = fingerprint(oddities.seed, "holes", track.uuid)
    if mix(seed, 1) % 8 == 0:
        track = replace(track, isrc=None, iswcs=[])
    if mix(seed, 2) % 10 == 0:
        track = replace(track, artists=(), main_artists=(), featured_artists=())
    if mix(seed, 3) % 8 == 0:
        track = replace(track, audio_features=None)
    if mix(seed, 4) % 8 == 0:
        track = replace(track, labels=[], distributor=None, copyright=None)
    if mix(seed, 5) % 8 == 0:
        track = replace(track, genres=(), composers=[], producers=[], language_code=None)
    if mix(seed, 6) % 8 == 0:
        track = replace(track, image_url=None, preview_url=None, release_date=None)
    if mix(seed, 7) % 8 == 0:
        track = replace(track, duration_seconds=None, explicit=None)
    return track


def artist_with_holes(artist: Artist, oddities: Oddities) -> Artist:
    """The artist without what the API does not know of it."""
    if not oddities.on("bare-metadata"):
        return artist
    seed = fingerprint(oddities.seed, "holes", artist.uuid)
    if mix(seed, 1) % 8 == 0:
        artist = replace(artist, country_code=None, city_name=None)
    if mix(seed, 2) % 8 == 0:
        artist = replace(artist, genres=())
    if mix(seed, 3) % 8 == 0:
        artist = replace(artist, image_url=None, app_url=None, web_url=None)
    if mix(seed, 4) % 8 == 0:
        artist = replace(artist, career_stage=None, growth_level=None)
    if mix(seed, 5) % 8 == 0:
        artist = replace(artist, gender=None, type=None, birth_date=None)
    return artist


def blank(uuid: str, oddities: Oddities) -> str | None:
    """How missing text of this entity is written: null, or an empty string."""
    empty = oddities.on("bare-metadata") and fingerprint(oddities.seed, "blank", uuid) % 2 == 0
    return "" if empty else None

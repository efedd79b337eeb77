"""Who and what exists: artists and tracks as clean records, built on demand and kept.

Everything here depends on the seed alone. What the API leaves out of a record is decided in `oddities`.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from soundcharts_pipeline.models import Artist, ArtistRef, Genre, Track
from soundcharts_pipeline.simulator.world import words
from soundcharts_pipeline.simulator.world.chart_list import FIRST_DAY
from soundcharts_pipeline.simulator.world.places import CITIES, COUNTRIES
from soundcharts_pipeline.simulator.world.seeding import fingerprint, mix, pick, soundcharts_uuid, unit

ARTIST_COUNT = 1_000
TRACK_COUNT = 4_000
RELEASES_UNTIL = FIRST_DAY + timedelta(days=4 * 365)
SANDBOX_ARTISTS = (
    ("11e81bcc-9c1c-ce38-b96b-a0369fe50396", "Billie Eilish", "US", "Los Angeles", "2001-12-18"),
    ("ca22091a-3c00-11e9-974f-549f35141000", "Tones and I", "AU", "Melbourne", "1993-05-13"),
)
BAD_GUY = "7d534228-5165-11e9-9375-549f35161576"


@dataclass(frozen=True, slots=True)
class TrackSeed:
    """What the charts and series need of a track, cheap enough to hold for all of them."""

    index: int
    uuid: str
    artist: int
    released: int
    popularity: float


class Catalog:
    """Artists are numbered by popularity, 0 the largest; tracks have no order."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.artist_uuids = [row[0] for row in SANDBOX_ARTISTS] + [
            soundcharts_uuid(fingerprint(seed, "artist", index)) for index in range(len(SANDBOX_ARTISTS), ARTIST_COUNT)
        ]
        self.tracks = [self._track_seed(index) for index in range(TRACK_COUNT)]
        self.artist_index = {uuid: index for index, uuid in enumerate(self.artist_uuids)}
        self.track_index = {track.uuid: track.index for track in self.tracks}
        self._artists: dict[int, Artist] = {}
        self._tracks: dict[int, Track] = {}

    def _track_seed(self, index: int) -> TrackSeed:
        if index == 0:
            return TrackSeed(0, BAD_GUY, 0, date(2019, 3, 29).toordinal(), 1.0)
        seed = fingerprint(self.seed, "track", index)
        artist = int(ARTIST_COUNT * unit(seed, 10) ** 2)
        if unit(seed, 11) < 0.5:
            age = int(12 * 365 * unit(seed, 12) ** 2)
            released = FIRST_DAY.toordinal() - 1 - age
        else:
            released = FIRST_DAY.toordinal() + int((RELEASES_UNTIL - FIRST_DAY).days * unit(seed, 12))
        popularity = (artist + 3) ** -0.35 * (0.2 + unit(seed, 13))
        return TrackSeed(index, soundcharts_uuid(seed), artist, released, min(1.0, popularity))

    def artist(self, index: int) -> Artist:
        """The artist of that number."""
        if index not in self._artists:
            self._artists[index] = self._build_artist(index)
        return self._artists[index]

    def track(self, index: int) -> Track:
        """The track of that number."""
        if index not in self._tracks:
            self._tracks[index] = self._build_track(index)
        return self._tracks[index]

    def artist_ref(self, index: int) -> ArtistRef:
        """The artist as a track or a series names it."""
        artist = self.artist(index)
        return ArtistRef(
            uuid=artist.uuid,
            name=artist.name,
            slug=artist.slug,
            app_url=artist.app_url,
            image_url=artist.image_url,
        )

    def credits(self, index: int) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        """A track's main artist, featured artists, and others merely credited."""
        seed, main = fingerprint(self.seed, "credits", index), self.tracks[index].artist
        if index == 0 or unit(seed, 1) >= 0.35:
            return main, (), ()
        guests = [int(ARTIST_COUNT * unit(seed, number) ** 1.5) for number in range(2, 3 + mix(seed, 9) % 2)]
        distinct = tuple(dict.fromkeys(guest for guest in guests if guest != main))
        featured = distinct if unit(seed, 10) < 0.8 else distinct[:1]
        return main, featured, distinct[len(featured) :]

    def _build_artist(self, index: int) -> Artist:
        seed, uuid = fingerprint(self.seed, "artist-record", index), self.artist_uuids[index]
        city = pick(CITIES, seed, 1)
        name, country, city_name = _artist_name(index), city.country_code, city.name
        born: str | None = f"{1960 + mix(seed, 2) % 45}-{1 + mix(seed, 3) % 12:02}-{1 + mix(seed, 4) % 28:02}"
        person = unit(seed, 5) < 0.75
        if index < len(SANDBOX_ARTISTS):
            _, name, country, city_name, born = SANDBOX_ARTISTS[index]
            person = True
        slug = name.lower().replace(" ", "-")
        return Artist(
            uuid=uuid,
            name=name,
            slug=slug,
            image_url=f"https://assets.soundcharts.com/artist/{uuid}.jpg",
            app_url=f"https://app.soundcharts.com/app/artist/{slug}/overview",
            web_url=f"https://app.soundcharts.com/artist/{slug}",
            country_code=country,
            city_name=city_name,
            biography=f"{name} makes music in {city_name}." if unit(seed, 6) < 0.5 else None,
            career_stage=words.CAREER_STAGES[bisect_right((30, 150, 400, 700), index)],
            growth_level=pick(words.GROWTH_LEVELS, seed, 7),
            gender=pick(("female", "male", "other"), seed, 8) if index and person else "female",
            type="person" if person else "group",
            birth_date=date.fromisoformat(born) if person and born else None,
            isni=f"0000{mix(seed, 9) % 10**12:012}" if unit(seed, 11) < 0.6 else None,
            ipi=f"{mix(seed, 10) % 10**11:011}" if unit(seed, 12) < 0.4 else None,
            genres=_genres(seed),
        )

    def _build_track(self, index: int) -> Track:
        core, seed = self.tracks[index], fingerprint(self.seed, "track-record", index)
        main, featured, credited = self.credits(index)
        first = "bad" if index == 0 else pick(words.TITLE_FIRST, seed, 1)
        second = "guy" if index == 0 else pick(words.TITLE_SECOND, seed, 2)
        country = self.artist(main).country_code or "US"
        year = date.fromordinal(core.released).year
        label, kind = pick(words.LABELS, seed, 3)
        guests = ", ".join(self.artist(guest).name for guest in featured)
        credit_name = self.artist(main).name + (f" feat. {guests}" if guests else "")
        return Track(
            uuid=core.uuid,
            name=f"{first} {second}",
            credit_name=credit_name,
            image_url=f"https://assets.soundcharts.com/song/{core.uuid}.jpg",
            isrc="USUM71900764" if index == 0 else f"{country}SC1{year % 100:02}{index:05}",
            release_date=date.fromordinal(core.released),
            duration_seconds=194 if index == 0 else 110 + mix(seed, 4) % 200,
            explicit=unit(seed, 5) < 0.3,
            language_code="en" if index == 0 else pick(words.LANGUAGES, seed, 6),
            copyright=f"{year} {label}",
            distributor=pick(words.DISTRIBUTORS, seed, 7),
            app_url=f"https://app.soundcharts.com/app/song/{core.uuid}/overview",
            preview_url=None if unit(seed, 8) < 0.4 else f"https://assets.soundcharts.com/{core.uuid}.mp3",
            labels=[{"name": label, "type": kind}],
            composers=_people(seed, 20, 1 + mix(seed, 9) % 3),
            producers=_people(seed, 40, 1 + mix(seed, 10) % 2),
            iswcs=[f"T{mix(seed, 11) % 10**10:010}"] if unit(seed, 12) < 0.6 else [],
            audio_features=_audio(seed),
            artists=tuple(self.artist_ref(one) for one in (main, *featured, *credited)),
            main_artists=(self.artist_ref(main),),
            featured_artists=tuple(self.artist_ref(one) for one in featured),
            genres=_genres(seed),
        )


@lru_cache(maxsize=4)
def catalog_of(seed: int) -> Catalog:
    """The catalog of a seed. Shared, because nothing in it changes and each start would build it again."""
    return Catalog(seed)


def country_name(code: str | None) -> str | None:
    """The English name the API prints beside a country code."""
    return COUNTRIES.get(code) if code else None


def _artist_name(index: int) -> str:
    # The stride is prime to the number of pairs, so no two artists share a name.
    spot = index * 1_009 % (len(words.ARTIST_FIRST) * len(words.ARTIST_SECOND))
    second, first = divmod(spot, len(words.ARTIST_FIRST))
    return f"{words.ARTIST_FIRST[first]} {words.ARTIST_SECOND[second]}"


def _people(seed: int, start: int, count: int) -> list[str]:
    names = [
        f"{pick(words.PEOPLE_FIRST, seed, start + n)} {pick(words.PEOPLE_LAST, seed, start + 10 + n)}"
        for n in range(count)
    ]
    return list(dict.fromkeys(names))


def _genres(seed: int) -> tuple[Genre, ...]:
    roots = dict.fromkeys(pick(tuple(words.GENRES), seed, 60 + n) for n in range(1 + mix(seed, 70) % 2))
    genres = []
    for number, root in enumerate(roots):
        subs = words.GENRES[root]
        chosen = dict.fromkeys(pick(subs, seed, 80 + 10 * number + n) for n in range(2)) if subs else {}
        genres.append(Genre(root=root, subs=tuple(chosen)))
    return tuple(genres)


def _audio(seed: int) -> dict[str, Any]:
    shares = ("acousticness", "danceability", "energy", "instrumentalness", "liveness", "speechiness", "valence")
    audio: dict[str, Any] = {name: round(unit(seed, 100 + n), 3) for n, name in enumerate(shares)}
    audio["key"] = mix(seed, 110) % 12
    audio["mode"] = mix(seed, 111) % 2
    audio["loudness"] = round(-20 + 18 * unit(seed, 112), 2)
    audio["tempo"] = round(70 + 110 * unit(seed, 113), 1)
    audio["timeSignature"] = 3 if unit(seed, 114) < 0.08 else 4
    return audio

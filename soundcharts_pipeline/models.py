"""The records that travel between the API and the warehouse. Imports nothing of ours.

Days are calendar days as Soundcharts prints them (the first ten characters of its timestamps), never
converted between time zones. Empty strings of the API are None here.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class ChartDays:
    """One chart from the first to the last day, both inclusive."""

    slug: str
    first: date
    last: date

    @property
    def days(self) -> list[date]:
        return [self.first + ONE_DAY * n for n in range((self.last - self.first).days + 1)]

    def split(self, most: int | None) -> list["ChartDays"]:
        """These days as stretches of at most so many, oldest first."""
        days, most = self.days, most or len(self.days)
        return [ChartDays(self.slug, days[i], days[i : i + most][-1]) for i in range(0, len(days), most)]

    def overlaps(self, other: "ChartDays") -> bool:
        return self.slug == other.slug and self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        return f"{self.slug} {self.first}" + ("" if self.first == self.last else f" to {self.last}")


@dataclass(frozen=True, slots=True)
class AnsweredWindow:
    """Days of one series, both inclusive, that Soundcharts was asked for and answered; `settled` is the last day of
    their beginning that will not change any more, if it has one."""

    start: date
    end: date
    settled: date | None
    asked_at: datetime

    @property
    def open_from(self) -> date:
        """The first day that is not settled (the day after the window's end when all are)."""
        return self.start if self.settled is None else self.settled + ONE_DAY


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run failed or was canceled: the asset it happened in ("" for the run as a whole), the name of the error,
    its message, and what to do next, where that is known already."""

    asset: str
    kind: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A list definition, keyed by its slug."""

    slug: str
    name: str
    platform: str
    country_code: str | None = None
    city_name: str | None = None
    frequency: str | None = None
    type: str | None = None
    max_results: int | None = None
    web_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRef:
    """What a ranking says of a track: no artist, no ISRC."""

    uuid: str
    name: str
    credit_name: str | None = None
    image_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtistRef:
    """What a track says of an artist."""

    uuid: str
    name: str
    slug: str | None = None
    app_url: str | None = None
    image_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Genre:
    """A root genre and its sub-genres."""

    root: str
    subs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingEntry:
    """One position of a ranking, 1-based. A new entry has neither old position nor change."""

    position: int
    track: TrackRef
    old_position: int | None = None
    position_change: int | None = None
    metric: int | None = None
    entry_state: str | None = None
    entry_date: date | None = None
    time_on_chart: int | None = None
    time_on_chart_unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """One chart on one day, whole but for so many places that cannot be read."""

    chart: Chart
    day: date
    metric_type: str | None
    entries: tuple[RankingEntry, ...]
    unreadable: int = 0


class PublishedRanking(NamedTuple):
    """A day on which a chart was published, and the exact timestamp that asks for it."""

    day: date
    timestamp: str


def is_later(timestamp: str, other: str) -> bool:
    """Whether a timestamp of the API is after another one, which may be written in another time zone."""
    try:
        return _instant(timestamp) > _instant(other)
    except ValueError:
        return timestamp > other


def _instant(timestamp: str) -> datetime:
    found = datetime.fromisoformat(timestamp)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A recording. `artists` are all credited ones; main and featured are subsets named by the API."""

    uuid: str
    name: str
    slug: str | None = None
    credit_name: str | None = None
    image_url: str | None = None
    isrc: str | None = None
    release_date: date | None = None
    duration_seconds: int | None = None
    explicit: bool | None = None
    language_code: str | None = None
    copyright: str | None = None
    distributor: str | None = None
    app_url: str | None = None
    preview_url: str | None = None
    labels: list[dict[str, Any]]
    composers: list[str]
    producers: list[str]
    iswcs: list[str]
    audio_features: dict[str, Any] | None = None
    artists: tuple[ArtistRef, ...] = ()
    main_artists: tuple[ArtistRef, ...] = ()
    featured_artists: tuple[ArtistRef, ...] = ()
    genres: tuple[Genre, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Artist:
    """A person or group."""

    uuid: str
    name: str
    slug: str | None = None
    image_url: str | None = None
    app_url: str | None = None
    web_url: str | None = None
    country_code: str | None = None
    city_name: str | None = None
    biography: str | None = None
    career_stage: str | None = None
    growth_level: str | None = None
    gender: str | None = None
    type: str | None = None
    birth_date: date | None = None
    isni: str | None = None
    ipi: str | None = None
    genres: tuple[Genre, ...] = ()

    @property
    def display_name(self) -> str:
        """What a person reads; the API has one name for both."""
        return self.name


class AudiencePoint(NamedTuple):
    """One value of a series on one day; `identifier` is the platform's own id, '' where there is none."""

    day: date
    identifier: str
    value: int


class GeoPoint(NamedTuple):
    """One place's share of a value; `city_name` is '' for a whole country, `region` '' where unknown."""

    day: date
    country_code: str
    region: str
    city_name: str
    value: int


# Country, region and city; '' for what is not known, and for region and city of a whole country.
Place = tuple[str, str, str]


class LocatedDay(NamedTuple):
    """The shares of some places in the value of a day."""

    day: date
    values: dict[Place, int]


class Window(NamedTuple):
    """A span of days, both ends inclusive."""

    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Series:
    """The answer for one window of one series: at most one point per day and identifier, oldest first. No place comes
    twice in a day; its places may come in several parts."""

    points: tuple[AudiencePoint, ...]
    # By day, for an answer of 90 days names a thousand places, and an object for each took a third of reading it.
    located: tuple[LocatedDay, ...] = ()

    @property
    def geo(self) -> tuple[GeoPoint, ...]:
        """Each place of each day."""
        return tuple(GeoPoint(day, *place, value) for day, values in self.located for place, value in values.items())


# What is counted on each platform's track audience (developers.soundcharts.com, get-song-audience; radio plays
# come from the broadcasts endpoints).
TRACK_METRICS = {
    "spotify": "streams",
    "youtube": "views",
    "shazam": "shazams",
    "airplay": "spins",
    "tiktok": "videos",
    "instagram": "reels",
    "soundcloud": "plays",
    "audiomack": "plays",
    "jiosaavn": "plays",
    "anghami": "plays",
    "lastfm": "plays",
    "gaana": "favourites",
    "melon": "likes",
    "genius": "page_views",
    "line-music": "streams",
    "awa": "streams",
}

# Platforms whose artist streaming series exists beside the followers, and what it counts.
ARTIST_STREAMING_METRICS = {"spotify": "monthly_listeners", "youtube": "views"}
FOLLOWERS = "followers"


def artist_metrics(platform: str) -> tuple[str, ...]:
    """The metrics of an artist on a platform; each costs one call per window."""
    streaming = ARTIST_STREAMING_METRICS.get(platform)
    return (streaming, FOLLOWERS) if streaming else (FOLLOWERS,)


class RatePermit(NamedTuple):
    """One call that may leave: its number, and how many billed calls may have been under way when it was counted.
    A free call leaves the quota alone."""

    call: int
    under_way: int = 0
    free: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RateGrant:
    """What a process may send now: calls numbered from `first`, `age` seconds after they were counted, when
    `under_way` billed calls may have been on their way. Or none of them, and how many seconds to wait before asking
    again; `quota_unknown`: because no billed call is certain to be left above the reserve."""

    first: int = 0
    calls: int = 0
    under_way: int = 0
    age: float = 0.0
    wait: float = 0.0
    quota_unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RateNews:
    """What the answer to one call told of the account: whether the call was let in; of the minute: calls per minute,
    how many are left, seconds until there are more; of the term: billed calls left (`under_way`: as permitted)."""

    call: int
    let_in: bool
    under_way: int = 0
    quota: int | None = None
    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None

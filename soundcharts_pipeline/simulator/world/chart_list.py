"""Which charts exist, what each lists and when it is published. A chart's ranking lives in `rankings`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from types import MappingProxyType

from soundcharts_pipeline import models
from soundcharts_pipeline.simulator.world.places import CITIES, COUNTRIES
from soundcharts_pipeline.simulator.world.seeding import fingerprint

FIRST_DAY = date(2024, 11, 1)
"""The oldest ranking day of any chart. Fixed, so that a ranking never depends on the date it is asked on."""

PLATFORM_NAMES = {
    "airplay": "Airplay",
    "apple-music": "Apple Music",
    "deezer": "Deezer",
    "itunes": "iTunes",
    "shazam": "Shazam",
    "soundcloud": "SoundCloud",
    "spotify": "Spotify",
    "tiktok": "TikTok",
    "youtube": "YouTube",
}

METRICS = {
    "spotify": ("streamcount", "Streams"),
    "youtube": ("viewcount", "Views"),
    "airplay": ("spincount", "Spins"),
    "tiktok": ("videocount", "Videos"),
}
"""Platforms whose rankings carry a metric; elsewhere it is null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartPlan:
    """One chart: its public record, how it is published, and which tracks can reach it."""

    slug: str
    name: str
    platform: str
    size: int
    country_code: str | None = None
    city_name: str | None = None
    weekly: bool = False
    hour: str = "12:00:00"
    pool: int

    @property
    def first_day(self) -> date:
        """The oldest ranking: the first day of all for a daily chart, the first Friday for a weekly one."""
        return FIRST_DAY + timedelta(days=(4 - FIRST_DAY.weekday()) % 7) if self.weekly else FIRST_DAY

    @property
    def step(self) -> int:
        """Days from one ranking to the next."""
        return 7 if self.weekly else 1

    @property
    def web_url(self) -> str:
        return f"https://app.soundcharts.com/app/market/charts?chart={self.slug}"

    def timestamp(self, day: date) -> str:
        """How the ranking of a day is asked for."""
        return f"{day}T{self.hour}+00:00"

    def record(self) -> models.Chart:
        """What a client stores of the chart."""
        return models.Chart(
            slug=self.slug,
            name=self.name,
            platform=self.platform,
            country_code=self.country_code,
            city_name=self.city_name,
            frequency="weekly" if self.weekly else "daily",
            type="song",
            max_results=self.size,
            web_url=self.web_url,
        )


def _plan(slug: str, name: str, platform: str, size: int, **more: str | bool | None) -> ChartPlan:
    hour = ("12:00:00", "12:00:00", "12:00:00", "12:00:00", "17:00:00", "00:00:00")[fingerprint(slug) % 6]
    country, city = more.get("country_code"), more.get("city_name")
    return ChartPlan(
        slug=slug,
        name=name,
        platform=platform,
        size=size,
        country_code=str(country) if country else None,
        city_name=str(city) if city else None,
        weekly=bool(more.get("weekly")),
        # The published examples of these charts are at noon.
        hour="12:00:00" if slug in {"global-28", "top-songs-29", "airplay-daily"} else hour,
        pool=max(400, size * 4),
    )


def _worldwide() -> Iterator[ChartPlan]:
    yield _plan("global-28", "Global Daily Top Songs", "spotify", 200)
    yield _plan("viral-50-global", "Global Viral 50", "spotify", 50)
    yield _plan("global-weekly-top-songs", "Global Weekly Top Songs", "spotify", 200, weekly=True)
    yield _plan("airplay-daily", "Airplay Daily", "airplay", 100)
    yield _plan("top-100-global", "Top 100: Global", "apple-music", 100)
    yield _plan("shazam-top-200-world", "Shazam Top 200 World", "shazam", 200)
    yield _plan("tiktok-weekly-songs", "TikTok Weekly Songs", "tiktok", 50, weekly=True)
    yield _plan("youtube-top-songs-global", "YouTube Top Songs Global", "youtube", 100)
    yield _plan("youtube-trending-weekly", "YouTube Weekly Top Songs", "youtube", 100, weekly=True)
    yield _plan("deezer-top-worldwide", "Top Worldwide", "deezer", 100)
    yield _plan("soundcloud-top-1000", "SoundCloud Top 1000", "soundcloud", 1000)
    yield _plan("soundcloud-new-hot", "SoundCloud New & Hot", "soundcloud", 50)


def _by_country() -> Iterator[ChartPlan]:
    # India first: its Spotify chart is known as top-songs-29.
    ordered = ["IN", *(code for code in COUNTRIES if code != "IN")]
    for number, code in enumerate(ordered, start=29):
        name = COUNTRIES[code]
        low = code.lower()
        yield _plan(f"top-songs-{number}", f"{name} Daily Top Songs", "spotify", 200, country_code=code)
        yield _plan(f"viral-50-{low}", f"{name} Viral 50", "spotify", 50, country_code=code)
        yield _plan(f"top-100-{low}", f"Top 100: {name}", "apple-music", 100, country_code=code)
        yield _plan(f"shazam-top-200-{low}", f"Shazam Top 200 {name}", "shazam", 200, country_code=code)
        yield _plan(f"airplay-{low}-weekly", f"Airplay {name}", "airplay", 50, country_code=code, weekly=True)
        yield _plan(f"itunes-top-songs-{low}", f"iTunes {name}", "itunes", 100, country_code=code)


def _by_city() -> Iterator[ChartPlan]:
    for city in CITIES:
        place = city.name.lower().replace(" ", "-")
        code = city.country_code
        yield _plan(
            f"local-pulse-{place}",
            f"Local Pulse {city.name}",
            "spotify",
            100,
            country_code=code,
            city_name=city.name,
            weekly=True,
        )
        yield _plan(
            f"shazam-top-50-{place}",
            f"Shazam Top 50 {city.name}",
            "shazam",
            50,
            country_code=code,
            city_name=city.name,
        )


@lru_cache(maxsize=1)
def chart_plans() -> Mapping[str, ChartPlan]:
    """Every chart by its slug, worldwide ones first."""
    plans = (*_worldwide(), *_by_country(), *_by_city())
    return MappingProxyType({plan.slug: plan for plan in plans})

"""Which series exist: the account of a track or an artist on a platform, its rhythm and its curve.

An account is None where the entity has none; whether the API then answers 404 or an empty list is the
endpoint's own habit, kept in `routes`.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from soundcharts_pipeline.simulator.world.catalog import Catalog
from soundcharts_pipeline.simulator.world.curves import Curve, Flow, Level, Total
from soundcharts_pipeline.simulator.world.seeding import base62, fingerprint, mix, unit

TRACK_METRICS: dict[str, tuple[float, bool]] = {
    "spotify": (1.0, True),
    "youtube": (0.6, True),
    "shazam": (0.01, True),
    "tiktok": (0.004, True),
    "instagram": (0.001, True),
    "soundcloud": (0.02, True),
    "audiomack": (0.01, False),
    "jiosaavn": (0.08, False),
    "anghami": (0.03, False),
    "lastfm": (0.02, True),
    "gaana": (0.004, False),
    "melon": (0.006, False),
    "genius": (0.002, True),
    "line-music": (0.004, False),
    "awa": (0.002, False),
}
"""Platforms of track audience: size against Spotify, and whether every track is there."""

SOCIAL: dict[str, tuple[float, float]] = {
    "spotify": (1.0, 1.0),
    "youtube": (0.5, 0.95),
    "instagram": (0.8, 0.9),
    "tiktok": (0.6, 0.85),
    "facebook": (0.4, 0.8),
    "twitter": (0.2, 0.75),
    "soundcloud": (0.05, 0.7),
    "deezer": (0.1, 0.95),
    "bandsintown": (0.03, 0.6),
    "audiomack": (0.01, 0.5),
    "songkick": (0.02, 0.6),
    "weibo": (0.05, 0.1),
}
"""Platforms of artist followers: size against Spotify, and the share of artists who are there."""

STREAMING: dict[str, float] = {
    "spotify": 1.0,
    "youtube": 0.7,
    "pandora": 0.2,
    "jiosaavn": 0.1,
    "yandex": 0.1,
    "kugou": 0.05,
    "anghami": 0.05,
    "audiomack": 0.02,
    "lastfm": 0.05,
}
"""Platforms of artist listening: size against Spotify."""

LOCATED_STREAMING = ("spotify", "youtube")
LOCATED_SOCIAL = ("instagram", "tiktok", "youtube")
ON_YOUTUBE_CHARTS = 400
"""Artists up to this number are listed on YouTube's own charts, the others have no views there."""

Locating = Literal["never", "weekly", "monthly"]


@dataclass(frozen=True, slots=True)
class Account:
    """One series: who (by seed), its identifiers, since when, how often, and its values."""

    seed: int
    since: int
    identifiers: tuple[str, ...]
    curve: Curve
    step: int = 1
    locating: Locating = "never"

    def days(self, start: int, end: int) -> range:
        """The days of a window that have a value at all; small accounts are read days apart."""
        first = max(start, self.since)
        return range(first + -(first + self.seed) % self.step, end + 1, self.step)

    def locates_on(self, day: int, day_of_month: int) -> bool:
        """Whether the value of this (reported) day comes with cities and countries."""
        if self.locating == "weekly":
            return day % 7 == self.seed % 7
        # Any run of `step` days holds one reported day, so each month is located once.
        first = 1 + self.seed % 13
        return self.locating == "monthly" and first <= day_of_month < first + self.step


class Accounts:
    """The accounts of a catalog, built on demand and kept."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: dict[tuple[str, int, str], Account | None] = {}

    def track(self, index: int, platform: str) -> Account | None:
        """Cumulative totals of a track, by identifier."""
        return self._get("track", index, platform, self._track)

    def track_streaming(self, index: int) -> Account | None:
        """Daily YouTube views of a track with places, for tracks listed on YouTube's charts."""
        return self._get("track-views", index, "youtube", self._track_views)

    def streaming(self, index: int, platform: str) -> Account | None:
        """Listeners or views of an artist per day."""
        return self._get("streaming", index, platform, self._streaming)

    def followers(self, index: int, platform: str) -> Account | None:
        """Followers of an artist on a social platform."""
        return self._get("followers", index, platform, self._followers)

    def _get(
        self, kind: str, index: int, platform: str, build: Callable[[int, int, str], Account | None]
    ) -> Account | None:
        key = (kind, index, platform)
        if key not in self._known:
            seed = fingerprint(self._catalog.seed, *key)
            self._known[key] = build(seed, index, platform)
        return self._known[key]

    def _track(self, seed: int, index: int, platform: str) -> Account | None:
        size, everyone = TRACK_METRICS[platform]
        if not everyone and unit(seed, 1) < 0.4:
            return None
        core = self._catalog.tracks[index]
        count = 1 + bisect_left((0.6, 0.88), unit(seed, 2)) if platform in ("spotify", "youtube") else 1
        length = {"spotify": 22, "youtube": 11}.get(platform, 9)
        curve = Total(
            seed=seed,
            start=core.released,
            rate=3e6 * size * core.popularity**2 * (0.4 + 1.2 * unit(seed, 3)),
            lasting=30 + 150 * unit(seed, 4),
            tail=0.03 + 0.25 * unit(seed, 5),
        )
        identifiers = tuple(base62(mix(seed, 6 + part), length) for part in range(count))
        return Account(seed, core.released, identifiers, curve)

    def _track_views(self, seed: int, index: int, _platform: str) -> Account | None:
        core = self._catalog.tracks[index]
        if index and unit(seed, 1) > 0.25 + core.popularity:
            return None
        flow = Flow(seed, 4e5 * core.popularity**2 + 500, 0.4 * unit(seed, 2) - 0.2, 60 + mix(seed, 3) % 120)
        return Account(seed, core.released, ("",), flow, locating="weekly")

    def _streaming(self, seed: int, index: int, platform: str) -> Account | None:
        if platform == "youtube" and index >= ON_YOUTUBE_CHARTS:
            return None
        if platform not in LOCATED_STREAMING and unit(seed, 1) < 0.3:
            return None
        level = 9e7 * STREAMING[platform] * (index + 2) ** -0.75 * (0.6 + 0.8 * unit(seed, 2))
        yearly = 0.6 * unit(seed, 3) - 0.2
        curve: Curve = Level(seed, level, yearly, 0.12)
        if platform == "youtube":
            curve = Flow(seed, level / 12, yearly, 90 + mix(seed, 4) % 90)
        located: Locating = "weekly" if platform in LOCATED_STREAMING else "never"
        return Account(seed, _FIRST_SERIES_DAY, ("",), curve, locating=located)

    def _followers(self, seed: int, index: int, platform: str) -> Account | None:
        size, present = SOCIAL[platform]
        if index > 1 and unit(seed, 1) >= present:
            return None
        # The smallest accounts have a handful of followers, which is what slows their rhythm down.
        level = 1.2e8 * size * (index + 1) ** -0.8 * 10 ** (-6 * unit(seed, 2) ** 6)
        if index > ON_YOUTUBE_CHARTS and unit(seed, 5) < 0.2:
            level = 6 + 3_000 * unit(seed, 6) ** 3
        curve = Level(seed, level, 0.5 * unit(seed, 3) - 0.05, 0.02)
        located: Locating = "monthly" if platform in LOCATED_SOCIAL else "never"
        return Account(seed, _FIRST_SERIES_DAY, ("",), curve, _days_between(level), located)


_FIRST_SERIES_DAY = 735_600
"""Early January 2015: no artist series is older."""


def _days_between(followers: float) -> int:
    """The documented update rhythm, by size."""
    rhythm = ((10, 15), (150, 7), (500, 5), (5_000, 3))
    return next((days for below, days in rhythm if followers < below), 2)

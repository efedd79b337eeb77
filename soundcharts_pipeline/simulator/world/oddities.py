"""The irregularities of the real API, each switched on by name, decided by seed and entity alone.

Those of shape are persistent: the same question always meets them. Those of transport (`Upset`) strike the
first time a question is asked and never again, so that a client that repeats its call succeeds.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Literal

from soundcharts_pipeline.simulator.world.seeding import fingerprint, mix

ODDITIES: dict[str, str] = {
    "no-data": "an entity has no data on a platform: 404 with a message, or 200 with no items",
    "untidy-series": "missing days, doubled days, null values, values in the billions, totals that fall",
    "bare-plots": "cityPlots and countryPlots empty or absent, region empty",
    "bare-rankings": "rows without metric, old position or entry date; position 0; fewer rows than the chart has",
    "bare-metadata": "metadata without ISRC, artists, audio, labels, country, genres, image; '' in place of null",
    "lost-next": "page.next null or '' although more remains; series newest first",
    "refusals": "403 for single series, 410 for single tracks; at first 502/503 without JSON, or slow",
    "errors-in-answer": "at first a 200 whose errors list is not empty",
    "throttling": "at first a 429 with incomplete headers; no headers when the quota is used up",
    "late": "points published up to 15 days after their day",
    "dated-ahead": "weekly rankings dated by the end of their week, and out four days before it",
    "ties": "tracks that share a position; the numbers after them count them all (1, 2, 2, 4)",
    "republished": "one ranking of four published again after two days, with a later time and another number one",
}

DAYS_TO_SECOND_VERSION = 2
LONGEST_DELAY = 15
"""Days after which every point is out, whatever the oddities."""

DATED_AHEAD_DAYS = 4

DayFate = Literal["plain", "gap", "null", "twice", "twice-later"]
PlotsFate = Literal["plain", "absent", "empty", "no-region"]
Upset = Literal["bad gateway", "unavailable", "slow", "errors in answer", "throttled", "throttled bare"]

_DAY_FATES: dict[int, DayFate] = {0: "gap", 1: "null", 2: "twice", 3: "twice-later"}
_PLOTS_FATES: dict[int, PlotsFate] = {0: "absent", 1: "empty", 2: "no-region"}


class Absence(Enum):
    """Why a series has no account to read, and so how the API answers."""

    NO_ACCOUNT = "404 with a message"
    NO_DATA = "200 with no items"
    FORBIDDEN = "403"


def named(names: Iterable[str]) -> frozenset[str]:
    """The oddities of these names; `all` means each of them."""
    asked = frozenset(names)
    unknown = asked - ODDITIES.keys() - {"all"}
    if unknown:
        raise ValueError(f"no oddity named {', '.join(sorted(unknown))}; choose from {', '.join(ODDITIES)}, all")
    return frozenset(ODDITIES) if "all" in asked else asked


@dataclass(frozen=True, slots=True)
class Oddities:
    """The decisions of one world with some oddities on."""

    seed: int
    names: frozenset[str] = frozenset()

    def on(self, name: str) -> bool:
        """Whether this oddity is switched on."""
        return name in self.names

    def delay(self, series: int, day: int) -> int:
        """Days from a point's day to its publication: 1 to 4, up to 15 when late."""
        roll = mix(series, day * 2 + 1) % 100
        usual = 1 + bisect_right((55, 80, 94), roll)
        return 4 + roll % 12 if "late" in self.names and mix(series, day * 2) % 8 == 0 else usual

    def day_fate(self, series: int, day: int) -> DayFate:
        """What becomes of one day of a series."""
        if "untidy-series" not in self.names:
            return "plain"
        return _DAY_FATES.get(mix(series ^ 0x5EED, day) % 24, "plain")

    def bent(self, series: int, day: int, value: int) -> int:
        """A cumulative total as the platform counts it: some are huge, some fall for ten days of thirty."""
        if "untidy-series" not in self.names:
            return value
        if series % 6 == 0 and (day + series) % 30 < 10:
            return value - value // 25
        return value + 6_000_000_000 if series % 6 == 1 else value

    def plots_fate(self, series: int, day: int) -> PlotsFate:
        """What becomes of the places of one located day."""
        if "bare-plots" not in self.names:
            return "plain"
        return _PLOTS_FATES.get(mix(series ^ 0xF1A7, day) % 6, "plain")

    def absence(self, kind: str, uuid: str, platform: str) -> Absence | None:
        """A series that the API withholds although the entity has it."""
        roll = fingerprint(self.seed, "absence", kind, uuid, platform) % 40
        if "no-data" in self.names and roll < 6:
            return Absence.NO_ACCOUNT if roll % 2 else Absence.NO_DATA
        if "refusals" in self.names and 6 <= roll < 9:
            return Absence.FORBIDDEN
        return None

    def gone(self, uuid: str) -> bool:
        """A track whose metadata answers 410: its ISRC is withdrawn."""
        return "refusals" in self.names and fingerprint(self.seed, "gone", uuid) % 12 == 0

    def shares_place(self, slug: str, day: date, place: int) -> bool:
        """A track that stands on the same position as the one before it."""
        return "ties" in self.names and place > 1 and mix(fingerprint(self.seed, "ties", slug, day), place) % 7 == 0

    def published_again(self, slug: str, day: date, today: date) -> bool:
        """A ranking that is there in its second version."""
        is_chosen = "republished" in self.names and fingerprint(self.seed, "republished", slug, day) % 4 == 0
        return is_chosen and (today - day).days > DAYS_TO_SECOND_VERSION

    def newest_first(self, series: int) -> bool:
        """An ascending series that arrives the other way round."""
        return "lost-next" in self.names and series % 2 == 0

    def lost_next(self, question: str) -> bool:
        """A page that does not name the next one."""
        return "lost-next" in self.names and fingerprint(self.seed, "next", question) % 2 == 0

    def upset(self, question: str) -> Upset | None:
        """What happens the first time this question is asked."""
        if not self.names & {"refusals", "errors-in-answer", "throttling"}:
            return None
        roll = fingerprint(self.seed, "upset", question) % 100
        if "errors-in-answer" in self.names and roll < 6:
            return "errors in answer"
        if "throttling" in self.names and 6 <= roll < 11:
            return "throttled bare" if roll < 9 else "throttled"
        if "refusals" in self.names and 11 <= roll < 21:
            return "slow" if roll < 13 else "bad gateway" if roll % 2 else "unavailable"
        return None

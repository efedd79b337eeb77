"""Radio plays: how many a track has on a day, on which stations and at what time.

Plays are computed one by one only for the page that is asked for; counts per station come from the same
split of the day's number, so both endpoints always agree.
"""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import gcd
from typing import NamedTuple

from soundcharts_pipeline.simulator.catalogue import Catalogue
from soundcharts_pipeline.simulator.curves import Flow
from soundcharts_pipeline.simulator.places import CITIES
from soundcharts_pipeline.simulator.seeding import fingerprint, mix, unit

STATION_COUNT = 420
_DAY_SECONDS = 86_400


class Station(NamedTuple):
    """A radio station."""

    name: str
    slug: str
    country_code: str
    city_name: str
    time_zone: str


class Play(NamedTuple):
    """One broadcast of a track: second of the day (UTC), length, station number."""

    second: int
    duration: int
    station: int


@lru_cache(maxsize=1)
def stations() -> tuple[Station, ...]:
    """Every station, the same in every world."""
    kinds = ("FM", "Hits", "One", "Gold", "Live", "Urban")
    rows = []
    for number in range(STATION_COUNT):
        city = CITIES[number % len(CITIES)]
        name = f"{city.name} {kinds[number // len(CITIES)]}"
        slug = name.lower().replace(" ", "-")
        rows.append(Station(name, slug, city.country_code, city.name, "UTC"))
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class _Spread:
    """The stations that play one track, and the running share of each."""

    chosen: tuple[int, ...]
    edges: tuple[float, ...]

    def bounds(self, plays: int) -> list[int]:
        """Where each station's share of so many plays ends; the last is the number itself."""
        return [*(int(plays * edge) for edge in self.edges[:-1]), plays]


class Airplay:
    """Plays of every track of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._spreads: dict[int, _Spread] = {}

    def spins(self, index: int, day: date) -> int:
        """The number of plays in the whole day."""
        core = self._catalogue.tracks[index]
        seed = fingerprint(self._catalogue.seed, "airplay", index)
        if day.toordinal() < core.released:
            return 0
        level = 6_000 * core.popularity**2.2 * (0.1 + unit(seed, 1))
        return Flow(seed, level, 0.2 * unit(seed, 2) - 0.1, 45 + mix(seed, 3) % 60).at(day.toordinal(), 0)

    def plays(self, index: int, day: date, count: int, start: int, stop: int) -> list[Play]:
        """Plays number start to stop of the day's first `count`, in the order they were aired."""
        seed = fingerprint(self._catalogue.seed, "plays", index, day)
        spread, whole = self._spread(index), self.spins(index, day)
        bounds = spread.bounds(count)
        stride = next((n for n in range(int(count * 0.618) + 1, count) if gcd(n, count) == 1), 1)
        plays = []
        for number in range(start, min(stop, count)):
            # A stride prime to the count visits each play once, so that stations do not come in blocks.
            place = bisect_right(bounds, number * stride % count)
            second = int((number + unit(seed, number)) * _DAY_SECONDS / whole)
            plays.append(Play(second, 30 + mix(seed, number) % 200, spread.chosen[place]))
        return plays

    def aired_before(self, index: int, day: date, second: int) -> int:
        """How many of the whole day's plays were aired before a second of it."""
        seed = fingerprint(self._catalogue.seed, "plays", index, day)
        whole, part = divmod(second * self.spins(index, day), _DAY_SECONDS)
        return whole + (unit(seed, whole) * _DAY_SECONDS < part)

    def by_station(self, index: int, count: int) -> Counter[int]:
        """How a day's first `count` plays are shared among stations."""
        spread, shares, before = self._spread(index), Counter[int](), 0
        for station, bound in zip(spread.chosen, spread.bounds(count), strict=True):
            if bound > before:
                shares[station] = bound - before
            before = bound
        return shares

    def _spread(self, index: int) -> _Spread:
        if index not in self._spreads:
            seed = fingerprint(self._catalogue.seed, "stations", index)
            popularity = self._catalogue.tracks[index].popularity
            reach = 3 + int(min(1.0, popularity * 1.5) * (STATION_COUNT - 20))
            order = sorted(range(STATION_COUNT), key=lambda number: mix(seed, number))[:reach]
            weights = [1 / (rank + 5) for rank in range(len(order))]
            total, running, edges = sum(weights), 0.0, []
            for weight in weights:
                running += weight / total
                edges.append(running)
            self._spreads[index] = _Spread(tuple(order), tuple(edges))
        return self._spreads[index]

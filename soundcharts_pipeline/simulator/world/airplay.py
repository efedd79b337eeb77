"""Radio plays: how many a track has on a day, on which stations and at what time.

Plays are computed one by one only for the page that is asked for; counts per station come from the same
split of the day's number, so both endpoints always agree.
"""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import accumulate
from math import gcd
from typing import NamedTuple

from soundcharts_pipeline.simulator.world.catalog import Catalog
from soundcharts_pipeline.simulator.world.curves import Flow
from soundcharts_pipeline.simulator.world.places import CITIES
from soundcharts_pipeline.simulator.world.seeding import fingerprint, mix, pick, unit

STATION_COUNT = 420
_DAY_SECONDS = 86_400
_STRIDES = tuple(number for number in range(1, STATION_COUNT) if gcd(number, STATION_COUNT) == 1)


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


@lru_cache(maxsize=STATION_COUNT)
def _edges(reach: int) -> tuple[float, ...]:
    """The running share of the plays, station by station, of a track on so many stations."""
    running = list(accumulate(1 / (rank + 5) for rank in range(reach)))
    return (*(share / running[-1] for share in running[:-1]), 1.0)


@dataclass(frozen=True, slots=True)
class _Rotation:
    """How one track is played: the level over time, and its stations from the keenest down."""

    flow: Flow
    released: int
    chosen: tuple[int, ...]


class Airplay:
    """Plays of every track of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._rotations: dict[int, _Rotation] = {}

    def spins(self, index: int, day: date) -> int:
        """The number of plays in the whole day."""
        rotation, number = self._rotation(index), day.toordinal()
        return rotation.flow.at(number, 0) if number >= rotation.released else 0

    def plays(self, index: int, day: date, *, count: int, start: int, stop: int) -> list[Play]:
        """Plays number start to stop of the day's first `count`, in the order they were aired."""
        seed = fingerprint(self._catalog.seed, "plays", index, day)
        chosen, whole = self._rotation(index).chosen, self.spins(index, day)
        edges = _edges(len(chosen))
        stride = next((n for n in range(int(count * 0.618) + 1, count) if gcd(n, count) == 1), 1)
        plays = []
        for number in range(start, min(stop, count)):
            # A stride prime to the count visits each play once, so that stations do not come in blocks.
            place = bisect_right(edges, number * stride % count, key=lambda edge: int(count * edge))
            second = int((number + unit(seed, number)) * _DAY_SECONDS / whole)
            plays.append(Play(second, 30 + mix(seed, number) % 200, chosen[place]))
        return plays

    def aired_before(self, index: int, day: date, second: int) -> int:
        """How many of the whole day's plays were aired before a second of it."""
        seed = fingerprint(self._catalog.seed, "plays", index, day)
        whole, part = divmod(second * self.spins(index, day), _DAY_SECONDS)
        return whole + 1 if unit(seed, whole) * _DAY_SECONDS < part else whole

    def by_station(self, index: int, count: int) -> Counter[int]:
        """How a day's first `count` plays are shared among stations."""
        chosen, shares, before = self._rotation(index).chosen, Counter[int](), 0
        for station, edge in zip(chosen, _edges(len(chosen)), strict=True):
            bound = int(count * edge)
            if bound > before:
                shares[station] = bound - before
            before = bound
        return shares

    def _rotation(self, index: int) -> _Rotation:
        if index not in self._rotations:
            core, seed = self._catalog.tracks[index], fingerprint(self._catalog.seed, "airplay", index)
            level = 9_000 * core.popularity**1.5 * (0.1 + unit(seed, 1))
            flow = Flow(seed, level, 0.2 * unit(seed, 2) - 0.1, 45 + mix(seed, 3) % 60)
            reach = 3 + int(min(1.0, core.popularity * 1.5) * (STATION_COUNT - 20))
            first, stride = mix(seed, 4) % STATION_COUNT, pick(_STRIDES, seed, 5)
            chosen = tuple((first + rank * stride) % STATION_COUNT for rank in range(reach))
            self._rotations[index] = _Rotation(flow, core.released, chosen)
        return self._rotations[index]

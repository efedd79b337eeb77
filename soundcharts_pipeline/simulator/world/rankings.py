"""How a chart moves: one ordered list of tracks per ranking, each derived from the one before.

A track climbs to its peak, fades, and falls off the bottom; 2 to 6 % of the places change hands each
time. The walk starts at a fixed day and uses the chart's own random sequence, so a ranking is the same
whoever asks, in any order, on any date.
"""

import random
import threading
from array import array
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from soundcharts_pipeline.simulator.world.catalog import TrackSeed, catalog_of
from soundcharts_pipeline.simulator.world.chart_list import ChartPlan, chart_plans
from soundcharts_pipeline.simulator.world.seeding import fingerprint, unit

_WARM_UP = 60


class Placing(NamedTuple):
    """One track in one ranking. `debut` and `old_position` are None where there was none."""

    position: int
    track: int
    old_position: int | None
    debut: int
    rankings_listed: int


@dataclass(slots=True)
class _Run:
    """A track's stay on the chart: its place on an imagined longer list, and where it is heading."""

    level: float
    peak: float
    fade: float
    climbing: bool = True


class ChartWalk:
    """The rankings of one chart by number: 0 is its first published one."""

    def __init__(self, seed: int, plan: ChartPlan, tracks: list[TrackSeed]) -> None:
        self._name = f"{seed}|ranking|{plan.slug}"
        self._plan = plan
        self._size = plan.size
        self._pool = _pool_of(seed, plan, tracks)
        self._by_index = {track.index: track for track in self._pool}
        self._released = [track.released for track in self._pool]
        self._runs: dict[int, _Run] = {}
        self._left: deque[int] = deque(maxlen=max(40, plan.size // 4))
        self._debut: dict[int, int] = {}
        self._listed: dict[int, int] = {}
        self._fresh_from = bisect_right(self._released, self._day(-_WARM_UP))
        self._orders: list[array[int]] = []
        self._debuts: list[array[int]] = []
        self._counts: list[array[int]] = []
        self._next = -_WARM_UP
        self._lock = threading.Lock()
        # bad guy stays on the sandbox's chart for good, as the published sandbox promises.
        self._evergreen = 0 if plan.slug == "global-28" else None

    def _day(self, number: int) -> int:
        return self._plan.first_day.toordinal() + number * self._plan.step

    def placings(self, number: int) -> tuple[Placing, ...]:
        """The ranking of that number, from place 1 down."""
        self._walk_to(number)
        before = {track: place for place, track in enumerate(self._orders[number + _WARM_UP - 1], start=1)}
        at = number + _WARM_UP
        rows = zip(self._orders[at], self._debuts[at], self._counts[at], strict=True)
        return tuple(
            Placing(place, track, before.get(track), debut, count)
            for place, (track, debut, count) in enumerate(rows, start=1)
        )

    def departed(self, number: int) -> list[tuple[int, int]]:
        """Tracks of the ranking before that are no longer listed, with the place they had."""
        self._walk_to(number)
        now = set(self._orders[number + _WARM_UP])
        before = self._orders[number + _WARM_UP - 1]
        return [(track, place) for place, track in enumerate(before, start=1) if track not in now]

    def _walk_to(self, number: int) -> None:
        with self._lock:
            while self._next <= number:
                self._step(self._next)
                self._next += 1

    def _step(self, number: int) -> None:
        chance = random.Random(f"{self._name}|{number}")
        for run in self._runs.values():
            _advance(run, chance.random())
        leaving = round(self._size * (0.02 + 0.04 * chance.random())) or 1
        if len(self._runs) >= self._size:
            self._drop(leaving)
        while len(self._runs) < self._size:
            self._enter(number, chance)
        runs = self._runs
        order = array("h", sorted(runs, key=lambda track: (runs[track].level, track)))
        for track in order:
            self._debut.setdefault(track, number)
            self._listed[track] = self._listed.get(track, 0) + 1
        self._orders.append(order)
        self._debuts.append(array("h", [self._debut[track] for track in order]))
        self._counts.append(array("h", [self._listed[track] for track in order]))

    def _drop(self, leaving: int) -> None:
        weakest = sorted(self._runs, key=lambda track: (-self._runs[track].level, track))[: leaving + 1]
        for track in [one for one in weakest if one != self._evergreen][:leaving]:
            del self._runs[track]
            self._left.append(track)

    def _enter(self, number: int, chance: random.Random) -> None:
        track, fresh = self._candidate(number, chance)
        size, popularity = self._size, track.popularity
        best = size * (1 - popularity) * 0.6 * chance.random() + 1
        start = size * (0.55 + 0.45 * chance.random())
        if fresh and chance.random() < 0.25 + popularity / 2:
            start = best * (1 + 2 * chance.random())
        fade = 1.01 + 0.05 * chance.random() * (1.3 - popularity)
        if track.index == self._evergreen:
            best, start, fade = 3.0, 6.0, 1.0
        self._runs[track.index] = _Run(level=start, peak=min(best, start), fade=fade)

    def _candidate(self, number: int, chance: random.Random) -> tuple[TrackSeed, bool]:
        """The next track to enter: a new release if there is one, else one that was here, else any."""
        released = bisect_right(self._released, self._day(number))
        if self._evergreen is not None and self._evergreen not in self._runs:
            return self._by_index[self._evergreen], False
        while self._fresh_from < released:
            track = self._pool[self._fresh_from]
            self._fresh_from += 1
            if track.index not in self._runs:
                return track, True
        by_index = self._left if chance.random() < 0.4 else None
        while True:
            spot = chance.random()
            if by_index:
                found = self._by_index[by_index[int(spot * len(by_index))]]
            else:
                found = self._pool[int(spot * released)]
            if found.index not in self._runs:
                return found, False
            by_index = None


@lru_cache(maxsize=400)
def walk_of(seed: int, slug: str) -> ChartWalk:
    """The walk of one chart. Shared between worlds: the same steps would be taken again."""
    return ChartWalk(seed, chart_plans()[slug], catalog_of(seed).tracks)


def _advance(run: _Run, noise: float) -> None:
    """One ranking later: a third of the way to the peak, or one fade away from it."""
    if run.climbing:
        run.level += (run.peak - run.level) * 0.35
        run.climbing = run.level > run.peak * 1.15
    else:
        run.level *= run.fade
    run.level *= 0.985 + 0.03 * noise


def _pool_of(seed: int, plan: ChartPlan, tracks: list[TrackSeed]) -> list[TrackSeed]:
    """The tracks that can reach a chart: the popular ones, and some that only this chart likes."""
    taste = fingerprint(seed, "taste", plan.country_code or "", plan.platform)
    keen = sorted(tracks, key=lambda track: (-track.popularity - 0.35 * unit(taste, track.index), track.index))
    chosen = {track.index: track for track in keen[: plan.pool]}
    chosen.setdefault(0, tracks[0])
    return sorted(chosen.values(), key=lambda track: (track.released, track.index))

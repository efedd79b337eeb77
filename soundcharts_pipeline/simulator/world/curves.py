"""Values of a series on any day, in closed form: nothing is summed up from the past, so any day costs the same.

A curve knows no publication and no API; `accounts` says which curve belongs to whom.
"""

import math
from dataclasses import dataclass
from typing import Protocol

from soundcharts_pipeline.simulator.world.chart_list import FIRST_DAY
from soundcharts_pipeline.simulator.world.seeding import noise

_ORIGIN = FIRST_DAY.toordinal()

_WEEK = (0.92, 0.94, 0.96, 0.98, 1.08, 1.12, 1.00)
"""Share of a usual day from Monday to Sunday; they average to 1."""

_WEEK_SURPLUS = (-0.08, -0.14, -0.20, -0.22, -0.14, -0.02, -0.02)
"""What the days since Monday have brought above or below the usual, in usual days."""


class Curve(Protocol):
    """A value per day; `part` tells apart the identifiers of one track."""

    def at(self, day: int, part: int, /) -> int: ...


@dataclass(frozen=True, slots=True)
class Total:
    """A cumulative count that starts at a release, rises steeply, then settles; it never falls."""

    seed: int
    start: int
    rate: float
    lasting: float
    tail: float

    def at(self, day: int, part: int, /) -> int:
        age = day - self.start + 1
        faded = math.exp(-age / self.lasting)
        share = (0.86, 0.11, 0.03)[part]
        settled = self.lasting * (1 - faded) + self.tail * age
        ripple = (faded + self.tail) * (_WEEK_SURPLUS[(day - 1) % 7] + 0.15 * noise(self.seed, day))
        return int(self.rate * share * (settled + ripple)) + 1


@dataclass(frozen=True, slots=True)
class Flow:
    """A count per day with the rhythm of the week, swinging slowly around a level."""

    seed: int
    level: float
    yearly: float
    swing_days: int

    def at(self, day: int, _part: int, /) -> int:
        swing = 1 + 0.25 * math.sin(2 * math.pi * (day + self.seed % 997) / self.swing_days)
        trend = math.exp(self.yearly * (day - _ORIGIN) / 365)
        return int(self.level * swing * trend * _WEEK[(day - 1) % 7] * (0.97 + 0.06 * noise(self.seed, day)))


@dataclass(frozen=True, slots=True)
class Level:
    """A standing figure (listeners of 28 days, followers): slow, with a little noise, no rhythm of the week."""

    seed: int
    level: float
    yearly: float
    swing: float

    def at(self, day: int, _part: int, /) -> int:
        wave = 1 + self.swing * math.sin(2 * math.pi * (day + self.seed % 997) / 190)
        trend = math.exp(self.yearly * (day - _ORIGIN) / 365)
        return int(self.level * wave * trend * (1 + 0.0004 * noise(self.seed, day))) + 1

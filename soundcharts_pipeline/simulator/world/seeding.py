"""Numbers that depend on a seed and a name alone: never on call order, process or clock.

`fingerprint` turns names into a 64-bit seed once; `mix` turns (seed, number) into a new 64-bit value
cheaply enough to be called for every day of every series.
"""

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")

_MASK = (1 << 64) - 1
_UNIT = 2.0**-53
_NOISE = tuple(random.Random("noise").random() for _ in range(4_096))
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def fingerprint(*parts: object) -> int:
    """A 64-bit seed for the thing these parts name."""
    text = "|".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def mix(seed: int, number: int) -> int:
    """The `number`-th 64-bit value of a seed (the splitmix64 finaliser)."""
    value = (seed + number * 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def unit(seed: int, number: int) -> float:
    """The `number`-th value of a seed in [0, 1)."""
    return (mix(seed, number) >> 11) * _UNIT


def noise(seed: int, day: int) -> float:
    """A value in [0, 1) for a day of a series: coarser than `unit`, and several times faster."""
    return _NOISE[(seed + day * 2_654_435_761) & 4_095]


def pick(items: Sequence[Item], seed: int, number: int) -> Item:
    """One of the items."""
    return items[mix(seed, number) % len(items)]


def soundcharts_uuid(seed: int) -> str:
    """A UUID in the time-based form that Soundcharts uses."""
    high, low = f"{mix(seed, 1):016x}", f"{mix(seed, 2):016x}"
    return f"{high[:8]}-{high[8:12]}-11e9-{'89ab'[int(low[0], 16) % 4]}{low[1:4]}-549f3516{low[4:8]}"


def base62(seed: int, length: int) -> str:
    """An identifier in the alphabet of Spotify and YouTube."""
    return "".join(_BASE62[mix(seed, number) % 62] for number in range(length))

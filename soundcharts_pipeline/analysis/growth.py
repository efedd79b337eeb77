"""The formulas of a trend, on whole matrices: one row per series, one column per day. Knows no SQL and no pandas.

Missing days are NaN and stay missing: nothing is interpolated, and what needs a missing day is missing too.
docs/analysis.md has every formula with an example worked by hand.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soundcharts_pipeline.storage.tables.schema import LATEST_WITHIN_DAYS, SLACK_DAYS, TREND_DAYS, base_days

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# What a value counts: everything so far, what stands at the moment, or one day.
TOTAL, LEVEL, COUNT = 0, 1, 2
VELOCITY_DAYS, VELOCITY_POINTS = 7, 3
# The modified z-score of Iglewicz and Hoaglin: 3.5 deviations, of which 1.4826 x MAD estimates one.
ANOMALY_DAYS, ANOMALY_POINTS, DEVIATIONS, MAD_TO_DEVIATION = 28, 14, 3.5, 1.4826
# Smaller surprises are nobody's news: a quarter of the usual gain, or a thousandth of a level.
LEAST_SHARE_OF_GAIN, LEAST_SHARE_OF_LEVEL = 0.25, 0.001

# Below this, sums of a thousand identifiers are whole as floats; above it values have two parts.
UNSPLIT, FINE = 2**43, 2**31
# What a column of 64 bits cannot hold any more.
MOST = 2**63

Columns = dict[str, NDArray[np.generic]]


def window_days(range_days: int) -> int:
    """How many days, up to the day in question, a matrix must hold."""
    return max(LATEST_WITHIN_DAYS + max(TREND_DAYS) + SLACK_DAYS + 1, range_days)


@dataclass(frozen=True, slots=True)
class _Grouped:
    """Per group of series: its newest column, values and gains of all its identifiers together in their parts, and the
    column of the last fall of a total (-1: none)."""

    latest: Ints
    values: Floats
    gains: Floats
    kinds: Ints
    fell: Ints

    def at(self, parts: Floats, columns: Ints) -> Floats:
        """One cell of each group; NaN before the first column."""
        found = parts[:, np.arange(len(columns)), np.maximum(columns, 0)]
        return np.where(columns >= 0, found, np.nan)

    def around(self, parts: Floats, first: int, last: int) -> Floats:
        """The cells of each group from `first` to `last` days after its newest column."""
        columns = self.latest[:, None] + np.arange(first, last + 1)
        return np.take_along_axis(parts, columns[None], axis=2)


def in_parts(values: Ints) -> Floats:
    """Whole numbers as floats that hold every digit: a float has 53 bits and a number of the database 64, so that
    large ones are split in two parts, which are summed and compared apart. Returns one matrix or two."""
    if int(np.abs(values, dtype=np.float64).max(initial=0)) < UNSPLIT:
        return values[None].astype(np.float64)
    fine = values % FINE
    return np.stack([(values - fine).astype(np.float64), fine.astype(np.float64)])


def develop(values: Floats, groups: Ints, kinds: Ints, *, range_days: int) -> tuple[Ints, Columns]:
    """Columns of a trend for every group that has a recent value, and which groups those are. Whole numbers of split
    values are Python's own, None where one is missing; of a group whose value no column could hold there is no trend.

    `values`, one matrix or the parts of `in_parts`, ends with the day in question; series of one group (the identifiers
    of a track) stand together, and `groups` numbers them from 0. `kinds`: TOTAL, LEVEL or COUNT of each series. Days
    are columns of `values`, -1: none.
    """
    parts = values if values.ndim == 3 else values[None]
    kept, identifiers, grouped = _grouped(parts, groups, kinds)
    first = max(parts.shape[2] - range_days, 0)
    with np.errstate(all="ignore"):
        value = grouped.at(grouped.values, grouped.latest)
        average, peak, peak_day, points = _summary(grouped.values[:, :, first:], first)
        daily_average, daily_peak, daily_peak_day, daily_points = _summary(grouped.gains[:, :, first:], first)
        columns: Columns = {
            "date": grouped.latest,
            "value": _whole(value),
            "identifiers": identifiers,
            "points": points,
            "average": average,
            "peak": _whole(peak),
            "peak_date": peak_day,
            "daily": _whole(grouped.at(grouped.gains, grouped.latest)),
            "daily_points": daily_points,
            "daily_average": daily_average,
            "daily_peak": _whole(daily_peak),
            "daily_peak_date": daily_peak_day,
        }
        for days in TREND_DAYS:
            columns |= _compared(grouped, value, days)
        columns["streak"] = _streak(grouped)
        columns["velocity"] = _velocity(grouped)
        columns["anomaly"] = _anomaly(grouped, value.sum(axis=0))
    fits = np.array([one is not None for one in columns["value"]], dtype=bool)
    return kept[fits], {name: column[fits] for name, column in columns.items()}


def _whole(parts: Floats) -> NDArray[np.generic]:
    """The numbers of some cells: as floats while these hold them, else as Python's own, if a column can hold them."""
    if len(parts) == 1:
        [only] = parts
        return np.asarray(only)
    made = [None if np.isnan(coarse) else int(coarse) + int(fine) for coarse, fine in zip(*parts, strict=True)]
    fits: list[object] = [number if number is not None and -MOST <= number < MOST else None for number in made]
    found: NDArray[np.generic] = np.array(fits, dtype=object)
    return found


def _grouped(parts: Floats, groups: Ints, kinds: Ints) -> tuple[Ints, Ints, _Grouped]:
    """Groups with a recent value, how many identifiers have the newest one, and those identifiers together.

    A day counts when all of these have a value: a sum that lacks one of them is not a smaller value.
    """
    width = parts.shape[2]
    days = np.arange(width)
    present = ~np.isnan(parts[0])
    newest = np.where(present, days, -1).max(axis=1, initial=-1)
    latest = np.full(groups.max(initial=-1) + 1, -1)
    np.maximum.at(latest, groups, newest)
    recent = latest >= width - 1 - LATEST_WITHIN_DAYS
    chosen = (newest == latest[groups]) & recent[groups]
    parts, groups, kinds, present = parts[:, chosen], groups[chosen], kinds[chosen], present[chosen]
    kept, starts, identifiers = np.unique(groups, return_index=True, return_counts=True)
    fell = np.where(_falls(parts, present, kinds), days, -1).max(axis=1, initial=-1)
    grouped = _Grouped(
        latest=latest[kept],
        values=np.add.reduceat(parts, starts, axis=1),
        gains=np.add.reduceat(_gains(parts, kinds), starts, axis=1),
        kinds=kinds[starts],
        fell=np.maximum.reduceat(fell, starts),
    )
    return kept, identifiers, grouped


def _falls(parts: Floats, present: Bools, kinds: Ints) -> Bools:
    """Where a total is smaller than the value known before it: it was reset, and cannot be compared across."""
    days = np.arange(parts.shape[2])
    known = np.maximum.accumulate(np.where(present, days, -1), axis=1)
    before = np.concatenate([np.full((len(known), 1), -1), known[:, :-1]], axis=1)
    earlier = np.where(before >= 0, np.take_along_axis(parts, np.maximum(before, 0)[None], axis=2), np.nan)
    falls: Bools = (kinds == TOTAL)[:, None] & ((parts - earlier).sum(axis=0) < 0)
    return falls


def _gains(parts: Floats, kinds: Ints) -> Floats:
    """What a day brought: of a count the value itself, else the difference to the day before."""
    gains = np.full(parts.shape, np.nan)
    gains[:, :, 1:] = parts[:, :, 1:] - parts[:, :, :-1]
    gains[:, (kinds == TOTAL)[:, None] & (gains.sum(axis=0) < 0)] = np.nan
    gains[:, kinds == COUNT] = parts[:, kinds == COUNT]
    return gains


def _summary(parts: Floats, first: int) -> tuple[Floats, Floats, Ints, Ints]:
    """Mean, highest value in its parts, its first column and how many values there are."""
    values = parts.sum(axis=0)
    present = ~np.isnan(values)
    points = present.sum(axis=1)
    rows = np.arange(len(values))
    day = np.where(present, values, -np.inf).argmax(axis=1)
    if len(parts) > 1:
        # What is the same as a float may differ in its last digits.
        above = (parts - parts[:, rows, day][:, :, None]).sum(axis=0)
        day = np.where(present, above, -np.inf).argmax(axis=1)
    average = np.where(points, np.where(present, values, 0).sum(axis=1) / points, np.nan)
    peak = np.where(points, parts[:, rows, day], np.nan)
    return average, peak, np.where(points, day + first, -1), points


def _compared(grouped: _Grouped, value: Floats, days: int) -> Columns:
    """The newest value beside the one so many days before it."""
    base = np.full(value.shape, np.nan)
    span = np.zeros(value.shape[1])
    for back in base_days(days):
        columns = grouped.latest - back
        found = np.where(columns >= grouped.fell, grouped.at(grouped.values, columns), np.nan)
        unset = np.isnan(base[0]) & ~np.isnan(found[0])
        base, span = np.where(unset, found, base), np.where(unset, back, span)
    known = ~np.isnan(base[0])
    difference, before = value - base, base.sum(axis=0)
    ratio = np.where(before > 0, value.sum(axis=0) / before, np.nan)
    return {
        f"difference_{days}": _whole(difference),
        f"change_{days}": np.where(before > 0, difference.sum(axis=0) / before, np.nan),
        f"growth_{days}": ratio ** (1 / np.where(known, span, np.nan)) - 1,
        f"span_{days}": np.where(known, span, np.nan),
    }


def _streak(grouped: _Grouped) -> Ints:
    """Days in a row that beat the day before; a missing day ends it. Of a total the gains are compared: the total
    itself never falls."""
    beat = np.where((grouped.kinds == TOTAL)[:, None], grouped.gains, grouped.values)
    grows: Bools = np.zeros(beat.shape[1:], dtype=bool)
    grows[:, 1:] = (beat[:, :, 1:] - beat[:, :, :-1]).sum(axis=0) > 0
    last_rest = np.maximum.accumulate(np.where(grows, -1, np.arange(grows.shape[1])), axis=1)
    streak: Ints = grouped.latest - last_rest[np.arange(len(grows)), grouped.latest]
    return streak


def _velocity(grouped: _Grouped) -> Floats:
    """The least-squares slope over the last days, where enough of them have a value and no total fell."""
    recent: NDArray[Any] = grouped.around(grouped.values, 1 - VELOCITY_DAYS, 0)
    present = ~np.isnan(recent[0])
    points = present.sum(axis=1)
    days = np.where(present, np.arange(VELOCITY_DAYS), 0.0)
    away = np.where(present, np.arange(VELOCITY_DAYS) - (days.sum(axis=1) / points)[:, None], 0.0)
    # From the newest value on: what stands still has a slope of exactly 0.
    risen = np.where(present, (recent - np.take(recent, [-1], axis=2)).sum(axis=0), 0.0)
    slope = (away * risen).sum(axis=1) / (away**2).sum(axis=1)
    return np.where((points >= VELOCITY_POINTS) & (grouped.fell <= grouped.latest - VELOCITY_DAYS + 1), slope, np.nan)


def _anomaly(grouped: _Grouped, value: Floats) -> Floats:
    """1 where the newest gain lies far outside those of the days before, 0 where not, NaN where too few are known."""
    gain = grouped.at(grouped.gains, grouped.latest).sum(axis=0)
    before = grouped.around(grouped.gains, -ANOMALY_DAYS, -1).sum(axis=0)
    usual = _median(before)
    deviation = MAD_TO_DEVIATION * _median(np.abs(before - usual[:, None]))
    least = np.where(grouped.kinds == LEVEL, LEAST_SHARE_OF_LEVEL * value, LEAST_SHARE_OF_GAIN * np.abs(usual))
    away = np.abs(gain - usual)
    known = ~np.isnan(gain) & ((~np.isnan(before)).sum(axis=1) >= ANOMALY_POINTS)
    return np.where(known, (away > DEVIATIONS * deviation) & (away > least), np.nan)


def _median(matrix: Floats) -> Floats:
    """Of each row's known values. (numpy's own takes several times as long.)"""
    ordered = np.sort(matrix, axis=1)
    points = (~np.isnan(matrix)).sum(axis=1)
    rows = np.arange(len(matrix))
    middle = (
        ordered[rows, np.maximum((points - 1) // 2, 0)] + ordered[rows, np.minimum(points // 2, matrix.shape[1] - 1)]
    ) / 2
    return np.where(points, middle, np.nan)

"""The formulas of a trend, on whole matrices: one row per series, one column per day. Knows no SQL and no pandas.

Missing days are NaN and stay missing: nothing is interpolated, and what needs a missing day is missing too.
docs/analysis.md has every formula with an example worked by hand.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soundcharts_pipeline.storage.schema import LATEST_WITHIN_DAYS, TREND_DAYS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# What a value counts: everything so far, what stands at the moment, or one day.
TOTAL, LEVEL, COUNT = 0, 1, 2
# A base day without a value gives way to one at most this much earlier; small artists are updated every few days.
SLACK_DAYS = 2
VELOCITY_DAYS, VELOCITY_POINTS = 7, 3
# The modified z-score of Iglewicz and Hoaglin: 3.5 deviations, of which 1.4826 x MAD estimates one.
ANOMALY_DAYS, ANOMALY_POINTS, DEVIATIONS, MAD_TO_DEVIATION = 28, 14, 3.5, 1.4826
# Smaller surprises are nobody's news: a quarter of the usual gain, or a thousandth of a level.
LEAST_SHARE_OF_GAIN, LEAST_SHARE_OF_LEVEL = 0.25, 0.001

Columns = dict[str, NDArray[np.generic]]


def window_days(range_days: int) -> int:
    """How many days, up to the day in question, a matrix must hold."""
    return max(LATEST_WITHIN_DAYS + max(TREND_DAYS) + SLACK_DAYS + 1, range_days)


@dataclass(frozen=True, slots=True)
class _Grouped:
    """Per group of series: its newest column, values and gains of all its identifiers together, and the column of
    the last fall of a total (-1: none)."""

    latest: Ints
    values: Floats
    gains: Floats
    kinds: Ints
    fell: Ints

    def at(self, matrix: Floats, columns: Ints) -> Floats:
        """One cell of each group; NaN before the first column."""
        found = matrix[np.arange(len(columns)), np.maximum(columns, 0)]
        return np.where(columns >= 0, found, np.nan)

    def around(self, matrix: Floats, first: int, last: int) -> Floats:
        """The cells of each group from `first` to `last` days after its newest column."""
        return np.take_along_axis(matrix, self.latest[:, None] + np.arange(first, last + 1), axis=1)


def develop(values: Floats, groups: Ints, kinds: Ints, *, range_days: int) -> tuple[Ints, Columns]:
    """Columns of a trend for every group that has a recent value, and which groups those are.

    `values` ends with the day in question; series of one group (the identifiers of a track) stand together, and
    `groups` numbers them from 0. `kinds`: TOTAL, LEVEL or COUNT of each series. Days are columns of `values`, -1: none.
    """
    kept, identifiers, grouped = _grouped(values, groups, kinds)
    first = max(values.shape[1] - range_days, 0)
    value = grouped.at(grouped.values, grouped.latest)
    with np.errstate(all="ignore"):
        average, peak, peak_day, points = _summary(grouped.values[:, first:], first)
        daily_average, daily_peak, daily_peak_day, daily_points = _summary(grouped.gains[:, first:], first)
        columns: Columns = {
            "date": grouped.latest,
            "value": value,
            "identifiers": identifiers,
            "points": points,
            "average": average,
            "peak": peak,
            "peak_date": peak_day,
            "daily": grouped.at(grouped.gains, grouped.latest),
            "daily_points": daily_points,
            "daily_average": daily_average,
            "daily_peak": daily_peak,
            "daily_peak_date": daily_peak_day,
        }
        for days in TREND_DAYS:
            columns |= _compared(grouped, value, days)
        columns["streak"] = _streak(grouped)
        columns["velocity"] = _velocity(grouped)
        columns["anomaly"] = _anomaly(grouped, value)
    return kept, columns


def _grouped(values: Floats, groups: Ints, kinds: Ints) -> tuple[Ints, Ints, _Grouped]:
    """Groups with a recent value, how many identifiers have the newest one, and those identifiers together.

    A day counts when all of these have a value: a sum that lacks one of them is not a smaller value.
    """
    days = np.arange(values.shape[1])
    present = ~np.isnan(values)
    newest = np.where(present, days, -1).max(axis=1, initial=-1)
    latest = np.full(groups.max(initial=-1) + 1, -1)
    np.maximum.at(latest, groups, newest)
    recent = latest >= values.shape[1] - 1 - LATEST_WITHIN_DAYS
    chosen = (newest == latest[groups]) & recent[groups]
    values, groups, kinds, present = values[chosen], groups[chosen], kinds[chosen], present[chosen]
    kept, starts, identifiers = np.unique(groups, return_index=True, return_counts=True)
    fell = np.where(_falls(values, present, kinds), days, -1).max(axis=1, initial=-1)
    grouped = _Grouped(
        latest=latest[kept],
        values=np.add.reduceat(values, starts, axis=0),
        gains=np.add.reduceat(_gains(values, kinds), starts, axis=0),
        kinds=kinds[starts],
        fell=np.maximum.reduceat(fell, starts),
    )
    return kept, identifiers, grouped


def _falls(values: Floats, present: Bools, kinds: Ints) -> Bools:
    """Where a total is smaller than the value known before it: it was reset, and cannot be compared across."""
    days = np.arange(values.shape[1])
    known = np.maximum.accumulate(np.where(present, days, -1), axis=1)
    before = np.concatenate([np.full((len(values), 1), -1), known[:, :-1]], axis=1)
    earlier = np.where(before >= 0, np.take_along_axis(values, np.maximum(before, 0), axis=1), np.nan)
    falls: Bools = (kinds == TOTAL)[:, None] & (values < earlier)
    return falls


def _gains(values: Floats, kinds: Ints) -> Floats:
    """What a day brought: of a count the value itself, else the difference to the day before."""
    gains = np.full(values.shape, np.nan)
    gains[:, 1:] = values[:, 1:] - values[:, :-1]
    gains[(kinds == TOTAL)[:, None] & (gains < 0)] = np.nan
    gains[kinds == COUNT] = values[kinds == COUNT]
    return gains


def _summary(matrix: Floats, first: int) -> tuple[Floats, Floats, Ints, Ints]:
    """Mean, highest value, its first column and how many values there are."""
    present = ~np.isnan(matrix)
    points = present.sum(axis=1)
    highest = np.where(present, matrix, -np.inf)
    average = np.where(points, np.where(present, matrix, 0).sum(axis=1) / points, np.nan)
    peak = np.where(points, highest.max(axis=1, initial=-np.inf), np.nan)
    peak_day = np.where(points, highest.argmax(axis=1) + first, -1)
    return average, peak, peak_day, points


def _compared(grouped: _Grouped, value: Floats, days: int) -> Columns:
    """The newest value beside the one so many days before it."""
    base = np.full(len(value), np.nan)
    span = np.zeros(len(value))
    for back in range(days, days + (SLACK_DAYS if days > 1 else 0) + 1):
        columns = grouped.latest - back
        found = np.where(columns >= grouped.fell, grouped.at(grouped.values, columns), np.nan)
        unset = np.isnan(base) & ~np.isnan(found)
        base, span = np.where(unset, found, base), np.where(unset, back, span)
    known = ~np.isnan(base)
    ratio = np.where(base > 0, value / base, np.nan)
    return {
        f"difference_{days}": value - base,
        f"change_{days}": np.where(base > 0, (value - base) / base, np.nan),
        f"growth_{days}": ratio ** (1 / np.where(known, span, np.nan)) - 1,
        f"span_{days}": np.where(known, span, np.nan),
    }


def _streak(grouped: _Grouped) -> Ints:
    """Days in a row that beat the day before; a missing day ends it. Of a total the gains are compared: the total
    itself never falls."""
    beat = np.where((grouped.kinds == TOTAL)[:, None], grouped.gains, grouped.values)
    grows = np.zeros(beat.shape, dtype=bool)
    grows[:, 1:] = beat[:, 1:] > beat[:, :-1]
    last_rest = np.maximum.accumulate(np.where(grows, -1, np.arange(beat.shape[1])), axis=1)
    streak: Ints = grouped.latest - last_rest[np.arange(len(beat)), grouped.latest]
    return streak


def _velocity(grouped: _Grouped) -> Floats:
    """The least-squares slope over the last days, where enough of them have a value and no total fell."""
    recent = grouped.around(grouped.values, 1 - VELOCITY_DAYS, 0)
    present = ~np.isnan(recent)
    points = present.sum(axis=1)
    days = np.where(present, np.arange(VELOCITY_DAYS), 0.0)
    away = np.where(present, np.arange(VELOCITY_DAYS) - (days.sum(axis=1) / points)[:, None], 0.0)
    # From the newest value on: what stands still has a slope of exactly 0.
    risen = np.where(present, recent - recent[:, -1:], 0.0)
    slope = (away * risen).sum(axis=1) / (away**2).sum(axis=1)
    return np.where((points >= VELOCITY_POINTS) & (grouped.fell <= grouped.latest - VELOCITY_DAYS + 1), slope, np.nan)


def _anomaly(grouped: _Grouped, value: Floats) -> Floats:
    """1 where the newest gain lies far outside those of the days before, 0 where not, NaN where too few are known."""
    gain = grouped.at(grouped.gains, grouped.latest)
    before = grouped.around(grouped.gains, -ANOMALY_DAYS, -1)
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

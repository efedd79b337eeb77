"""The formulas of a trend: figures worked out by hand, and what must hold whatever the values are."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundcharts_pipeline.analysis import growth
from soundcharts_pipeline.analysis.growth import COUNT, LEVEL, TOTAL

DAYS = growth.window_days(90)
LAST = DAYS - 1


def developed(*series: dict[int, float], kind: int = TOTAL, range_days: int = 90) -> dict[str, float]:
    """The trend of one group: its identifiers' values by how many days ago. Days are told as days ago, too."""
    values = np.full((len(series), DAYS), np.nan)
    for row, of_series in enumerate(series):
        for ago, value in of_series.items():
            values[row, LAST - ago] = value
    groups = np.zeros(len(series), dtype=np.int64)
    kept, columns = growth.develop(values, groups, np.full(len(series), kind), range_days=range_days)
    if not len(kept):
        return {}
    found = {name: float(column[0]) for name, column in columns.items()}
    return found | {name: LAST - found[name] for name in ("date", "peak_date", "daily_peak_date") if found[name] >= 0}


def known(found: dict[str, float], *names: str) -> list[float | None]:
    return [None if np.isnan(found[name]) else found[name] for name in names]


def daily(*values: float, until: int = 0) -> dict[int, float]:
    """A value for every day, the last `until` days ago."""
    return {until + n: value for n, value in enumerate(reversed(values))}


def test_the_example_of_the_documentation() -> None:
    # 1,000 streams eight days ago, then 100, 110, 120, .. a day.
    found = developed(daily(1000, 1100, 1210, 1330, 1460, 1600, 1750, 1910, 2080))
    assert known(found, "value", "date", "points", "average", "peak", "peak_date") == [
        *(2080, 0, 9),
        pytest.approx(13_440 / 9),
        *(2080, 0),
    ]
    assert known(found, "daily", "daily_points", "daily_average", "daily_peak", "daily_peak_date") == [
        170,
        8,
        135,
        170,
        0,
    ]
    assert known(found, "difference_1", "change_1", "growth_1", "span_1") == [
        170,
        pytest.approx(170 / 1910),
        pytest.approx(170 / 1910),
        1,
    ]
    assert known(found, "difference_7", "change_7", "growth_7", "span_7") == [
        980,
        pytest.approx(980 / 1100),
        pytest.approx((2080 / 1100) ** (1 / 7) - 1),
        7,
    ]
    assert known(found, "difference_28", "change_28", "growth_28", "span_28") == [None] * 4
    assert found["streak"] == 7
    assert found["velocity"] == pytest.approx(145)
    assert known(found, "anomaly") == [None]


def test_a_base_day_without_a_value_gives_way_to_one_up_to_two_days_earlier_and_to_no_other() -> None:
    assert known(developed({0: 200, 9: 100}), "difference_7", "span_7") == [100, 9]
    assert known(developed({0: 200, 8: 150, 9: 100}), "difference_7", "span_7") == [50, 8]
    assert known(developed({0: 200, 10: 100, 6: 100}), "difference_7", "span_7") == [None, None]
    assert known(developed({0: 200, 2: 100}), "difference_1", "span_1") == [None, None]


def test_growth_is_told_per_day_of_the_span_it_has() -> None:
    found = developed({0: 8_000, 9: 1_000}, kind=LEVEL)
    assert known(found, "change_7", "growth_7") == [7, pytest.approx(8 ** (1 / 9) - 1)]


def test_nothing_is_compared_across_a_reset_of_a_total() -> None:
    found = developed(daily(900, 1000, 10, 30, 60), daily(1, 2, 3, 4, 5))
    assert known(found, "difference_1", "daily") == [31, 31]
    assert known(developed({0: 60, 2: 10, 7: 1000}), "difference_7", "velocity") == [None, None]
    # The day of the reset itself has no gain; the gains before and after have.
    assert known(found, "daily_points", "daily_average") == [3, pytest.approx((101 + 21 + 31) / 3)]


def test_a_level_may_fall_and_a_count_is_its_own_day() -> None:
    level = developed(daily(100, 90, 80, 70, 60, 50, 40, 30), kind=LEVEL)
    assert known(level, "difference_7", "change_7", "daily", "velocity", "streak") == [
        -70,
        -0.7,
        -10,
        pytest.approx(-10),
        0,
    ]
    count = developed(daily(4, 6, 9), kind=COUNT)
    assert known(count, "daily", "daily_points", "daily_average", "difference_1", "streak") == [
        9,
        3,
        pytest.approx(19 / 3),
        3,
        2,
    ]


def test_a_day_counts_when_all_identifiers_of_the_newest_day_have_a_value() -> None:
    found = developed({0: 10, 1: 8, 2: 6, 7: 1}, {0: 100, 1: 90, 7: 50}, {2: 1000, 7: 900})
    assert known(found, "value", "identifiers", "points", "difference_1", "difference_7") == [110, 2, 3, 12, 59]


def test_a_series_that_is_silent_for_four_weeks_has_no_trend() -> None:
    assert developed({28: 5})["date"] == 28
    assert developed({29: 5}) == {}
    assert developed() == {}


def test_a_streak_is_counted_among_the_121_days_that_a_trend_looks_at() -> None:
    # The first of them has no day before it, and of a total no gain.
    assert DAYS == 121
    assert developed(daily(*range(DAYS)), kind=LEVEL)["streak"] == 120
    assert developed(daily(*(n * n for n in range(DAYS))), kind=TOTAL)["streak"] == 119


def test_the_newest_value_may_be_some_days_old_and_its_comparisons_go_back_from_there() -> None:
    found = developed(daily(*range(1000, 1121), until=0)) if DAYS > 120 else {}
    assert found["difference_90"] == 90
    late = developed({28: 500, 118: 100})
    assert known(late, "date", "difference_90", "points") == [28, 400, 1]


def test_a_missing_day_ends_a_streak() -> None:
    whole = daily(1, 2, 3, 4, 5, 6)
    assert developed(whole, kind=LEVEL)["streak"] == 5
    assert developed({ago: value for ago, value in whole.items() if ago != 3}, kind=LEVEL)["streak"] == 2


def test_a_day_is_unusual_when_it_is_far_from_the_four_weeks_before() -> None:
    usual = [100.0 + day % 5 for day in range(28)]
    assert developed(daily(*usual, 101), kind=COUNT)["anomaly"] == 0
    assert developed(daily(*usual, 180), kind=COUNT)["anomaly"] == 1
    # Steady as it is: far outside the deviations, and still less than a quarter away.
    assert developed(daily(*usual, 120), kind=COUNT)["anomaly"] == 0
    assert known(developed(daily(*usual[:13], 180), kind=COUNT), "anomaly") == [None]
    assert developed(daily(*usual[:14], 180), kind=COUNT)["anomaly"] == 1


def test_one_more_follower_after_none_for_weeks_is_no_news_a_jump_is() -> None:
    assert developed(daily(*[10_000.0] * 29, 10_001), kind=LEVEL)["anomaly"] == 0
    assert developed(daily(*[10_000.0] * 29, 10_100), kind=LEVEL)["anomaly"] == 1


VALUES = st.lists(st.one_of(st.none(), st.integers(1, 10**9)), min_size=1, max_size=DAYS)
KINDS = st.sampled_from([TOTAL, LEVEL, COUNT])
RATES = ["change_1", "change_7", "growth_7", "change_28", "growth_28", "growth_90"]


def series_of(values: Sequence[int | None]) -> dict[int, float]:
    return {ago: float(value) for ago, value in enumerate(values) if value is not None}


@given(VALUES, KINDS, st.integers(2, 1000))
def test_rates_streaks_and_anomalies_do_not_depend_on_the_unit(
    values: list[int | None], kind: int, factor: int
) -> None:
    one = developed(series_of(values), kind=kind)
    other = developed({ago: value * factor for ago, value in series_of(values).items()}, kind=kind)
    assert one.keys() == other.keys()
    for name in one and [*RATES, "streak", "points", "span_7"]:
        assert other[name] == pytest.approx(one[name], rel=1e-9, nan_ok=True), name
    for name in one and ["value", "peak", "daily", "difference_7"]:
        assert other[name] == pytest.approx(one[name] * factor, nan_ok=True), name


DAYS_KNOWN = st.one_of(st.sets(st.integers(0, LAST), min_size=1), st.sets(st.integers(0, 6), min_size=3))


@given(st.integers(1, 2**50), DAYS_KNOWN, st.sampled_from([TOTAL, LEVEL]))
def test_what_stands_still_neither_changes_nor_grows(value: int, days: set[int], kind: int) -> None:
    found = developed(dict.fromkeys(days, float(value)), kind=kind)
    for name in found and [*RATES, "difference_1", "difference_90", "daily", "velocity", "anomaly"]:
        assert np.isnan(found[name]) or found[name] == 0, name
    assert not found or found["streak"] == 0


@given(st.lists(VALUES, min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_groups_do_not_touch_each_other_and_the_order_of_identifiers_is_nothing(
    series: list[list[int | None]], random: Random
) -> None:
    alone = [developed(series_of(one)) for one in series]
    values = np.full((len(series), DAYS), np.nan)
    for row, one in enumerate(series):
        for ago, value in series_of(one).items():
            values[row, LAST - ago] = value
    kept, columns = growth.develop(values, np.arange(len(series)), np.full(len(series), TOTAL), range_days=90)
    assert kept.tolist() == [row for row, one in enumerate(alone) if one]
    for place, row in enumerate(kept):
        assert columns["value"][place] == alone[row]["value"]
        assert float(columns["velocity"][place]) == pytest.approx(alone[row]["velocity"], nan_ok=True)
    shuffled = list(series)
    random.shuffle(shuffled)
    first, second = (developed(*map(series_of, given)) for given in (series, shuffled))
    assert first.keys() == second.keys()
    assert all(second[name] == pytest.approx(first[name], nan_ok=True) for name in first)


@given(VALUES, KINDS, st.integers(0, LAST))
def test_a_missing_day_adds_nothing(values: list[int | None], kind: int, gone: int) -> None:
    whole = series_of(values)
    found = developed(whole, kind=kind)
    less = developed({ago: value for ago, value in whole.items() if ago != gone}, kind=kind)
    if not less or less["date"] != found["date"]:
        return
    assert less["points"] <= found["points"]
    assert less["streak"] <= found["streak"]
    assert less["daily_points"] <= found["daily_points"]
    for days in (1, 7, 28, 90):
        same = less[f"difference_{days}"] == pytest.approx(found[f"difference_{days}"], nan_ok=True)
        spans_more = less[f"span_{days}"] > found[f"span_{days}"]
        # A total that fell on the missing day is not known to have fallen.
        assert same or np.isnan(less[f"difference_{days}"]) or spans_more or kind == TOTAL

"""The audience of a track or artist as its page reads it, on both databases; every value was worked out by hand."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from soundcharts_pipeline.analysis import growth
from soundcharts_pipeline.models import AnsweredWindow, AudiencePoint
from soundcharts_pipeline.models import Series as Answer
from soundcharts_pipeline.storage.queries.lines import change_over
from soundcharts_pipeline.storage.queries.series import SERIES_DAYS, Asked, Line, audience_of, platform_audience
from soundcharts_pipeline.storage.queries.worklists import CLOSED, SILENT
from soundcharts_pipeline.storage.saves import SeriesAnswer, add_tombstones, save_series
from soundcharts_pipeline.storage.tables.schema import TREND_DAYS
from soundcharts_pipeline.storage.warehouse import Warehouse

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def day(ago: int) -> date:
    return NOW.date() - timedelta(days=ago)


@dataclass(frozen=True)
class Told:
    """One answered window: the first day asked, the last, and values by identifier and day (ago)."""

    first: int
    last: int
    values: dict[str, dict[int, int]]


def tell(warehouse: Warehouse, entity: str, platform: str, metric: str, told: Told) -> None:
    points = tuple(
        AudiencePoint(day(ago), identifier, value)
        for identifier, by in told.values.items()
        for ago, value in by.items()
    )
    ask = AnsweredWindow(day(told.first), day(told.last), None, NOW)
    with warehouse.write() as conn:
        save_series(conn, entity, platform, metric, [SeriesAnswer("a", Answer(points), [ask])], NOW)


def test_identifiers_stay_apart_and_the_latest_value_is_their_sum(warehouse: Warehouse) -> None:
    one = {ago: 1000 - ago for ago in range(10)}
    two = {0: 50, 1: 40}
    left = {3: 700}
    tell(warehouse, "track", "spotify", "streams", Told(9, 0, {"one": one, "two": two, "left": left}))

    with warehouse.read() as conn:
        (series,) = audience_of(conn, "track", "a", ["spotify"])

    assert [line.identifier for line in series.lines] == ["one", "left", "two"]
    assert series.lines[2] == Line("two", ((day(1), 40), (day(0), 50)))
    assert series.latest == (day(0), 1050)
    # of both identifiers in a day; a week ago one of them had no value, and what it gained since is not known
    assert (series.change(1), series.change(7), series.change(28)) == (11, None, None)
    assert (series.coverage, series.asked) == ("complete", Asked(day(9), day(0), NOW))


def test_a_change_says_no_other_span_than_its_heading(warehouse: Warehouse) -> None:
    values = {0: 1_000, 2: 900, 9: 500, 30: 200, 93: 100}
    tell(warehouse, "track", "spotify", "streams", Told(93, 0, {"id": values}))
    tell(warehouse, "artist", "spotify", "followers", Told(93, 0, {"": values}))

    with warehouse.read() as conn:
        (track,) = audience_of(conn, "track", "a", ["spotify"])
        [followers] = [one for one in audience_of(conn, "artist", "a", ["spotify"]) if one.metric == "followers"]

    for series in (track, followers):
        # A day is a day; a longer span may be one or two days longer, as that of a trend, and never three.
        assert [series.change(days) for days in (1, 7, 28, 90)] == [None, 500, 800, None]
        assert [series.change(days) for days in (2, 6, 8)] == [100, None, 500]


@given(
    st.lists(st.dictionaries(st.integers(0, 95), st.integers(0, 40), min_size=40), min_size=1, max_size=3),
    st.sampled_from([growth.LEVEL, growth.TOTAL]),
)
def test_pages_and_pictures_tell_the_same_changes_as_trends(identifiers: list[dict[int, int]], kind: int) -> None:
    width = growth.window_days(90)
    matrix = np.full((len(identifiers), width), np.nan)
    for row, values in enumerate(identifiers):
        for ago, value in values.items():
            matrix[row, width - 1 - ago] = value
    groups, kinds = np.zeros(len(identifiers), np.int64), np.full(len(identifiers), kind)
    _, columns = growth.develop(matrix, groups, kinds, range_days=90)
    lines = [[(day(ago), values[ago]) for ago in sorted(values, reverse=True)] for values in identifiers]
    for days in TREND_DAYS:
        trend = [None if np.isnan(of) else of for of in columns[f"difference_{days}"].astype(float)]
        assert [change_over(lines, days, total=kind == growth.TOTAL)] == trend


def test_coverage_tells_complete_from_gaps_silence_and_what_was_not_asked(warehouse: Warehouse) -> None:
    tell(warehouse, "artist", "spotify", "followers", Told(5, 0, {"": {5: 1, 4: 2, 1: 3}}))
    tell(warehouse, "artist", "spotify", "monthly_listeners", Told(5, 0, {"": dict.fromkeys(range(6), 7)}))
    tell(warehouse, "artist", "tiktok", "followers", Told(5, 0, {}))
    with warehouse.write() as conn:
        add_tombstones(conn, "artist", "instagram/followers", {"a": SILENT}, NOW)
        add_tombstones(conn, "artist", "facebook/followers", {"a": CLOSED}, NOW)

    with warehouse.read() as conn:
        found = audience_of(conn, "artist", "a", ["instagram", "facebook", "deezer", "spotify", "tiktok"])

    assert [(one.platform, one.metric, one.coverage, one.days_without) for one in found] == [
        ("instagram", "followers", "no data", 0),
        ("facebook", "followers", "not in the plan", 0),
        ("deezer", "followers", "not asked", 0),
        ("spotify", "monthly_listeners", "complete", 0),
        # of the days 5 to 1 those without a value are 3 and 2; the day of today may still come
        ("spotify", "followers", "gaps", 2),
        ("tiktok", "followers", "no data", 0),
    ]


def test_a_series_is_bounded_by_its_own_newest_day_and_others_are_left_out(warehouse: Warehouse) -> None:
    values = dict.fromkeys((30, 30 + SERIES_DAYS - 1, 30 + SERIES_DAYS), 1)
    tell(warehouse, "track", "shazam", "shazams", Told(500, 0, {"id": values}))
    tell(warehouse, "track", "spotify", "streams", Told(1, 0, {"id": {0: 5}}))

    with warehouse.read() as conn:
        (series,) = platform_audience(conn, "track", "a", "shazam")
        stored_too = audience_of(conn, "track", "a", [])
        assert platform_audience(conn, "track", "a", "youtube") == []
        assert audience_of(conn, "track", "b", ["nonsense"]) == []

    assert [point[0] for point in series.lines[0].points] == [day(30 + SERIES_DAYS - 1), day(30)]
    assert [one.platform for one in stored_too] == ["shazam", "spotify"]

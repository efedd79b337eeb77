"""The audience of a track or artist as its page reads it, on both databases; every value was worked out by hand."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from soundcharts_pipeline.models import AudiencePoint
from soundcharts_pipeline.models import Series as Answer
from soundcharts_pipeline.storage.saves import SeriesAnswer, bury, save_series
from soundcharts_pipeline.storage.series import SERIES_DAYS, Asked, Line, audience_of, platform_audience
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.storage.worklists import CLOSED, SILENT, AskRow

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
    ask = AskRow(day(told.first), day(told.last), None, NOW)
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
    # of both identifiers in a day; in a week of the one that is as old, not of the one that came or went since
    assert (series.change(1), series.change(7), series.change(28)) == (11, 7, None)
    assert (series.coverage, series.asked) == ("complete", Asked(day(9), day(0), NOW))


def test_coverage_tells_complete_from_gaps_silence_and_what_was_not_asked(warehouse: Warehouse) -> None:
    tell(warehouse, "artist", "spotify", "followers", Told(5, 0, {"": {5: 1, 4: 2, 1: 3}}))
    tell(warehouse, "artist", "spotify", "monthly_listeners", Told(5, 0, {"": dict.fromkeys(range(6), 7)}))
    tell(warehouse, "artist", "tiktok", "followers", Told(5, 0, {}))
    with warehouse.write() as conn:
        bury(conn, "artist", "instagram/followers", {"a": SILENT}, NOW)
        bury(conn, "artist", "facebook/followers", {"a": CLOSED}, NOW)

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

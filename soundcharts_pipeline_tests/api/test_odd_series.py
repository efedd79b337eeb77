"""Values, places and identifiers of an unforeseen form in a series: left out with a remark, and nothing else wrong."""

from datetime import date
from typing import Any

import pytest

from soundcharts_pipeline.api import parsing, series
from soundcharts_pipeline.api.errors import UnexpectedPayload
from soundcharts_pipeline.api.remarks import Remarks
from soundcharts_pipeline.models import AudiencePoint, GeoPoint, Series


def _artist(items: list[Any]) -> tuple[Series, list[tuple[str, str]]]:
    remarks = Remarks()
    found = series.artist_series(items, remarks.about("artist_streaming", "u"))
    return found, [(r.field, r.done) for r in remarks.drain()]


def _track(items: list[Any]) -> tuple[Series, list[tuple[str, str]]]:
    remarks = Remarks()
    found = series.track_series(items, remarks.about("track_audience", "u"))
    return found, [(r.field, r.done) for r in remarks.drain()]


DAY = date(2026, 5, 29)
STAMP = "2026-05-29T00:00:00+00:00"
NEXT_DAY, NEXT_STAMP = date(2026, 5, 30), "2026-05-30T00:00:00+00:00"


def _city(value: Any, city: Any, region: Any = "New York", country: Any = "US") -> dict[str, Any]:
    return {"date": STAMP, "value": value, "cityName": city, "region": region, "countryCode": country}


@pytest.mark.parametrize("value", [7, 7.0, "7"])
def test_a_whole_number_is_read_however_it_is_written(value: object, unremarked: Remarks) -> None:
    item = {"date": STAMP, "value": value}

    assert series.artist_series([item], unremarked.about("x")).points == (AudiencePoint(DAY, "", 7),)


@pytest.mark.parametrize("value", ["many", 1.5, float("inf"), True, [], {"value": 3}, 1 << 63, -(1 << 63) - 1])
def test_a_value_that_is_no_whole_number_is_missing_with_a_remark(value: object) -> None:
    other = {"date": "2026-05-28T00:00:00+00:00", "value": 5}

    assert _artist([other, {"date": STAMP, "value": value}]) == (
        Series((AudiencePoint(date(2026, 5, 28), "", 5),)),
        [("value", "left empty")],
    )
    plots = [{"identifier": "a", "value": 5}, {"identifier": "b", "value": value}]
    assert _track([{"date": STAMP, "plots": plots}]) == (
        Series((AudiencePoint(DAY, "a", 5),)),
        [("plots.value", "left empty")],
    )


@pytest.mark.parametrize("value", [(1 << 63) - 1, -(1 << 63), -1, 0])
def test_a_value_that_the_column_holds_is_kept(value: int, unremarked: Remarks) -> None:
    items = [{"date": STAMP, "value": value, "countryPlots": [{"value": value, "countryCode": "US"}]}]
    found = series.artist_series(items, unremarked.about("x"))
    assert found.points == (AudiencePoint(DAY, "", value),)
    assert found.geo == (GeoPoint(DAY, "US", "", "", value),)


def test_places_of_one_name_are_added_up_and_a_later_item_of_the_day_takes_their_place() -> None:
    cities = [_city(962_383, "New York"), _city(5, "Albany"), _city(741_356, "New York")]
    first = {"date": STAMP, "value": 1, "cityPlots": cities, "countryPlots": [{"value": 9, "countryCode": "US"}]}
    found, remarks = _artist([first])
    assert remarks == []
    assert found.geo == (
        GeoPoint(DAY, "US", "New York", "New York", 1_703_739),
        GeoPoint(DAY, "US", "New York", "Albany", 5),
        GeoPoint(DAY, "US", "", "", 9),
    )
    later = {"date": "2026-05-29T18:00:00+00:00", "value": 2, "cityPlots": [_city(7, "Albany")], "countryPlots": []}
    found, remarks = _artist([later, first])
    assert found.geo == (GeoPoint(DAY, "US", "New York", "Albany", 7), GeoPoint(DAY, "US", "", "", 9))
    assert found.points == (AudiencePoint(DAY, "", 2),)


@pytest.mark.parametrize("name", [None, "", ["London"], 7.5e400, "x" * 201])
def test_a_city_without_its_name_never_passes_for_its_country(name: object) -> None:
    countries = [{"value": 100, "countryCode": "US"}]
    item = {"date": STAMP, "value": 1, "cityPlots": [_city(5, "Albany"), _city(6, name)], "countryPlots": countries}
    found, remarks = _artist([item])
    assert found.geo == (GeoPoint(DAY, "US", "New York", "Albany", 5), GeoPoint(DAY, "US", "", "", 100))
    assert remarks == [("cityPlots.cityName", "left out")]


@pytest.mark.parametrize("part", ["countryCode", "region"])
@pytest.mark.parametrize("odd", [["GB"], {"code": "GB"}, True, 7.5e400, "x" * 3000])
def test_a_place_with_an_odd_part_stands_for_itself_and_is_added_to_nothing(part: str, odd: object) -> None:
    plain = _city(5, "London", region="Ontario", country="CA")
    named = {**plain, part: "", "value": 50}  # a place that lacks this part itself
    odd_one, odd_two = {**plain, part: odd, "value": 600}, {**plain, part: odd, "value": 7000}

    found, remarks = _artist([{"date": STAMP, "value": 1, "cityPlots": [plain, odd_one, odd_two]}])
    assert sorted(geo.value for geo in found.geo) == [5, 600]
    assert remarks == [(f"cityPlots.{part}", "kept without that name"), ("cityPlots", "left out")]

    found, remarks = _artist([{"date": STAMP, "value": 1, "cityPlots": [odd_one, plain, named]}])
    assert sorted(geo.value for geo in found.geo) == [5, 50]
    assert ("cityPlots", "left out") in remarks


def test_a_country_without_its_code_stands_for_itself() -> None:
    countries = [
        {"value": 3, "countryCode": None},
        {"value": 4, "countryCode": ["FR"]},
        {"value": 5, "countryCode": "FR"},
    ]
    found, remarks = _artist([{"date": STAMP, "value": 1, "countryPlots": countries}])
    assert found.geo == (GeoPoint(DAY, "FR", "", "", 5), GeoPoint(DAY, "", "", "", 3))
    assert remarks == [("countryPlots.countryCode", "kept without that name"), ("countryPlots", "left out")]


def test_numbers_that_name_places_are_texts() -> None:
    found, remarks = _artist([{"date": STAMP, "value": 1, "cityPlots": [_city(5, 1770, region=7, country=49)]}])
    assert (found.geo, remarks) == ((GeoPoint(DAY, "49", "7", "1770", 5),), [])


def test_a_sum_that_no_column_holds_is_missing_with_a_remark() -> None:
    cities = [_city((1 << 63) - 1, "Albany"), _city(1, "Albany"), _city(3, "Utica")]
    found, remarks = _artist([{"date": STAMP, "value": 1, "cityPlots": cities}])
    assert [geo.value for geo in found.geo] == [3]
    assert remarks == [("cityPlots", "left out")]


@pytest.mark.parametrize("plots", [7, "London", True, [7], [["London"]], [None]])
def test_plots_of_another_form_are_left_out_with_a_remark(plots: object) -> None:
    good = {"date": "2026-05-28T00:00:00+00:00", "value": 5, "cityPlots": [_city(5, "Albany")]}
    found, remarks = _artist([good, {"date": STAMP, "value": 1, "cityPlots": plots}])
    assert len(found.points) == 2
    assert len(found.geo) == 1
    assert [field.partition(".")[0] for field, _ in remarks] == ["cityPlots"]
    good = {"date": "2026-05-28T00:00:00+00:00", "plots": [{"identifier": "a", "value": 5}]}
    found, remarks = _track([good, {"date": STAMP, "plots": plots}])
    assert len(found.points) == 1
    assert [field.partition(".")[0] for field, _ in remarks] == ["plots"]


@pytest.mark.parametrize("identifier", [["a"], {}, True, "a" * 201])
def test_a_plot_of_an_odd_identifier_is_left_out_with_a_remark(identifier: object) -> None:
    plots = [{"identifier": "a", "value": 5}, {"identifier": None, "value": 6}, {"identifier": identifier, "value": 7}]
    found, remarks = _track([{"date": STAMP, "plots": plots}])
    assert found.points == (AudiencePoint(DAY, "a", 5), AudiencePoint(DAY, "", 6))
    assert remarks == [("plots.identifier", "left out")]


@pytest.mark.parametrize("identifier", ["a", None])
def test_two_values_of_one_identifier_in_one_item_are_remarked(identifier: object) -> None:
    plots = [{"identifier": identifier, "value": 5}, {"identifier": identifier, "value": 5}]
    assert _track([{"date": STAMP, "plots": plots}])[1] == []
    found, remarks = _track([{"date": STAMP, "plots": [*plots, {"identifier": identifier, "value": 3}]}])
    assert found.points == (AudiencePoint(DAY, str(identifier or ""), 3),)
    assert remarks == [("plots.identifier", "the last one counts")]


def test_two_counts_of_one_station_are_remarked() -> None:
    remarks = Remarks()
    stations = [{"playCount": 5, "radio": {"slug": "one"}}, {"playCount": 4, "radio": {"slug": "one"}}]
    assert parsing.plays([*stations, {"playCount": 1, "radio": 7}], remarks) == 5
    assert {(r.field, r.done) for r in remarks.drain()} == {
        ("playCount", "the last one counts"),
        ("radio", "left empty"),
    }


@pytest.mark.parametrize("count", [1, 16])
def test_a_few_items_without_their_value_are_days_without_one(count: int, unremarked: Remarks) -> None:
    items = [{"date": f"2026-11-{day:02}T00:00:00+00:00"} for day in range(1, count + 1)]
    assert series.track_series(items, unremarked.about("track")) == Series(())
    assert series.artist_series(items, unremarked.about("artist")) == Series(())


@pytest.mark.parametrize(("count", "more"), [(1, {"followerCount": 5}), (17, {})])
def test_a_renamed_value_and_many_items_without_any_are_a_changed_api(count: int, more: dict[str, int]) -> None:
    items = [{"date": f"2026-11-{day:02}T00:00:00+00:00", **more} for day in range(1, count + 1)]
    for read in (series.track_series, series.artist_series):
        with pytest.raises(UnexpectedPayload, match="no item carries it"):
            read(items, Remarks().about("series"))


NAMED = {"countryCode": "FR", "countryName": "France", "region": "", "cityName": "Paris", "identifier": "a"}


@pytest.mark.parametrize("plots", [[{}], [{"value": 5}], [NAMED], [5], [None, "x"], [{"value": 5}] * 16])
def test_a_few_odd_plots_cost_neither_the_days_they_stand_in_nor_the_others(plots: list[object]) -> None:
    found, _ = _track(
        [{"date": STAMP, "plots": plots}, {"date": NEXT_STAMP, "plots": [{"identifier": "a", "value": 7}]}]
    )
    assert AudiencePoint(NEXT_DAY, "a", 7) in found.points
    alone, _ = _track([{"date": STAMP, "plots": plots}])
    assert {point.value for point in alone.points} <= {5}
    for field in ("cityPlots", "countryPlots"):
        located, _ = _artist([{"date": STAMP, "value": 9, field: plots}])
        assert located.points == (AudiencePoint(DAY, "", 9),)


@pytest.mark.parametrize(("count", "plot"), [(1, {**NAMED, "amount": 5}), (17, NAMED)])
def test_plots_of_a_renamed_value_and_many_without_any_are_a_changed_api(count: int, plot: dict[str, object]) -> None:
    items: list[object] = [{"date": STAMP, "value": 9, "plots": [plot] * count, "cityPlots": [plot] * count}]
    for read in (series.track_series, series.artist_series):
        with pytest.raises(UnexpectedPayload, match="no item carries it"):
            read(items, Remarks().about("series"))

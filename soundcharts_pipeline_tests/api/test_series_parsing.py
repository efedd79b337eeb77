"""Series and plays from payload files, as documented, as recorded and untidy."""

from datetime import date

from soundcharts_pipeline.api import parsing, series
from soundcharts_pipeline.api.remarks import Remarks
from soundcharts_pipeline.models import AudiencePoint, LocatedDay, Series

from .recorded import payload

ONE, OTHER = "a" * 22, "b" * 22


def _in(day: date, **places: int) -> LocatedDay:
    return LocatedDay(day, {(code, "", ""): value for code, value in places.items()})


def _may(day: int) -> date:
    return date(2026, 5, day)


def test_track_audience_is_kept_by_identifier(unremarked: Remarks) -> None:
    assert series.track_series(payload("track_audience")["items"], unremarked.about("track_audience")) == Series(
        (
            AudiencePoint(_may(28), ONE, 2500000123),
            AudiencePoint(_may(28), OTHER, 1200345),
            AudiencePoint(_may(29), ONE, 2500999999),
            AudiencePoint(_may(29), OTHER, 1200000),
        )
    )


def test_track_audience_recorded_newest_first_comes_oldest_first_with_its_gap(unremarked: Remarks) -> None:
    assert series.track_series(
        payload("track_audience_recorded")["items"], unremarked.about("track_audience")
    ) == Series((AudiencePoint(_may(28), ONE, 6000000100), AudiencePoint(_may(30), ONE, 6000000300)))


def test_untidy_track_audience_keeps_the_latest_of_a_day_and_no_null(unremarked: Remarks) -> None:
    assert series.track_series(payload("track_audience_untidy")["items"], unremarked.about("track_audience")) == Series(
        (
            AudiencePoint(_may(27), "", 7),  # of a plot without identifier; null and '' are no values
            AudiencePoint(_may(28), ONE, 280),  # the same timestamp twice: the one listed last
            AudiencePoint(_may(29), ONE, 290),  # the later timestamp, although listed first
            AudiencePoint(_may(29), OTHER, 29),
        )
    )


def test_artist_streaming_with_its_places(unremarked: Remarks) -> None:
    assert series.artist_series(payload("artist_streaming")["items"], unremarked.about("artist_streaming")) == Series(
        (AudiencePoint(_may(29), "", 99000123), AudiencePoint(_may(30), "", 99050456)),
        (LocatedDay(_may(29), {("GB", "London, City of", "London"): 1500000}), _in(_may(29), GB=1900000)),
    )


def test_artist_streaming_as_recorded_has_empty_regions_absent_plots_and_null_places(unremarked: Remarks) -> None:
    assert series.artist_series(
        payload("artist_streaming_recorded")["items"], unremarked.about("artist_streaming")
    ) == Series(
        (AudiencePoint(_may(29), "", 99000123), AudiencePoint(_may(30), "", 99050456)),
        (
            LocatedDay(_may(29), {("SG", "", "Singapore"): 800000, ("FR", "Île-de-France", "Paris"): 700000}),
            _in(_may(29), SG=800000, FR=700000),
        ),
    )


def test_untidy_followers_keep_the_latest_of_a_day_and_no_null(unremarked: Remarks) -> None:
    assert series.artist_series(
        payload("artist_followers_untidy")["items"], unremarked.about("artist_followers")
    ) == Series(
        (AudiencePoint(_may(27), "", 5000000001), AudiencePoint(_may(29), "", 120000456)),
        (_in(_may(29), US=36000000),),
    )


def test_plays_are_summed_over_the_stations(unremarked: Remarks) -> None:
    assert parsing.plays(payload("track_broadcast_groups")["items"], unremarked) == 137


def test_a_station_that_two_pages_list_counts_once(unremarked: Remarks) -> None:
    stations = [{"playCount": 5, "radio": {"slug": "one"}}, {"playCount": 7, "radio": {"slug": "two"}}]
    nameless = [{"playCount": 1}, {"playCount": 1, "radio": {}}]
    assert parsing.plays([*stations, *nameless, stations[0]], unremarked) == 14

"""Whole records from payload files, as documented, as recorded and at their barest."""

from datetime import date
from typing import Any

from soundcharts_pipeline.api import parsing
from soundcharts_pipeline.api.remarks import Remarks
from soundcharts_pipeline.models import (
    Artist,
    ArtistRef,
    Chart,
    Genre,
    PublishedRanking,
    Ranking,
    RankingEntry,
    Track,
    TrackRef,
)

from .recorded import payload

BAD_GUY = "7d534228-5165-11e9-9375-549f35161576"
SECOND = "11111111-2222-11e9-9375-aaaaaaaaaaaa"
THIRD = "33333333-4444-11ea-9375-bbbbbbbbbbbb"
BILLIE = ArtistRef(
    uuid="11e81bcc-9c1c-ce38-b96b-a0369fe50396",
    name="Billie Eilish",
    slug="billie-eilish",
    app_url="https://example.test/a/1",
    image_url="https://example.test/a/1.jpg",
)
TONES = ArtistRef(uuid="ca22091a-3c00-11e9-974f-549f35141000", name="Tones and I", slug="tones-and-i")
GLOBAL = Chart(
    slug="global-28",
    name="Global Daily Top Songs",
    platform="spotify",
    frequency="daily",
    type="song",
    max_results=200,
    web_url="https://example.test/c",
)


def _entry(position: int, uuid: str, name: str, credit: str, **more: Any) -> RankingEntry:
    ref = TrackRef(uuid=uuid, name=name, credit_name=credit, image_url="https://example.test/t.jpg")
    return RankingEntry(position=position, track=ref, time_on_chart_unit="DOC", **more)


def _may(day: int) -> date:
    return date(2026, 5, day)


def test_chart_platforms(unremarked: Remarks) -> None:
    items = payload("chart_platforms")["items"]

    assert parsing.platforms(items, unremarked) == ["spotify", "apple-music"]


def test_charts_worldwide_of_a_city_and_with_nothing_but_what_is_required(unremarked: Remarks) -> None:
    assert parsing.charts(payload("charts")["items"], unremarked) == [
        GLOBAL,
        Chart(
            slug="local-pulse-paris",
            name="Local Pulse Paris",
            platform="spotify",
            country_code="FR",
            city_name="Paris",
            frequency="weekly",
            type="song",
            max_results=100,
        ),
        Chart(slug="bare-1", name="Nameless", platform="spotify"),
    ]


def test_published_rankings_keep_their_own_calendar_day_and_exact_timestamp(unremarked: Remarks) -> None:
    items = payload("available_rankings")["items"]

    # The last one is the 29th in UTC: the day printed counts.
    assert parsing.published(items, unremarked) == [
        PublishedRanking(_may(30), "2026-05-30T12:00:00+00:00"),
        PublishedRanking(_may(29), "2026-05-29T12:00:00+00:00"),
        PublishedRanking(_may(28), "2026-05-28T23:00:00-02:00"),
    ]


def test_a_ranking_as_documented(unremarked: Remarks) -> None:
    assert parsing.ranking([payload("ranking")], unremarked) == Ranking(
        chart=GLOBAL,
        day=_may(29),
        metric_type="streams",
        entries=(
            _entry(
                *(1, BAD_GUY, "bad guy", "Billie Eilish"),
                old_position=2,
                position_change=1,
                metric=5000123,
                entry_date=_may(19),
                time_on_chart=10,
            ),
            _entry(
                *(2, SECOND, "second", "Someone"),
                metric=4999999,
                entry_state="new",
                entry_date=_may(29),
                time_on_chart=1,
            ),
        ),
    )


def test_a_ranking_as_recorded_has_zeros_for_a_new_entry_and_a_change_of_zero_for_a_steady_one(
    unremarked: Remarks,
) -> None:
    assert parsing.ranking([payload("ranking_recorded")], unremarked) == Ranking(
        chart=GLOBAL,
        day=_may(29),
        metric_type="streamcount",
        entries=(
            _entry(
                *(1, BAD_GUY, "bad guy", "Billie Eilish"),
                old_position=1,
                position_change=0,
                metric=6400321,
                entry_date=_may(19),
                time_on_chart=10,
            ),
            _entry(*(2, SECOND, "second", "Someone"), metric=5400321, entry_date=_may(29), time_on_chart=1),
        ),
    )


def test_a_bare_ranking_is_sorted_and_leaves_out_what_left_the_chart(unremarked: Remarks) -> None:
    assert parsing.ranking([payload("ranking_bare")], unremarked) == Ranking(
        chart=Chart(slug="airplay-daily", name="Airplay Daily", platform="airplay"),
        day=_may(29),
        metric_type=None,
        entries=(
            RankingEntry(position=1, track=TrackRef(uuid=BAD_GUY, name="bad guy")),
            RankingEntry(position=3, track=TrackRef(uuid=THIRD, name="third"), old_position=1, position_change=-2),
        ),
    )


def test_the_newest_ranking_is_read_off_what_a_ranking_is_related_to(unremarked: Remarks) -> None:
    chart, published = parsing.newest(payload("ranking_recorded")["related"], unremarked)

    assert (chart, published) == (GLOBAL, PublishedRanking(_may(29), "2026-05-29T12:00:00+00:00"))


def test_a_track_as_documented(unremarked: Remarks) -> None:
    assert parsing.track(payload("track")["object"], unremarked) == Track(
        uuid=BAD_GUY,
        name="bad guy",
        credit_name="Billie Eilish feat. Tones and I",
        image_url="https://example.test/t.jpg",
        isrc="USUM71900764",
        release_date=date(2019, 3, 29),
        duration_seconds=194,
        explicit=False,
        language_code="en",
        copyright="2019 Some Label",
        distributor="Some Distributor",
        app_url="https://example.test/t",
        preview_url="https://example.test/p.mp3",
        labels=[{"name": "Some Label", "type": "Major"}],
        composers=["A. Writer"],
        producers=["F. Maker"],
        iswcs=["T0000000001"],
        audio_features={
            "danceability": 0.7,
            "energy": 0.43,
            "tempo": 135.1,
            "key": 7,
            "mode": 1,
            "timeSignature": 4,
            "valence": None,
        },
        artists=(BILLIE, TONES),
        main_artists=(BILLIE,),
        featured_artists=(TONES,),
        genres=(Genre(root="pop", subs=("electropop", "dark pop")), Genre(root="alternative")),
    )


def test_a_track_of_empty_texts_empty_objects_and_missing_fields(unremarked: Remarks) -> None:
    assert parsing.track(payload("track_bare")["object"], unremarked) == Track(
        uuid=SECOND, name="second", labels=[], composers=["A. Writer"], producers=[], iswcs=[]
    )


def test_a_track_of_the_second_version_has_texts_where_objects_are_now(unremarked: Remarks) -> None:
    assert parsing.track(payload("track_v2")["object"], unremarked) == Track(
        uuid=THIRD,
        name="third",
        credit_name="Someone",
        isrc="FRZ012600001",
        duration_seconds=201,
        labels=[{"name": "Some Label"}],
        composers=[],
        producers=[],
        iswcs=[],
        artists=(ArtistRef(uuid=TONES.uuid, name="Tones and I"),),
        genres=(Genre(root="pop"), Genre(root="rock")),
    )


def test_an_artist_as_documented(unremarked: Remarks) -> None:
    assert parsing.artist(payload("artist")["object"], unremarked) == Artist(
        uuid=BILLIE.uuid,
        name="Billie Eilish",
        slug="billie-eilish",
        image_url="https://example.test/a/1.jpg",
        app_url="https://example.test/a/1",
        web_url="https://example.test/w",
        country_code="US",
        city_name="Los Angeles",
        biography="Sings.",
        career_stage="superstar",
        growth_level="average_growth",
        gender="female",
        type="person",
        birth_date=date(2001, 12, 18),
        isni="0000000000000001",
        ipi="00000000002",
        genres=(Genre(root="alternative", subs=("alternative pop",)),),
    )


def test_an_artist_of_empty_texts_a_number_for_a_text_and_an_unset_date(unremarked: Remarks) -> None:
    assert parsing.artist(payload("artist_bare")["object"], unremarked) == Artist(
        uuid=TONES.uuid, name="Tones and I", slug="tones-and-i", isni="12345", genres=(Genre(root="pop"),)
    )


def test_an_artist_of_the_second_version_has_six_fields(unremarked: Remarks) -> None:
    assert parsing.artist(payload("artist_v2")["object"], unremarked) == Artist(
        uuid=TONES.uuid, name="Tones and I", slug="tones-and-i", country_code="AU"
    )

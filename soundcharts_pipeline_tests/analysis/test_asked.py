"""What is asked of the door, as people type it: taken as it is meant, or refused with what to write."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pandas as pd
import pytest

from soundcharts_pipeline.analysis import Analysis, connect
from soundcharts_pipeline.analysis.charts import NoRanking
from soundcharts_pipeline.config.settings import BadUse
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

from .held import CHART, DAY, ago, save, save_artist_points, save_names, save_ranking, save_track_points

TRACK, ARTIST = "7d534228-5165-11e9-9375-549f35161576", "11e81bcc-9c1c-ce38-b96b-a0369fe50396"
PLACE = {"artist_uuid": ARTIST, "platform": "spotify", "metric": "monthly_listeners", "region": "", "date": DAY}
Ask = Callable[[Analysis, Any], pd.DataFrame]
# Every question that takes a day, asked for it.
OF_A_DAY: dict[str, Ask] = {
    "rankings": lambda music, day: music.rankings(CHART, day, day),
    "track_audience": lambda music, day: music.track_audience(first=day, last=day),
    "artist_audience": lambda music, day: music.artist_audience(first=day, last=day),
    "trends": lambda music, day: music.trends(CHART, day),
    "movers": lambda music, day: music.movers(CHART, day),
    "presence": lambda music, day: music.presence(CHART, day),
    "artists": lambda music, day: music.artists(CHART, day),
    "genre_shares": lambda music, day: music.genre_shares(CHART, day),
    "country_shares": lambda music, day: music.country_shares(CHART, day),
}
# Every question that takes UUIDs.
OF_SOME: dict[str, tuple[str, Ask]] = {
    "track_audience": (TRACK, lambda music, uuids: music.track_audience(uuids)),
    "artist_audience": (ARTIST, lambda music, uuids: music.artist_audience(uuids)),
    "geography": (ARTIST, lambda music, uuids: music.geography(uuids)),
}


def fill(warehouse: Warehouse) -> None:
    """Two charts of one track and its artist, two days of a ranking."""
    save_names(warehouse, f"{TRACK} a", f"{ARTIST} x", charts=f"{CHART} paris-28")
    save_ranking(warehouse, ago(1), TRACK)
    save_ranking(warehouse, DAY, TRACK)
    save(warehouse, s.track_artists, {"track_uuid": TRACK, "artist_uuid": ARTIST, "role": "main", "position": 0})
    for track in (TRACK, "a"):
        save_track_points(warehouse, track, {1: 1, 0: 2})
    for artist in (ARTIST, "x"):
        save_artist_points(warehouse, artist, {1: 1, 0: 2})
    save(warehouse, s.artist_audience_geo, {**PLACE, "country_code": "FR", "city_name": "Paris", "value": 5})


@pytest.fixture
def music(warehouse: Warehouse, database_url: str) -> Iterator[Analysis]:
    fill(warehouse)
    with connect(database_url) as music:
        yield music


@pytest.mark.parametrize("ask", OF_A_DAY.values(), ids=OF_A_DAY)
def test_a_day_may_be_a_text_or_come_from_a_frame(music: Analysis, ask: Ask) -> None:
    wanted = ask(music, DAY)
    assert not wanted.empty
    for day in (str(DAY), pd.Timestamp(DAY), datetime(DAY.year, DAY.month, DAY.day, 9, tzinfo=UTC)):
        pd.testing.assert_frame_equal(ask(music, day), wanted)
    for mistake in ("22.11.2026", "2026-11-31", "20261122", "2026-W47-7", "2026W477", "", 20261122):
        with pytest.raises(BadUse, match="is no day; write it like 2026-11-20"):
            ask(music, mistake)


def test_days_that_end_before_they_begin_are_refused(music: Analysis) -> None:
    for ask in (music.track_audience, music.artist_audience):
        with pytest.raises(BadUse, match=f"first {DAY} is after last {ago(1)}"):
            ask(first=DAY, last=str(ago(1)))
    with pytest.raises(BadUse, match=f"first {DAY} is after last {ago(1)}"):
        music.rankings(CHART, DAY, ago(1))


@pytest.mark.parametrize(("uuid", "ask"), OF_SOME.values(), ids=OF_SOME)
def test_one_uuid_is_a_list_of_one(music: Analysis, uuid: str, ask: Ask) -> None:
    wanted = ask(music, [uuid])
    assert not wanted.empty
    assert set(wanted.iloc[:, 0]) == {uuid}
    for asked in (uuid, UUID(uuid), uuid.upper(), [UUID(uuid)], [uuid.upper()], wanted.iloc[:, 0]):
        pd.testing.assert_frame_equal(ask(music, asked), wanted)
    assert ask(music, []).empty


def test_a_platform_that_there_is_not_is_told_with_the_nearest(music: Analysis) -> None:
    for ask in (music.track_audience, music.artist_audience, music.geography):
        with pytest.raises(BadUse, match=r"no platform 'spotfy' of \w+; write 'spotify'"):
            ask(platform="spotfy")
        assert ask(platform="youtube").empty
    # Of artists alone.
    assert music.artist_audience(platform="tidal").empty
    with pytest.raises(BadUse, match="no platform 'tidal' of tracks; write one of: spotify, youtube"):
        music.track_audience(platform="tidal")


def test_a_platform_that_is_stored_may_be_asked_for_whatever_it_is(warehouse: Warehouse, music: Analysis) -> None:
    save_track_points(warehouse, "a", {0: 3}, platform="tidal", metric="fans")
    assert music.track_audience(platform="tidal")["value"].tolist() == [3]


def test_rankings_of_a_chart_that_has_none_are_told_as_those_of_a_day_are(music: Analysis) -> None:
    for ask in (music.rankings, music.movers):
        with pytest.raises(NoRanking, match="no ranking of 'chrt-1' is stored; write 'chart-1'"):
            ask("chrt-1")
        with pytest.raises(NoRanking, match="no ranking of 'paris-28' is stored; stored are chart-1"):
            ask("paris-28", ago(1))
    # The chart has others.
    assert music.rankings(CHART, "2020-01-01", "2020-01-02").empty


def test_where_nothing_is_stored_no_chart_is_named(sqlite_warehouse: Warehouse, sqlite_url: str) -> None:
    sqlite_warehouse.prepare()
    with connect(sqlite_url) as music, pytest.raises(NoRanking, match="of 'chart-1' is stored; stored are none"):
        music.rankings(CHART)

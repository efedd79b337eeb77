"""What is asked of the door, as people type it: taken as it is meant, or refused with what to write."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from inspect import Parameter, signature
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from soundcharts_pipeline.analysis import Analysis, connect
from soundcharts_pipeline.analysis.asked import MOST_DAYS
from soundcharts_pipeline.analysis.days import NoRanking
from soundcharts_pipeline.config.settings import BadUse
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

from .held import CHART, DAY, ago, save, save_artist_points, save_listed, save_names, save_ranking, save_track_points

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


# What is due, by the name of a parameter, and what is none of it. None is taken where the parameter may be left out.
NO_DAYS = ("22.11.2026", "2026-11-31", "", 20261122, 1.5, True, pd.NaT, [DAY])
NO_UUIDS = (5, 1.5, DAY, [None], [5], [["a"]], "a\0", [TRACK, b"a"], pd.Series([None]))
WRONG: dict[str, tuple[object, ...]] = {
    "slug": (5, 1.5, b"chart-1", [CHART], DAY, "chart-1\0", "chart\ud800"),
    "day": NO_DAYS,
    "first": NO_DAYS,
    "last": NO_DAYS,
    "days": (0, -1, 10**9, 10**30, MOST_DAYS + 1, "90", 1.5, True, float("nan"), None, [90]),
    "platform": (5, 1.5, ["spotify"], "spotfy", "spotify\0", pd.Series(["spotify", "youtube"])),
    "tracks": NO_UUIDS,
    "artists": NO_UUIDS,
}


def test_whatever_is_not_what_is_due_is_refused_with_what_to_write(music: Analysis) -> None:
    questions = {name: ask for name, ask in vars(Analysis).items() if name[0] != "_" and name not in ("close", "read")}
    assert len(questions) == 10
    for name, ask in questions.items():
        of = {parameter.name: parameter for parameter in signature(ask).parameters.values() if parameter.name != "self"}
        due = {"slug": CHART} if of.get("slug") and of["slug"].default is Parameter.empty else {}
        for parameter in of:
            for wrong in (*WRONG[parameter], *([None] if parameter in due else [])):
                with pytest.raises(BadUse, match="write"):
                    pytest.fail(f"{name}({parameter}={wrong!r}): {ask(music, **{**due, parameter: wrong})}")


def test_what_is_right_is_taken_at_its_ends(music: Analysis, database_url: str, tmp_path: Path) -> None:
    days: Any
    for days in (1, MOST_DAYS, np.int64(90)):
        assert len(music.trends(CHART, days=days))
    for ask in (music.track_audience, music.artist_audience):
        assert len(ask(first=date.min, last=date.max)) == 4
    with connect(database_url, archive=str(tmp_path)) as other:
        assert len(other.track_audience()) == 4
    for folder in (5, b"archive", "a\0"):
        with pytest.raises(BadUse, match="is no folder; write its path"):
            connect(database_url, archive=folder)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "ask", [ask for name, ask in OF_A_DAY.items() if "audience" not in name and name != "rankings"]
)
def test_of_a_day_without_a_ranking_the_nearest_is_named_and_what_may_help(
    warehouse: Warehouse, database_url: str, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    save_names(warehouse, "a")
    for day in (ago(20), ago(13)):
        save_ranking(warehouse, day, "a")
    save_listed(warehouse, CHART, ago(15), None)
    save_listed(warehouse, CHART, ago(14), "then")
    monkeypatch.setenv("SOUNDCHARTS_NOW", f"{DAY}T12:00:00Z")
    nearest = f"the nearest stored before it is {ago(20)}"
    said = {
        ago(16): f"{CHART}: no ranking of {ago(16)} is stored; {nearest}; `soundcharts-pipeline sync {CHART} --date"
        f" {ago(16)}` asks for it",
        ago(15): f"{CHART}: no ranking of {ago(15)} is stored, for Soundcharts lists none; {nearest}",
        ago(14): f"{CHART}: no ranking of {ago(14)} is stored; {nearest}; `soundcharts-pipeline sync {CHART} --date"
        f" {ago(14)}` asks for it",
        ago(
            30
        ): f"{CHART}: no ranking of {ago(30)} is stored; the first stored is {ago(20)}; `soundcharts-pipeline sync"
        f" {CHART} --date {ago(30)}` asks for it",
        ago(-1): f"{CHART}: no ranking of {ago(-1)} is stored, for the day is still to come; the nearest stored before"
        f" it is {ago(13)}",
    }
    with connect(database_url) as music:
        for day, words in said.items():
            with pytest.raises(NoRanking) as refused:
                ask(music, day)
            assert str(refused.value) == words


def test_series_of_a_ranking_before_the_first_are_told_which_that_is(warehouse: Warehouse, music: Analysis) -> None:
    save_listed(warehouse, CHART, ago(9), None)
    first = f"^{CHART}: no ranking is stored on or before {{}}; the first stored is {ago(1)}"
    for ask in (music.track_audience, music.artist_audience):
        with pytest.raises(NoRanking, match=first.format(ago(8)) + f"; .*sync {CHART} --date {ago(8)}"):
            ask(slug=CHART, last=ago(8))
        with pytest.raises(NoRanking, match=first.format(ago(9)) + "$"):
            ask(slug=CHART, last=ago(9))


def test_where_nothing_is_stored_no_chart_is_named(sqlite_warehouse: Warehouse, sqlite_url: str) -> None:
    sqlite_warehouse.prepare()
    with connect(sqlite_url) as music, pytest.raises(NoRanking, match="of 'chart-1' is stored; stored are none"):
        music.rankings(CHART)

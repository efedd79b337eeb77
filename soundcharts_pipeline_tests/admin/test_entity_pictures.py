"""The pictures of charts and artists on their pages, and the numbers below them."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from html import escape

from soundcharts_pipeline_tests.admin.filled import SCRIPT, Filled, cells, path_of
from soundcharts_pipeline_tests.admin.visitor import Visitor
from soundcharts_pipeline_tests.support.helpers import SLUG


def test_an_artist_shows_where_the_audience_is_and_how_partial_that_is(visitor: Visitor, filled: Filled) -> None:
    page = visitor.get(f"/artist/{filled.artist}/").text

    with closing(sqlite3.connect(path_of(filled))) as conn:
        query = (
            "select country_code, city_name, value, date from artist_audience_geo_latest"
            " where artist_uuid = ? and platform = 'spotify' order by city_name <> '', value desc"
        )
        places = conn.execute(query, (filled.artist,)).fetchall()
    assert f"/artist/{filled.artist}/geography.svg" in page
    told = "at most 50 cities; 20 to 30 countries, each the sum of its listed cities"
    assert told in page
    assert f"all {len(places)} places of {places[0][3]}" in page
    country, _, value, _ = places[0]
    of_countries = sum(place[2] for place in places if not place[1])
    assert [country, f"{value:,}", f"{value / of_countries:.0%}".replace("%", " %")] in cells(page)
    picture = visitor.get(f"/artist/{filled.artist}/geography.svg").text
    assert f"of {places[0][3]}" in picture
    assert "shares of them, not of the whole audience" in picture


def test_a_chart_shows_who_moved_and_the_audience_of_its_best_places(visitor: Visitor, filled: Filled) -> None:
    page = visitor.get(f"/chart/{SLUG}/").text

    for picture in ("movers", "tracks", "artists"):
        assert f"/chart/{SLUG}/{picture}.svg" in page, picture
    movers = visitor.get(f"/chart/{SLUG}/movers.svg").text
    assert f"on {filled.day} since {filled.day - timedelta(days=1)}" in movers
    with closing(sqlite3.connect(path_of(filled))) as conn:
        query = (
            "select t.name, r.old_position, r.position from chart_rankings r join tracks t on t.uuid = r.track_uuid"
            " where chart_slug = ? and rank_date = ? and position_change > 0 order by position_change desc, position"
        )
        name, old, new = conn.execute(query, (SLUG, str(filled.day))).fetchone()
        best = (
            "select a.value, a.date from artist_audience a where artist_uuid = ? and metric = 'followers'"
            " order by date desc"
        )
        value, day = conn.execute(best, (filled.artist,)).fetchone()
    assert escape(name, quote=False) in movers
    assert f">{old} → {new}<" in movers
    assert any(escape(SCRIPT) in row and f"{value:,} {day}" in row for row in cells(page))

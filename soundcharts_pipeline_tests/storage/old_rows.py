"""Rows of three months in every table that is archived, and what of them is where."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Table, select

from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.rows import merge_whole, put

FIRST = date(2024, 1, 15)
DAYS = 60
NOW = datetime(2026, 3, 9, 4, 0, tzinfo=UTC)
TABLES = (s.chart_rankings, s.track_audience, s.artist_audience, s.artist_audience_geo, s.audience_trends)
EXTRACTED = {"artists_extracted": True, "genres_extracted": True}

Row = tuple[Any, ...]
Held = dict[str, list[Row]]


def fill(warehouse: Warehouse) -> Held:
    """Two places, two points, a city and a trend a day from 15 January to 14 March 2024; returns what is stored."""
    fetched = datetime(2024, 3, 15, 1, 2, 3, tzinfo=UTC)
    days = [FIRST + timedelta(days=n) for n in range(DAYS)]
    # Every column that may be empty is so in one row, and a text in another.
    metrics = {1: None, 2: 1 << 40}
    places: list[Row] = [
        (
            *("global-28", day, place, f"track-{place}", None, None, metrics[place], "stréams"),
            *(None, None, None, "DOC", fetched + timedelta(days=place)),
        )
        for day in days
        for place in metrics
    ]
    tracks: list[Row] = [("track-1", "spotify", "streams", f"id {n}", day, n, fetched) for n, day in enumerate(days)]
    artists: list[Row] = [("artist-1", "youtube", "views", day, -n, fetched) for n, day in enumerate(days)]
    cities: list[Row] = [("artist-1", "youtube", "views", day, "FR", "", "Paris\tXI", n) for n, day in enumerate(days)]
    trends = [trend(day, n) for n, day in enumerate(days)]
    with warehouse.write() as conn:
        for table, rows in zip(TABLES, (places, tracks, artists, cities, trends), strict=True):
            merge_whole(conn, table, rows)
    return held(warehouse)


def fill_named(warehouse: Warehouse) -> None:
    """The same with names, and four points each of a second track and artist, the last of them in April."""
    fill(warehouse)
    days = [date(2024, month, 3) for month in (1, 2, 3, 4)]
    seen, spotify = {"first_seen_at": NOW}, {"slug": "global-28", "name": "Global", "platform": "spotify"}
    with warehouse.write() as conn:
        put(conn, s.charts, [spotify])
        put(conn, s.tracks, [{"uuid": f"track-{n}", "name": f"Track {n}", **EXTRACTED, **seen} for n in (1, 2)])
        put(conn, s.artists, [{"uuid": f"artist-{n}", "name": f"Artist {n}", **seen} for n in (1, 2)])
        saved = {"chart_slug": "global-28", "checked_at": NOW, "saved_at": NOW}
        put(conn, s.ranking_days, [{"rank_date": FIRST + timedelta(days=n), **saved} for n in range(DAYS)])
        credits_ = [{"track_uuid": f"track-{n}", "artist_uuid": f"artist-{n}"} for n in (1, 2)]
        put(conn, s.track_artists, [{**credit, "role": "main", "position": 0} for credit in credits_])
        merge_whole(conn, s.track_audience, [("track-2", "deezer", "fans", "x", day, 7, NOW) for day in days])
        merge_whole(conn, s.artist_audience, [("artist-2", "deezer", "fans", day, 8, NOW) for day in days])


def trend(day: date, number: int) -> Row:
    """A trend whose columns that may be empty are so on every second day."""
    values = {"Date": day, "String": "é", "Integer": number, "BigInteger": number << 40}
    values |= {"Float": number / 7, "Boolean": number % 4 == 1}
    return tuple(
        None if column.nullable and number % 2 == 0 else values[type(column.type).__name__]
        for column in s.audience_trends.columns
    )


def held(warehouse: Warehouse, *tables: Table) -> Held:
    """Every column of every row of these tables, by default of those that are archived."""
    with warehouse.read() as conn:
        return {
            table.name: [tuple(row) for row in conn.execute(select(table).order_by(*table.primary_key))]
            for table in tables or TABLES
        }

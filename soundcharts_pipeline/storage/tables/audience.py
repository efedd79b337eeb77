"""The audience: each series once, its points as numbers, and the views under whose names they are promised.

Points are nearly all rows of a warehouse, so they hold no text: a series and a place are numbers, a day and a moment
are few bytes. They lie in the order in which they are read, a series in one place. Who reads inside this package takes
`POINTS` of an entity or `LOCATED`, which have the columns of the views and reach the keys; who writes goes through
`storage/points.py`. On PostgreSQL the points are partitioned by month: `months` says how.
"""

from sqlalchemy import BigInteger, Column, Date, Index, Integer, MetaData, String, Subquery, Table, select

from soundcharts_pipeline.storage.tables import bookkeeping
from soundcharts_pipeline.storage.tables.columns import Day, Moment, UtcDateTime, key
from soundcharts_pipeline.storage.tables.view_sql import View

metadata = bookkeeping.metadata

series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("entity", String, nullable=False, comment="track or artist"),
    Column("uuid", String, nullable=False, comment="the track or artist"),
    Column("platform", String, nullable=False),
    Column("metric", String, nullable=False),
    Column("identifier", String, nullable=False, comment="of a track; '' for artists"),
    Index(None, "uuid", "entity", "platform", "metric", "identifier", unique=True),
    comment="One series of a track (per identifier) or artist, by a number that its points carry",
)

places = Table(
    "places",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("country_code", String, nullable=False),
    Column("region", String, nullable=False),
    Column("city_name", String, nullable=False),
    Index(None, "country_code", "region", "city_name", unique=True),
    comment="One place, by a number that located points carry",
)

# Without its hidden rowid SQLite keeps such a table in its key: no index beside it.
points = Table(
    "points",
    metadata,
    key("series_id", Integer),
    key("day", Day),
    Column("value", BigInteger, nullable=False),
    Column("fetched_at", Moment, nullable=False, comment="seconds since 2000-01-01 UTC"),
    comment="One series on one day (on SQLite days since 1970-01-01)",
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (day)",
)

located_points = Table(
    "located_points",
    metadata,
    key("series_id", Integer),
    key("day", Day),
    key("place_id", Integer),
    Column("value", BigInteger, nullable=False),
    comment="One series on one day in one place",
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (day)",
)

# Whoever needs every view takes it from `storage.views`, which adds those that compute.
views_metadata = MetaData()
ENTITIES = ("track", "artist")

# How the views show what is kept as a number.
_DATE = {"sqlite": "date(p.day + 2440587.5)", "postgresql": "p.day"}
_FETCHED = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S.000000', p.fetched_at + 946684800, 'unixepoch')",
    "postgresql": "to_timestamp(p.fetched_at::bigint + 946684800)",
}


def _statement(entity: str, kind: str) -> str:
    identifier = "s.identifier, " if entity == "track" else ""
    return (
        f"SELECT s.uuid, s.platform, s.metric, {identifier}{_DATE[kind]}, p.value, {_FETCHED[kind]}\n"
        f"FROM series s JOIN points p ON p.series_id = s.id\nWHERE s.entity = '{entity}'"
    )


def _located(kind: str) -> str:
    return (
        f"SELECT s.uuid, s.platform, s.metric, {_DATE[kind]}, l.country_code, l.region, l.city_name, p.value\n"
        "FROM series s JOIN located_points p ON p.series_id = s.id JOIN places l ON l.id = p.place_id\n"
        "WHERE s.entity = 'artist'"
    )


track_audience = View(
    Table(
        "track_audience",
        views_metadata,
        key("track_uuid"),
        key("platform"),
        key("metric"),
        key("identifier"),
        key("date", Date),
        Column("value", BigInteger, nullable=False, comment="as the API gave it: a cumulative total on most platforms"),
        Column("fetched_at", UtcDateTime, nullable=False, comment="when it was saved or last changed, to the second"),
        comment="One track, platform, metric, identifier and day",
    ),
    _statement("track", "sqlite"),
    postgresql=_statement("track", "postgresql"),
)

artist_audience = View(
    Table(
        "artist_audience",
        views_metadata,
        key("artist_uuid"),
        key("platform"),
        key("metric"),
        key("date", Date),
        Column("value", BigInteger, nullable=False),
        Column("fetched_at", UtcDateTime, nullable=False, comment="when it was saved or last changed, to the second"),
        comment="One artist, platform, metric and day",
    ),
    _statement("artist", "sqlite"),
    postgresql=_statement("artist", "postgresql"),
)

artist_audience_geo = View(
    Table(
        "artist_audience_geo",
        views_metadata,
        key("artist_uuid"),
        key("platform"),
        key("metric"),
        key("date", Date),
        key("country_code"),
        key("region"),
        key("city_name"),
        Column("value", BigInteger, nullable=False),
        comment="One artist, platform, metric, day and place; city_name '' is a whole country (a partial sum)",
    ),
    _located("sqlite"),
    postgresql=_located("postgresql"),
)


def _read(entity: str) -> Subquery:
    s, p = series.c, points.c
    identifier = [s.identifier] if entity == "track" else []
    columns = (s.uuid.label(f"{entity}_uuid"), s.platform, s.metric, *identifier, p.day.label("date"))
    joined = series.join(points, p.series_id == s.id)
    query = select(*columns, p.value, p.fetched_at).select_from(joined)
    return query.where(s.entity == entity).subquery(f"{entity}_audience")


def _read_located() -> Subquery:
    s, p, at = series.c, located_points.c, places.c
    columns = (s.uuid.label("artist_uuid"), s.platform, s.metric, p.day.label("date"))
    joined = series.join(located_points, p.series_id == s.id).join(places, at.id == p.place_id)
    query = select(*columns, at.country_code, at.region, at.city_name, p.value).select_from(joined)
    return query.where(s.entity == "artist").subquery("artist_audience_geo")


# What the views say, days and moments as they are kept: a question for a span of days reads that span alone.
TRACK, ARTIST, LOCATED = _read("track"), _read("artist"), _read_located()
POINTS = {"track": TRACK, "artist": ARTIST}

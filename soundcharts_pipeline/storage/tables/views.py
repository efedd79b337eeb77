"""Every view of the warehouse once: columns with their comments, and the SELECT behind them, for both databases.

Whatever a query asks for (a track, the tracks of another query) must reach the keys of the tables: with ten million
points a view that is computed whole takes a minute. SQLite gets there through look-ups in the key, and through a UNION
ALL only when the columns of its parts have the same type, hence the CASTs. PostgreSQL may answer such look-ups by
hashing the whole table, so it is told to go entity by entity, which LATERAL does.
"""

from typing import Any

from sqlalchemy import BigInteger, Column, Date, Integer, String, Table

from soundcharts_pipeline.storage.tables import audience as promised
from soundcharts_pipeline.storage.tables import audience_views as audience
from soundcharts_pipeline.storage.tables.audience import views_metadata as metadata
from soundcharts_pipeline.storage.tables.audience_views import texts
from soundcharts_pipeline.storage.tables.meanings import describe
from soundcharts_pipeline.storage.tables.view_sql import View

_ENTRY = """r.chart_slug, c.name, c.platform, r.rank_date, r.position, r.track_uuid, t.name, t.credit_name, t.isrc,
       r.old_position, r.position_change, r.metric, r.metric_type, r.entry_date,
       r.time_on_chart, r.time_on_chart_unit"""


def _entry_columns() -> list[Column[Any]]:
    return [
        *texts("chart_slug", "chart", "platform"),
        Column("rank_date", Date),
        Column("position", Integer),
        *texts("track_uuid", "track", "credit_name", "isrc"),
        Column("old_position", Integer, comment="place before; null for a new entry"),
        Column("position_change", Integer, comment="places gained (+) or lost (-); null for a new entry"),
        Column("metric", BigInteger, comment="what the chart counts"),
        Column("metric_type", String),
        Column("entry_date", Date),
        Column("time_on_chart", Integer),
        Column("time_on_chart_unit", String, comment="DOC: days on chart, WOC: weeks on chart"),
    ]


chart_history = View(
    Table(
        "chart_history",
        metadata,
        *_entry_columns(),
        comment="One track on its position of one chart on one day, with names",
    ),
    f"""
SELECT {_ENTRY}
FROM chart_rankings r
JOIN charts c ON c.slug = r.chart_slug
JOIN tracks t ON t.uuid = r.track_uuid
""",  # noqa: S608  # columns of ours
)

current_charts = View(
    Table(
        "current_charts",
        metadata,
        *_entry_columns(),
        Column("peak_position", Integer, comment="best place on this chart in the stored rankings"),
        Column("days_ranked", Integer, comment="stored rankings of this chart that have the track"),
        Column("first_ranked", Date, comment="the first of them"),
        comment="One track on its position in the newest stored ranking of a chart, with its past there",
    ),
    f"""
SELECT {_ENTRY},
       (SELECT min(b.position) FROM chart_rankings b WHERE b.track_uuid = r.track_uuid AND b.chart_slug = r.chart_slug),
       (SELECT count(DISTINCT b.rank_date) FROM chart_rankings b
        WHERE b.track_uuid = r.track_uuid AND b.chart_slug = r.chart_slug),
       (SELECT min(b.rank_date) FROM chart_rankings b WHERE b.track_uuid = r.track_uuid AND b.chart_slug = r.chart_slug)
FROM charts c
JOIN chart_rankings r
  ON r.chart_slug = c.slug
 AND r.rank_date = (SELECT max(b.rank_date) FROM chart_rankings b WHERE b.chart_slug = c.slug)
JOIN tracks t ON t.uuid = r.track_uuid
""",  # noqa: S608
)


def _overview(entity: str, select: str, day: str) -> str:
    """The SELECT with the newest day of any series of the entity's, as its last column."""
    newest = "max((SELECT max(p.day) FROM points p WHERE p.series_id = s.id))"
    of = f"FROM series s WHERE s.entity = '{entity}' AND s.uuid = {entity}s.uuid"
    return f"{select.rstrip()},\n       (SELECT {day.format(newest)} {of})\nFROM {entity}s\n"


_DAY_OF_SQLITE, _DAY = "date({} + 2440587.5)", "{}"

_TRACK = """
SELECT tracks.uuid, tracks.name, tracks.credit_name, tracks.isrc, tracks.release_date,
       (SELECT count(DISTINCT r.chart_slug) FROM chart_rankings r WHERE r.track_uuid = tracks.uuid),
       (SELECT min(r.position) FROM chart_rankings r WHERE r.track_uuid = tracks.uuid),
       (SELECT min(r.rank_date) FROM chart_rankings r WHERE r.track_uuid = tracks.uuid),
       (SELECT max(r.rank_date) FROM chart_rankings r WHERE r.track_uuid = tracks.uuid)"""

track_overview = View(
    Table(
        "track_overview",
        metadata,
        *texts("uuid", "name", "credit_name", "isrc"),
        Column("release_date", Date),
        Column("charts", Integer, comment="charts that ever ranked it"),
        Column("best_position", Integer),
        Column("first_ranked", Date),
        Column("last_ranked", Date),
        Column("latest_point", Date, comment="newest day of any of its series"),
        comment="One track with its places on all stored charts",
    ),
    _overview("track", _TRACK, _DAY_OF_SQLITE),
    postgresql=_overview("track", _TRACK, _DAY),
)

_RANKED = """FROM chart_rankings r
        WHERE r.track_uuid IN (SELECT k.track_uuid FROM track_artists k WHERE k.artist_uuid = artists.uuid)"""

_ARTIST = f"""
SELECT artists.uuid, artists.name, artists.country_code, artists.city_name, artists.career_stage, artists.growth_level,
       (SELECT count(DISTINCT k.track_uuid) FROM track_artists k WHERE k.artist_uuid = artists.uuid),
       (SELECT count(DISTINCT r.chart_slug) {_RANKED}),
       (SELECT min(r.position) {_RANKED}),
       (SELECT min(r.rank_date) {_RANKED}),
       (SELECT max(r.rank_date) {_RANKED})"""  # noqa: S608

artist_overview = View(
    Table(
        "artist_overview",
        metadata,
        *texts("uuid", "name", "country_code", "city_name", "career_stage", "growth_level"),
        Column("tracks", Integer, comment="stored tracks with any credit of the artist"),
        Column("charts", Integer, comment="charts that ever ranked one of them"),
        Column("best_position", Integer),
        Column("first_ranked", Date),
        Column("last_ranked", Date),
        Column("latest_point", Date, comment="newest day of any of the artist's series"),
        comment="One artist with the places of the artist's tracks on all stored charts",
    ),
    _overview("artist", _ARTIST, _DAY_OF_SQLITE),
    postgresql=_overview("artist", _ARTIST, _DAY),
)

VIEWS = (
    promised.track_audience,
    promised.artist_audience,
    promised.artist_audience_geo,
    audience.track_audience_daily,
    audience.artist_audience_daily,
    audience.audience_latest,
    audience.artist_audience_geo_latest,
    audience.coverage_gaps,
    chart_history,
    current_charts,
    track_overview,
    artist_overview,
)

# Words for the columns that have none above.
describe(view.table for view in VIEWS)

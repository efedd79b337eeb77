"""The views of the audience series: what a day brought, the newest values and places, and what is missing.

On SQLite each row is beside a look-up in the key; PostgreSQL goes entity by entity. `views` says why.

A difference that is no number of 64 bits is null: at one such row PostgreSQL fails the whole query, and SQLite has a
float. Its bounds are reckoned from the value before, so that they are such numbers themselves.
"""

from sqlalchemy import BigInteger, Column, Date, Integer, String, Table

from soundcharts_pipeline.storage.tables.audience import views_metadata as metadata
from soundcharts_pipeline.storage.tables.view_sql import View


def texts(*names: str) -> list[Column[str]]:
    """Columns of text."""
    return [Column(name, String) for name in names]


_SPAN = "days that `daily` covers: more than 1 after missing days; null for the first point; of {} always 1"

track_audience_daily = View(
    Table(
        "track_audience_daily",
        metadata,
        *texts("track_uuid", "platform", "metric", "identifier"),
        Column("date", Date),
        Column("value", BigInteger, comment="as the API gave it: a cumulative total, except for spins"),
        Column("days", Integer, comment=_SPAN.format("spins")),
        Column(
            "daily",
            BigInteger,
            comment="what the total grew by since the point before; null for the first point, where the total fell"
            " (a reset) and where 64 bits do not hold it; of spins the value itself",
        ),
        comment="One track, platform, metric, identifier and day, with what it gained",
    ),
    """
SELECT s.uuid, s.platform, s.metric, s.identifier, date(a.day + 2440587.5), a.value,
       CASE WHEN s.metric = 'spins' THEN 1 ELSE a.day - p.day END,
       CASE WHEN s.metric = 'spins' THEN a.value
            WHEN a.value BETWEEN p.value AND 9223372036854775807 + min(p.value, 0) THEN a.value - p.value END
FROM series s
JOIN points a ON a.series_id = s.id
LEFT JOIN points p
       ON p.series_id = a.series_id
      AND p.day = (SELECT max(b.day) FROM points b WHERE b.series_id = a.series_id AND b.day < a.day)
WHERE s.entity = 'track'
""",
    postgresql="""
SELECT s.uuid, s.platform, s.metric, s.identifier, a.day, a.value,
       CASE WHEN s.metric = 'spins' THEN 1 ELSE a.day - a.previous_day END,
       CASE WHEN s.metric = 'spins' THEN a.value
            WHEN a.value BETWEEN a.previous_value AND 9223372036854775807 + least(a.previous_value, 0)
            THEN a.value - a.previous_value END
FROM series s
CROSS JOIN LATERAL (SELECT p.day, p.value,
                           lag(p.day) OVER days AS previous_day, lag(p.value) OVER days AS previous_value
                    FROM points p WHERE p.series_id = s.id WINDOW days AS (ORDER BY p.day)) a
WHERE s.entity = 'track'
""",
)

artist_audience_daily = View(
    Table(
        "artist_audience_daily",
        metadata,
        *texts("artist_uuid", "platform", "metric"),
        Column("date", Date),
        Column("value", BigInteger, comment="as the API gave it: a level, except for views"),
        Column("days", Integer, comment=_SPAN.format("views")),
        Column(
            "daily",
            BigInteger,
            comment="what the level changed by since the point before, also downwards; null for the first point and"
            " where 64 bits do not hold it; of views the value itself",
        ),
        comment="One artist, platform, metric and day, with what changed",
    ),
    """
SELECT s.uuid, s.platform, s.metric, date(a.day + 2440587.5), a.value,
       CASE WHEN s.metric = 'views' THEN 1 ELSE a.day - p.day END,
       CASE WHEN s.metric = 'views' THEN a.value
            WHEN a.value BETWEEN max(p.value, 0) - 9223372036854775807 - 1 AND 9223372036854775807 + min(p.value, 0)
            THEN a.value - p.value END
FROM series s
JOIN points a ON a.series_id = s.id
LEFT JOIN points p
       ON p.series_id = a.series_id
      AND p.day = (SELECT max(b.day) FROM points b WHERE b.series_id = a.series_id AND b.day < a.day)
WHERE s.entity = 'artist'
""",
    postgresql="""
SELECT s.uuid, s.platform, s.metric, a.day, a.value,
       CASE WHEN s.metric = 'views' THEN 1 ELSE a.day - a.previous_day END,
       CASE WHEN s.metric = 'views' THEN a.value
            WHEN a.value BETWEEN greatest(a.previous_value, 0) - 9223372036854775807 - 1
                             AND 9223372036854775807 + least(a.previous_value, 0)
            THEN a.value - a.previous_value END
FROM series s
CROSS JOIN LATERAL (SELECT p.day, p.value,
                           lag(p.day) OVER days AS previous_day, lag(p.value) OVER days AS previous_value
                    FROM points p WHERE p.series_id = s.id WINDOW days AS (ORDER BY p.day)) a
WHERE s.entity = 'artist'
""",
)

audience_latest = View(
    Table(
        "audience_latest",
        metadata,
        Column("entity", String, comment="track or artist"),
        *texts("uuid", "platform", "metric"),
        Column("identifier", String, comment="'' for artists; values of several identifiers are no sum of their own"),
        Column("date", Date, comment="the newest day that has a value"),
        Column("value", BigInteger),
        comment="The newest value of one series of a track (per identifier) or artist",
    ),
    """
SELECT s.entity, s.uuid, s.platform, s.metric, s.identifier, date(a.day + 2440587.5), a.value
FROM series s
JOIN points a ON a.series_id = s.id AND a.day = (SELECT max(b.day) FROM points b WHERE b.series_id = s.id)
""",
    postgresql="""
SELECT s.entity, s.uuid, s.platform, s.metric, s.identifier, a.day, a.value
FROM series s
CROSS JOIN LATERAL (SELECT p.day, p.value FROM points p WHERE p.series_id = s.id ORDER BY p.day DESC LIMIT 1) a
""",
)

artist_audience_geo_latest = View(
    Table(
        "artist_audience_geo_latest",
        metadata,
        *texts("artist_uuid", "platform", "metric"),
        Column("date", Date, comment="the newest day of the series that has places: weekly or monthly at best"),
        *texts("country_code", "region"),
        Column("city_name", String, comment="'' for a whole country, which is the sum of its listed cities alone"),
        Column("value", BigInteger),
        comment="One place of an artist's newest located day",
    ),
    """
SELECT s.uuid, s.platform, s.metric, date(a.day + 2440587.5), l.country_code, l.region, l.city_name, a.value
FROM series s
JOIN located_points a
  ON a.series_id = s.id AND a.day = (SELECT max(b.day) FROM located_points b WHERE b.series_id = s.id)
JOIN places l ON l.id = a.place_id
WHERE s.entity = 'artist'
""",
    postgresql="""
SELECT s.uuid, s.platform, s.metric, a.day, l.country_code, l.region, l.city_name, a.value
FROM series s
CROSS JOIN LATERAL (SELECT p.day FROM located_points p WHERE p.series_id = s.id ORDER BY p.day DESC LIMIT 1) newest
JOIN located_points a ON a.series_id = s.id AND a.day = newest.day
JOIN places l ON l.id = a.place_id
WHERE s.entity = 'artist'
""",
)

coverage_gaps = View(
    Table(
        "coverage_gaps",
        metadata,
        Column("entity", String, comment="track, artist or chart"),
        Column("id", String, comment="uuid of the track or artist, slug of the chart"),
        Column("platform", String),
        Column("metric", String, comment="of a chart: ranking"),
        Column("identifier", String, comment="'' for artists and charts"),
        Column("first_day", Date, comment="the first missing day"),
        Column("last_day", Date, comment="the last missing day"),
        Column("days", Integer),
        comment="Missing days between two points of a series (spins are not a series), or a published ranking that is"
        " not stored",
    ),
    """
SELECT s.entity, s.uuid, s.platform, s.metric, s.identifier, date(p.day + 2440588.5), date(d.day + 2440586.5),
       CAST(d.day - p.day - 1 AS INTEGER)
FROM series s
JOIN points d ON d.series_id = s.id
JOIN points p
  ON p.series_id = s.id
 AND p.day = (SELECT max(b.day) FROM points b WHERE b.series_id = d.series_id AND b.day < d.day)
WHERE s.metric <> 'spins' AND d.day - p.day > 1
UNION ALL
SELECT CAST('chart' AS VARCHAR), d.chart_slug, c.platform, CAST('ranking' AS VARCHAR), CAST('' AS VARCHAR),
       date(d.rank_date), date(d.rank_date), CAST(1 AS INTEGER)
FROM ranking_days d
JOIN charts c ON c.slug = d.chart_slug
WHERE d.published_at IS NOT NULL AND d.saved_at IS NULL
""",
    postgresql="""
SELECT e.entity, e.id, e.platform, e.metric, e.identifier, a.first_day, a.last_day, a.last_day - a.first_day + 1
FROM (SELECT id AS number, entity, uuid AS id, platform, metric, identifier FROM series WHERE metric <> 'spins'
      UNION ALL SELECT 0, 'chart', slug, platform, 'ranking', '' FROM charts) e
CROSS JOIN LATERAL (
    SELECT p.day - 1 AS last_day, 1 + lag(p.day) OVER (ORDER BY p.day) AS first_day
    FROM points p WHERE p.series_id = e.number
    UNION ALL
    SELECT d.rank_date, d.rank_date FROM ranking_days d
    WHERE e.entity = 'chart' AND d.chart_slug = e.id AND d.published_at IS NOT NULL AND d.saved_at IS NULL) a
WHERE a.first_day <= a.last_day
""",
)

"""The views of the audience series: what a day brought, the newest values and places, and what is missing.

On SQLite each row is beside a look-up in the key; PostgreSQL goes entity by entity. `views` says why.
"""

from sqlalchemy import BigInteger, Column, Date, Integer, MetaData, String, Table

from soundcharts_pipeline.storage.view_sql import View

# Whoever needs every view takes it from `storage.views`, which adds its own.
metadata = MetaData()


def texts(*names: str) -> list[Column[str]]:
    """Columns of text."""
    return [Column(name, String) for name in names]


_SPAN = "days that `daily` covers: more than 1 after missing days; null for the first point of a series"

track_audience_daily = View(
    Table(
        "track_audience_daily",
        metadata,
        *texts("track_uuid", "platform", "metric", "identifier"),
        Column("date", Date),
        Column("value", BigInteger, comment="as the API gave it: a cumulative total, except for spins"),
        Column("days", Integer, comment=_SPAN),
        Column(
            "daily",
            BigInteger,
            comment="what the total grew by since the point before; null for the first point and where the total fell"
            " (a reset); of spins the value itself",
        ),
        comment="One track, platform, metric, identifier and day, with what it gained",
    ),
    """
SELECT a.track_uuid, a.platform, a.metric, a.identifier, a.date, a.value,
       CASE WHEN a.metric = 'spins' THEN 1 ELSE CAST(julianday(a.date) - julianday(p.date) AS INTEGER) END,
       CASE WHEN a.metric = 'spins' THEN a.value WHEN a.value >= p.value THEN a.value - p.value END
FROM track_audience a
LEFT JOIN track_audience p
       ON p.track_uuid = a.track_uuid AND p.platform = a.platform AND p.metric = a.metric
      AND p.identifier = a.identifier
      AND p.date = (SELECT max(b.date) FROM track_audience b
                    WHERE b.track_uuid = a.track_uuid AND b.platform = a.platform AND b.metric = a.metric
                      AND b.identifier = a.identifier AND b.date < a.date)
""",
    postgresql="""
SELECT t.uuid, a.platform, a.metric, a.identifier, a.date, a.value,
       CASE WHEN a.metric = 'spins' THEN 1 ELSE a.date - a.previous_date END,
       CASE WHEN a.metric = 'spins' THEN a.value WHEN a.value >= a.previous_value THEN a.value - a.previous_value END
FROM tracks t
CROSS JOIN LATERAL (SELECT p.platform, p.metric, p.identifier, p.date, p.value,
                           lag(p.date) OVER series AS previous_date, lag(p.value) OVER series AS previous_value
                    FROM track_audience p WHERE p.track_uuid = t.uuid
                    WINDOW series AS (PARTITION BY p.platform, p.metric, p.identifier ORDER BY p.date)) a
""",
)

artist_audience_daily = View(
    Table(
        "artist_audience_daily",
        metadata,
        *texts("artist_uuid", "platform", "metric"),
        Column("date", Date),
        Column("value", BigInteger, comment="as the API gave it: a level, except for views"),
        Column("days", Integer, comment=_SPAN),
        Column(
            "daily",
            BigInteger,
            comment="what the level changed by since the point before, also downwards; null for the first point; of"
            " views the value itself",
        ),
        comment="One artist, platform, metric and day, with what changed",
    ),
    """
SELECT a.artist_uuid, a.platform, a.metric, a.date, a.value,
       CASE WHEN a.metric = 'views' THEN 1 ELSE CAST(julianday(a.date) - julianday(p.date) AS INTEGER) END,
       CASE WHEN a.metric = 'views' THEN a.value ELSE a.value - p.value END
FROM artist_audience a
LEFT JOIN artist_audience p
       ON p.artist_uuid = a.artist_uuid AND p.platform = a.platform AND p.metric = a.metric
      AND p.date = (SELECT max(b.date) FROM artist_audience b
                    WHERE b.artist_uuid = a.artist_uuid AND b.platform = a.platform AND b.metric = a.metric
                      AND b.date < a.date)
""",
    postgresql="""
SELECT t.uuid, a.platform, a.metric, a.date, a.value,
       CASE WHEN a.metric = 'views' THEN 1 ELSE a.date - a.previous_date END,
       CASE WHEN a.metric = 'views' THEN a.value ELSE a.value - a.previous_value END
FROM artists t
CROSS JOIN LATERAL (SELECT p.platform, p.metric, p.date, p.value,
                           lag(p.date) OVER series AS previous_date, lag(p.value) OVER series AS previous_value
                    FROM artist_audience p WHERE p.artist_uuid = t.uuid
                    WINDOW series AS (PARTITION BY p.platform, p.metric ORDER BY p.date)) a
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
SELECT 'track', a.track_uuid, a.platform, a.metric, a.identifier, a.date, a.value
FROM track_audience a
WHERE a.date = (SELECT max(b.date) FROM track_audience b
                WHERE b.track_uuid = a.track_uuid AND b.platform = a.platform AND b.metric = a.metric
                  AND b.identifier = a.identifier)
UNION ALL
SELECT 'artist', a.artist_uuid, a.platform, a.metric, CAST('' AS VARCHAR), a.date, a.value
FROM artist_audience a
WHERE a.date = (SELECT max(b.date) FROM artist_audience b
                WHERE b.artist_uuid = a.artist_uuid AND b.platform = a.platform AND b.metric = a.metric)
""",
    postgresql="""
SELECT e.entity, e.uuid, a.platform, a.metric, a.identifier, a.date, a.value
FROM (SELECT 'track' AS entity, uuid FROM tracks UNION ALL SELECT 'artist', uuid FROM artists) e
CROSS JOIN LATERAL (
    (SELECT DISTINCT ON (p.platform, p.metric, p.identifier) p.platform, p.metric, p.identifier, p.date, p.value
     FROM track_audience p WHERE e.entity = 'track' AND p.track_uuid = e.uuid
     ORDER BY p.platform, p.metric, p.identifier, p.date DESC)
    UNION ALL
    (SELECT DISTINCT ON (p.platform, p.metric) p.platform, p.metric, '', p.date, p.value
     FROM artist_audience p WHERE e.entity = 'artist' AND p.artist_uuid = e.uuid
     ORDER BY p.platform, p.metric, p.date DESC)) a
""",
)

# A series has 75 places on each of its days. SQLite knows no LATERAL, but a list in JSON may lean on the row beside it:
# the newest days of 200 artists with a year of weeks take a third of the time of one look-up for each place.
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
SELECT a.artist_uuid, a.platform, a.metric, a.date, a.country_code, a.region, a.city_name, a.value
FROM artists t
CROSS JOIN json_each((SELECT json_group_array(json_array(newest.platform, newest.metric, newest.date))
                      FROM (SELECT g.platform, g.metric, max(g.date) AS date FROM artist_audience_geo g
                            WHERE g.artist_uuid = t.uuid GROUP BY g.platform, g.metric) newest)) listed
CROSS JOIN artist_audience_geo a
        ON a.artist_uuid = t.uuid AND a.platform = json_extract(listed.value, '$[0]')
       AND a.metric = json_extract(listed.value, '$[1]') AND a.date = json_extract(listed.value, '$[2]')
""",
    postgresql="""
SELECT t.uuid, a.platform, a.metric, a.date, a.country_code, a.region, a.city_name, a.value
FROM artists t
CROSS JOIN LATERAL (SELECT p.platform, p.metric, max(p.date) AS date FROM artist_audience_geo p
                    WHERE p.artist_uuid = t.uuid GROUP BY p.platform, p.metric) newest
JOIN artist_audience_geo a
  ON a.artist_uuid = t.uuid AND a.platform = newest.platform AND a.metric = newest.metric AND a.date = newest.date
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
SELECT 'track', d.track_uuid, d.platform, d.metric, d.identifier, date(p.date, '+1 day'), date(d.date, '-1 day'),
       CAST(julianday(d.date) - julianday(p.date) - 1 AS INTEGER)
FROM track_audience d
JOIN track_audience p
  ON p.track_uuid = d.track_uuid AND p.platform = d.platform AND p.metric = d.metric AND p.identifier = d.identifier
 AND p.date = (SELECT max(b.date) FROM track_audience b
               WHERE b.track_uuid = d.track_uuid AND b.platform = d.platform AND b.metric = d.metric
                 AND b.identifier = d.identifier AND b.date < d.date)
WHERE d.metric <> 'spins' AND julianday(d.date) - julianday(p.date) > 1
UNION ALL
SELECT 'artist', d.artist_uuid, d.platform, d.metric, CAST('' AS VARCHAR),
       date(p.date, '+1 day'), date(d.date, '-1 day'), CAST(julianday(d.date) - julianday(p.date) - 1 AS INTEGER)
FROM artist_audience d
JOIN artist_audience p
  ON p.artist_uuid = d.artist_uuid AND p.platform = d.platform AND p.metric = d.metric
 AND p.date = (SELECT max(b.date) FROM artist_audience b
               WHERE b.artist_uuid = d.artist_uuid AND b.platform = d.platform AND b.metric = d.metric
                 AND b.date < d.date)
WHERE julianday(d.date) - julianday(p.date) > 1
UNION ALL
SELECT 'chart', d.chart_slug, c.platform, CAST('ranking' AS VARCHAR), CAST('' AS VARCHAR),
       date(d.rank_date), date(d.rank_date), CAST(1 AS INTEGER)
FROM ranking_days d
JOIN charts c ON c.slug = d.chart_slug
WHERE d.published_at IS NOT NULL AND d.saved_at IS NULL
""",
    postgresql="""
SELECT e.entity, e.id, a.platform, a.metric, a.identifier, a.first_day, a.last_day, a.last_day - a.first_day + 1
FROM (SELECT 'track' AS entity, uuid AS id FROM tracks
      UNION ALL SELECT 'artist', uuid FROM artists
      UNION ALL SELECT 'chart', slug FROM charts) e
CROSS JOIN LATERAL (
    SELECT p.platform, p.metric, p.identifier, p.date - 1 AS last_day, 1 + lag(p.date) OVER
           (PARTITION BY p.platform, p.metric, p.identifier ORDER BY p.date) AS first_day
    FROM track_audience p WHERE e.entity = 'track' AND p.track_uuid = e.id AND p.metric <> 'spins'
    UNION ALL
    SELECT p.platform, p.metric, '', p.date - 1, 1 + lag(p.date) OVER
           (PARTITION BY p.platform, p.metric ORDER BY p.date)
    FROM artist_audience p WHERE e.entity = 'artist' AND p.artist_uuid = e.id
    UNION ALL
    SELECT c.platform, 'ranking', '', p.rank_date, p.rank_date
    FROM ranking_days p JOIN charts c ON c.slug = p.chart_slug
    WHERE e.entity = 'chart' AND p.chart_slug = e.id AND p.published_at IS NOT NULL AND p.saved_at IS NULL) a
WHERE a.first_day <= a.last_day
""",
)

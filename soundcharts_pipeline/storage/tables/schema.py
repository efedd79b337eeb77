"""Every warehouse table once: columns, natural key, comment. Those that hold no music are in `bookkeeping`.

Times are UTC; days are DATE. The same definitions serve SQLite and PostgreSQL; what an installed database
looks like is decided by the migrations, and a test keeps the two equal.
"""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Date, Float, Index, Integer, String, Table

from soundcharts_pipeline.storage.tables import audience, bookkeeping
from soundcharts_pipeline.storage.tables.columns import Document, UtcDateTime, key
from soundcharts_pipeline.storage.tables.meanings import describe

# Every table: those of the bookkeeping, and those below.
metadata = bookkeeping.metadata

charts = Table(
    "charts",
    metadata,
    key("slug"),
    Column("name", String, nullable=False),
    Column("platform", String, nullable=False),
    Column("country_code", String),
    Column("city_name", String),
    Column("frequency", String),
    Column("type", String),
    Column("max_results", Integer),
    Column("web_url", String),
    comment="One chart: a list definition",
)

ranking_days = Table(
    "ranking_days",
    metadata,
    key("chart_slug"),
    key("rank_date", Date),
    Column("published_at", String, comment="the API's exact timestamp; null: it is confirmed that none exists"),
    Column("checked_at", UtcDateTime, nullable=False, comment="when the list of rankings last said so"),
    Column("saved_at", UtcDateTime, comment="when the ranking itself was saved, whole; null: not yet"),
    Column(
        "saved_version",
        String,
        comment="published_at of the ranking that is stored; where they differ, a later version was not fetched; null"
        " with a saved ranking: places could not be read, it is fetched again",
    ),
    Column(
        "changed_at",
        UtcDateTime,
        comment="when a ranking that differs took the place of the stored one, or one was listed for a day that had"
        " none; null: never",
    ),
    Column(
        "completed_at",
        UtcDateTime,
        comment="when the last step of a run had all that the chart asks for of the day; null: not yet",
    ),
    comment="One chart on one day: whether a ranking is published, and whether it is here",
)

chart_rankings = Table(
    "chart_rankings",
    metadata,
    key("chart_slug"),
    key("rank_date", Date),
    key("position", Integer),
    key("track_uuid"),
    Column("old_position", Integer, comment="place before; null for a new entry"),
    Column("position_change", Integer, comment="places gained (+) or lost (-); null for a new entry"),
    Column("metric", BigInteger, comment="what the chart counts, e.g. streams"),
    Column("metric_type", String),
    Column("entry_state", String),
    Column("entry_date", Date),
    Column("time_on_chart", Integer),
    Column("time_on_chart_unit", String, comment="DOC: days on chart, WOC: weeks on chart"),
    Column("fetched_at", UtcDateTime, nullable=False),
    # Of a track, its places in one chart: the key, which has them too, begins with every day of the chart.
    Index(None, "track_uuid", "chart_slug", "rank_date", "position"),
    comment="One track on its position of one chart on one day; tracks may share a position",
)

tracks = Table(
    "tracks",
    metadata,
    key("uuid"),
    Column("name", String, nullable=False),
    Column("slug", String),
    Column("credit_name", String),
    Column("image_url", String),
    Column("isrc", String),
    Column("release_date", Date),
    Column("duration_seconds", Integer),
    Column("explicit", Boolean),
    Column("language_code", String),
    Column("copyright", String),
    Column("distributor", String),
    Column("app_url", String),
    Column("preview_url", String),
    Column("labels", Document),
    Column("composers", Document),
    Column("producers", Document),
    Column("iswcs", Document),
    Column("audio_features", Document),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("metadata_fetched_at", UtcDateTime, comment="null: named by a ranking, metadata not fetched yet"),
    Column("artists_extracted", Boolean, nullable=False, comment="whether its artists are in track_artists"),
    Column("genres_extracted", Boolean, nullable=False, comment="whether its genres are in track_genres"),
    comment="One track",
)

artists = Table(
    "artists",
    metadata,
    key("uuid"),
    Column("name", String, nullable=False),
    Column("display_name", String),
    Column("slug", String),
    Column("image_url", String),
    Column("app_url", String),
    Column("web_url", String),
    Column("country_code", String),
    Column("city_name", String),
    Column("biography", String),
    Column("career_stage", String),
    Column("growth_level", String),
    Column("gender", String),
    Column("type", String),
    Column("birth_date", Date),
    Column("isni", String),
    Column("ipi", String),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("metadata_fetched_at", UtcDateTime, comment="null: credited on a track, metadata not fetched yet"),
    comment="One artist",
)

track_artists = Table(
    "track_artists",
    metadata,
    key("track_uuid"),
    key("artist_uuid"),
    key("role"),
    Column("position", Integer, nullable=False, comment="0-based order within the role"),
    Index(None, "artist_uuid"),
    comment="One artist's role on one track: main, featured or credited",
)

genres = Table(
    "genres",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("root", String, nullable=False),
    Column("name", String, nullable=False, comment="the sub-genre; '' for the root itself"),
    Index(None, "root", "name", unique=True),
    comment="One genre",
)

track_genres = Table(
    "track_genres",
    metadata,
    key("track_uuid"),
    key("genre_id", Integer),
    comment="One genre of one track",
)

artist_genres = Table(
    "artist_genres",
    metadata,
    key("artist_uuid"),
    key("genre_id", Integer),
    comment="One genre of one artist",
)

# The audience: the names that are promised are views over the series and points of `audience`.
track_audience = audience.track_audience.table
artist_audience = audience.artist_audience.table
artist_audience_geo = audience.artist_audience_geo.table
AUDIENCE = (track_audience, artist_audience, artist_audience_geo)

# The spans, in days, over which a trend is told.
TREND_DAYS = (1, 7, 28, 90)
# A base day without a value gives way to one at most this much earlier; small artists are updated every few days.
SLACK_DAYS = 2
# A series whose newest value is older than this says nothing of the day.
LATEST_WITHIN_DAYS = 28


def base_days(days: int) -> range:
    """How many days before the newest value the one may lie that a figure over so many days compares with: the first
    of these that has a value. A day is a day: of one there is no other."""
    return range(days, days + 1 + (SLACK_DAYS if days > 1 else 0))


def _compared(days: int) -> list[Column[Any]]:
    """How a value moved over so many days; all null when there is nothing to compare with."""
    span = f"{days} days" if days > 1 else "the day"
    return [
        Column(f"difference_{days}", BigInteger, comment=f"value less the value {span} before"),
        Column(f"change_{days}", Float, comment=f"difference_{days} as a share of the value before"),
        Column(f"growth_{days}", Float, comment=f"the same as a compound rate per day, over span_{days} days"),
        Column(f"span_{days}", Integer, comment="days that really lie between the two values"),
    ]


audience_trends = Table(
    "audience_trends",
    metadata,
    key("chart_slug"),
    key("rank_date", Date),
    key("entity"),
    key("uuid"),
    key("platform"),
    key("metric"),
    Column("date", Date, nullable=False, comment="the newest day up to rank_date that has a value"),
    Column("value", BigInteger, nullable=False, comment="on that day, over the identifiers that have one"),
    Column("identifiers", Integer, nullable=False, comment="how many identifiers those are; 1 for artists"),
    Column(
        "points", Integer, nullable=False, comment="days of the 90 up to rank_date that have a value of all of them"
    ),
    Column("average", Float, comment="mean of those values"),
    Column("peak", BigInteger, comment="the highest of those values"),
    Column("peak_date", Date),
    Column("daily", BigInteger, comment="gained on `date` alone; null without a value of the day before"),
    Column("daily_points", Integer, nullable=False, comment="days of the 90 whose gain is known"),
    Column("daily_average", Float, comment="mean of those gains"),
    Column("daily_peak", BigInteger),
    Column("daily_peak_date", Date),
    *(column for days in TREND_DAYS for column in _compared(days)),
    Column(
        "streak",
        Integer,
        nullable=False,
        comment="days in a row, up to `date`, that beat the day before, among the 121 up to rank_date",
    ),
    Column("velocity", Float, comment="slope of the last 7 days, in units of the metric per day"),
    Column("anomaly", Boolean, comment="the last gain is far from those of the 28 days before; null: too few of them"),
    comment="One track or artist of a chart-day, platform and metric (entity: track or artist): how it develops",
)

# Words for the columns that have none above.
describe(metadata.tables.values())

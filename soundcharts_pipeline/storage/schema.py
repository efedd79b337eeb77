"""Every warehouse table once: columns, natural key, comment.

Times are UTC; days are DATE. The same definitions serve SQLite and PostgreSQL; what an installed database
looks like is decided by the migrations, and a test keeps the two equal.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
)
from sqlalchemy.dialects.postgresql import JSONB


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime: TIMESTAMP WITH TIME ZONE on PostgreSQL, naive UTC text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; times are stored in UTC")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


# JSONB, because PostgreSQL cannot compare two values of its JSON type, and a merge has to.
Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

metadata = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_N_name)s"},
)


def _key(name: str, kind: Any = String) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False)


charts = Table(
    "charts",
    metadata,
    _key("slug"),
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
    _key("chart_slug"),
    _key("rank_date", Date),
    Column("published_at", String, comment="the API's exact timestamp; null: confirmed that none exists"),
    Column("checked_at", UtcDateTime, nullable=False, comment="when the list of rankings last said so"),
    Column("saved_at", UtcDateTime, comment="when the ranking itself was saved, whole"),
    comment="One chart on one day: whether a ranking is published, and whether it is here",
)

chart_rankings = Table(
    "chart_rankings",
    metadata,
    _key("chart_slug"),
    _key("rank_date", Date),
    _key("position", Integer),
    Column("track_uuid", String, nullable=False),
    Column("old_position", Integer, comment="null for a new entry"),
    Column("position_change", Integer, comment="places gained (+) or lost (-); null for a new entry"),
    Column("metric", BigInteger, comment="what the chart counts, e.g. streams"),
    Column("metric_type", String),
    Column("entry_state", String),
    Column("entry_date", Date),
    Column("time_on_chart", Integer),
    Column("time_on_chart_unit", String, comment="DOC: days on chart, WOC: weeks on chart"),
    Column("fetched_at", UtcDateTime, nullable=False),
    Index(None, "track_uuid", "rank_date"),
    comment="One position of one chart on one day",
)

tracks = Table(
    "tracks",
    metadata,
    _key("uuid"),
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
    Column("metadata_fetched_at", UtcDateTime, comment="null: seen in a ranking, metadata not fetched yet"),
    Column("artists_extracted", Boolean, nullable=False, comment="its artists are in track_artists"),
    Column("genres_extracted", Boolean, nullable=False, comment="its genres are in track_genres"),
    comment="One track",
)

artists = Table(
    "artists",
    metadata,
    _key("uuid"),
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
    _key("track_uuid"),
    _key("artist_uuid"),
    _key("role"),
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
    "track_genres", metadata, _key("track_uuid"), _key("genre_id", Integer), comment="One genre of one track"
)

artist_genres = Table(
    "artist_genres",
    metadata,
    _key("artist_uuid"),
    _key("genre_id", Integer),
    comment="One genre of one artist",
)

# The audience tables hold nearly all rows. Without its hidden rowid SQLite keeps such a table in its key: a third
# smaller, and a series is read in one place.
track_audience = Table(
    "track_audience",
    metadata,
    _key("track_uuid"),
    _key("platform"),
    _key("metric"),
    _key("identifier"),
    _key("date", Date),
    Column(
        "value",
        BigInteger,
        nullable=False,
        comment="as the API gave it: a cumulative total on most platforms",
    ),
    Column("fetched_at", UtcDateTime, nullable=False),
    comment="One track, platform, metric, identifier and day",
    sqlite_with_rowid=False,
)

artist_audience = Table(
    "artist_audience",
    metadata,
    _key("artist_uuid"),
    _key("platform"),
    _key("metric"),
    _key("date", Date),
    Column("value", BigInteger, nullable=False),
    Column("fetched_at", UtcDateTime, nullable=False),
    comment="One artist, platform, metric and day",
    sqlite_with_rowid=False,
)

artist_audience_geo = Table(
    "artist_audience_geo",
    metadata,
    _key("artist_uuid"),
    _key("platform"),
    _key("metric"),
    _key("date", Date),
    _key("country_code"),
    _key("region"),
    _key("city_name"),
    Column("value", BigInteger, nullable=False),
    comment="One artist, platform, metric, day and place; city_name '' is a whole country (a partial sum)",
    sqlite_with_rowid=False,
)

audience_asks = Table(
    "audience_asks",
    metadata,
    _key("entity"),
    _key("uuid"),
    _key("platform"),
    _key("metric"),
    _key("start_date", Date),
    _key("end_date", Date),
    Column("settled_date", Date, comment="last day that no later call can change; null: none yet"),
    Column("asked_at", UtcDateTime, nullable=False),
    comment="One answered window of one series (entity: track or artist)",
)

tombstones = Table(
    "tombstones",
    metadata,
    _key("entity"),
    _key("uuid"),
    _key("scope"),
    Column("reason", String, nullable=False),
    Column("noted_at", UtcDateTime, nullable=False),
    comment="Something the API does not have (scope: metadata, or platform/metric), not asked again for a while",
)

api_usage = Table(
    "api_usage",
    metadata,
    _key("day", Date),
    _key("endpoint"),
    Column("calls", BigInteger, nullable=False),
    Column("billed", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("throttled", BigInteger, nullable=False),
    Column("quota_remaining", BigInteger, comment="billed calls left, as last seen on that day"),
    comment="Calls made on one UTC day to one endpoint",
)

sync_progress = Table(
    "sync_progress",
    metadata,
    _key("run_id"),
    _key("step"),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    comment="How far one step of one run is, in entities",
)

claims = Table(
    "claims",
    metadata,
    _key("subject"),
    Column("holder", String, nullable=False, comment="host/process/number of the worker"),
    Column("until", UtcDateTime, nullable=False, comment="free for all after this time"),
    Index(None, "holder"),
    comment="Something that a run is asking the API for at this moment",
)

alerts = Table(
    "alerts",
    metadata,
    Column("subject", String, primary_key=True, comment="chart/asset; '' for the whole account"),
    Column("kind", String, primary_key=True, comment="name of the error or situation"),
    Column("what", String, nullable=False, comment="asset, chart and days, for people"),
    Column("message", String, nullable=False),
    Column("link", String, nullable=False, comment="path in Dagster's UI"),
    Column("since", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False, comment="when it last happened"),
    Column("told_at", UtcDateTime, comment="null: nobody was told yet"),
    Column("over_at", UtcDateTime, comment="recovered, which nobody was told yet"),
    Column("refused_by", String, comment="services that did not take the last message about it"),
    comment="One cause of failures that has not recovered",
)

facts = Table(
    "facts",
    metadata,
    _key("name"),
    Column("value", String, nullable=False),
    Column("noted_at", UtcDateTime, nullable=False),
    comment="What was learnt once about the API and need not be asked again",
)

rate_gate = Table(
    "rate_gate",
    metadata,
    _key("id", Integer),
    Column("calls", BigInteger, nullable=False, comment="taken since the table was made; numbers the calls"),
    Column("blocked_until", UtcDateTime, comment="no call leaves before: the server said so"),
    Column(
        "probe_from",
        BigInteger,
        comment="since a pause, calls leave singly until one from this number on was let in; null: as many as fit",
    ),
    Column("server_limit", Integer, comment="calls per minute, as the server last said"),
    Column("heard_call", BigInteger, comment="the newest call whose answer told what is left of the minute"),
    Column("allowed_calls", BigInteger, comment="that call and what was left: numbers the last call allowed"),
    Column("allowed_until", UtcDateTime, comment="when that minute is over"),
    Column("quota_left", BigInteger, comment="billed calls certainly left of the term; null: the server was not asked"),
    Column(
        "calls_out",
        Integer,
        nullable=False,
        server_default="0",
        comment="billed calls taken that are not known to be back; none a minute after the last one",
    ),
    Column("quota_taken_at", UtcDateTime, comment="when billed calls were last taken"),
    comment="When calls may leave, for all processes: one row",
)

rate_slots = Table(
    "rate_slots",
    metadata,
    _key("taken_until", UtcDateTime),
    Column("calls", Integer, nullable=False),
    comment="Calls taken in one moment of the last minute (a quarter of a second that ends then)",
)

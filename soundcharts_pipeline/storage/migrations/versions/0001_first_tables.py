"""Every table of the first version."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    _charts()
    _rankings()
    _tracks()
    _artists()
    _links_and_genres()
    _audience()
    _asks()
    _operations()


def _charts() -> None:
    op.create_table(
        "charts",
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("country_code", sa.String()),
        sa.Column("city_name", sa.String()),
        sa.Column("frequency", sa.String()),
        sa.Column("type", sa.String()),
        sa.Column("max_results", sa.Integer()),
        sa.Column("web_url", sa.String()),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_charts")),
        comment="One chart: a list definition",
    )
    op.create_table(
        "ranking_days",
        sa.Column("chart_slug", sa.String(), nullable=False),
        sa.Column("rank_date", sa.Date(), nullable=False),
        sa.Column("published_at", sa.String(), comment="the API's exact timestamp; null: confirmed that none exists"),
        sa.Column(
            "checked_at", sa.DateTime(timezone=True), nullable=False, comment="when the list of rankings last said so"
        ),
        sa.Column("saved_at", sa.DateTime(timezone=True), comment="when the ranking itself was saved, whole"),
        sa.PrimaryKeyConstraint("chart_slug", "rank_date", name=op.f("pk_ranking_days")),
        comment="One chart on one day: whether a ranking is published, and whether it is here",
    )


def _rankings() -> None:
    op.create_table(
        "chart_rankings",
        sa.Column("chart_slug", sa.String(), nullable=False),
        sa.Column("rank_date", sa.Date(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("track_uuid", sa.String(), nullable=False),
        sa.Column("old_position", sa.Integer(), comment="null for a new entry"),
        sa.Column("position_change", sa.Integer(), comment="places gained (+) or lost (-); null for a new entry"),
        sa.Column("metric", sa.BigInteger(), comment="what the chart counts, e.g. streams"),
        sa.Column("metric_type", sa.String()),
        sa.Column("entry_state", sa.String()),
        sa.Column("entry_date", sa.Date()),
        sa.Column("time_on_chart", sa.Integer()),
        sa.Column("time_on_chart_unit", sa.String(), comment="DOC: days on chart, WOC: weeks on chart"),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("chart_slug", "rank_date", "position", name=op.f("pk_chart_rankings")),
        comment="One position of one chart on one day",
    )
    op.create_index(
        op.f("ix_chart_rankings_track_uuid_rank_date"), "chart_rankings", ["track_uuid", "rank_date"], unique=False
    )


def _tracks() -> None:
    op.create_table(
        "tracks",
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("slug", sa.String()),
        sa.Column("credit_name", sa.String()),
        sa.Column("image_url", sa.String()),
        sa.Column("isrc", sa.String()),
        sa.Column("release_date", sa.Date()),
        sa.Column("duration_seconds", sa.Integer()),
        sa.Column("explicit", sa.Boolean()),
        sa.Column("language_code", sa.String()),
        sa.Column("copyright", sa.String()),
        sa.Column("distributor", sa.String()),
        sa.Column("app_url", sa.String()),
        sa.Column("preview_url", sa.String()),
        sa.Column("labels", DOCUMENT),
        sa.Column("composers", DOCUMENT),
        sa.Column("producers", DOCUMENT),
        sa.Column("iswcs", DOCUMENT),
        sa.Column("audio_features", DOCUMENT),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "metadata_fetched_at",
            sa.DateTime(timezone=True),
            comment="null: seen in a ranking, metadata not fetched yet",
        ),
        sa.Column("artists_extracted", sa.Boolean(), nullable=False, comment="its artists are in track_artists"),
        sa.Column("genres_extracted", sa.Boolean(), nullable=False, comment="its genres are in track_genres"),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_tracks")),
        comment="One track",
    )


def _artists() -> None:
    op.create_table(
        "artists",
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("display_name", sa.String()),
        sa.Column("slug", sa.String()),
        sa.Column("image_url", sa.String()),
        sa.Column("app_url", sa.String()),
        sa.Column("web_url", sa.String()),
        sa.Column("country_code", sa.String()),
        sa.Column("city_name", sa.String()),
        sa.Column("biography", sa.String()),
        sa.Column("career_stage", sa.String()),
        sa.Column("growth_level", sa.String()),
        sa.Column("gender", sa.String()),
        sa.Column("type", sa.String()),
        sa.Column("birth_date", sa.Date()),
        sa.Column("isni", sa.String()),
        sa.Column("ipi", sa.String()),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "metadata_fetched_at",
            sa.DateTime(timezone=True),
            comment="null: credited on a track, metadata not fetched yet",
        ),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_artists")),
        comment="One artist",
    )


def _links_and_genres() -> None:
    op.create_table(
        "track_artists",
        sa.Column("track_uuid", sa.String(), nullable=False),
        sa.Column("artist_uuid", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, comment="0-based order within the role"),
        sa.PrimaryKeyConstraint("track_uuid", "artist_uuid", "role", name=op.f("pk_track_artists")),
        comment="One artist's role on one track: main, featured or credited",
    )
    op.create_index(op.f("ix_track_artists_artist_uuid"), "track_artists", ["artist_uuid"], unique=False)
    op.create_table(
        "genres",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("root", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False, comment="the sub-genre; '' for the root itself"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_genres")),
        comment="One genre",
    )
    op.create_index(op.f("ix_genres_root_name"), "genres", ["root", "name"], unique=True)
    op.create_table(
        "track_genres",
        sa.Column("track_uuid", sa.String(), nullable=False),
        sa.Column("genre_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("track_uuid", "genre_id", name=op.f("pk_track_genres")),
        comment="One genre of one track",
    )
    op.create_table(
        "artist_genres",
        sa.Column("artist_uuid", sa.String(), nullable=False),
        sa.Column("genre_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("artist_uuid", "genre_id", name=op.f("pk_artist_genres")),
        comment="One genre of one artist",
    )


def _audience() -> None:
    op.create_table(
        "track_audience",
        sa.Column("track_uuid", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("identifier", sa.String(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column(
            "value", sa.BigInteger(), nullable=False, comment="as the API gave it: a cumulative total on most platforms"
        ),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "track_uuid", "platform", "metric", "identifier", "date", name=op.f("pk_track_audience")
        ),
        comment="One track, platform, metric, identifier and day",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "artist_audience",
        sa.Column("artist_uuid", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("artist_uuid", "platform", "metric", "date", name=op.f("pk_artist_audience")),
        comment="One artist, platform, metric and day",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "artist_audience_geo",
        sa.Column("artist_uuid", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("country_code", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("city_name", sa.String(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "artist_uuid",
            "platform",
            "metric",
            "date",
            "country_code",
            "region",
            "city_name",
            name=op.f("pk_artist_audience_geo"),
        ),
        comment="One artist, platform, metric, day and place; city_name '' is a whole country (a partial sum)",
        sqlite_with_rowid=False,
    )


def _asks() -> None:
    op.create_table(
        "audience_asks",
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("start_date", sa.Date(), nullable=False),
        sa.Column("end_date", sa.Date(), nullable=False),
        sa.Column("settled_date", sa.Date(), comment="last day that no later call can change; null: none yet"),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "entity", "uuid", "platform", "metric", "start_date", "end_date", name=op.f("pk_audience_asks")
        ),
        comment="One answered window of one series (entity: track or artist)",
    )
    op.create_table(
        "tombstones",
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("entity", "uuid", "scope", name=op.f("pk_tombstones")),
        comment="Something the API does not have (scope: metadata, or platform/metric), not asked again for a while",
    )


def _operations() -> None:
    op.create_table(
        "api_usage",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("billed", sa.BigInteger(), nullable=False),
        sa.Column("errors", sa.BigInteger(), nullable=False),
        sa.Column("throttled", sa.BigInteger(), nullable=False),
        sa.Column("quota_remaining", sa.BigInteger(), comment="billed calls left, as last seen on that day"),
        sa.PrimaryKeyConstraint("day", "endpoint", name=op.f("pk_api_usage")),
        comment="Calls made on one UTC day to one endpoint",
    )
    op.create_table(
        "sync_progress",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "step", name=op.f("pk_sync_progress")),
        comment="How far one step of one run is, in entities",
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_facts")),
        comment="What was learnt once about the API and need not be asked again",
    )

"""Series and places once, and points in numbers, beside the tables whose rows move there in the next step."""

import sqlalchemy as sa
from alembic import op

from soundcharts_pipeline.storage.tables import months

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    connection = op.get_bind()
    on_postgresql = connection.dialect.name == "postgresql"
    day = sa.Date() if on_postgresql else sa.Integer()
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("entity", sa.String(), nullable=False, comment="track or artist"),
        sa.Column("uuid", sa.String(), nullable=False, comment="the track or artist"),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("identifier", sa.String(), nullable=False, comment="of a track; '' for artists"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        comment="One series of a track (per identifier) or artist, by a number that its points carry",
    )
    op.create_index(
        op.f("ix_series_uuid_entity_platform_metric_identifier"),
        "series",
        ["uuid", "entity", "platform", "metric", "identifier"],
        unique=True,
    )
    op.create_table(
        "places",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("country_code", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("city_name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_places")),
        comment="One place, by a number that located points carry",
    )
    op.create_index(
        op.f("ix_places_country_code_region_city_name"),
        "places",
        ["country_code", "region", "city_name"],
        unique=True,
    )
    op.create_table(
        "points",
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", day, autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("fetched_at", sa.Integer(), nullable=False, comment="seconds since 2000-01-01 UTC"),
        sa.PrimaryKeyConstraint("series_id", "day", name=op.f("pk_points")),
        comment="One series on one day (on SQLite days since 1970-01-01)",
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (day)",
    )
    op.create_table(
        "located_points",
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", day, autoincrement=False, nullable=False),
        sa.Column("place_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("series_id", "day", "place_id", name=op.f("pk_located_points")),
        comment="One series on one day in one place",
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (day)",
    )
    if on_postgresql:
        months.make_function(connection)

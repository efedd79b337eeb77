"""The places of a track in one chart are found by both: since the key holds the track, SQLite read the whole chart."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """On PostgreSQL nobody saves a ranking while the index is made."""
    op.drop_index("ix_chart_rankings_track_uuid_rank_date", "chart_rankings", if_exists=True)
    op.create_index(
        "ix_chart_rankings_track_uuid_chart_slug_rank_date_position",
        "chart_rankings",
        ["track_uuid", "chart_slug", "rank_date", "position"],
        if_not_exists=True,
    )

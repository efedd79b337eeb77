"""Tracks that share a position are all rows; and which version of a chart-day's ranking is stored."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

COMMENT = "One track on its position of one chart on one day; tracks may share a position"
KEY = ("chart_slug", "rank_date", "position", "track_uuid")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _exchange_key()
    else:
        _copy_table()
    op.add_column(
        "ranking_days", sa.Column("saved_version", sa.String(), comment="published_at of the ranking that is stored")
    )
    op.add_column(
        "ranking_days",
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            comment="when a ranking that differs took the place of the stored one",
        ),
    )
    # Until now a stored ranking was never fetched again. What its list has said since is not known to be stored, but
    # asking for every day once more would cost as much as the first time.
    op.execute("UPDATE ranking_days SET saved_version = published_at WHERE saved_at IS NOT NULL")


def _exchange_key() -> None:
    """One statement: the rows are read once, and nobody sees the table without a key."""
    op.execute(
        f"ALTER TABLE chart_rankings DROP CONSTRAINT pk_chart_rankings,"
        f" ADD CONSTRAINT pk_chart_rankings PRIMARY KEY ({', '.join(KEY)})"
    )
    op.create_table_comment("chart_rankings", COMMENT)


def _copy_table() -> None:
    """SQLite changes no key: a table with the new one takes the rows and the name of the old one. Both are there for a
    moment, so the file grows by as much as the table is large, and keeps the room for later rows."""
    wide = op.create_table(
        "chart_rankings_wide",
        sa.Column("chart_slug", sa.String(), nullable=False),
        sa.Column("rank_date", sa.Date(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("track_uuid", sa.String(), nullable=False),
        sa.Column("old_position", sa.Integer()),
        sa.Column("position_change", sa.Integer()),
        sa.Column("metric", sa.BigInteger()),
        sa.Column("metric_type", sa.String()),
        sa.Column("entry_state", sa.String()),
        sa.Column("entry_date", sa.Date()),
        sa.Column("time_on_chart", sa.Integer()),
        sa.Column("time_on_chart_unit", sa.String()),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(*KEY, name=op.f("pk_chart_rankings")),
    )
    names = ", ".join(column.name for column in wide.columns)
    # In the order of the key, in which the old table's index gives them: the new one fills without a sort.
    op.execute(
        f"INSERT INTO chart_rankings_wide ({names}) SELECT {names} FROM chart_rankings"  # noqa: S608  # names of ours
        " ORDER BY chart_slug, rank_date, position"
    )
    op.drop_table("chart_rankings")
    # Else SQLite looks at every view, and refuses for one of somebody else's whose table is away for the moment.
    op.execute("PRAGMA legacy_alter_table = ON")
    op.rename_table("chart_rankings_wide", "chart_rankings")
    op.execute("PRAGMA legacy_alter_table = OFF")
    op.create_index(op.f("ix_chart_rankings_track_uuid_rank_date"), "chart_rankings", ["track_uuid", "rank_date"])

"""What is wrong at this moment, and whether anybody was told."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("subject", sa.String(), nullable=False, comment="chart/asset; '' for the whole account"),
        sa.Column("kind", sa.String(), nullable=False, comment="name of the error or situation"),
        sa.Column("what", sa.String(), nullable=False, comment="asset, chart and days, for people"),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("link", sa.String(), nullable=False, comment="path in Dagster's UI"),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, comment="when it last happened"),
        sa.Column("told_at", sa.DateTime(timezone=True), comment="null: nobody was told yet"),
        sa.Column("over_at", sa.DateTime(timezone=True), comment="recovered, which nobody was told yet"),
        sa.Column("refused_by", sa.String(), comment="services that did not take the last message about it"),
        sa.PrimaryKeyConstraint("subject", "kind", name=op.f("pk_alerts")),
        comment="One cause of failures that has not recovered",
    )

"""Who is asking what, so that overlapping runs do not pay twice."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "claims",
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False, comment="host/process/number of the worker"),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False, comment="free for all after this time"),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_claims")),
        sa.Index(op.f("ix_claims_holder"), "holder"),
        comment="Something that a run is asking the API for at this moment",
    )

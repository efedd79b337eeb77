"""How many calls a step has made so far: questions are not calls, so the speed of a run cannot be told by them."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column(
        "sync_progress",
        sa.Column("calls", sa.Integer(), comment="made for it so far; null: an older version did not say"),
    )

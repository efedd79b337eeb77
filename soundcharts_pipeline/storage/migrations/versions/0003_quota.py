"""The account's term, beside its minute: what is left of it for all processes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for column in (
        sa.Column(
            "quota_left",
            sa.BigInteger(),
            comment="billed calls certainly left of the term; null: the server was not asked",
        ),
        sa.Column(
            "calls_out",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="billed calls taken that are not known to be back; none a minute after the last one",
        ),
        sa.Column("quota_taken_at", sa.DateTime(timezone=True), comment="when billed calls were last taken"),
    ):
        op.add_column("rate_gate", column)

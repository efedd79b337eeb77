"""The account's minute, shared by every process: one row that is locked for a moment, and the calls it let go."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    gate = op.create_table(
        "rate_gate",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column(
            "calls", sa.BigInteger(), nullable=False, comment="taken since the table was made; numbers the calls"
        ),
        sa.Column("blocked_until", sa.DateTime(timezone=True), comment="no call leaves before: the server said so"),
        sa.Column(
            "probe_from",
            sa.BigInteger(),
            comment="since a pause, calls leave singly until one from this number on was let in; null: as many as fit",
        ),
        sa.Column("server_limit", sa.Integer(), comment="calls per minute, as the server last said"),
        sa.Column(
            "heard_call", sa.BigInteger(), comment="the newest call whose answer told what is left of the minute"
        ),
        sa.Column(
            "allowed_calls", sa.BigInteger(), comment="that call and what was left: numbers the last call allowed"
        ),
        sa.Column("allowed_until", sa.DateTime(timezone=True), comment="when that minute is over"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rate_gate")),
        comment="When calls may leave, for all processes: one row",
    )
    op.create_table(
        "rate_slots",
        sa.Column("taken_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("taken_until", name=op.f("pk_rate_slots")),
        comment="Calls taken in one moment of the last minute (a quarter of a second that ends then)",
    )
    op.bulk_insert(gate, [{"id": 1, "calls": 0}])

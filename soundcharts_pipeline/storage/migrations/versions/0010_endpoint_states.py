"""Which kinds of questions are refused, or answered with nothing, whoever they are about."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "endpoint_states",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("answered_at", time, comment="when it last gave something (noted once a day)"),
        sa.Column("refused_since", time, comment="null: it does not refuse everything"),
        sa.Column("refused_at", time, comment="when it last refused everything that a run asked"),
        sa.Column("refused_runs", sa.Integer(), nullable=False, comment="runs in a row that met nothing but refusals"),
        sa.Column("status", sa.Integer(), comment="of those refusals, e.g. 403"),
        sa.Column("message", sa.String(), comment="of the last refusal"),
        sa.Column("uuid", sa.String(), comment="the entity of the last refusal"),
        sa.Column("silent_since", time, comment="null: it has data for somebody, as far as is known"),
        sa.Column("silent_runs", sa.Integer(), nullable=False, comment="runs in a row whose answers held nothing"),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_endpoint_states")),
        comment="How one kind of question fares (scope: track/metadata, artist/spotify/followers) when all fare alike",
    )

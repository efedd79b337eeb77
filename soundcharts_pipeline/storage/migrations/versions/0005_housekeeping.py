"""What was taken out to the archive, and how large the tables were."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "archived_months",
        sa.Column("table_name", sa.String(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "month", name=op.f("pk_archived_months")),
        comment="One month of one table (month: its first day) whose rows are, all or some, in the archive's files",
    )
    op.create_table(
        "storage_sizes",
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("table_name", sa.String(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("table_bytes", sa.BigInteger(), nullable=False),
        sa.Column("index_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reported_at", "table_name", name=op.f("pk_storage_sizes")),
        comment="How large one table was when a storage report was made",
    )

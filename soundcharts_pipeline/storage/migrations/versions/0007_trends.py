"""How every track and artist of a chart-day develops; and the first views, which every step makes anew."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "audience_trends",
        sa.Column("chart_slug", sa.String(), nullable=False),
        sa.Column("rank_date", sa.Date(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("entity", "uuid", "platform", "metric")),
        sa.Column("date", sa.Date(), nullable=False, comment="the newest day up to rank_date that has a value"),
        sa.Column("value", sa.BigInteger(), nullable=False, comment="on that day, over the identifiers that have one"),
        sa.Column("identifiers", sa.Integer(), nullable=False, comment="so many; 1 for artists"),
        sa.Column(
            "points",
            sa.Integer(),
            nullable=False,
            comment="days of the 90 up to rank_date that have a value of all of them",
        ),
        sa.Column("average", sa.Float(), comment="of those values"),
        sa.Column("peak", sa.BigInteger(), comment="the highest of them"),
        sa.Column("peak_date", sa.Date()),
        sa.Column("daily", sa.BigInteger(), comment="gained on `date` alone; null without a value of the day before"),
        sa.Column("daily_points", sa.Integer(), nullable=False, comment="days of the 90 whose gain is known"),
        sa.Column("daily_average", sa.Float(), comment="of those gains"),
        sa.Column("daily_peak", sa.BigInteger()),
        sa.Column("daily_peak_date", sa.Date()),
        *(column for days in (1, 7, 28, 90) for column in _compared(days)),
        sa.Column(
            "streak",
            sa.Integer(),
            nullable=False,
            comment="days in a row, up to `date`, that beat the day before",
        ),
        sa.Column("velocity", sa.Float(), comment="slope of the last 7 days, in units of the metric per day"),
        sa.Column(
            "anomaly",
            sa.Boolean(),
            comment="the last gain is far from those of the 28 days before; null: too few of them",
        ),
        sa.PrimaryKeyConstraint(
            "chart_slug", "rank_date", "entity", "uuid", "platform", "metric", name=op.f("pk_audience_trends")
        ),
        comment="One track or artist of a chart-day, platform and metric (entity: track or artist): how it develops",
    )


def _compared(days: int) -> list[sa.Column[object]]:
    return [
        sa.Column(f"difference_{days}", sa.BigInteger(), comment=f"value less the value {days} days before"),
        sa.Column(f"change_{days}", sa.Float(), comment=f"difference_{days} as a share of the value before"),
        sa.Column(f"growth_{days}", sa.Float(), comment=f"the same as a compound rate per day, over span_{days} days"),
        sa.Column(f"span_{days}", sa.Integer(), comment="days that really lie between the two values"),
    ]

"""When all of a chart-day was there, and how many files an archived month has."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

# Nobody can say it of a day whose rows are in the archive by now: it is taken to have been complete.
COMPLETE = """
UPDATE ranking_days SET completed_at = saved_at WHERE saved_at IS NOT NULL AND (
    EXISTS (SELECT * FROM audience_trends t
            WHERE t.chart_slug = ranking_days.chart_slug AND t.rank_date = ranking_days.rank_date)
    OR NOT EXISTS (SELECT * FROM chart_rankings r
                   WHERE r.chart_slug = ranking_days.chart_slug AND r.rank_date = ranking_days.rank_date))
"""


def upgrade() -> None:
    completed = "when the last step of a run had all that the chart asks for of the day; null: not yet"
    op.add_column("ranking_days", sa.Column("completed_at", sa.DateTime(timezone=True), comment=completed))
    op.add_column("archived_months", sa.Column("files", sa.Integer(), comment="as many as the month had then"))
    op.execute(COMPLETE)

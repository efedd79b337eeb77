"""The audience moves into series and points, and the names of its tables become free for views."""

from alembic import op

from soundcharts_pipeline.storage.migrations import narrow

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """What was moved before, in transactions of its own, is not moved again."""
    connection = op.get_bind()
    narrow.begin(connection)
    while narrow.step(connection):
        pass
    narrow.finish(connection)

"""The views of daily figures have no difference where 64 bits do not hold it. Views are made anew by every step."""

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """No table changes."""

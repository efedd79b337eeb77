"""The view of the newest located day asks for each series once; every step makes the views anew."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """No table changes."""

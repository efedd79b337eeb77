"""The name by which an archive knows its database. It goes with every backup."""

from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection

from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.storage.saves import note_fact

NAME_FACT = "database"


def name_of(conn: Connection, now: datetime) -> str:
    """The name that the database was given when it was archived or backed up first."""
    name = worklists.fact(conn, NAME_FACT)
    if name is None:
        note_fact(conn, NAME_FACT, name := uuid4().hex, now)
    return name

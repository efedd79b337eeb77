"""How far the catalog was ever read, so that it is not paid for again: facts, one for all of it and one a platform."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from soundcharts_pipeline.storage.bulk import insert_missing
from soundcharts_pipeline.storage.queries.worklists import fact
from soundcharts_pipeline.storage.saves import note_fact
from soundcharts_pipeline.storage.tables import bookkeeping as b

WHOLE, TRIED, _PLATFORM = "catalog", "catalog_tried", "catalog/"
BETWEEN_TRIES = timedelta(days=1)


def is_whole(conn: Connection) -> bool:
    """Every platform has answered at least once."""
    return fact(conn, WHOLE) is not None


def note_whole(conn: Connection, now: datetime) -> None:
    """Every platform has answered."""
    note_fact(conn, WHOLE, "read", now)


def platforms_read(conn: Connection) -> set[str]:
    """Codes of the platforms that have answered, be it with no chart."""
    names = conn.scalars(select(b.facts.c.name).where(b.facts.c.name.startswith(_PLATFORM, autoescape=True)))
    return {name.removeprefix(_PLATFORM) for name in names}


def note_platform(conn: Connection, platform: str, charts: int, now: datetime) -> None:
    """The platform has answered, with so many charts."""
    note_fact(conn, f"{_PLATFORM}{platform}", str(charts), now)


def begin_try(conn: Connection, now: datetime) -> bool:
    """Whether the rest of it may be asked for: once a day, and of several that come at one moment by one alone."""
    if insert_missing(conn, b.facts, [(TRIED, "", now)], columns=["name", "value", "noted_at"]):
        return True
    due = b.facts.update().where(b.facts.c.name == TRIED, b.facts.c.noted_at <= now - BETWEEN_TRIES)
    return conn.execute(due.values(noted_at=now)).rowcount > 0

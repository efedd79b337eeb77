"""What is asked of the door, as people write it: days, UUIDs and platforms, or what to write instead."""

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Connection, select

from soundcharts_pipeline.config.chart_keys import ARTIST_AUDIENCE_PLATFORMS, TRACK_AUDIENCE_PLATFORMS
from soundcharts_pipeline.config.settings import BadUse
from soundcharts_pipeline.storage.tables.audience import series
from soundcharts_pipeline.wording import day_named, write_nearest

# A text is like 2026-11-20. Times, and days of a frame, are taken as their day.
Day = date | str
Uuids = str | UUID | Iterable[str | UUID]
PLATFORMS = {"track": TRACK_AUDIENCE_PLATFORMS, "artist": ARTIST_AUDIENCE_PLATFORMS}


def day_of(asked: Day | None) -> date | None:
    """The day; None for None. Raises BadUse for what is no day."""
    if asked is None:
        return None
    try:
        day = asked if isinstance(asked, date) else day_named(asked)
    except (TypeError, ValueError):
        raise BadUse(f"{asked!r} is no day; write it like 2026-11-20") from None
    return day.date() if isinstance(day, datetime) else day


def days_of(first: Day | None, last: Day | None) -> tuple[date | None, date | None]:
    """Both ends of a range. Raises BadUse for what is no day, and for a range that ends before it begins."""
    begin, end = day_of(first), day_of(last)
    if begin and end and begin > end:
        raise BadUse(f"first {begin} is after last {end}; write the earlier day first")
    return begin, end


def uuids_of(asked: Uuids | None) -> list[str] | None:
    """One UUID is a list of one; in capitals it is the same. None for None."""
    if asked is None:
        return None
    written = [str(one) for one in ([asked] if isinstance(asked, str | UUID) else asked)]
    return list(dict.fromkeys(form for one in written for form in (one, one.lower())))


def platform_of(conn: Connection, asked: str | None, entity: str) -> str | None:
    """The platform, once tracks or artists may have series of it, or have some. Raises BadUse for any other."""
    if asked is None or asked in PLATFORMS[entity]:
        return asked
    of = series.c
    if conn.scalar(select(of.platform).where(of.entity == entity, of.platform == asked).limit(1)) is None:
        remedy = write_nearest(asked, PLATFORMS[entity])
        raise BadUse(f"there is no platform {asked!r} of {entity}s; {remedy}")
    return asked

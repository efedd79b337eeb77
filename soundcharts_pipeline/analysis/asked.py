"""What is asked of the door, as people write it: charts, days, UUIDs and platforms, or what to write instead."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime
from operator import index
from pathlib import Path
from typing import TypeGuard
from uuid import UUID

import pandas as pd
from sqlalchemy import Connection, select

from soundcharts_pipeline.config.chart_keys import ARTIST_AUDIENCE_PLATFORMS, TRACK_AUDIENCE_PLATFORMS
from soundcharts_pipeline.config.settings import BadUse
from soundcharts_pipeline.storage.tables.audience import series
from soundcharts_pipeline.wording import clean, day_named, write_nearest

# A text is like 2026-11-20. Times, and days of a frame, are taken as their day.
Day = date | str
Uuids = str | UUID | Iterable[str | UUID]
PLATFORMS = {"track": TRACK_AUDIENCE_PLATFORMS, "artist": ARTIST_AUDIENCE_PLATFORMS}

# Of a matrix with a row for each series of a chart, in memory.
MOST_DAYS = 5_000


def folder_of(asked: Path | str) -> Path:
    """The folder. Raises BadUse for what is no path."""
    if not _is_text(asked) and not isinstance(asked, Path):
        raise BadUse(f"{asked!r} is no folder; write its path")
    return Path(asked)


def slug_of(asked: str) -> str:
    """The slug of a chart, which may be of none that is stored. Raises BadUse for what is no text."""
    if not _is_text(asked):
        raise BadUse(f"{asked!r} is no slug of a chart; write it like global-28")
    return asked


def number_of_days(asked: int) -> int:
    """How many days to look back on. Raises BadUse for what is no such number."""
    try:
        days = 0 if isinstance(asked, bool) else index(asked)
    except TypeError:
        days = 0
    if not 1 <= days <= MOST_DAYS:
        raise BadUse(f"{asked!r} is no number of days; write a whole number from 1 to {MOST_DAYS:,}")
    return days


def day_of(asked: Day | None) -> date | None:
    """The day; None for None. Raises BadUse for what is no day."""
    if asked is None:
        return None
    day = None
    with suppress(TypeError, ValueError):
        day = asked if isinstance(asked, date) else day_named(asked)
    # A missing day of a frame is of a kind of date, too.
    if day is None or pd.isna(day):
        raise BadUse(f"{asked!r} is no day; write it like 2026-11-20")
    return day.date() if isinstance(day, datetime) else day


def days_of(first: Day | None, last: Day | None) -> tuple[date | None, date | None]:
    """Both ends of a range. Raises BadUse for what is no day, and for a range that ends before it begins."""
    begin, end = day_of(first), day_of(last)
    if begin and end and begin > end:
        raise BadUse(f"first {begin} is after last {end}; write the earlier day first")
    return begin, end


def uuids_of(asked: Uuids | None) -> list[str] | None:
    """One UUID is a list of one; in capitals it is the same. None for None. Raises BadUse for what is no text."""
    if asked is None:
        return None
    one_or_more = [asked] if isinstance(asked, str | UUID) or not isinstance(asked, Iterable) else list(asked)
    for one in one_or_more:
        if not _is_text(one) and not isinstance(one, UUID):
            raise BadUse(f"{one!r} is no UUID; write it like 7d534228-5165-11e9-9375-549f35161576, or a list of them")
    written = map(str, one_or_more)
    return list(dict.fromkeys(form for one in written for form in (one, one.lower())))


def platform_of(conn: Connection, asked: str | None, entity: str) -> str | None:
    """The platform, once tracks or artists may have series of it, or have some. Raises BadUse for any other."""
    if asked is None:
        return None
    of = series.c
    stored = select(of.platform).where(of.entity == entity, of.platform == asked).limit(1)
    if _is_text(asked) and (asked in PLATFORMS[entity] or conn.scalar(stored)):
        return asked
    raise BadUse(f"there is no platform {asked!r} of {entity}s; {write_nearest(str(asked), PLATFORMS[entity])}")


def _is_text(asked: object) -> TypeGuard[str]:
    """Whether it is a text that a database can be asked for."""
    return isinstance(asked, str) and clean(asked) == asked

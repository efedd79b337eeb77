"""What time it is. Everything that depends on it takes a clock as an argument; this is the only place that reads the
machine's.

There are two. The calendar clock tells which day it is for charts and series, and stamps what we store; tests and
demonstrations set it (SOUNDCHARTS_NOW). Dagster stamps its records by the machine's clock, so whatever is compared with
those (when a run ended, whether a daemon is alive) goes by the machine's clock too.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

Clock = Callable[[], datetime]

# The shortest time: what is known by now was known before the moment after it.
A_MOMENT = timedelta(microseconds=1)
# A chart may be dated by the end of the week that it is published in, and its day may have begun east of Greenwich
# alone: no ranking is dated further ahead than a week.
DAYS_AHEAD = 7
# A point appears 2 to 15 days after its day.
PUBLISHING_DELAY_DAYS = 15


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


def standing_still(moment: datetime) -> Clock:
    """A clock that always tells this moment."""
    return lambda: moment


def last_ranking_day(now: datetime) -> date:
    """The last UTC day of which a ranking may be out by now."""
    return now.date() + timedelta(days=DAYS_AHEAD)

"""The day on which the tests take place. No test reads the machine's clock, except where that is what it is about:
Dagster stamps its records by it, and so do locks and leases.

`TESTS_TODAY=2028-02-29 python -m pytest` is the same suite on another day.
"""

import os
from datetime import UTC, date, datetime, time

TODAY = date.fromisoformat(os.environ.get("TESTS_TODAY", "2026-11-21"))


def noon(day: date) -> datetime:
    """The time at which tests look at a day."""
    return datetime.combine(day, time(12), UTC)

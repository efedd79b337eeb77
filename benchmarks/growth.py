"""Ten times as much costs at most ten times as much: `python -m benchmarks.growth --help`.

The cost of a size is its calls, and the seconds of a cold run above those of the same run again, which makes no call:
what Dagster and the interpreter take is in both. Each row is compared with the row before it.
"""

import argparse
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import date

from sqlalchemy import make_url

from benchmarks.scratch import Scratch, days_to, heading, newest_day, row, scratch
from soundcharts_pipeline.storage.tables.schema import metadata

PLACES = {50: "viral-50-global", 200: "global-28", 1_000: "soundcloud-top-1000"}
DAYS = [1, 10, 100]
SMALL, OTHER, LARGE = "viral-50-global", "viral-50-in", "global-28"
COPIES = 10
# Whose values tell one entity, or chart, from another.
NAMES = {"uuid", "track_uuid", "artist_uuid", "chart_slug"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    size: int
    calls: int
    seconds: float


def cost(project: Scratch, slug: str, size: int, days: list[date]) -> Cost:
    """Of one cold run, less the same run again."""
    cold, again = (project.sync(slug, days[0], days[-1]) for _ in range(2))
    return Cost(size=size, calls=cold.calls, seconds=cold.seconds - again.seconds)


def show(what: str, one: Cost, before: Cost | None) -> None:
    cells = [what, f"{one.calls:,}", f"{one.seconds:.1f} s"]
    if before is None:
        row(*cells, "", "", "")
        return
    times = one.size / before.size
    calls, seconds = one.calls / before.calls, one.seconds / before.seconds
    row(*cells, f"{times:.0f}", f"{calls:.1f} ({calls / times:.2f})", f"{seconds:.1f} ({seconds / times:.2f})")


def places() -> None:
    """One day of ever larger charts."""
    before = None
    for size, slug in PLACES.items():
        with scratch(slug) as project:
            one = cost(project, slug, size, days_to(newest_day(), 1))
            project.check({slug: days_to(newest_day(), 1)})
        show(f"{size:,} places, 1 day", one, before)
        before = one


def days() -> None:
    """Ever longer ranges of one chart, each in one run."""
    before = None
    for count in DAYS:
        span = days_to(newest_day(), count)
        with scratch(SMALL) as project:
            one = cost(project, SMALL, count, span)
            project.check({SMALL: span})
        show(f"50 places, {count} days", one, before)
        before = one


def held() -> None:
    """One day of one chart beside what another chart brought, and beside ten times as much again."""
    span, before = days_to(newest_day(), 1), None
    for copies in (0, COPIES):
        with scratch(LARGE, OTHER) as project:
            project.sync(OTHER, span[0], span[0])
            multiply(project.database, copies)
            # The size asked for is the same: all that is more is more than it should be.
            one = cost(project, LARGE, 1, span)
        show(f"200 places, 1 day, beside {copies + 1} times what a chart of 50 places brought", one, before)
        before = one


def multiply(database: str, copies: int) -> None:
    """So many copies of everything that is held, under names of their own."""
    with closing(sqlite3.connect(str(make_url(database).database))) as connection:
        for table in metadata.sorted_tables:
            columns = [column.name for column in table.columns]
            if not NAMES.isdisjoint(columns):
                copied = ", ".join(f"{name} || '-' || :copy" if name in NAMES else name for name in columns)
                statement = f"INSERT INTO {table.name} SELECT {copied} FROM {table.name} WHERE {{original}}"  # noqa: S608
                named = next(name for name in columns if name in NAMES)
                original = f"length({named}) <= 36" if named != "chart_slug" else f"{named} = '{OTHER}'"
                connection.executemany(statement.format(original=original), [{"copy": n} for n in range(copies)])
        connection.commit()


CASES = {"places": places, "days": days, "held": held}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    heading("run", "calls", "above no calls", "size, times", "calls, times (of size)", "seconds, times (of size)")
    for name in parser.parse_args().case:
        CASES[name]()


if __name__ == "__main__":
    main()

"""Peak resident memory of `soundcharts-pipeline sync SLUG --from --to`: `python -m benchmarks.memory --help`."""

import argparse

from benchmarks.scratch import days_to, heading, newest_day, row, scratch

# Days, and the chart they are asked of: a year of 200 places takes too long to be measured often.
CASES = {1: "global-28", 30: "global-28", 365: "viral-50-global"}


def measure(slug: str, count: int) -> None:
    """The range cold and once more, one row."""
    days = days_to(newest_day(), count)
    with scratch(slug) as project:
        cold = project.sync(slug, days[0], days[-1])
        again = project.sync(slug, days[0], days[-1])
        project.check({slug: days})
        row(count, slug, f"{cold.calls:,}", f"{cold.peak_mb} MB", again.calls, f"{again.peak_mb} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", nargs="+", type=int, choices=CASES, default=list(CASES))
    heading("days", "chart", "calls, cold", "peak memory", "calls, again", "peak memory")
    for count in parser.parse_args().days:
        measure(CASES[count], count)


if __name__ == "__main__":
    main()

"""Calls made and distinct questions asked, as the simulator counts them: `python -m benchmarks.calls --help`.

A question is a path with its query, so one window of one series. Every row is printed after the warehouse has been
compared with the simulator's world, row by row.
"""

import argparse
import time
from collections.abc import Sequence
from datetime import date
from math import ceil

from benchmarks.scratch import MAX_IN_FLIGHT, Scratch, days_to, heading, newest_day, row, scratch
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import artist_metrics
from soundcharts_pipeline.simulator import World

LATENCY = 0.02
CHART = "global-28"
# Fifty places; more than half of its tracks and artists are on the large chart too.
SMALL = "viral-50-global"
# Somewhere in the middle of each step, in the order of the cascade: the endpoint, and how many calls of it have come.
MIDDLES = [
    ("ranking", 1),
    ("track", 8),
    ("artist", 8),
    ("track_broadcasts", 100),
    ("track_audience", 300),
    ("artist_followers", 250),
    ("artist_streaming", 170),
]

Span = tuple[str, Sequence[date]]


class Ledger:
    """What one project has cost since the last row."""

    def __init__(self, project: Scratch) -> None:
        self._project, self._before = project, project.counters()

    def calls(self) -> int:
        return int(self._project.counters()["total"] - self._before["total"])

    def report(self, case: str, note: str = "") -> None:
        """One row; a run that asked nothing asked nothing twice."""
        now = self._project.counters()
        calls, questions = self.calls(), now["questions"] - self._before["questions"]
        ratio = f"{calls / questions:.3f}" if questions else "no call"
        row(case, f"{calls:,}", f"{questions:,}", ratio, note)
        self._before = now


def day_by_day() -> None:
    """A day cold, again, and the day after it."""
    first, second = days_to(newest_day(), 2)
    with scratch(CHART, latency=LATENCY) as project:
        ledger = Ledger(project)
        project.sync(CHART, first, first)
        project.check({CHART: [first]})
        ledger.report(f"{CHART}, one day, cold")
        project.sync(CHART, first, first)
        project.check({CHART: [first]})
        ledger.report("the same day again")
        project.sync(CHART, second, second)
        project.check({CHART: [first, second]})
        ledger.report("the next day", f"{most_new(first, second):,} questions can have a new answer")


def most_new(first: date, second: date) -> int:
    """Calls that can bring something new on the second day: its ranking, metadata of what is new on it, one window
    of each series."""
    world, tracks, artists = World(), list[set[str]](), list[set[str]]()
    for day in (first, second):
        tracks.append({entry.track.uuid for entry in world.ranking(CHART, day).entries})
        found = [track for uuid in tracks[-1] if (track := world.track(uuid))]
        artists.append({ref.uuid for track in found for ref in track.artists})
    settings = ChartSettings(slug=CHART, name=CHART)
    metrics = sum(len(artist_metrics(platform)) for platform in settings.artist_audience_platforms)
    # The list of published days, the ranking by hundreds, metadata by tens.
    return (
        1
        + ceil(len(tracks[1]) / 100)
        + ceil(len(tracks[1] - tracks[0]) / 10)
        + ceil(len(artists[1] - artists[0]) / 10)
        + len(tracks[0] | tracks[1]) * len(settings.track_audience_platforms)
        + len(artists[0] | artists[1]) * metrics
    )


def killed() -> None:
    """One day, killed with -9 in the middle of every step, then run to its end."""
    day = newest_day()
    with scratch(CHART, latency=LATENCY) as project:
        project.sync(CHART, day, day)
        unbroken = project.counters()["total"]
    with scratch(CHART, latency=LATENCY) as project:
        ledger = Ledger(project)
        for endpoint, calls in MIDDLES:
            process = project.start(CHART, day, day)
            while project.counters()["calls"].get(endpoint, 0) < calls:
                if process.poll() is not None:
                    raise SystemExit(f"the run ended before it could be killed in {endpoint}")
                time.sleep(0.01)
            process.kill()
            process.wait()
            while project.counters()["in_flight"]:
                time.sleep(0.01)
        project.sync(CHART, day, day)
        project.check({CHART: [day]})
        more = ledger.calls() - unbroken
        ledger.report(
            f"{CHART}, one day, killed {len(MIDDLES)} times",
            f"{more} more than without, {more / len(MIDDLES):.0f} a kill; in flight at most {MAX_IN_FLIGHT}",
        )


def together(case: str, spans: Sequence[Span]) -> None:
    """Runs started at the same time, beside the same runs one after the other."""
    slugs = [slug for slug, _ in spans]
    truth: dict[str, list[date]] = {}
    for slug, days in spans:
        truth[slug] = sorted({*truth.get(slug, []), *days})
    with scratch(*dict.fromkeys(slugs), latency=LATENCY) as project:
        in_turn = sum(project.sync(slug, days[0], days[-1]).calls for slug, days in spans)
    with scratch(*dict.fromkeys(slugs), latency=LATENCY) as project:
        ledger = Ledger(project)
        for process in [project.start(slug, days[0], days[-1]) for slug, days in spans]:
            project.finish(process)
        project.check(truth)
        ledger.report(case, f"{in_turn:,} calls one after the other")


def overlapping() -> None:
    days = days_to(newest_day(), 12)
    together(f"{SMALL}, two ranges of 8 days that share 4, at once", [(SMALL, days[:8]), (SMALL, days[4:])])


def shared() -> None:
    days = days_to(newest_day(), 1)
    together(f"{CHART} and {SMALL}, one day, at once", [(CHART, days), (SMALL, days)])


def a_month() -> None:
    """Thirty days in one run."""
    days = days_to(newest_day(), 30)
    with scratch(CHART, latency=LATENCY) as project:
        ledger = Ledger(project)
        project.sync(CHART, days[0], days[-1])
        project.check({CHART: days})
        ledger.report(f"{CHART}, 30 days in one run, cold")


CASES = {"days": day_by_day, "killed": killed, "overlapping": overlapping, "shared": shared, "month": a_month}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    heading("run", "calls", "distinct questions", "calls / questions", "beside it")
    for name in parser.parse_args().case:
        CASES[name]()


if __name__ == "__main__":
    main()

"""A night on eight hosts, some of which die or are cut off: `python -m benchmarks.hosts --help`.

PostgreSQL, Redis, Soundcharts, the host of daemon and webserver, and four workers are network namespaces of this
machine (root, Debian's iproute2 and redis-server). Charts that list the same tracks are all due at the same minute.
At random moments of a seed a host is killed and started again, or its link is cut and healed. The warehouse is
compared with the simulator's world at the end. Calls, rows and who noticed what are exact; seconds, and with them the
share of the rate, are those of this machine, which all hosts share.
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from benchmarks.needed import fewest_calls, places
from benchmarks.night import LATENCY, LEAD, LOOK_SECONDS, daily
from benchmarks.scratch import MAX_IN_FLIGHT, differences, heading, row
from benchmarks.site import CHARTS
from benchmarks.watch import Watch, watching
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.orchestration.dead_runs import HOST_TAG
from soundcharts_pipeline.orchestration.run_requests import CHART_TAG, IN_FLIGHT
from soundcharts_pipeline_tests.support.many_hosts import (
    CONTROL,
    DATABASE,
    REDIS,
    SOUNDCHARTS,
    WORKERS,
    Installation,
    installed,
)

# What is done to whom, and for how many seconds. A dead worker and one that is cut off for long lose their runs.
KINDS = [
    *[("kill", worker, (30, 150)) for worker in WORKERS],
    *[("cut", worker, (10, 200)) for worker in WORKERS],
    *[("cut", DATABASE, (5, 100)), ("cut", SOUNDCHARTS, (5, 60)), ("cut", CONTROL, (10, 90)), ("cut", REDIS, (5, 90))],
    *[("kill", CONTROL, (10, 60)), ("kill", REDIS, (5, 30))],
]
PAUSE_SECONDS = (5, 25)
# A run that failed twice waits for half an hour.
LONGEST_SECONDS = 3600
NIGHT = [
    *("charts (places)", "calls", "/ questions", "/ floor", "share of the rate, busiest minute"),
    *("first to last call, s", "runs, failed", "load average"),
]
SOAK = [
    "kills",
    "cuts",
    "noticed after, s",
    "runs lost",
    "rows lost",
    "rows too many",
    "calls wasted",
    "of calls in flight",
]


@dataclass(slots=True)
class Soak:
    """What was done, and the runs that were at work on a worker when it was done to it, with the moment."""

    seed: int
    done: list[str] = field(default_factory=list)
    struck: dict[str, float] = field(default_factory=dict)

    def go_on(self, whole: Installation, wanted: int) -> None:
        """Until so much was done, or the night is over."""
        chance = random.Random(self.seed)
        while len(self.done) < wanted and _at_work(whole):
            time.sleep(chance.uniform(*PAUSE_SECONDS))
            what, name, seconds = chance.choice(KINDS)
            self._strike(whole, what, name, chance.uniform(*seconds))

    def _strike(self, whole: Installation, what: str, name: str, seconds: float) -> None:
        runs = [run.run_id for run in _at_work(whole) if run.tags.get(HOST_TAG) == name]
        now = time.time()
        self.struck |= dict.fromkeys(runs, now)
        self.done.append(what)
        print(f"{len(self.done)}: {what} {name} for {seconds:.0f} s, with {len(runs)} runs at work", flush=True)  # noqa: T201
        if what == "kill":
            whole.kill(name)
        else:
            whole.hosts.cut(name)
        time.sleep(seconds)
        if what == "kill":
            whole.start(name)
        else:
            whole.hosts.heal(name)

    def noticed(self, whole: Installation) -> list[float]:
        """Seconds until each of those runs that did not come to a good end was failed."""
        records = whole.site.instance.get_run_records(dg.RunsFilter(run_ids=list(self.struck))) if self.struck else []
        failed = [one for one in records if one.dagster_run.status == dg.DagsterRunStatus.FAILURE and one.end_time]
        return [(one.end_time or 0.0) - self.struck[one.dagster_run.run_id] for one in failed]


def night(charts: int, rate: int, wanted: int, seed: int) -> None:
    """One night, and what is done in it. A row or two."""
    slugs, soak = daily(charts), Soak(seed)
    # The real clock, which goes on: what failed is requested again after some minutes of it.
    morning = datetime.now(UTC).date()
    day = morning - timedelta(days=1)
    due = (datetime.now(UTC) + LEAD).replace(second=0, microsecond=0)
    entries = "\n".join(f"  - slug: {slug}\n    name: {slug}" for slug in slugs)
    simulator = {"today": morning, "latency": LATENCY, "rate": rate, "quota": 1_000_000}
    limits = {"SOUNDCHARTS_CALLS_PER_MINUTE": str(rate), "SOUNDCHARTS_MAX_IN_FLIGHT": str(MAX_IN_FLIGHT)}
    variables = {**limits, "SOUNDCHARTS_NOW": ""}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        text = CHARTS.format(first=day, due=due, charts=entries)
        with installed(Path(folder), text, simulator, variables=variables) as whole:
            if not whole.hosts.can_be_cut:
                raise SystemExit("hosts of their own need root, or CAP_NET_ADMIN and CAP_SYS_ADMIN")
            looking = watching(whole.site, whole.site.simulator.url)
            with whole.hosts.inside(SOUNDCHARTS):
                watch = looking.__enter__()
            try:
                loads = _work(whole, slugs, due, soak, wanted)
            finally:
                looking.__exit__(None, None, None)
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                arguments = whole.site.environ["SOUNDCHARTS_DATABASE_URL"], whole.folder / "charts.yaml"
                differing = pool.submit(differences, *arguments, {slug: [day] for slug in slugs}, morning).result()
            _tell(whole, slugs, day, rate, watch, loads)
            _tell_soak(whole, soak, differing)


def _work(whole: Installation, slugs: Sequence[str], due: datetime, soak: Soak, wanted: int) -> list[float]:
    """Until every chart's newest run has come to a good end; the load meanwhile."""
    time.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
    latest, loads = time.monotonic() + LONGEST_SECONDS, [os.getloadavg()[0]]
    while time.monotonic() < latest and not _at_work(whole):
        time.sleep(LOOK_SECONDS)
    soak.go_on(whole, wanted)
    while time.monotonic() < latest and not _is_over(whole, slugs):
        time.sleep(LOOK_SECONDS)
        loads.append(os.getloadavg()[0])
    return loads


def _at_work(whole: Installation) -> list[dg.DagsterRun]:
    return list(whole.site.instance.get_runs(dg.RunsFilter(statuses=IN_FLIGHT)))


def _is_over(whole: Installation, slugs: Sequence[str]) -> bool:
    """The newest run comes first."""
    with suppress(SQLAlchemyError):
        newest: dict[str, dg.DagsterRun] = {}
        for run in whole.site.instance.get_runs():
            newest.setdefault(run.tags.get(CHART_TAG, ""), run)
        return all(slug in newest and newest[slug].status == dg.DagsterRunStatus.SUCCESS for slug in slugs)
    return False


def _tell(
    whole: Installation, slugs: Sequence[str], day: date, rate: int, watch: Watch, loads: Sequence[float]
) -> None:
    counters, world = whole.site.simulator.counters, whole.site.simulator.world
    least = fewest_calls(world, slugs, load_settings(whole.folder / "charts.yaml").chart(slugs[0]), [day])
    seconds = watch.last_call - watch.first_call
    runs = list(whole.site.instance.get_runs())
    failed = [run.run_id for run in runs if run.status == dg.DagsterRunStatus.FAILURE]
    heading(*NIGHT)
    row(
        f"{len(slugs)} ({places(world, slugs, day):,})",
        *(f"{counters.total:,}", f"{counters.total / counters.questions:.3f}"),
        f"{counters.total / least:.3f} of {least:,}",
        f"{counters.total / (rate * seconds / 60):.2f}, {counters.busiest_minute / rate:.2f} of {rate:,}",
        *(f"{seconds:.0f}", f"{len(runs)}, {len(failed)}", f"{sum(loads) / len(loads):.1f}"),
    )
    for run_id in failed:
        print(f"\n{whole.run(run_id).tags.get(CHART_TAG)}: {whole.reason(run_id)}", flush=True)  # noqa: T201


def _tell_soak(whole: Installation, soak: Soak, differing: dict[str, tuple[int, int]]) -> None:
    noticed = sorted(soak.noticed(whole))
    heading(*SOAK)
    row(
        *(soak.done.count("kill"), soak.done.count("cut")),
        f"{noticed[len(noticed) // 2]:.0f}, {noticed[-1]:.0f} at most" if noticed else "-",
        len(noticed),
        sum(missing for missing, _ in differing.values()),
        sum(more for _, more in differing.values()),
        *(whole.site.simulator.counters.repeats, len(soak.struck) * MAX_IN_FLIGHT),
    )
    if differing:
        raise SystemExit(f"the warehouse differs from the truth: {differing}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--charts", type=int, default=40)
    parser.add_argument("--rate", type=int, default=600, help="calls a minute that Soundcharts lets in")
    parser.add_argument("--kills", type=int, default=20, help="kills and cuts; 0: a night in peace")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    night(options.charts, options.rate, options.kills, options.seed)


if __name__ == "__main__":
    main()

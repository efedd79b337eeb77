"""Two nights of many charts: `python -m benchmarks.night --help`.

Charts that list the same tracks are all due at the same minute, and `soundcharts-pipeline serve` is at work: the daemon
ticks their schedules, the queue of the dagster.yaml that we ship starts their runs. A simulator in a process of its own
answers after 200 ms and lets in 5,000 calls a minute. In the first night everything is new, in the second one day is.
Every row is printed after the warehouse has been compared with the simulator's world. Calls and memory are exact;
seconds are those of this machine.
"""

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import dagster as dg

from benchmarks.needed import fewest_calls, places
from benchmarks.scratch import differences, heading, row
from benchmarks.site import KINDS, LOCKED, Place, opened, serving
from benchmarks.watch import Cores, Watch, cores_of, watching
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.orchestration.dead_runs import PID_TAG
from soundcharts_pipeline.orchestration.run_requests import IN_FLIGHT
from soundcharts_pipeline.simulator import World
from soundcharts_pipeline_tests.support.dagster_site import alive

LATENCY, A_MINUTE = 0.2, 5_000
# Counts are the same on whichever day the benchmark runs.
FIRST_MORNING = date(2026, 11, 20)
# Until the schedules are due: everything that serves them has to be there by then.
LEAD = timedelta(minutes=3)
# A schedule that has not ticked by then has missed its night.
LATEST_TICK_SECONDS = 900
LOOK_SECONDS = 2.0
COLUMNS = [
    *("database", "night", "charts (places)", "calls", "/ questions", "/ floor", "share of the rate, busiest minute"),
    *("first to last call, s", "s of a core a call", "a chart-day: its run, what serves it; the database's"),
    *("MB of the largest run, of all", "ticks missed", "runs failed", "locks waited for, errors", "429"),
]


def night(place: Place, name: str, days: Sequence[date]) -> None:
    """The night after which the newest of the days is there; the others are there already. One row."""
    morning = days[-1] + timedelta(days=1)
    place.wake_up_on(morning)
    due = (datetime.now(UTC) + LEAD).replace(second=0, microsecond=0)
    place.write_charts(days[0], due)
    known, locks = _runs(place), place.locks()
    with serving(place.site), watching(place.site, place.simulator) as watch:
        time.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
        before, server_before = cores_of(alive(place.site)), place.server_seconds()
        missed = len(place.slugs) - wait(place, due)
        _until_gone(place)
        cores = cores_of(alive(place.site)).since(before)
        server = place.server_seconds() - server_before
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        truth = dict.fromkeys(place.slugs, days)
        differing = pool.submit(differences, place.database, place.charts_file, truth, morning).result()
    runs = {run_id: run for run_id, run in _runs(place).items() if run_id not in known}
    failed = [place.site.story(run_id) for run_id, run in runs.items() if run.status != dg.DagsterRunStatus.SUCCESS]
    waits, errors = (now - then for now, then in zip(place.locks(), locks, strict=True))
    errors += sum(len(LOCKED.findall(place.site.story(run_id))) for run_id in runs)
    world, counted = World(today=morning), place.counted()
    least = fewest_calls(world, place.slugs, load_settings(place.charts_file).chart(place.slugs[0]), days)
    largest = max((watch.peaks.get(int(run.tags.get(PID_TAG, 0)), 0) for run in runs.values()), default=0)
    row(
        *(place.kind, name, f"{len(place.slugs)} ({places(world, place.slugs, days[-1]):,})"),
        *_of_calls(counted, least, watch, place.rate),
        *_of_costs(counted["total"], len(place.slugs), cores, server),
        f"{largest // 1024}, {watch.peak_of_all // 1024}",
        *(missed, f"{len(failed)} of {len(runs)}", f"{waits}, {errors}", counted["rejected_by_rate"]),
    )
    if differing:
        raise SystemExit(f"the warehouse differs from the truth: {differing}\n" + "\n".join(failed[:3]))


def wait(place: Place, due: datetime) -> int:
    """Until every schedule has ticked and every run has ended; how many have ticked."""
    instance, latest = place.site.instance, time.monotonic() + LATEST_TICK_SECONDS
    while (ticked := _ticked(instance, due)) < len(place.slugs) and time.monotonic() < latest:
        time.sleep(LOOK_SECONDS)
    while instance.get_runs_count(dg.RunsFilter(statuses=IN_FLIGHT)):
        time.sleep(LOOK_SECONDS)
    return ticked


def _until_gone(place: Place) -> None:
    """Until the processes of all runs have ended, and were counted by who started them."""
    pids = [run.tags[PID_TAG] for run in _runs(place).values() if PID_TAG in run.tags]
    while any(Path("/proc", pid).exists() for pid in pids):
        time.sleep(LOOK_SECONDS)


def _ticked(instance: dg.DagsterInstance, due: datetime) -> int:
    """Schedules whose tick of that minute is over."""
    found = 0
    for state in instance.all_instigator_state():
        if state.instigator_type.value == "SCHEDULE":
            ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, after=due.timestamp() - 1)
            found += any(tick.status.value != "STARTED" for tick in ticks)
    return found


def _runs(place: Place) -> dict[str, dg.DagsterRun]:
    return {run.run_id: run for run in place.site.instance.get_runs()}


def _of_calls(counted: dict[str, Any], least: int, watch: Watch, rate: int) -> list[str]:
    """Calls, by questions, by the floor; share of what the rate allows in that time, and in the busiest minute."""
    calls, seconds = counted["total"], watch.last_call - watch.first_call
    questions = f"{calls / counted['questions']:.3f}" if calls else "no call"
    share = calls / (rate * seconds / 60) if seconds else 0
    return [
        *(f"{calls:,}", questions, f"{calls / least:.3f} of {least:,}"),
        *(f"{share:.2f}, {counted['busiest_minute'] / rate:.2f}", f"{seconds:.0f}"),
    ]


def _of_costs(calls: int, charts: int, cores: Cores, server: float) -> list[str]:
    """Seconds of a core by call and chart-day. What has ended by now are the runs."""
    together = cores.living + cores.ended
    each = [f"{seconds / charts:.1f}" for seconds in (together, cores.ended, cores.living, server)]
    return [f"{together / max(calls, 1):.3f}", "{}: {}, {}; {}".format(*each)]


def daily(count: int, *, largest: bool = False) -> list[str]:
    """The daily charts with the fewest places, 106 of 50, then 72 of 100, then 70 of 200; or those with the most."""
    plans = [plan for plan in World().plans.values() if not plan.weekly]
    return [plan.slug for plan in sorted(plans, key=lambda plan: plan.size, reverse=largest)[:count]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--charts", type=int, default=20, help="from 107 on some have 100 places, from 179 on 200")
    parser.add_argument("--largest", action="store_true", help="the charts of most places, 200 each")
    parser.add_argument("--rate", type=int, default=A_MINUTE, help="calls that the simulator lets in in a minute")
    parser.add_argument("--database", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args()
    heading(*COLUMNS)
    for kind in options.database:
        slugs = daily(options.charts, largest=options.largest)
        with opened(kind, slugs, morning=FIRST_MORNING, latency=LATENCY, rate=options.rate) as place:
            first = FIRST_MORNING - timedelta(days=1)
            night(place, "first", [first])
            night(place, "second", [first, FIRST_MORNING])


if __name__ == "__main__":
    main()

"""The shared limiter against a simulator, with real minutes: `python -m benchmarks.limiter --help`.

The simulator counts: arrivals in the busiest sliding minute, refusals, and what was answered.
"""

import argparse
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import requests

from benchmarks.callers import SPAWN, Limiter, Refusal, Team, fresh_database, save
from benchmarks.scratch import heading, row
from soundcharts_pipeline.cli.processes.simulator import simulator_process
from soundcharts_pipeline.storage.warehouse import Warehouse

PER_MINUTE = 3_000
UNLIMITED = 100_000_000
MINUTE = 60.0
# Refusals that are further apart belong to two pauses.
APART_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`cut_at`: once the server has answered so many calls it halves its limit."""

    title: str
    processes: int
    threads: int = 8
    latency: float = 0.02
    killed: bool = False
    cut_at: int | None = None

    @property
    def seconds(self) -> float:
        """A minute and the edge of the next; of a cut one more, since calls from before it are in the first."""
        return 70.0 if self.cut_at is None else 140.0

    @property
    def allowed(self) -> int:
        return PER_MINUTE if self.cut_at is None else PER_MINUTE // 2


CASES = {
    "1": Case(title="1 process", processes=1),
    "4": Case(title="4 processes", processes=4),
    "8": Case(title="8 processes", processes=8),
    "slow": Case(title="4 processes of 16 threads, 0.5 s latency", processes=4, threads=16, latency=0.5),
    "killed": Case(title="4 processes, 2 killed by -9, 1 of them with the lock", processes=4, killed=True),
    "cut": Case(title="4 processes, limit halved when a third is used", processes=4, cut_at=PER_MINUTE // 3),
    "cut-below": Case(title="4 processes, limit halved below what is used", processes=4, cut_at=PER_MINUTE * 2 // 3),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """What the simulator had counted at a moment."""

    moment: float
    answered: int
    arrived: int
    busiest_minute: int


def sample(url: str) -> Sample:
    """The counters now."""
    counters = requests.get(f"{url}/_simulator/counters", timeout=60).json()
    arrived = counters["answered"] + counters["rejected_by_rate"]
    return Sample(time.monotonic(), counters["answered"], arrived, counters["busiest_minute"])


def watch(url: str, case: Case, team: Team) -> tuple[list[Sample], int]:
    """Samples while the case runs, and which of them is the first under the limit that is judged."""
    samples, first = [sample(url)], 0
    to_kill, to_cut = case.killed, case.cut_at
    while samples[-1].moment < samples[0].moment + case.seconds:
        time.sleep(0.05)
        samples.append(sample(url))
        if to_kill and samples[-1].answered >= PER_MINUTE // 4:
            team.lose_two()
            to_kill = False
        if to_cut and samples[-1].answered >= to_cut:
            requests.post(f"{url}/_simulator/set", json={"rate": case.allowed}, timeout=60).raise_for_status()
            first, to_cut = len(samples), None
    return samples, first


def measure(case: Case, server: str | None) -> None:
    """One case, one row."""
    with simulator_process(latency=case.latency, rate=PER_MINUTE) as url, fresh_database(server) as database:
        Warehouse(database).prepare()
        team = Team.gathered(
            [
                Limiter(url, database, PER_MINUTE, case.threads, dies=case.killed and number == 0)
                for number in range(case.processes)
            ]
        )
        team.tell("go")
        samples, first = watch(url, case, team)
        results = team.results()
    by_process = sorted(calls for calls, _ in results)
    judged = samples[first:]
    # The simulator's own figure is exact, but knows no cut.
    busiest = busiest_of(judged) if first else judged[-1].busiest_minute
    minute = answered_from(judged, let_in_again(judged) if first else judged[0].moment)
    row(
        case.title,
        "SQLite" if server is None else "PostgreSQL",
        f"{busiest / case.allowed:.3f}",
        f"{minute / case.allowed:.3f}",
        refusals([refused for _, refused in results]),
        f"{by_process[0]:,} to {by_process[-1]:,}",
    )


def busiest_of(samples: Sequence[Sample]) -> int:
    """The most arrivals between two samples that are at most a minute apart."""
    most, start = 0, 0
    for one in samples:
        while samples[start].moment < one.moment - MINUTE:
            start += 1
        most = max(most, one.arrived - samples[start].arrived)
    return most


def let_in_again(samples: Sequence[Sample]) -> float:
    """When the first call after those of the first minute was answered: they leave in one go, as soon as they may."""
    waiting = [one for one in samples if one.moment >= samples[0].moment + MINUTE / 2]
    return next((one.moment for one, then in pairwise(waiting) if then.answered > one.answered), math.inf)


def answered_from(samples: Sequence[Sample], begin: float) -> int:
    """Calls answered in the minute from then on."""
    inside = [one.answered for one in samples if begin <= one.moment <= begin + MINUTE]
    return inside[-1] - inside[0] if inside else 0


def refusals(by_process: Sequence[Sequence[Refusal]]) -> str:
    """How many, in how many pauses, and the most that one process met in one pause: of calls that left after the
    first refusal was heard there. Those in flight at that moment nobody can call back."""
    pause, last, late = 0, -math.inf, Counter[tuple[int, int]]()
    first: dict[tuple[int, int], float] = {}
    refused = sorted((one.heard_at, one.left_at, n) for n, of_process in enumerate(by_process) for one in of_process)
    for heard_at, left_at, process in refused:
        pause += heard_at - last > APART_SECONDS
        last = heard_at
        late[pause, process] += left_at > first.setdefault((pause, process), heard_at)
    if not refused:
        return "0"
    return f"{len(refused)} in {pause} pause(s), {max(late.values())} of a process after its first"


def cost(server: str | None) -> None:
    """What the gate costs: calls a second without a limit, through the gate without a wait, and the same while
    another process holds the write lock of the warehouse most of the time, as saves of a cascade do."""
    rates = []
    for per_minute, saves in ((None, False), (UNLIMITED, False), (UNLIMITED, True)):
        with simulator_process(latency=0.02, rate=UNLIMITED) as url, fresh_database(server) as database:
            Warehouse(database).prepare()
            team = Team.gathered([Limiter(url, database, per_minute, 8)] * 4)
            saver = SPAWN.Process(target=save, args=(database,), daemon=True)
            if saves:
                saver.start()
            team.tell("go")
            begin = sample(url)
            time.sleep(5)
            end = sample(url)
            team.results()
            if saves:
                saver.kill()
                saver.join()
            rates.append((end.answered - begin.answered) / (end.moment - begin.moment))
    none, gate, saving = rates
    print(  # noqa: T201
        f"Calls a second of 4 processes: {none:.0f} without any limit; through the gate {gate:.0f} "
        f"({gate / none:.2f}), with another process saving all the time {saving:.0f} ({saving / none:.2f})."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*CASES, "cost"]
    parser.add_argument("--case", nargs="+", choices=names, default=names, help="70 s each, the cuts 140 s, cost 25 s")
    parser.add_argument("--postgres", metavar="URL", help="on this server instead, where databases may be created")
    arguments = parser.parse_args()
    cases = [name for name in arguments.case if name != "cost"]
    if cases:
        heading(
            "case",
            "database",
            "busiest sliding minute / allowed",
            "answered in a minute / allowed",
            "refused by the minute (429)",
            "calls of a process",
        )
    for name in cases:
        measure(CASES[name], arguments.postgres)
    if "cost" in arguments.case:
        cost(arguments.postgres)


if __name__ == "__main__":
    main()

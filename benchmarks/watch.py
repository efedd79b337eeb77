"""What happens while a benchmark waits: the processes of a project, what they cost, and the calls that they make."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import requests

from soundcharts_pipeline_tests.support.dagster_site import Site, alive

LOOK_SECONDS = 0.25
# Adding up the memory of all processes is work for the kernel.
LOOKS_A_MEMORY = 4
TICKS = os.sysconf("SC_CLK_TCK")


class Cores(NamedTuple):
    """Seconds of a core of some processes that live, and of their children that have ended."""

    living: float
    ended: float

    def since(self, before: "Cores") -> "Cores":
        return Cores(self.living - before.living, self.ended - before.ended)


def cores_of(pids: list[int]) -> Cores:
    """What the kernel has counted so far."""
    counted = [[int(field) for field in _fields(pid)[11:15]] for pid in pids]
    return Cores(sum(sum(one[:2]) for one in counted) / TICKS, sum(sum(one[2:]) for one in counted) / TICKS)


def with_children(parent: int) -> list[int]:
    """A process and those that it has started itself, as PostgreSQL's server has."""
    pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return [parent, *(pid for pid in pids if (fields := _fields(pid)) and int(fields[1]) == parent)]


def _fields(pid: int) -> list[str]:
    """What the kernel says of it after its name; nothing once it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _kilobytes(pid: int, file: str, name: str) -> int:
    """A line of one of its files in KB; nothing once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


class Watch:
    """What was seen so far: the peak of each process and of all together in KB (shared pages count once), and when the
    simulator's calls began and ended."""

    def __init__(self, site: Site, simulator: str) -> None:
        self._site, self._simulator = site, simulator
        self.peaks: dict[int, int] = {}
        self.peak_of_all = 0
        self.first_call = self.last_call = 0.0
        self._calls = 0

    def look(self, *, memory: bool) -> None:
        """Once."""
        counted = requests.get(f"{self._simulator}/_simulator/counters", timeout=60).json()["total"]
        if counted > self._calls:
            self.last_call = time.monotonic()
            self.first_call = self.first_call or self.last_call
            self._calls = counted
        if memory:
            pids = alive(self._site)
            for pid in pids:
                self.peaks[pid] = max(self.peaks.get(pid, 0), _kilobytes(pid, "status", "VmHWM"))
            together = sum(_kilobytes(pid, "smaps_rollup", "Pss") for pid in pids)
            self.peak_of_all = max(self.peak_of_all, together)


@contextmanager
def watching(site: Site, simulator: str) -> Iterator[Watch]:
    """In a thread of its own, until the block ends."""
    watch, over = Watch(site, simulator), threading.Event()

    def keep_looking() -> None:
        looks = 0
        while not over.wait(LOOK_SECONDS):
            watch.look(memory=looks % LOOKS_A_MEMORY == 0)
            looks += 1

    thread = threading.Thread(target=keep_looking, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()

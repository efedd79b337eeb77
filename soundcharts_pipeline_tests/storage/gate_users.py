"""What the processes of a test of the rate gate do: take calls, and perhaps die in the middle of it."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

from soundcharts_pipeline.storage.rate_gate import RateGate, Window
from soundcharts_pipeline.storage.warehouse import Warehouse

# A minute of a second, so that nothing waits for a real one.
SHORT = Window(seconds=0.5, margin=0.1, bucket=0.05)
LIMIT = 40


class Clock:
    """The host's clock, read by the gate while it holds the lock; `at_reading` is called at every reading."""

    def __init__(self, at_reading: Callable[[int], None]) -> None:
        self.last = datetime.now(UTC)
        self._readings = 0
        self._at_reading = at_reading

    def __call__(self) -> datetime:
        self._readings += 1
        self._at_reading(self._readings)
        self.last = datetime.now(UTC)
        return self.last


def die() -> None:
    """As kill -9 does."""
    os.kill(os.getpid(), signal.SIGKILL)


def take_calls(
    url: str, barrier: Barrier, taken: "Queue[list[tuple[int, float]]]", *, calls: int, dies: str | None = None
) -> None:
    """Take calls; answer with the number of each and when the gate counted it. `dies` says where, half-way."""
    rests = threading.Event()
    half = 3

    def at_reading(number: int) -> None:
        if dies == "inside" and number > half:
            die()

    clock = Clock(at_reading)
    with closing(Warehouse(url)) as warehouse:
        gate = RateGate(warehouse, per_minute=LIMIT, window=SHORT, clock=clock)
        barrier.wait()
        mine: list[tuple[int, float]] = []
        while len(mine) < calls:
            grant = gate.take(10, None)
            mine += [(grant.first + n, clock.last.timestamp()) for n in range(grant.calls)]
            if dies == "outside" and len(mine) >= half:
                die()
            rests.wait(grant.wait)
        taken.put(mine)

"""What the processes of a test of the quota do: spend it, and perhaps die with calls under way."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

from soundcharts_pipeline.api.errors import QuotaExhausted, SoundchartsError
from soundcharts_pipeline.api.throttle import SharedThrottle
from soundcharts_pipeline.api.transport import RetryPolicy
from soundcharts_pipeline.storage.rate_gate import RateGate, Window
from soundcharts_pipeline.storage.warehouse import Warehouse

from .calling import Caller, caller_of, track
from .fake_time import FakeTime

THREADS = 8
PER_MINUTE = 100_000
# A killed process's calls count as under way for a minute; this one is long enough for a busy machine.
SHORT_MINUTE = Window(seconds=2.0, margin=0.5)
QUICK = RetryPolicy(first_wait=0.001, longest_wait=0.01)


def sharer(
    url: str, warehouse: Warehouse, *, reserve: int, window: Window | None = None, clock: FakeTime | None = None
) -> Caller:
    """A client whose quota is shared with all that use the warehouse; `clock` times how long the last word holds."""
    monotonic = (clock or time).monotonic
    gate = RateGate(warehouse, per_minute=PER_MINUTE, quota_reserve=reserve, window=window)
    return caller_of(url, throttle=SharedThrottle(gate), quota_reserve=reserve, retry=QUICK, monotonic=monotonic)


def spend(
    url: str, database: str, reserve: int, barrier: Barrier, ends: "Queue[list[str]]", *, dies_after: int | None = None
) -> None:
    """Call until the quota is used up; answer with the last word of each thread. Who dies after so many calls makes
    them first: the others begin when it dies, or they might leave it too few."""
    answered = threading.Semaphore(0)

    def work(caller: Caller) -> str:
        while True:
            try:
                track(caller)
                answered.release()
            except QuotaExhausted as error:
                return str(error)
            except SoundchartsError:
                continue

    with closing(Warehouse(database)) as warehouse, ThreadPoolExecutor(THREADS) as pool:
        caller = sharer(url, warehouse, reserve=reserve, window=SHORT_MINUTE)
        barrier.wait()
        if dies_after is None:
            barrier.wait()
        last_words = [pool.submit(work, caller) for _ in range(THREADS)]
        if dies_after is not None:
            for _ in range(dies_after):
                answered.acquire()
            barrier.wait()
            os.kill(os.getpid(), signal.SIGKILL)
        ends.put([last.result() for last in last_words])

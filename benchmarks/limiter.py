"""The shared limiter against a simulator, with real minutes: `python benchmarks/limiter.py --help`.

Every process calls as fast as it may with its own client, as a run would. The simulator counts: the busiest sliding
minute, refusals, and what was answered. Without a limit (`--per-minute 0`: no throttle at all; a huge number: the
gate without a wait) the same program measures what the limiter costs.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import requests

from soundcharts_pipeline.api.auth import HeaderPair
from soundcharts_pipeline.api.throttle import SharedThrottle, Throttle
from soundcharts_pipeline.api.transport import Transport, new_session
from soundcharts_pipeline.models import RateNews, RatePermit
from soundcharts_pipeline.storage.rate_gate import RateGate
from soundcharts_pipeline.storage.schema import facts
from soundcharts_pipeline.storage.warehouse import Warehouse

TRACK = "/api/v2.25/song/7d534228-5165-11e9-9375-549f35161576"
SPAWN = multiprocessing.get_context("spawn")


class NoThrottle:
    """What the limiter is compared with."""

    def acquire(self, *, free: bool = False) -> RatePermit:
        return RatePermit(0, free=free)

    def pause(self, seconds: float) -> None: ...

    def heard(self, permit: RatePermit, news: RateNews | None) -> None: ...


def work(url: str, database: str, per_minute: int, threads: int, ready: Barrier, stop: Event, done: Any) -> None:
    """One process: as many calls as its threads can make until told to stop."""
    throttle: Throttle = NoThrottle()
    if per_minute:
        throttle = SharedThrottle(RateGate(Warehouse(database), per_minute=per_minute))
    session = new_session(threads, url, {})
    transport = Transport(
        base_url=url, auth=HeaderPair("soundcharts", "soundcharts"), session=session, throttle=throttle
    )
    calls = [0] * threads
    stopped = threading.Event()  # one of our own: a process that ends must hold no lock of the others

    def call(number: int) -> None:
        while not stopped.is_set():
            transport.get("track", TRACK, {})
            calls[number] += 1

    workers = [threading.Thread(target=call, args=(n,), daemon=True) for n in range(threads)]
    ready.wait()
    for worker in workers:
        worker.start()
    stop.wait()
    stopped.set()
    done.put(sum(calls))
    done.close()
    done.join_thread()
    os._exit(0)  # threads may be asleep until the next minute


def save(database: str, seconds: float, stop: Event) -> None:
    """A process that holds the write lock of the warehouse most of the time, as saves of a cascade do."""
    warehouse = Warehouse(database)
    while not stop.is_set():
        with warehouse.write() as conn:
            conn.execute(facts.delete())
            time.sleep(seconds)
        time.sleep(seconds / 10)


@contextmanager
def simulator(rate: int, latency: float) -> Iterator[str]:
    """The URL of a simulator in a process of its own."""
    command = [sys.executable, "-m", "soundcharts_pipeline", "simulate", "--port", "0"]
    command += ["--rate", str(rate), "--latency", str(latency), "--quota", "100000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101
        yield process.stdout.readline().strip()
        process.terminate()


@contextmanager
def database(kind: str) -> Iterator[str]:
    """The URL of an empty database; PostgreSQL is given with its URL."""
    if kind != "sqlite":
        yield kind
        return
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{Path(folder) / 'soundcharts.db'}"


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """One run; the figures."""
    a = arguments
    with simulator(a.server_rate, a.latency) as url, database(a.database) as where:
        Warehouse(where).prepare()
        ready, stop, done = SPAWN.Barrier(a.processes + 1), SPAWN.Event(), SPAWN.Queue()
        parts = (url, where, a.per_minute, a.threads, ready, stop, done)
        workers = [SPAWN.Process(target=work, args=parts) for _ in range(a.processes)]
        if a.saves:
            workers.append(SPAWN.Process(target=save, args=(where, a.saves, stop)))
        for worker in workers:
            worker.start()
        ready.wait()
        first_minute, elapsed = _watch(url, a.seconds)
        counters = requests.get(f"{url}/_simulator/counters", timeout=10).json()
        stop.set()
        by_process = sorted(done.get() for _ in range(a.processes))
        for worker in workers:
            worker.join()
    answered = counters["answered"]
    return {
        "processes": a.processes,
        "busiest_minute": counters["busiest_minute"],
        "first_minute": first_minute,
        "first_minute/allowed": round(first_minute / a.per_minute, 3) if a.per_minute else None,
        "rate_429": counters["rejected_by_rate"],
        "calls/s": round(answered / elapsed, 1),
        "by_process": by_process,
        "saves_held": a.saves,
    }


def _watch(url: str, seconds: float) -> tuple[int, float]:
    """Wait; what was answered in the first minute, and how long it was."""
    started = time.monotonic()
    time.sleep(min(seconds, 60.0))
    answered = requests.get(f"{url}/_simulator/counters", timeout=10).json()["answered"]
    time.sleep(max(seconds - 60.0, 0.0))
    return answered, time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=70.0)
    parser.add_argument("--per-minute", type=int, default=3_000)
    parser.add_argument("--server-rate", type=int, default=3_000)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--saves", type=float, default=0.0, help="another process holds the write lock for so long")
    parser.add_argument("--database", default="sqlite", help="`sqlite`, or the URL of an empty PostgreSQL database")
    print(json.dumps(measure(parser.parse_args())))  # noqa: T201


if __name__ == "__main__":
    main()

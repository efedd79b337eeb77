"""Processes that call as fast as they may, each with its own client as a run has, and a database for them to share."""

import os
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import create_engine, make_url, text

from soundcharts_pipeline.api.auth import HeaderPair
from soundcharts_pipeline.api.session import new_session
from soundcharts_pipeline.api.throttle import SharedThrottle, Throttle
from soundcharts_pipeline.api.transport import Transport
from soundcharts_pipeline.models import RateNews, RatePermit
from soundcharts_pipeline.storage.rate_gate import RateGate
from soundcharts_pipeline.storage.tables.bookkeeping import facts
from soundcharts_pipeline.storage.warehouse import Warehouse

TRACK = "/api/v2.25/song/7d534228-5165-11e9-9375-549f35161576"
SPAWN = get_context("spawn")


@dataclass(frozen=True, slots=True)
class Limiter:
    """What a process of a benchmark is told: where, how much, and how."""

    url: str
    database: str
    per_minute: int | None
    threads: int
    dies: bool = False


class Refusal(NamedTuple):
    """A call that the server let not in; moments of the host's monotonic clock."""

    left_at: float
    heard_at: float


class NoThrottle:
    """What the limiter is compared with."""

    def acquire(self, *, free: bool = False) -> RatePermit:
        return RatePermit(0, free=free)

    def pause(self, seconds: float) -> None: ...

    def received(self, permit: RatePermit, news: RateNews | None) -> None: ...


class NotedThrottle(SharedThrottle):
    """Keeps of every refused call when it left and when its refusal was heard."""

    def __init__(self, gate: RateGate) -> None:
        super().__init__(gate)
        self.refused: list[Refusal] = []
        self._thread = threading.local()

    def acquire(self, *, free: bool = False) -> RatePermit | None:
        permit = super().acquire(free=free)
        self._thread.left_at = time.monotonic()
        return permit

    def pause(self, seconds: float) -> None:
        self.refused.append(Refusal(self._thread.left_at, time.monotonic()))
        super().pause(seconds)


def work(limiter: Limiter, parent: Connection) -> None:
    """One process: as many calls as its threads can make until told to stop, or to die with the lock of the gate."""
    dying, stopped = threading.Event(), threading.Event()

    def clock() -> datetime:
        """Read inside the gate's transaction."""
        if dying.is_set():
            os.kill(os.getpid(), signal.SIGKILL)
        return datetime.now(UTC)

    refused: list[Refusal] = []
    throttle: Throttle = NoThrottle()
    if limiter.per_minute:
        gate = RateGate(
            Warehouse(limiter.database), per_minute=limiter.per_minute, clock=clock if limiter.dies else None
        )
        throttle = NotedThrottle(gate)
        refused = throttle.refused
    transport = Transport(
        base_url=limiter.url,
        auth=HeaderPair("soundcharts", "soundcharts"),
        session=new_session(limiter.threads, limiter.url, {}),
        throttle=throttle,
    )
    calls = [0] * limiter.threads

    def call(number: int) -> None:
        while not stopped.is_set():
            transport.get("track", TRACK, {})
            calls[number] += 1

    workers = [threading.Thread(target=call, args=(n,), daemon=True) for n in range(limiter.threads)]
    parent.send("ready")
    parent.recv()
    for worker in workers:
        worker.start()
    if parent.recv() == "die":
        dying.set()
        threading.Event().wait()
    stopped.set()
    parent.send((sum(calls), refused))
    os._exit(0)  # threads may be asleep until the next minute


@dataclass(slots=True)
class Team:
    """The processes of a case, each at the other end of a pipe: a lock that they share would die with one of them."""

    processes: list[BaseProcess]
    pipes: list[Connection]

    @classmethod
    def gathered(cls, limiters: Sequence[Limiter]) -> "Team":
        """One process for each, all ready to go."""
        team = cls([], [])
        for limiter in limiters:
            ours, theirs = SPAWN.Pipe()
            process = SPAWN.Process(target=work, args=(limiter, theirs))
            process.start()
            theirs.close()
            team.processes.append(process)
            team.pipes.append(ours)
        for pipe in team.pipes:
            pipe.recv()
        return team

    def tell(self, word: str) -> None:
        """All of them."""
        for pipe in self.pipes:
            pipe.send(word)

    def lose_two(self) -> None:
        """One dies holding the lock of the gate, the next wherever it is."""
        self.pipes[0].send("die")
        self.processes[1].kill()
        for process in self.processes[:2]:
            process.join()
        del self.processes[:2], self.pipes[:2]

    def results(self) -> list[tuple[int, list[Refusal]]]:
        """Calls and refusals by process; they end."""
        self.tell("stop")
        results = [pipe.recv() for pipe in self.pipes]
        for process in self.processes:
            process.join()
        return results


def save(database: str) -> None:
    """Hold the write lock for a tenth of a second at a time."""
    warehouse = Warehouse(database)
    while True:
        with warehouse.write() as conn:
            conn.execute(facts.delete())
            time.sleep(0.1)
        time.sleep(0.01)


@contextmanager
def fresh_database(server: str | None) -> Iterator[str]:
    """The URL of an empty database that lasts as long as the block: on that PostgreSQL server, else SQLite."""
    if server is None:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'soundcharts.db'}"
        return
    name = f"bench_{uuid.uuid4().hex}"
    engine = create_engine(make_url(server).set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT")
    with closing(engine.connect()) as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        yield engine.url.set(database=name).render_as_string(hide_password=False)
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()

"""Running the simulator: in a background thread for tests, or in the foreground for the command line."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterable
from datetime import date
from types import TracebackType
from typing import Any, Self

from soundcharts_pipeline.simulator.service.counters import Counters
from soundcharts_pipeline.simulator.service.faults import Fault
from soundcharts_pipeline.simulator.service.gate import Behaviour, Gate
from soundcharts_pipeline.simulator.service.wire import Connection, listen_on
from soundcharts_pipeline.simulator.world.oddities import named
from soundcharts_pipeline.simulator.world.world import World

LOOPBACK = "127.0.0.1"


class _Listener:
    """A loop, its listening server and its open connections."""

    def __init__(self, gate: Gate, port: int, host: str = LOOPBACK) -> None:
        self.loop = asyncio.new_event_loop()
        self._opened: set[Connection] = set()
        try:
            self._server = listen_on(self.loop, gate, host=host, port=port, opened=self._opened)
        except OSError:
            self.loop.close()
            raise
        self.url = f"http://{host}:{self._server.sockets[0].getsockname()[1]}"

    def run(self) -> None:
        """Serve until `stop` is called, then let go of everything."""
        try:
            self.loop.run_forever()
        finally:
            self._server.close()
            for connection in list(self._opened):
                connection.abort()
            # One more turn, in which the aborted connections are closed.
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()

    def stop(self) -> None:
        """End `run`, from any thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)


class Simulator:
    """A Soundcharts on the loopback address (`host`: on another one of this machine's), in a daemon thread while the
    `with` block lasts.

    The settings and their units are those of `gate.Behaviour`. Times of the rate limit, the counters and the tokens
    come from `clock`, in seconds; latency and slowness are real. Raises ValueError for an oddity that there is not.
    """

    def __init__(
        self,
        *,
        host: str = LOOPBACK,
        port: int = 0,
        seed: int = 1,
        today: date | None = None,
        latency: float = 0.0,
        rate: int = 10_000,
        quota: int = 500_000,
        faults: float = 0.0,
        oddities: Iterable[str] = frozenset(),
        slow: float = 5.0,
        app: tuple[str, str] = ("soundcharts", "soundcharts"),
        client: tuple[str, str] = ("simulator", "simulator"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        behaviour = Behaviour(
            latency=latency,
            rate=rate,
            quota=quota,
            faults=faults,
            slow=slow,
            oddities=named(oddities),
            today=today,
        )
        self._gate = Gate(seed, behaviour, app=app, client=client, clock=clock)
        self._host, self._port = host, port
        self._listener: _Listener | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._listener = _Listener(self._gate, self._port, self._host)
        self._thread = threading.Thread(target=self._listener.run, name="simulator", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is not None and self._thread is not None:
            self._listener.stop()
            self._thread.join()

    @property
    def url(self) -> str:
        """Origin of the API. Raises RuntimeError outside a `with` block."""
        if self._listener is None:
            raise RuntimeError("the simulator runs inside a with block")
        return self._listener.url

    @property
    def auth_url(self) -> str:
        """Origin of the token endpoint. Raises RuntimeError outside a `with` block."""
        return self.url

    @property
    def world(self) -> World:
        """The truth behind the answers."""
        return self._gate.world

    @property
    def counters(self) -> Counters:
        """What has been asked so far."""
        return self._gate.ledger.snapshot()

    def script(self, endpoint: str, faults: Iterable[Fault | str]) -> None:
        """Queue faults for the next calls of an endpoint (`*`: any). Raises ValueError for what there is not."""
        self._gate.script(endpoint, faults)

    def publish_again(self, slug: str, day: date) -> str:
        """A new version of a ranking, listed with a later timestamp, which is returned: its first two tracks change
        places, the next time the second and the third."""
        return self._gate.world.publish_again(slug, day)

    def set(self, **changes: Any) -> None:
        """Change latency, rate, quota, faults, slow, oddities, today or down. Raises ValueError for anything else."""
        self._gate.change(**changes)

    def reset(self) -> None:
        """Forget every call, script and spent quota."""
        self._gate.reset()


def serve(
    *,
    port: int = 0,
    seed: int = 1,
    today: date | None = None,
    latency: float = 0.0,
    rate: int = 10_000,
    quota: int = 500_000,
    faults: float = 0.0,
    oddities: Iterable[str] = frozenset(),
    log: Callable[[str], None] | None = None,
) -> None:
    """Serve in the foreground until SIGTERM, SIGINT or SIGHUP, with the settings of `Simulator`. `log` is called with
    the URL once it listens. Raises OSError when the port is taken."""
    behaviour = Behaviour(latency=latency, rate=rate, quota=quota, faults=faults, oddities=named(oddities), today=today)
    gate = Gate(seed, behaviour, app=("soundcharts", "soundcharts"), client=("simulator", "simulator"))
    listener = _Listener(gate, port)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        listener.loop.add_signal_handler(number, listener.loop.stop)
    if log is not None:
        log(listener.url)
    listener.run()

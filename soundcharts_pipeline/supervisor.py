"""Several programs as one: started together, waited for until they answer, started again when one dies, ended
together."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from soundcharts_pipeline.settings import Refused

# A webserver loads the project's code before it answers: 10 s on two idle cores.
START_SECONDS = 120.0
STOP_SECONDS = 30.0
LOOK_SECONDS = 0.2
# A program that dies is started again after 1, 2, 4, ... seconds; so many deaths within the window are its end.
MOST_DEATHS = 4
DEATHS_WINDOW_SECONDS = 300.0

Say = Callable[[str], None]


@dataclass(slots=True)
class Program:
    """A Python module with its arguments. `url` is asked until it answers; None: it has none."""

    name: str
    module: str
    arguments: Sequence[str]
    url: str | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    deaths: list[float] = field(default_factory=list)
    again_at: float | None = None

    def start(self) -> None:
        """In a session of its own, so that Ctrl-C reaches the supervisor alone and the program is told to end once."""
        command = [sys.executable, "-m", "soundcharts_pipeline.child", self.module, *self.arguments]
        self.again_at = None
        self.process = subprocess.Popen(  # noqa: S603  # our own interpreter
            command, stdin=subprocess.PIPE, start_new_session=True, env={**os.environ, **self.environ}
        )

    @property
    def code(self) -> int | None:
        """Its exit code once it has ended."""
        return None if self.process is None else self.process.poll()

    def answers(self) -> bool:
        """Whether its port takes connections."""
        if self.url is None:
            return True
        host, port = self.url.removeprefix("http://").rsplit(":", 1)
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex((host, int(port))) == 0


class Gone(Exception):
    """A program that does not stay up; the message says how it ended."""


def check_free(host: str, port: int, option: str = "--port") -> None:
    """Raise Refused for a port that somebody else has."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Refused(
                f"port {port} cannot be used ({error.strerror}); end what uses it, or choose another one with {option}"
            ) from None


def run_together(programs: Sequence[Program], say: Say, *, ready: Callable[[], None]) -> None:
    """Until an interrupt, which is raised again, or Gone. Every program has ended when this returns or raises."""
    try:
        for program in programs:
            program.start()
        _wait_until_ready(programs)
        ready()
        while True:
            time.sleep(LOOK_SECONDS)
            for program in programs:
                _look_after(program, say)
    finally:
        _stop(programs)


def _wait_until_ready(programs: Sequence[Program]) -> None:
    deadline = time.monotonic() + START_SECONDS
    waiting = list(programs)
    while waiting:
        for program in programs:
            if program.code is not None:
                raise Gone(f"{program.name} {_how(program.code)} while it started; what it printed above says why")
        waiting = [program for program in waiting if not program.answers()]
        if waiting and time.monotonic() > deadline:
            raise Gone(f"{waiting[0].name} does not answer at {waiting[0].url} after {START_SECONDS:.0f} s")
        time.sleep(LOOK_SECONDS)


def _look_after(program: Program, say: Say) -> None:
    now = time.monotonic()
    if program.again_at is not None:
        if now >= program.again_at:
            program.start()
            say(f"{program.name}: started again")
    elif program.code is not None:
        program.deaths = [*(death for death in program.deaths if now - death < DEATHS_WINDOW_SECONDS), now]
        if len(program.deaths) >= MOST_DEATHS:
            raise Gone(
                f"{program.name} {_how(program.code)}, for the {len(program.deaths)}th time within "
                f"{DEATHS_WINDOW_SECONDS / 60:.0f} minutes; what it printed above says why"
            )
        pause = 2.0 ** (len(program.deaths) - 1)
        program.again_at = now + pause
        say(f"{program.name} {_how(program.code)}; it is started again in {pause:.0f} s")


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _stop(programs: Sequence[Program]) -> None:
    """All at once, each with its own children, which they need a moment for."""
    alive = [program.process for program in programs if program.process is not None]
    for process in alive:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in alive:
        try:
            process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdin is not None:
            process.stdin.close()

"""Several programs as one: started in order, waited for until they answer, started again when one dies, ended
together with every process of theirs."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from soundcharts_pipeline.config.settings import BadUse
from soundcharts_pipeline.errors import PipelineError

# A webserver loads the project's code before it answers: 10 s on two idle cores.
START_SECONDS = 120.0
# Ten are what a person waits for. A run needs some of them to save the calls in flight.
STOP_SECONDS = 7.0
END_LOOK_SECONDS = 0.05
LOOK_SECONDS = 0.2
# A program that dies is started again after 1, 2, 4, ... seconds; so many deaths within the window are its end.
MOST_DEATHS = 4
DEATHS_WINDOW_SECONDS = 300.0

Say = Callable[[str], None]


@dataclass(slots=True)
class Program:
    """A Python module with its arguments. `url` is asked until it answers; None: it has none. It is started once the
    one that it comes `after` answers."""

    name: str
    module: str
    arguments: Sequence[str]
    url: str | None = None
    after: "Program | None" = None
    environ: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    deaths: list[float] = field(default_factory=list)
    again_at: float | None = None
    # Process groups, each named by a process that was started: this one's, and of dead ones whose children live on.
    groups: list[int] = field(default_factory=list)

    def start(self) -> None:
        """In a session of its own, so that Ctrl-C reaches the supervisor alone and the program is told to end once."""
        command = [sys.executable, "-m", "soundcharts_pipeline.cli.processes.child", self.module, *self.arguments]
        self.again_at = None
        self.process = subprocess.Popen(  # noqa: S603  # our own interpreter
            command, stdin=subprocess.PIPE, start_new_session=True, env={**os.environ, **self.environ}
        )
        self.groups.append(self.process.pid)

    @property
    def code(self) -> int | None:
        """Its exit code once it has ended."""
        return None if self.process is None else self.process.poll()

    def answers(self) -> bool:
        """Whether it is started, and its port takes connections."""
        if self.process is None or self.url is None:
            return self.process is not None
        address = urlsplit(self.url)
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex((address.hostname, address.port)) == 0

    def tell(self, number: signal.Signals) -> None:
        """Every process of it, and of those before it."""
        for group in self.groups:
            with suppress(ProcessLookupError):
                os.killpg(group, number)

    def forget_the_dead(self) -> None:
        """Leave groups alone once they are empty: their numbers may become those of other programs."""
        own = self.process.pid if self.process is not None and self.code is None else None
        self.groups = [group for group in self.groups if group == own or _has_members(group)]


class Gone(PipelineError):
    """A program that does not stay up; the message says how it ended."""


def check_free(host: str, port: int, option: str = "--port") -> None:
    """Raise BadUse for a port that somebody else has."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise BadUse(
                f"port {port} cannot be used ({error.strerror}); end what uses it, or choose another one with {option}"
            ) from None


def run_together(programs: Sequence[Program], say: Say, *, ready: Callable[[], None]) -> None:
    """Until an interrupt. Every process of every program has ended when this returns or raises.

    Raises Gone when one does not stay up.
    """
    try:
        _start(programs)
        ready()
        while True:
            time.sleep(LOOK_SECONDS)
            for program in programs:
                _look_after(program, say)
    except KeyboardInterrupt:
        say("Ending. What was saved stays; runs that are at work are requested again after the next start.")
    finally:
        _stop(programs)


def _start(programs: Sequence[Program]) -> None:
    """Each in its turn; returns once all of them answer."""
    deadline = time.monotonic() + START_SECONDS
    waiting = list(programs)
    while waiting:
        for program in programs:
            if program.process is None and (program.after is None or program.after.answers()):
                program.start()
            if program.code is not None:
                raise Gone(f"{program.name} {_how(program.code)} while it started; what it printed above says why")
        waiting = [program for program in waiting if not program.answers()]
        if waiting and time.monotonic() > deadline:
            raise Gone(f"{waiting[0].name} does not answer at {waiting[0].url} after {START_SECONDS:.0f} s")
        time.sleep(LOOK_SECONDS)


def _look_after(program: Program, say: Say) -> None:
    now = time.monotonic()
    program.forget_the_dead()
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


def _has_members(group: int) -> bool:
    """Whether a process of the group lives. What has ended and is ours to bury does not count: in a container, where
    nobody else does it, also children of a program that died."""
    with suppress(ChildProcessError):
        os.waitpid(-group, os.WNOHANG)
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _stop(programs: Sequence[Program]) -> None:
    """All at once, with their children, and for good once the time is over. A second interrupt does not wait."""
    for program in programs:
        program.tell(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    try:
        while any(program.groups for program in programs) and time.monotonic() < deadline:
            time.sleep(END_LOOK_SECONDS)
            for program in programs:
                program.forget_the_dead()
    except KeyboardInterrupt:
        pass
    for program in programs:
        program.tell(signal.SIGKILL)
        if program.process is not None and program.process.stdin is not None:
            program.process.wait()
            program.process.stdin.close()

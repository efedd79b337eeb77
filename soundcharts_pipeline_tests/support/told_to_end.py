"""Commands that are told to end in the ways in which people, scripts and machines do it."""

import fcntl
import os
import pty
import re
import shlex
import signal
import subprocess
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from soundcharts_pipeline_tests.support.command_line import COMMAND, LONGEST_RUN_SECONDS


@dataclass(frozen=True, slots=True)
class Ended:
    """The exit code, and all that was printed."""

    code: int
    text: str


def by_ctrl_c(environ: Mapping[str, str], command: Sequence[str], until: str) -> Ended:
    """On a terminal, by the key, once that is printed: all that the command has started there hears it."""
    process, screen = _on_a_terminal(environ, command)
    printed = _read_until(screen, until)
    os.write(screen, b"\x03")
    printed += _read_until(screen, None)
    os.close(screen)
    return Ended(process.wait(LONGEST_RUN_SECONDS), printed)


def by_closing_the_terminal(environ: Mapping[str, str], command: Sequence[str], until: str) -> Ended:
    """Nobody reads what is printed any more."""
    process, screen = _on_a_terminal(environ, command)
    printed = _read_until(screen, until)
    os.close(screen)
    return Ended(process.wait(LONGEST_RUN_SECONDS), printed)


def by_a_script(environ: Mapping[str, str], command: Sequence[str], until: str) -> Ended:
    """In the background, where shells make programs deaf to SIGINT: that is heard by nobody, SIGTERM is."""
    script = f"{shlex.join([*COMMAND, *command])} 2>&1 &\necho pid $!\nwait $!\necho code $?\n"
    process = subprocess.Popen(
        ["sh", "-c", script], env=dict(environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    printed = _read_until(process.stdout.fileno(), until)
    pid = int(printed.split("pid ")[1].split()[0])
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    rest, _ = process.communicate(timeout=LONGEST_RUN_SECONDS)
    printed += rest.decode()
    return Ended(int(printed.split("code ")[-1]), printed)


def _on_a_terminal(environ: Mapping[str, str], command: Sequence[str]) -> tuple["subprocess.Popen[bytes]", int]:
    """A terminal of its own, as a window is; what we read from it."""
    screen, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *command],
        env={**environ, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    return process, screen


def _read_until(stream: int, pattern: str | None) -> str:
    """What is printed, without colours, up to a match or the end."""
    printed = ""
    while pattern is None or not re.search(pattern, printed):
        try:
            part = os.read(stream, 65_536)
        except OSError:  # Linux's way to say that nobody holds the terminal any more
            part = b""
        if not part:
            assert pattern is None, f"{pattern} not in: {printed}"
            break
        printed += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", part.decode(errors="replace"))
    return printed

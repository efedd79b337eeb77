"""The program as a user runs it: a process of its own, with its own environment and two streams."""

import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from soundcharts_pipeline.cli.main import main
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.wording import PROGRAM, program
from soundcharts_pipeline_tests.support.today import noon

COMMAND = (sys.executable, "-m", "soundcharts_pipeline")
# For a process that hangs; no promise.
LONGEST_RUN_SECONDS = 600
# What most machines have, whatever a test before has made of this process.
UMASK = 0o022

# Fifty places, two platforms, one week: a chart-day in a second.
CHARTS = """\
# Ours.
defaults:
  first_date: 2026-01-01        # the oldest day
  track_audience_platforms: [spotify]
  artist_audience_platforms: [instagram]
  history_days: 7
  report: false
charts:
  - slug: viral-50-global   # fifty places
    name: Viral 50
  - slug: nowhere-28
    name: A chart that Soundcharts does not have
"""


def user_environ(simulator: Simulator, folder: Path) -> dict[str, str]:
    """The environment of a user whose Soundcharts is the simulator and whose data lies in the folder."""
    # COLUMNS would hide the width of a terminal; a parallel pytest may have it set.
    left_out = ("SOUNDCHARTS_", "DAGSTER_", "COLUMNS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return kept | {
        "SOUNDCHARTS_BASE_URL": simulator.url,
        "SOUNDCHARTS_AUTH_URL": simulator.auth_url,
        "SOUNDCHARTS_APP_ID": "soundcharts",
        "SOUNDCHARTS_API_KEY": "soundcharts",
        "SOUNDCHARTS_DATA_DIR": str(folder / "data"),
        "SOUNDCHARTS_CALLS_PER_MINUTE": "100000",
        "DAGSTER_HOME": str(folder / "dagster"),
        "SOUNDCHARTS_NOW": noon(simulator.world.today).isoformat(),
    }


def with_charts(environ: Mapping[str, str], folder: Path, text: str = CHARTS) -> dict[str, str]:
    """The environment with a charts file of its own in the folder."""
    path = folder / "charts.yaml"
    path.write_text(text)
    return {**environ, "SOUNDCHARTS_CHARTS": str(path)}


@dataclass(frozen=True, slots=True)
class Done:
    """A process that has ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Both streams as one line of words, without colours and the frames of tables, boxes and bars; in a command to
        copy the program by its name alone, wherever it is installed."""
        words = " ".join(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|[\u2500-\u257f]", " ", self.out + self.err).split())
        return words.replace(f"`{program()} ", f"`{PROGRAM} ")

    def says(self, *words: str) -> bool:
        """Every word is there, and nothing that only a programmer understands."""
        assert "Traceback" not in self.text, self.text
        missing = [word for word in words if word not in self.text]
        assert not missing, f"{missing} not in: {self.text}"
        return True


def run(environ: Mapping[str, str], *arguments: str | Path) -> Done:
    """The command to its end."""
    return run_program(environ, *COMMAND, *arguments)


def run_here(environ: Mapping[str, str], *arguments: str | Path) -> Done:
    """The command to its end, in this process: for what ends before anything is started."""
    out, err, before, umask = StringIO(), StringIO(), dict(os.environ), os.umask(UMASK)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    code: object = 0
    try:
        os.environ.clear()
        os.environ.update(environ)
        with redirect_stdout(out), redirect_stderr(err), patch.object(sys, "argv", [PROGRAM, *map(str, arguments)]):
            main()
    except SystemExit as exited:
        code = exited.code
    finally:
        os.environ.clear()
        os.environ.update(before)
        os.umask(umask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return Done(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def run_each(commands: Mapping[str, tuple[Mapping[str, str], Sequence[str]]]) -> dict[str, Done]:
    """Several commands, each with its environment and arguments, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        running = {name: pool.submit(run, environ, *arguments) for name, (environ, arguments) in commands.items()}
        return {name: future.result() for name, future in running.items()}


def run_each_program(environ: Mapping[str, str], commands: Mapping[str, Sequence[str]]) -> dict[str, Done]:
    """Several programs, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        running = {name: pool.submit(run_program, environ, *command) for name, command in commands.items()}
        return {name: future.result() for name, future in running.items()}


def run_program(environ: Mapping[str, str], *command: str | Path) -> Done:
    """Any program to its end."""
    done = subprocess.run(
        command,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONGEST_RUN_SECONDS,
        umask=UMASK,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def start(environ: Mapping[str, str], *arguments: str | Path) -> subprocess.Popen[str]:
    """The command, while it runs; its streams are joined, and Ctrl-C reaches it wherever the tests run."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_hear_interrupts,
    )


def run_in_terminal(environ: Mapping[str, str], columns: int, *arguments: str) -> Done:
    """The command to its end on a terminal of that width, which gets both streams."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, columns))
    process = subprocess.Popen(
        [*COMMAND, *arguments], env={**environ, "TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    printed = b""
    try:
        while part := os.read(ours, 65_536):
            printed += part
    except OSError:
        # The other side is closed, which Linux reports as an error.
        pass
    os.close(ours)
    return Done(process.wait(LONGEST_RUN_SECONDS), printed.decode(), "")


def open_to_others(*folders: Path | str) -> list[str]:
    """Whatever is in these folders that others than its owner may read, change or enter."""
    return [
        f"{path} {path.stat().st_mode & 0o777:o}"
        for folder in folders
        for path in [Path(folder), *Path(folder).rglob("*")]
        if path.stat().st_mode & 0o077
    ]


def read_until(process: subprocess.Popen[str], start_of_line: str) -> list[str]:
    """Lines up to the one that starts so; that one is the last."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith(start_of_line):
            return lines
    raise AssertionError(f"no line starts with {start_of_line!r}: {lines}")


def end(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """The exit code after a signal, and what was printed until then."""
    process.send_signal(number)
    try:
        printed, _ = process.communicate(timeout=LONGEST_RUN_SECONDS)
    finally:
        process.kill()
    return process.returncode, printed


def _hear_interrupts() -> None:
    """A shell starts background processes deaf to Ctrl-C, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)

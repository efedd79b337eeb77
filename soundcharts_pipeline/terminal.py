"""What a command prints with, and how it names itself."""

import os
import shutil
import sys
from pathlib import Path

from rich.console import Console

PROGRAM = "soundcharts-pipeline"
# Wide enough for every table: a reader of a pipe or a log folds lines itself, but cannot restore what was cut off.
LOG_WIDTH = 1_000


def open_console(*, stderr: bool = False) -> Console:
    """A console as wide as its terminal; what is not a terminal gets whole lines."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=LOG_WIDTH)


def program() -> str:
    """How to type this program's name here: with the virtualenv's folder unless that is on the path."""
    beside = Path(sys.executable).parent / PROGRAM
    if shutil.which(PROGRAM) or not beside.exists():
        return PROGRAM
    return os.path.relpath(beside)

"""What a command prints with, and how it names itself."""

from collections.abc import Sequence
from contextvars import ContextVar

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from soundcharts_pipeline.remedies import NOBODY, Subject

# Wide enough for every table: a reader of a pipe or a log folds lines itself, but cannot restore what was cut off.
LOG_WIDTH = 1_000
NARROWEST_NAME = 16
# Of one column of a table: a line and two spaces.
BORDERS = 3
# The chart and days that the command at work is asked for: what to do about an error that ends it is said of them.
ASKED_ABOUT: ContextVar[Subject] = ContextVar("asked_about", default=NOBODY)


def open_console(*, stderr: bool = False) -> Console:
    """A console as wide as its terminal; what is not a terminal gets whole lines."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=LOG_WIDTH)


def counted(number: int, noun: str) -> str:
    """`1 call`, `1,899 calls`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def print_table(console: Console, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table whose cells can be copied whole: only names (the second column) are folded. What a narrow terminal
    has no room for is left out from the right, and said."""
    widths = [max(map(cell_len, cells)) for cells in zip(headings, *rows, strict=True)]
    widths[1] = min(widths[1], NARROWEST_NAME)
    shown = len(headings)
    while shown > 1 and sum(widths[:shown]) + BORDERS * shown + 1 > console.width:
        shown -= 1
    console.print(_table(headings[:shown], [row[:shown] for row in rows]))
    if shown < len(headings):
        console.print(f"left out, for this terminal is narrow: {', '.join(headings[shown:])}", soft_wrap=True)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table()
    for number, heading in enumerate(headings):
        name = number == 1
        table.add_column(heading, no_wrap=not name, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    return table

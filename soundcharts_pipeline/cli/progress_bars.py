"""How far a run is, for people: a live bar per step in a terminal; in a log one line per finished step, and one every
few seconds while a step goes on."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from soundcharts_pipeline.config.cascade import ANALYTICS, RANKINGS
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.pace import duration

POLL_SECONDS = 0.2
# A step is heard of so often in a log, too.
LINE_SECONDS = 10.0
WIDEST_BAR = 40
NARROWEST_BAR = 8
# Columns beside the bar: name, count with unit, seconds, time left, and the spaces between.
BESIDE_BAR = 76

Steps = Mapping[str, tuple[int, int]]


@contextmanager
def shown_progress(warehouse: Warehouse, run_id: str, keys: Sequence[str], console: Console) -> Iterator[None]:
    """Follows what the steps of a run save of their progress, while the block lasts."""
    display: _Display = _Bars(keys, console) if console.is_terminal else _Lines(keys, console)
    over = threading.Event()

    def look() -> None:
        try:
            with warehouse.read() as conn:
                display.show(worklists.progress_of(conn, run_id))
        except StorageError:
            # A look is worth no error: the step that needs the database reports it.
            return

    def follow() -> None:
        while not over.wait(POLL_SECONDS):
            look()

    warehouse.prepare()
    with display:
        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            look()


class _Display(Protocol):
    def __enter__(self) -> object: ...

    def __exit__(self, *reason: object) -> None: ...

    def show(self, steps: Steps) -> None:
        """The state of every step that has begun."""


class _TimeLeft(ProgressColumn):
    """By the speed of the whole step: its calls take turns with those of other runs, so the last moments say little."""

    def render(self, task: Task) -> Text:
        left = _time_left(task.elapsed or 0, int(task.completed), int(task.total or 0))
        return Text(left and f"{left} left", style="progress.remaining")


class _Bars:
    """A bar per step, from the start, so that one sees what is still to come."""

    def __init__(self, keys: Sequence[str], console: Console) -> None:
        columns: list[ProgressColumn] = [TextColumn(f"{{task.description:<{max(map(len, keys))}}}")]
        room = console.width - BESIDE_BAR
        if room >= NARROWEST_BAR:
            columns.append(BarColumn(bar_width=min(room, WIDEST_BAR)))
        columns += [TextColumn("{task.fields[state]:<24}"), TimeElapsedColumn(), _TimeLeft()]
        self._bars = Progress(*columns, console=console)
        self._tasks: dict[str, TaskID] = {
            key: self._bars.add_task(key, total=None, start=False, state="not started") for key in keys
        }

    def __enter__(self) -> object:
        return self._bars.__enter__()

    def __exit__(self, *reason: object) -> None:
        self._bars.stop()

    def show(self, steps: Steps) -> None:
        for key, (done, total) in steps.items():
            self._bars.start_task(self._tasks[key])
            # Nothing to ask is as done as done can be.
            self._bars.update(
                self._tasks[key], total=total or 1, completed=done if total else 1, state=_state(key, done, total)
            )


class _Lines:
    """A line when a step is over, and now and then before. Steps run one after the other: the next one's first sign
    ends the one before."""

    def __init__(self, keys: Sequence[str], console: Console) -> None:
        self._width = max(map(len, keys))
        self._console = console
        self._begun: dict[str, float] = {}
        self._printed: set[str] = set()
        self._latest: Steps = {}
        self._said_at = time.monotonic()

    def __enter__(self) -> object:
        return self

    def __exit__(self, *reason: object) -> None:
        self._print(self._begun)

    def show(self, steps: Steps) -> None:
        # A restore that somebody forced takes the rows of steps away; what they last said stays true.
        self._latest = {**self._latest, **steps}
        before = list(self._begun)
        for key in steps:
            self._begun.setdefault(key, time.monotonic())
        if len(self._begun) > len(before):
            self._print(before)
        if time.monotonic() - self._said_at >= LINE_SECONDS:
            for key in self._begun.keys() - self._printed:
                left = _time_left(self._seconds(key), *self._latest[key])
                self._say(key, f", {left} left" if left else "")

    def _print(self, keys: Sequence[str] | Mapping[str, float]) -> None:
        for key in keys:
            if key not in self._printed:
                self._printed.add(key)
                self._say(key)

    def _say(self, key: str, left: str = "") -> None:
        self._said_at = time.monotonic()
        state = _state(key, *self._latest[key])
        line = f"{key:<{self._width}}  {state:<24}  {self._seconds(key):.1f} s{left}"
        self._console.print(line, soft_wrap=True)

    def _seconds(self, key: str) -> float:
        return time.monotonic() - self._begun[key]


def _time_left(seconds: float, done: int, total: int) -> str:
    """`7 min 11 s`; nothing before the first answer and after the last one."""
    return duration(seconds / done * (total - done)) if 0 < done < total else ""


def _state(key: str, done: int, total: int) -> str:
    return f"{done:,}/{total:,} {_unit(key)}" if total else "nothing to ask"


def _unit(key: str) -> str:
    if key == RANKINGS:
        return "rankings"
    if key in ANALYTICS:
        return "days"
    return "batches of ten" if key.endswith("_metadata") else "series windows"

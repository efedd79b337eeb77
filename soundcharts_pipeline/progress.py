"""How far a run is, for people: a live bar per step in a terminal, one line per finished step in a log."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeElapsedColumn

from soundcharts_pipeline.cascade import RANKINGS
from soundcharts_pipeline.storage import worklists
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.storage.warehouse import Warehouse

POLL_SECONDS = 0.2
WIDEST_BAR = 40
NARROWEST_BAR = 8
# Columns beside the bar: name, count with unit, seconds, and the spaces between.
BESIDE_BAR = 60

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


class _Bars:
    """A bar per step, from the start, so that one sees what is still to come."""

    def __init__(self, keys: Sequence[str], console: Console) -> None:
        columns: list[ProgressColumn] = [TextColumn(f"{{task.description:<{max(map(len, keys))}}}")]
        room = console.width - BESIDE_BAR
        if room >= NARROWEST_BAR:
            columns.append(BarColumn(bar_width=min(room, WIDEST_BAR)))
        columns += [TextColumn("{task.fields[state]:<20}"), TimeElapsedColumn()]
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
    """A line when a step is over. Steps run one after the other: the next one's first sign ends the one before."""

    def __init__(self, keys: Sequence[str], console: Console) -> None:
        self._width = max(map(len, keys))
        self._console = console
        self._begun: dict[str, float] = {}
        self._printed: set[str] = set()
        self._latest: Steps = {}

    def __enter__(self) -> object:
        return self

    def __exit__(self, *reason: object) -> None:
        self._print(self._begun)

    def show(self, steps: Steps) -> None:
        self._latest = steps
        before = list(self._begun)
        for key in steps:
            self._begun.setdefault(key, time.monotonic())
        if len(self._begun) > len(before):
            self._print(before)

    def _print(self, keys: Sequence[str] | Mapping[str, float]) -> None:
        for key in keys:
            if key not in self._printed:
                self._printed.add(key)
                seconds = time.monotonic() - self._begun[key]
                state = _state(key, *self._latest[key])
                self._console.print(f"{key:<{self._width}}  {state:<20}  {seconds:.1f} s", soft_wrap=True)


def _state(key: str, done: int, total: int) -> str:
    return f"{done}/{total} {_unit(key)}" if total else "nothing to ask"


def _unit(key: str) -> str:
    if key == RANKINGS:
        return "rankings"
    return "batches of ten" if key.endswith("_metadata") else "series windows"

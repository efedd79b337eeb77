"""Ctrl-C, SIGTERM and SIGHUP wait for the end of a transaction, which is milliseconds away.

Python raises KeyboardInterrupt between any two instructions. Between BEGIN and its bookkeeping that leaves the
transaction open, and with it the write lock of an SQLite file, for as long as the traceback lives.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Note:
    """The handler of all three within a block."""

    def __init__(self) -> None:
        self.came: list[int] = []

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self.came.append(number)


def is_interrupted() -> bool:
    """Whether a signal came that waits for the end of a block."""
    handler = signal.getsignal(INTERRUPTS[-1])
    return isinstance(handler, _Note) and bool(handler.came)


@contextmanager
def deferred_interrupts() -> Iterator[None]:
    """Signals that come during the block are delivered after it, or after the block that it is part of. Python runs
    their handlers in the main thread alone, so in any other there is nothing to do."""
    if threading.current_thread() is not threading.main_thread() or isinstance(signal.getsignal(INTERRUPTS[-1]), _Note):
        yield
        return
    note = _Note()
    # A handler that Python did not install (None) cannot be put back.
    handlers = {number: handler for number in INTERRUPTS if (handler := signal.getsignal(number)) is not None}
    try:
        for number in handlers:
            signal.signal(number, note)
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for late in note.came:
            signal.raise_signal(late)

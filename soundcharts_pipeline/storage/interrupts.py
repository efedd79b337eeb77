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


@contextmanager
def deferred_interrupts() -> Iterator[None]:
    """Signals that come during the block are delivered after it. Python runs their handlers in the main thread
    alone, so in any other there is nothing to do."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    # A handler that Python did not install (None) cannot be put back.
    handlers = {number: handler for number in INTERRUPTS if (handler := signal.getsignal(number)) is not None}
    try:
        for number in handlers:
            signal.signal(number, note)
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)

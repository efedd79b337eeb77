"""A clock for what would otherwise wait."""

import threading
from collections.abc import Callable


class FakeTime:
    """A clock that only sleeping moves, whoever sleeps; `woken` is called after each sleep."""

    def __init__(self, woken: Callable[[], None] = lambda: None) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._woken = woken
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.now = max(self.now, self.now + seconds)
        self._woken()

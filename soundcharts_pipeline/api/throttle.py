"""When a call may leave: at most so many in any 60 seconds, and none while the server asked to wait."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

# The server's minute and a second more: calls do not travel equally fast, and the first ones open a connection.
WINDOW_SECONDS = 61.0


class Throttle(Protocol):
    """Shared by all threads of a transport."""

    def acquire(self) -> None:
        """Wait until one call may leave."""
        ...

    def pause(self, seconds: float) -> None:
        """Let no call leave for so long: the server said so."""
        ...


class SlidingWindow:
    """At most `per_minute` calls in any 60 s, however they are spread.

    A sliding window and not an even pace: a chart-day of 2,000 calls may use the minute's 5,000 at once and be
    done in seconds, and still no minute as the server counts it is over the limit.
    """

    def __init__(
        self,
        per_minute: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._left: deque[float] = deque(maxlen=per_minute)
        self._blocked_until = 0.0

    def acquire(self) -> None:
        while wait := self._take():
            # After the sleep everything is looked at again: another thread may have met a pause meanwhile.
            self._sleep(wait)

    def pause(self, seconds: float) -> None:
        with self._lock:
            self._blocked_until = max(self._blocked_until, self._monotonic() + seconds)

    def _take(self) -> float:
        with self._lock:
            now = self._monotonic()
            wait = self._blocked_until - now
            if len(self._left) == self._left.maxlen:
                wait = max(wait, self._left[0] + WINDOW_SECONDS - now)
            if wait > 0:
                return wait
            self._left.append(now)
            return 0.0

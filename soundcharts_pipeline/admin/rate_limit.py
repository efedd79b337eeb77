"""So many requests a minute for each client."""

import threading
import time
from collections import deque
from collections.abc import Callable

from soundcharts_pipeline.admin.answers import Refused

MINUTE = 60.0
# Clients remembered at once; beyond that those that were silent for a minute are forgotten.
MOST_CLIENTS = 10_000


class RateLimit:
    """Counts the last minute of each client. `what` was done too often, and `advice`, are words of the refusal."""

    def __init__(self, per_minute: int, what: str, advice: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._what, self._advice = what, advice
        self._lock = threading.Lock()
        self._asked: dict[str, deque[float]] = {}

    def count(self, client: str) -> None:
        """Raises the refusal when the client has asked too often; a refused request does not count."""
        now = self._clock()
        with self._lock:
            if len(self._asked) > MOST_CLIENTS:
                self._asked = {name: times for name, times in self._asked.items() if times[-1] > now - MINUTE}
            times = self._asked.setdefault(client, deque())
            while times and times[0] <= now - MINUTE:
                times.popleft()
            if len(times) < self._per_minute:
                times.append(now)
                return
            wait = max(1, round(times[0] + MINUTE - now))
        raise Refused(
            429,
            f"more than {self._per_minute} {self._what} from this address within a minute",
            f"try again in {wait} s; {self._advice}",
            headers={"Retry-After": str(wait)},
        )

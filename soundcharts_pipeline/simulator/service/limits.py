"""The account behind every accepted credential: its rate, its quota, and the headers that tell of both.

The rate is a sliding window of 60 s: a call is let in when fewer than `rate` were let in during the 60 s
before it. The quota is one number for the life of the simulator (or until reset).
"""

import math
from collections import deque
from collections.abc import Callable

_MINUTE = 60.0


class Allowance:
    """Calls let in during the last minute and billed calls so far."""

    def __init__(self, rate: int, quota: int, clock: Callable[[], float]) -> None:
        self.rate = rate
        self.quota = quota
        self.spent = 0
        self._clock = clock
        self._times: deque[float] = deque()

    def reset(self) -> None:
        """Forget all calls."""
        self.spent = 0
        self._times.clear()

    def admit(self) -> bool:
        """Let a call in, unless the rate forbids it. A refused call does not count."""
        now = self._clock()
        self._forget(now)
        if len(self._times) >= self.rate:
            return False
        self._times.append(now)
        return True

    def used_this_minute(self) -> int:
        """Calls let in during the last minute."""
        self._forget(self._clock())
        return len(self._times)

    def remaining(self) -> int:
        """Billed calls left."""
        return max(0, self.quota - self.spent)

    def headers(self) -> dict[str, str]:
        """What every answer says of the account; reset is the wait in seconds for the next free call."""
        now = self._clock()
        wait = self._times[0] + _MINUTE - now if self._times else 0.0
        return {
            "x-ratelimit-limit": str(self.rate),
            "x-ratelimit-remaining": str(max(0, self.rate - len(self._times))),
            "x-ratelimit-reset": str(max(0, math.ceil(wait))),
            "x-quota-remaining": str(self.remaining()),
        }

    def _forget(self, now: float) -> None:
        while self._times and self._times[0] <= now - _MINUTE:
            self._times.popleft()

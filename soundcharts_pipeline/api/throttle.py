"""When a call may leave: at most so many in any 60 seconds, and none while the server asked to wait."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from soundcharts_pipeline.models import RateGrant, RateNews

# The server's minute and a second more: calls do not travel equally fast, and the first ones open a connection.
WINDOW_SECONDS = 61.0
# Calls are taken from the gate so many at a time at most, and those not sent within so many seconds are dropped:
# the gate counts them as sent when they were taken.
BATCH = 10
PERMIT_SECONDS = 0.25


class Throttle(Protocol):
    """Shared by all threads of a transport."""

    def acquire(self) -> int:
        """Wait until one call may leave; its number."""
        ...

    def pause(self, seconds: float) -> None:
        """Let no call leave for so long: the server said so."""
        ...

    def heard(self, news: RateNews) -> None:
        """An answer told this of the account's minute."""
        ...


class Gate(Protocol):
    """Where all processes and hosts take their calls from. Asked by one thread of a process at a time."""

    def take(self, wanted: int, news: RateNews | None) -> RateGrant:
        """Up to `wanted` calls, or how long to wait; `news` is what was heard since the last time."""
        ...

    def block(self, seconds: float) -> None:
        """Nobody takes a call for so long."""
        ...


class SharedThrottle:
    """The threads of a process at the gate: one asks, for as many calls as threads wait.

    Never for more: calls taken ahead and not used were a sixth of the minute where threads come and go together."""

    def __init__(
        self,
        gate: Gate,
        *,
        batch: int = BATCH,
        permit_seconds: float = PERMIT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gate = gate
        self._batch = batch
        self._permit_seconds = permit_seconds
        self._monotonic = monotonic
        self._sleep = sleep
        # Whoever holds the turn may sleep in it, with all others behind; the other lock is never held for long.
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._waiting = 0
        self._spare: deque[int] = deque()
        self._spare_until = 0.0
        self._news: tuple[float, RateNews] | None = None

    def acquire(self) -> int:
        with self._lock:
            self._waiting += 1
        with self._turn:
            try:
                call = self._spare_call()
                while call is None:
                    call = self._ask()
                return call
            finally:
                with self._lock:
                    self._waiting -= 1

    def pause(self, seconds: float) -> None:
        with self._lock:
            self._spare.clear()
        self._gate.block(seconds)

    def heard(self, news: RateNews) -> None:
        with self._lock:
            if self._news is None or news.call > self._news[1].call:
                self._news = (self._monotonic(), news)

    def _spare_call(self) -> int | None:
        with self._lock:
            if not self._spare or self._monotonic() >= self._spare_until:
                return None
            return self._spare.popleft()

    def _ask(self) -> int | None:
        """The first call of a new batch. It leaves however long the gate took: somebody always gets on."""
        with self._lock:
            news = self._news_by_now()
            wanted = min(self._waiting, self._batch)
        grant = self._gate.take(wanted, news)
        if not grant.calls:
            # After the sleep everything is looked at again: any process may have met a pause meanwhile.
            self._sleep(grant.wait)
            return None
        with self._lock:
            self._spare = deque(range(grant.first + 1, grant.first + grant.calls))
            self._spare_until = self._monotonic() - grant.age + self._permit_seconds
        return grant.first

    def _news_by_now(self) -> RateNews | None:
        """What was heard last, once. A process may have been busy since: the wait it was told of is shorter by that."""
        if self._news is None:
            return None
        (heard_at, news), self._news = self._news, None
        if news.reset is None:
            return news
        return replace(news, reset=max(news.reset - (self._monotonic() - heard_at), 0.0))


class SlidingWindow:
    """At most `per_minute` calls in any 60 s of this process alone, for a client without a warehouse: `doctor` looks
    at the network and the account even when the database cannot be opened.

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
        self._calls = 0
        self._blocked_until = 0.0

    def acquire(self) -> int:
        while wait := self._take():
            # After the sleep everything is looked at again: another thread may have met a pause meanwhile.
            self._sleep(wait)
        return self._calls

    def pause(self, seconds: float) -> None:
        with self._lock:
            self._blocked_until = max(self._blocked_until, self._monotonic() + seconds)

    def heard(self, news: RateNews) -> None:
        """Nothing to share, and the few calls of such a client come nowhere near the limit."""

    def _take(self) -> float:
        with self._lock:
            now = self._monotonic()
            wait = self._blocked_until - now
            if len(self._left) == self._left.maxlen:
                wait = max(wait, self._left[0] + WINDOW_SECONDS - now)
            if wait > 0:
                return wait
            self._left.append(now)
            self._calls += 1
            return 0.0

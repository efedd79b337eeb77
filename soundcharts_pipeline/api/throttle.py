"""When a call may leave: at most so many in any 60 seconds, and none while the server asked to wait."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from soundcharts_pipeline.models import RateGrant, RateNews, RatePermit

# The server's minute and a second more: calls do not travel equally fast, and the first ones open a connection.
WINDOW_SECONDS = 61.0
# Calls are taken from the gate so many at a time at most, and those not sent within so many seconds are dropped:
# the gate counts them as sent when they were taken.
BATCH = 10
PERMIT_SECONDS = 0.25
# While calls are under way, whoever is to ask gives others so long to come along: a turn at the gate is a transaction,
# and threads that are let go together arrive one by one.
COMPANY_SECONDS = 0.003


class Throttle(Protocol):
    """Shared by all threads of a transport."""

    def acquire(self, *, free: bool = False) -> RatePermit | None:
        """Wait until one call may leave. None: no billed one may before the server has told what is left of the quota,
        and none of this process is under way any more."""
        ...

    def pause(self, seconds: float) -> None:
        """Let no call leave for so long: the server said so."""
        ...

    def received(self, permit: RatePermit, news: RateNews | None) -> None:
        """The call is over; its answer, if one came, told this of the account."""
        ...

    def rest(self) -> None:
        """No call of this process is under way, and none follows soon: others need not wait for any."""
        ...


class Gate(Protocol):
    """Where all processes and hosts take their calls from. Asked by one thread of a process at a time."""

    def take(self, wanted: int, news: RateNews | None, *, back: int = 0, free: bool = False) -> RateGrant:
        """Up to `wanted` calls (0: this is but a report), or why none. `news` is what was heard since the last time,
        `back` how many billed calls have come back or were never sent."""
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
        company_seconds: float = COMPANY_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gate = gate
        self._batch = batch
        self._permit_seconds = permit_seconds
        self._company_seconds = company_seconds
        self._monotonic = monotonic
        self._sleep = sleep
        # Whoever holds the turn may sleep in it, with all others behind; the other lock is never held for long.
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._waiting = 0
        self._unused: deque[RatePermit] = deque()
        self._unused_until = 0.0
        self._back = self._under_way = 0
        self._news: tuple[float, RateNews] | None = None

    def acquire(self, *, free: bool = False) -> RatePermit | None:
        with self._lock:
            self._waiting += not free
        with self._turn:
            try:
                if not free and (unused := self._unused_permit()) is not None:
                    return unused
                if self._under_way and self._company_seconds:
                    self._sleep(self._company_seconds)
                while not (grant := self._ask(self._wanted(free), free)).calls:
                    if grant.quota_unknown and not self._under_way:
                        return None
                    # After the sleep everything is looked at again: any process may have met a pause meanwhile.
                    self._sleep(grant.wait)
                return self._first_of(grant, free)
            finally:
                with self._lock:
                    self._waiting -= not free

    def pause(self, seconds: float) -> None:
        with self._lock:
            self._drop_unused()
        self._gate.block(seconds)

    def received(self, permit: RatePermit, news: RateNews | None) -> None:
        with self._lock:
            if not permit.free:
                self._come_back(1)
            if news is not None and (self._news is None or news.call > self._news[1].call):
                self._news = (self._monotonic(), news)

    def rest(self) -> None:
        with self._turn:
            with self._lock:
                self._drop_unused()
            self._ask(0)

    def _unused_permit(self) -> RatePermit | None:
        with self._lock:
            if not self._unused or self._monotonic() >= self._unused_until:
                self._drop_unused()
                return None
            return self._unused.popleft()

    def _drop_unused(self) -> None:
        self._come_back(len(self._unused))
        self._unused.clear()

    def _come_back(self, calls: int) -> None:
        self._back += calls
        self._under_way -= calls

    def _wanted(self, free: bool) -> int:
        with self._lock:
            return 1 if free else min(self._waiting, self._batch)

    def _ask(self, wanted: int, free: bool = True) -> RateGrant:
        with self._lock:
            news, back = self._news_by_now(), self._back
            self._back = 0
        return self._gate.take(wanted, news, back=back, free=free)

    def _first_of(self, grant: RateGrant, free: bool) -> RatePermit:
        """The first call of a batch. It leaves however long the gate took: somebody always gets on."""
        first, *unused = (RatePermit(grant.first + n, grant.under_way + n, free) for n in range(grant.calls))
        if not free:
            with self._lock:
                self._under_way += grant.calls
                self._unused = deque(unused)
                self._unused_until = self._monotonic() - grant.age + self._permit_seconds
        return first

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

    def acquire(self, *, free: bool = False) -> RatePermit:
        while wait := self._take():
            # After the sleep everything is looked at again: another thread may have met a pause meanwhile.
            self._sleep(wait)
        return RatePermit(self._calls, free=free)

    def pause(self, seconds: float) -> None:
        with self._lock:
            self._blocked_until = max(self._blocked_until, self._monotonic() + seconds)

    def received(self, permit: RatePermit, news: RateNews | None) -> None:
        """Nothing to share, and the few calls of such a client come nowhere near the limit."""

    def rest(self) -> None:
        """Nobody waits for this process."""

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

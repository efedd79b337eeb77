"""What was asked of the simulator: every call counted as it arrives, every answer as it leaves.

Calls to `/_simulator/` and for tokens are not API calls and appear nowhere here.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """A snapshot. A question is method, path and sorted query; answered means 200, 400, 403, 404 or 410.

    `repeats` counts calls that asked again what had already been answered; `repeated` lists their questions.
    The busiest minute and second are the most arrivals in any sliding 60 s and 1 s, refused ones included.
    """

    calls: dict[str, int] = field(default_factory=dict)
    total: int = 0
    answered: int = 0
    billed: int = 0
    faults: int = 0
    questions: int = 0
    repeats: int = 0
    repeated: tuple[str, ...] = ()
    rejected_by_rate: int = 0
    rejected_by_quota: int = 0
    busiest_minute: int = 0
    busiest_second: int = 0
    in_flight: int = 0
    most_in_flight: int = 0

    def as_json(self) -> dict[str, Any]:
        """The same for the wire."""
        return {name: getattr(self, name) for name in self.__slots__}


class _Sliding:
    """The most events seen in any span of this many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque()
        self.most = 0

    def add(self, now: float) -> None:
        self._times.append(now)
        while self._times[0] <= now - self._seconds:
            self._times.popleft()
        self.most = max(self.most, len(self._times))


class Ledger:
    """The counters while they count. Written by the server's thread, read by any."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._in_flight = 0
        self._clear()

    def reset(self) -> None:
        """Start from nothing; calls in flight stay in flight."""
        with self._lock:
            self._clear()

    def _clear(self) -> None:
        self._calls: Counter[str] = Counter()
        self._tally: Counter[str] = Counter()
        self._questions: set[str] = set()
        self._answered: set[str] = set()
        self._repeated: dict[str, None] = {}
        self._minute, self._second = _Sliding(60.0), _Sliding(1.0)
        self._most_in_flight = self._in_flight

    def arrived(self, endpoint: str, question: str) -> None:
        """A call came in."""
        now = self._clock()
        with self._lock:
            self._calls[endpoint] += 1
            self._questions.add(question)
            if question in self._answered:
                self._tally["repeats"] += 1
                self._repeated[question] = None
            self._minute.add(now)
            self._second.add(now)
            self._in_flight += 1
            self._most_in_flight = max(self._most_in_flight, self._in_flight)

    def answered(self, question: str, *, billed: bool) -> None:
        """It got a real answer."""
        with self._lock:
            self._answered.add(question)
            self._tally["answered"] += 1
            if billed:
                self._tally["billed"] += 1

    def refused(self, reason: str) -> None:
        """It did not: `faults`, `rejected_by_rate` or `rejected_by_quota`."""
        with self._lock:
            self._tally[reason] += 1

    def ended(self) -> None:
        """The call is over, whichever way."""
        with self._lock:
            self._in_flight -= 1

    def snapshot(self) -> Counters:
        """The counters now."""
        with self._lock:
            return Counters(
                calls=dict(sorted(self._calls.items())),
                total=self._calls.total(),
                answered=self._tally["answered"],
                billed=self._tally["billed"],
                faults=self._tally["faults"],
                questions=len(self._questions),
                repeats=self._tally["repeats"],
                repeated=tuple(self._repeated),
                rejected_by_rate=self._tally["rejected_by_rate"],
                rejected_by_quota=self._tally["rejected_by_quota"],
                busiest_minute=self._minute.most,
                busiest_second=self._second.most,
                in_flight=self._in_flight,
                most_in_flight=self._most_in_flight,
            )

"""What was called, counted where the calls are made: per UTC day and endpoint."""

import threading
from dataclasses import dataclass
from datetime import date

from soundcharts_pipeline.clock import Clock, utc_now


@dataclass(slots=True)
class EndpointUsage:
    """Counts of one endpoint on one UTC day. `billed` follows the vendor's rule: an answered call counts,
    one the server failed to answer (5xx, 429) does not (help.soundcharts.com article 10104246)."""

    calls: int = 0
    billed: int = 0
    errors: int = 0
    throttled: int = 0


class UsageMeter:
    """Counts of all threads. `drain` hands over what came since the last time."""

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[tuple[date, str], EndpointUsage] = {}
        self._drained: dict[tuple[date, str], EndpointUsage] = {}
        self.calls = 0
        self.answered = 0
        self.quota_remaining: int | None = None
        self._quota_noted = 0

    def add(
        self,
        endpoint: str,
        *,
        billed: bool,
        error: bool,
        throttled: bool,
        quota: int | None = None,
        since: int = 0,
    ) -> None:
        """Count one call that is over; `since` is what `calls` was when it left."""
        with self._lock:
            count = self._counts.setdefault((self._clock().date(), endpoint), EndpointUsage())
            self.calls += 1
            self.answered += billed
            count.calls += 1
            count.billed += billed
            count.errors += error
            count.throttled += throttled
            # Of a call that was under way when the known number came, a larger one tells of an earlier moment.
            known = self.quota_remaining
            if quota is not None and (known is None or quota < known or since >= self._quota_noted):
                self.quota_remaining, self._quota_noted = quota, self.calls

    def drain(self) -> dict[tuple[date, str], EndpointUsage]:
        with self._lock:
            counts, self._counts = self._counts, {}
            self._drained |= counts
            return counts

    def keep(self) -> None:
        """All that was drained is kept."""
        with self._lock:
            self._drained = {}

    def take_back(self) -> None:
        """What was drained since `keep` was not kept after all."""
        with self._lock:
            drained, self._drained = self._drained, {}
            for key, counted in drained.items():
                now = self._counts.setdefault(key, EndpointUsage())
                for name in EndpointUsage.__slots__:
                    setattr(now, name, getattr(now, name) + getattr(counted, name))

"""The account's minute and its quota, shared by every process and host that uses this warehouse.

Calls are taken in small batches, each written down in the second it was taken: a window of 60 seconds that slides
over those counts can never hold more than the limit, and a process that is killed leaves nothing behind but calls
that expire with the minute. Time is the database's, so hosts with different clocks agree.
"""

import math
import time
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from soundcharts_pipeline.storage.schema import rate_gate, rate_slots
from soundcharts_pipeline.storage.warehouse import Warehouse

# Counts are kept per quarter of a second.
BUCKET_SECONDS = 0.25
# A call reaches the server up to so long after it was taken: it waits for a thread (at most PERMIT_SECONDS in
# api.throttle) and travels. The window is longer than the server's minute by this and by a bucket.
TRAVEL_SECONDS = 0.5
WINDOW_SECONDS = 60 + TRAVEL_SECONDS + BUCKET_SECONDS
# Whoever finds the minute full looks again at least this often: a pause may have come or gone meanwhile.
LONGEST_WAIT_SECONDS = 1.0
# A call of the last seconds may not be in the quota that the server last reported.
UNREPORTED_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the server's headers last said: limit per minute, calls left in it, billed calls left in the term."""

    limit: int | None = None
    remaining: int | None = None
    quota: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer of the gate: so many calls may leave now; or none, and when to ask again (seconds)."""

    calls: int
    wait: float = 0.0
    quota_left: int | None = None


class RateGate:
    """One row, locked for a moment by whoever takes calls. `limit` is the cap per minute, `reserve` the billed calls
    to keep."""

    def __init__(self, warehouse: Warehouse, *, limit: int, reserve: int = 0) -> None:
        self._warehouse = warehouse
        self._limit = limit
        self._reserve = reserve

    def take(self, wanted: int, seen: Seen) -> Taken:
        """Up to `wanted` calls. None and no wait means that the quota is used up to the reserve."""
        with self._warehouse.write() as conn:
            now, blocked_until, quota, limit = self._locked(conn)
            if seen.quota is not None and seen.quota != quota:
                quota = seen.quota
                conn.execute(rate_gate.update().values(quota_left=quota))
            if seen.limit is not None and seen.limit != limit:
                limit = seen.limit
                conn.execute(rate_gate.update().values(server_limit=limit))
            if blocked_until > now:
                return Taken(0, min(blocked_until - now, LONGEST_WAIT_SECONDS), quota)
            return self._take(conn, now, wanted, min(self._limit, limit or self._limit), quota)

    def block(self, seconds: float) -> None:
        """Nobody takes a call for so long: the server said so."""
        with self._warehouse.write() as conn:
            now, blocked_until, _, _ = self._locked(conn)
            conn.execute(rate_gate.update().values(blocked_until=max(blocked_until, now + seconds)))

    def _locked(self, conn: Connection) -> tuple[float, float, int | None, int | None]:
        """The row, which nobody else changes before this transaction ends, and the database's time after the wait."""
        columns = (rate_gate.c.blocked_until, rate_gate.c.quota_left, rate_gate.c.server_limit)
        row = conn.execute(select(*columns).with_for_update()).one()
        # SQLite is a file of this host: its clock is ours.
        clock = func.extract("epoch", func.clock_timestamp())
        now = time.time() if conn.dialect.name == "sqlite" else float(conn.scalar(select(clock)))
        return now, row.blocked_until or 0.0, row.quota_left, row.server_limit

    def _take(self, conn: Connection, now: float, wanted: int, limit: int, quota: int | None) -> Taken:
        t = rate_slots
        conn.execute(t.delete().where(t.c.bucket <= _bucket(now - WINDOW_SECONDS)))
        oldest, taken = conn.execute(select(func.min(t.c.bucket), func.coalesce(func.sum(t.c.calls), 0))).one()
        free = min(wanted, limit - int(taken))
        if free <= 0:
            expires = (oldest + 1) * BUCKET_SECONDS + WINDOW_SECONDS
            return Taken(0, min(max(expires - now, BUCKET_SECONDS), LONGEST_WAIT_SECONDS), quota)
        if quota is not None:
            if quota <= self._reserve:
                return Taken(0, 0.0, quota)
            recent = t.c.bucket > _bucket(now - UNREPORTED_SECONDS)
            unreported = int(conn.scalar(select(func.coalesce(func.sum(t.c.calls), 0)).where(recent)))
            free = min(free, quota - self._reserve - unreported)
            if free <= 0:
                # Close to the end: wait until the server has counted what is under way.
                return Taken(0, LONGEST_WAIT_SECONDS, quota)
        bucket = _bucket(now)
        changed = conn.execute(t.update().where(t.c.bucket == bucket).values(calls=t.c.calls + free))
        if changed.rowcount == 0:
            conn.execute(t.insert().values(bucket=bucket, calls=free))
        return Taken(free, 0.0, quota)


def _bucket(moment: float) -> int:
    return math.floor(moment / BUCKET_SECONDS)

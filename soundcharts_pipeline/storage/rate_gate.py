"""The account's minute and term, shared by every process and host that uses this warehouse.

Calls are taken in small batches, each counted in the quarter of a second it was taken in: a window that slides over
those counts never holds more than the limit, and a process that is killed leaves nothing behind but calls that expire
with the minute. Time is the database's (SQLite: this host's), so hosts whose clocks differ agree.

Of the term the row keeps what is certainly left: every call handed out counts as billed, and all calls that the server
may not have counted yet are subtracted from what it tells.

SQLite keeps the counts in a file beside the warehouse. Measured with four processes while a fifth saved, 100 ms at a
time: 70 calls a second through the gate in the warehouse's own file, fewer than the account allows; 580 through a file
apart (no limiter: 740 on the same busy machine).
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Integer, bindparam, func, select

from soundcharts_pipeline.clock import utc_now
from soundcharts_pipeline.models import RateGrant, RateNews
from soundcharts_pipeline.storage.tables.bookkeeping import rate_gate, rate_slots
from soundcharts_pipeline.storage.tables.columns import UtcDateTime
from soundcharts_pipeline.storage.warehouse import Warehouse

# Whoever may not go looks again at least this often: a pause may have come or gone meanwhile.
LONGEST_WAIT_SECONDS = 1.0
# A later word of the server may already be under way.
NEWS_WAIT_SECONDS = 0.1
# After a pause one call leaves in so many seconds, until the server has let one in.
PROBE_SECONDS = 1.0
# No server asks for a longer pause; one that is further off was written by a clock that has since been set back.
LONGEST_PAUSE_SECONDS = 300.0
# A process that stops in the middle of its turn (a suspended machine, a lost network) gives it up.
LONGEST_TURN = "5s"


@dataclass(frozen=True, slots=True)
class Window:
    """The server's minute, and by how much ours is longer: a call reaches the server up to `margin` seconds after it
    was taken (it waits for its thread, connects, travels). Counts are kept per `bucket` seconds."""

    seconds: float = 60.0
    margin: float = 0.75
    bucket: float = 0.25

    @property
    def length(self) -> timedelta:
        return timedelta(seconds=self.seconds + self.margin)

    def bucket_end(self, now: datetime) -> datetime:
        return datetime.fromtimestamp((math.floor(now.timestamp() / self.bucket) + 1) * self.bucket, UTC)


@dataclass(frozen=True, slots=True)
class Minute:
    """Calls taken in the last minute, what the server allows in one (None: it has not said), and until when all calls
    pause because it said so."""

    calls: int
    server_limit: int | None
    paused_until: datetime | None


@dataclass(frozen=True, slots=True)
class _State:
    calls: int
    blocked_until: datetime | None
    probe_from: int | None
    server_limit: int | None
    heard_call: int | None
    allowed_calls: int | None
    allowed_until: datetime | None
    quota_left: int | None
    calls_out: int
    quota_taken_at: datetime | None


# Built once: a turn is short, and building its statements took half of it.
_MOMENT, _CALLS = rate_slots.c.taken_until, rate_slots.c.calls
_END, _OVER, _MORE = (
    bindparam("end", None, UtcDateTime),
    bindparam("over", None, UtcDateTime),
    bindparam("more", None, Integer),
)
_COLUMNS = [rate_gate.c[name] for name in _State.__slots__]
_ROW = select(*_COLUMNS)
_LOCKED = _ROW.with_for_update().subquery()
# The clock is read outside the subquery, hence after the lock has been given.
_ROW_AND_TIME = select(
    *_LOCKED.c,
    func.clock_timestamp(),
    func.set_config("idle_in_transaction_session_timeout", LONGEST_TURN, True),
)
_KEEP = rate_gate.update().values({name: bindparam(name) for name in _State.__slots__})
_IN_WINDOW = select(func.min(_MOMENT), func.max(_MOMENT), func.sum(_CALLS)).where(_OVER < _MOMENT)
_AHEAD = select(func.sum(_CALLS)).where(_END < _MOMENT)
_FORGET_AHEAD = rate_slots.delete().where(_END < _MOMENT)
_FORGET = rate_slots.delete().where(_OVER >= _MOMENT)
_ADD = rate_slots.update().where(_END == _MOMENT).values(calls=_CALLS + _MORE)
_BEGIN = rate_slots.insert().values(taken_until=_END, calls=_MORE)


class RateGate:
    """Implements `api.throttle.Gate`. `per_minute` is our own cap; the server's limit counts where it is lower.

    Billed calls end `quota_reserve` before the quota; below zero, so many after it, as far as the server lets them in.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        per_minute: int,
        quota_reserve: int = 0,
        window: Window | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._database = warehouse.beside()
        self._per_minute = per_minute
        self._quota_reserve = quota_reserve
        self._window = window or Window()
        self._clock = clock

    def take(self, wanted: int, news: RateNews | None, *, back: int = 0, free: bool = False) -> RateGrant:
        """Up to `wanted` calls; what a process heard since it last took some is noted for all."""
        return self._database.save(lambda conn: self._take(conn, wanted, news, back=back, free=free))

    def _take(self, conn: Connection, wanted: int, news: RateNews | None, *, back: int, free: bool) -> RateGrant:
        found, now = self._lock(conn)
        since = time.monotonic()
        state = self._come_back(self._noted(found, news, now), back, now)
        state = self._quota_noted(state, news)
        under_way = state.calls_out
        calls, wait = self._decide(conn, state, now, wanted)
        certain = math.inf if free else self._certain(state)
        quota_unknown = calls > 0 and certain <= 0
        calls, wait = (0, NEWS_WAIT_SECONDS) if quota_unknown else (int(min(calls, certain)), wait)
        if calls:
            self._count(conn, now, calls)
            if state.probe_from is not None:
                state = replace(state, blocked_until=now + timedelta(seconds=PROBE_SECONDS))
            state = replace(state, calls=state.calls + calls)
            if not free:
                state = self._billed(state, calls, now)
        if state != found:
            conn.execute(_KEEP, asdict(state))
        age = time.monotonic() - since
        return RateGrant(
            first=found.calls + 1, calls=calls, under_way=under_way, age=age, wait=wait, quota_unknown=quota_unknown
        )

    def block(self, seconds: float) -> None:
        """Nobody takes a call for so long; then one tries whether the server lets calls in again."""
        with self._database.write() as conn:
            state, now = self._lock(conn)
            until = _later(state.blocked_until, now + timedelta(seconds=min(seconds, LONGEST_PAUSE_SECONDS)))
            conn.execute(rate_gate.update().values(blocked_until=until, probe_from=state.calls + 1))

    def _lock(self, conn: Connection) -> tuple[_State, datetime]:
        """The row, which nobody else changes before this transaction ends, and the time after the wait for it."""
        if conn.dialect.name == "sqlite":
            state = _State(*conn.execute(_ROW).one())
            return state, utc_now() if self._clock is None else self._clock()
        *columns, now, _ = conn.execute(_ROW_AND_TIME).one()
        return _State(*columns), now if self._clock is None else self._clock()

    def _noted(self, state: _State, news: RateNews | None, now: datetime) -> _State:
        if state.blocked_until and state.blocked_until > now + timedelta(seconds=LONGEST_PAUSE_SECONDS):
            state = replace(state, blocked_until=now)
        if news is None:
            return state
        if news.let_in and state.probe_from is not None and news.call >= state.probe_from:
            state = replace(state, probe_from=None, blocked_until=None)
        if news.call < (state.heard_call or 0):
            return state
        if news.limit is not None and news.limit > 0:
            state = replace(state, server_limit=news.limit)
        if news.remaining is None or news.reset is None:
            return replace(state, heard_call=news.call)
        until = now + timedelta(seconds=min(news.reset, self._window.seconds))
        return replace(
            state, heard_call=news.call, allowed_calls=news.call + max(news.remaining, 0), allowed_until=until
        )

    def _quota_noted(self, state: _State, news: RateNews | None) -> _State:
        """At least the server's number, less every call that it may not have counted: those under way when this one was
        taken, and those taken since. At most the number less what is under way now, since others use the account too;
        but an answer that was overtaken may be of the last term."""
        if news is None or news.quota is None:
            return state
        since = max(state.calls - news.call, 0)
        least = news.quota - since - news.under_way
        left = least if state.quota_left is None else max(state.quota_left, least)
        if news.call >= (state.heard_call or 0):
            left = min(left, news.quota - min(since, state.calls_out))
        return replace(state, quota_left=left)

    def _come_back(self, state: _State, back: int, now: datetime) -> _State:
        """Calls are under way until their process says that they are back, or for a minute: it may have been killed."""
        taken_at = state.quota_taken_at
        if taken_at is None:
            return state
        # No later than now: the clock may have been set back.
        state = replace(state, calls_out=max(state.calls_out - back, 0), quota_taken_at=min(taken_at, now))
        return state if now < taken_at + self._window.length else replace(state, calls_out=0)

    def _billed(self, state: _State, calls: int, now: datetime) -> _State:
        left = None if state.quota_left is None else state.quota_left - calls
        return replace(state, quota_left=left, calls_out=state.calls_out + calls, quota_taken_at=now)

    def _certain(self, state: _State) -> float:
        """Billed calls above the reserve. Before the server was asked: none where there is a reserve to keep."""
        if state.quota_left is None:
            return 0 if self._quota_reserve > 0 else math.inf
        return state.quota_left - self._quota_reserve

    def _decide(self, conn: Connection, state: _State, now: datetime, wanted: int) -> tuple[int, float]:
        """How many calls may leave, and when to ask again if none."""
        if state.blocked_until and state.blocked_until > now:
            return 0, _seconds_until(state.blocked_until, now)
        limit = min(self._per_minute, state.server_limit or self._per_minute)
        taken, oldest = self._taken(conn, now)
        if taken >= limit:
            return 0, _seconds_until(oldest + self._window.length, now)
        allowed = self._allowed(state, now)
        if allowed <= 0:
            return 0, NEWS_WAIT_SECONDS
        # No batch holds more than a hundredth of the minute: what a process takes and does not use is lost.
        batch = min(wanted, 1 if state.probe_from is not None else max(1, limit // 100))
        return int(min(batch, limit - taken, allowed)), 0.0

    def _allowed(self, state: _State, now: datetime) -> float:
        """How many more calls the server lets in. Calls that were taken after the one that it last told this for and
        that it had counted already are subtracted twice, until it is heard again."""
        until = state.allowed_until
        if state.allowed_calls is None or until is None or until <= now:
            return math.inf
        return state.allowed_calls - state.calls

    def _taken(self, conn: Connection, now: datetime) -> tuple[int, datetime]:
        """Calls of the last minute, and when the oldest were taken."""
        end, over = self._window.bucket_end(now), now - self._window.length
        oldest, newest, taken = conn.execute(_IN_WINDOW, {"over": over}).one()
        if taken is None:
            return 0, now
        if newest > end:
            # The clock was set back. Calls from the future count as of now, and so are over in a minute.
            ahead = int(conn.scalar(_AHEAD, {"end": end}))
            conn.execute(_FORGET_AHEAD, {"end": end})
            self._count(conn, now, ahead)
        return int(taken), min(oldest, end)

    def _count(self, conn: Connection, now: datetime, calls: int) -> None:
        slot = {"end": self._window.bucket_end(now), "more": calls}
        if conn.execute(_ADD, slot).rowcount == 0:
            conn.execute(_BEGIN, slot)
            conn.execute(_FORGET, {"over": now - self._window.length})


def minute_of(warehouse: Warehouse, now: datetime) -> Minute:
    """How busy the account is, for those who watch; takes nothing."""
    since = now - timedelta(seconds=Window().seconds)
    with warehouse.beside().read() as conn:
        state = _State(*conn.execute(_ROW).one())
        calls = conn.scalar(select(func.sum(_CALLS)).where(_OVER < _MOMENT), {"over": since})
    paused = state.blocked_until if state.blocked_until and state.blocked_until > now else None
    return Minute(int(calls or 0), state.server_limit, paused)


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)


def _seconds_until(moment: datetime, now: datetime) -> float:
    return min(max((moment - now).total_seconds(), 0.001), LONGEST_WAIT_SECONDS)

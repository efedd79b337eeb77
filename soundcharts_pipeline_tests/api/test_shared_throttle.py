"""The threads of a process at the gate: how many calls are asked for, what is dropped, and what the server says."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest

from soundcharts_pipeline.api.throttle import BATCH, PERMIT_SECONDS, Gate, SharedThrottle
from soundcharts_pipeline.models import RateGrant, RateNews, RatePermit
from soundcharts_pipeline.storage.rate_gate import RateGate
from soundcharts_pipeline.storage.warehouse import Warehouse

from .calling import Caller, caller_of, track
from .conftest import Simulate
from .fake_time import FakeTime

START = datetime(2026, 11, 16, 12, tzinfo=UTC)


class OpenGate:
    """A gate without a limit, and what it was asked."""

    def __init__(self, at_take: Callable[[], None] = lambda: None) -> None:
        self.asked: list[tuple[int, RateNews | None]] = []
        self.back: list[int] = []
        self.free = 0
        self.quota_unknown = False
        self.blocked: list[float] = []
        self.waits: list[float] = []
        self._taken = 0
        self._at_take = at_take

    def take(self, wanted: int, news: RateNews | None, *, back: int = 0, free: bool = False) -> RateGrant:
        self.asked.append((wanted, news))
        self.free += free
        self.back.append(back)
        self._at_take()
        if self.quota_unknown and not free:
            return RateGrant(quota_unknown=True, wait=0.1)
        if self.waits:
            return RateGrant(wait=self.waits.pop())
        self._taken += wanted
        return RateGrant(first=self._taken - wanted + 1, calls=wanted)

    def block(self, seconds: float) -> None:
        self.blocked.append(seconds)

    @property
    def wanted(self) -> list[int]:
        return [wanted for wanted, _ in self.asked]


class GenerousGate(OpenGate):
    """A gate that gives more than was asked for: as when a thread that waited was interrupted."""

    def take(self, wanted: int, news: RateNews | None, *, back: int = 0, free: bool = False) -> RateGrant:
        return super().take(wanted + (not free), news, back=back, free=free)


def throttle_of(gate: Gate, time: FakeTime, *, company_seconds: float = 0.0) -> SharedThrottle:
    return SharedThrottle(gate, company_seconds=company_seconds, monotonic=time.monotonic, sleep=time.sleep)


def test_a_thread_alone_takes_one_call_at_a_time() -> None:
    gate = OpenGate()
    throttle = throttle_of(gate, FakeTime())
    assert [throttle.acquire() for _ in range(4)] == [(1, 0, False), (2, 0, False), (3, 0, False), (4, 0, False)]
    assert gate.wanted == [1, 1, 1, 1]


def test_beside_calls_under_way_others_are_given_a_moment_to_come_along() -> None:
    time = FakeTime()
    throttle = throttle_of(OpenGate(), time, company_seconds=0.25)
    alone = throttle.acquire()
    assert (alone is not None, time.slept) == (True, [])
    throttle.acquire()
    assert time.slept == [0.25]


def test_threads_that_wait_are_served_together() -> None:
    arrived = Barrier(2)

    def first_take_waits() -> None:
        if len(gate.asked) == 1:
            arrived.wait()

    gate = OpenGate(first_take_waits)
    throttle = throttle_of(gate, FakeTime())
    with ThreadPoolExecutor(4 * BATCH) as pool:
        calls = [pool.submit(throttle.acquire) for _ in range(4 * BATCH)]
        arrived.wait()
        permits = [call.result() for call in calls]

    assert len({permit.call for permit in permits if permit}) == 4 * BATCH
    assert max(gate.wanted) <= BATCH


@pytest.mark.parametrize(("late", "asked"), [(0.0, 1), (PERMIT_SECONDS, 2)])
def test_a_call_that_was_not_sent_soon_after_it_was_taken_is_dropped(late: float, asked: int) -> None:
    time = FakeTime()
    gate = GenerousGate()
    throttle = throttle_of(gate, time)
    throttle.acquire()
    time.now += late
    throttle.acquire()
    assert len(gate.asked) == asked


def test_after_every_wait_the_gate_is_asked_again() -> None:
    gate, time = OpenGate(), FakeTime()
    gate.waits = [0.5, 1.0]
    assert throttle_of(gate, time).acquire() == (1, 0, False)
    assert time.slept == [1.0, 0.5]


def test_a_pause_is_everybodys_and_drops_what_was_taken_before() -> None:
    gate = GenerousGate()
    throttle = throttle_of(gate, FakeTime())
    throttle.acquire()
    throttle.pause(7.0)
    throttle.acquire()

    assert gate.blocked == [7.0]
    assert len(gate.asked) == 2
    assert gate.back == [0, 1]


def test_every_billed_call_is_reported_as_back_once_whether_it_was_answered_or_not_sent_at_all() -> None:
    gate, time = GenerousGate(), FakeTime()
    throttle = throttle_of(gate, time)
    billed, free = throttle.acquire(), throttle.acquire(free=True)
    assert billed is not None
    assert free is not None
    throttle.received(billed, None)
    throttle.received(free, RateNews(call=free.call, let_in=True))
    throttle.acquire(free=True)
    time.now += PERMIT_SECONDS
    throttle.acquire()  # the unused one of the first grant is too old
    throttle.acquire()  # this one's own is not
    assert gate.back == [0, 0, 1, 1]
    assert gate.free == 2


def test_who_rests_reports_all_that_came_back_and_keeps_no_call() -> None:
    gate = GenerousGate()
    throttle = throttle_of(gate, FakeTime())
    permit = throttle.acquire()
    assert permit is not None
    throttle.received(permit, None)
    throttle.rest()
    assert gate.back == [0, 2]
    assert gate.wanted == [2, 0]


def test_where_no_call_is_left_for_certain_those_under_way_are_awaited_before_the_server_is_asked() -> None:
    gate, time = OpenGate(), FakeTime(woken=lambda: throttle.received(under_way, None))
    throttle = throttle_of(gate, time)
    permit = throttle.acquire()
    assert permit is not None
    under_way = permit
    gate.quota_unknown = True
    assert throttle.acquire() is None
    assert time.slept == [0.1]
    assert gate.back == [0, 0, 1]


def test_the_newest_answer_is_passed_on_once() -> None:
    gate, time = OpenGate(), FakeTime()
    throttle = throttle_of(gate, time)
    newest = RateNews(call=9, let_in=True, limit=100)
    for news in (RateNews(call=3, let_in=True), newest, RateNews(call=5, let_in=True)):
        throttle.received(RatePermit(news.call), news)
    throttle.acquire()
    throttle.acquire()
    assert [news for _, news in gate.asked] == [newest, None]


def sharing(url: str, database: Warehouse, time: FakeTime, per_minute: int) -> Caller:
    """A caller whose calls are counted in the database, by the clock of the test."""
    gate = RateGate(database, per_minute=per_minute, clock=lambda: START + timedelta(seconds=time.now))
    return caller_of(url, time=time, throttle=throttle_of(gate, time))


@pytest.mark.parametrize(("ours", "servers"), [(50, 50), (5_000, 50), (50, 5_000)])
def test_the_lower_limit_of_the_two_is_kept_by_all_clients_together_and_used_to_the_full(
    simulate: Simulate, tmp_path: Path, ours: int, servers: int
) -> None:
    time = FakeTime()
    simulator = simulate(rate=servers, clock=time.monotonic)
    with closing(Warehouse(f"sqlite:///{tmp_path / 'soundcharts.db'}")) as database:
        callers = [sharing(simulator.url, database, time, ours) for _ in range(2)]
        for number in range(170):
            track(callers[number % 2])

    assert (simulator.counters.answered, simulator.counters.rejected_by_rate) == (170, 0)
    assert simulator.counters.busiest_minute == 50
    assert time.now < 3 * 62


def test_a_minute_that_others_used_up_is_respected_before_the_server_refuses(
    simulate: Simulate, tmp_path: Path
) -> None:
    time = FakeTime()
    simulator = simulate(rate=50, clock=time.monotonic)
    stranger = caller_of(simulator.url, time=time)
    with closing(Warehouse(f"sqlite:///{tmp_path / 'soundcharts.db'}")) as database:
        caller = sharing(simulator.url, database, time, 50)
        for _ in range(40):
            track(stranger)
        for _ in range(20):
            track(caller)

    assert simulator.counters.rejected_by_rate == 0


def test_a_refusal_pauses_the_other_clients_too(simulate: Simulate, tmp_path: Path) -> None:
    time = FakeTime()
    simulator = simulate(clock=time.monotonic)
    with closing(Warehouse(f"sqlite:///{tmp_path / 'soundcharts.db'}")) as database:
        refused, other = (sharing(simulator.url, database, time, 5_000) for _ in range(2))
        simulator.script("track", ["429-bare"])
        track(refused)
        assert time.now == pytest.approx(10)
        track(other)

    assert (simulator.counters.total, simulator.counters.answered) == (3, 2)


def test_a_limit_that_is_cut_costs_one_refusal_for_all_clients(simulate: Simulate, tmp_path: Path) -> None:
    time = FakeTime()
    simulator = simulate(rate=50, clock=time.monotonic)
    with closing(Warehouse(f"sqlite:///{tmp_path / 'soundcharts.db'}")) as database:
        callers = [sharing(simulator.url, database, time, 5_000) for _ in range(3)]
        for number in range(120):
            if number == 30:
                simulator.set(rate=20)
            track(callers[number % 3])

    assert (simulator.counters.answered, simulator.counters.rejected_by_rate) == (120, 1)

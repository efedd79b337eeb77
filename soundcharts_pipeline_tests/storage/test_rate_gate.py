"""The account's minute as all processes share it: the limit as the server counts it, pauses, killed processes."""

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from soundcharts_pipeline.models import RateNews
from soundcharts_pipeline.storage.rate_gate import Minute, RateGate, Window, minute_of
from soundcharts_pipeline.storage.tables.bookkeeping import rate_gate, rate_slots
from soundcharts_pipeline.storage.warehouse import Warehouse

from .gate_users import LIMIT, SHORT, take_calls

SPAWN = multiprocessing.get_context("spawn")
START = datetime(2026, 11, 16, 12, tzinfo=UTC)
LONGEST = Window().length + timedelta(seconds=Window().bucket)

Deeds = Sequence[tuple[str, float]]
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["ours", "theirs"]), st.integers(1, 10)),
        st.tuples(st.just("wait"), st.floats(0, 70)),
        st.tuples(st.just("pause"), st.floats(0, 100)),
    ),
    max_size=60,
)


class Time:
    """The database's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def other(database_url: str, warehouse: Warehouse) -> Iterator[Warehouse]:  # noqa: ARG001  # the first one makes it
    """The same database, as another process sees it."""
    with closing(Warehouse(database_url)) as other:
        yield other


def gates(ours: Warehouse, theirs: Warehouse, time: Time, per_minute: int) -> tuple[RateGate, RateGate]:
    one, two = (RateGate(warehouse, per_minute=per_minute, clock=time) for warehouse in (ours, theirs))
    return one, two


def most_in(seconds: float, times: Sequence[float]) -> int:
    return max(sum(start <= time < start + seconds for time in times) for start in times)


def news(call: int, *, let_in: bool = True, **more: float) -> RateNews:
    return RateNews(call=call, let_in=let_in, **more)  # type: ignore[arg-type]


def take_all(gate: RateGate, heard: RateNews | None = None) -> int:
    """Calls until the gate has no more."""
    total = 0
    while (grant := gate.take(10, heard)).calls:
        total += grant.calls
    assert grant.wait > 0
    return total


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(per_minute=st.integers(1, 8), deeds=DEEDS)
@example(per_minute=1, deeds=[("ours", 1), ("wait", 59.999), ("theirs", 1), ("wait", 0.999), ("ours", 1)])
def test_never_more_than_so_many_in_any_minute_and_none_in_a_pause(
    sqlite_warehouse: Warehouse, per_minute: int, deeds: Deeds
) -> None:
    with sqlite_warehouse.beside().write() as conn:
        conn.execute(rate_slots.delete())
        conn.execute(rate_gate.update().values(calls=0, blocked_until=None, probe_from=None))
    time = Time()
    users = dict(zip(["ours", "theirs"], gates(sqlite_warehouse, sqlite_warehouse, time, per_minute), strict=True))
    left: list[float] = []
    blocked_until = START
    for deed, amount in deeds:
        if deed == "wait":
            time.passes(amount)
        elif deed == "pause":
            users["ours"].block(amount)
            blocked_until = max(blocked_until, time.now + timedelta(seconds=amount))
        else:
            grant = users[deed].take(int(amount), None)
            assert grant.calls <= amount
            assert not grant.calls or time.now >= blocked_until
            assert grant.calls or grant.wait > 0
            # The server may see a call as late as the margin allows.
            left += [time.now.timestamp()] * grant.calls
    assert not left or most_in(60 + Window().margin, left) <= per_minute


def test_the_minute_may_be_used_at_once_and_is_there_again_when_it_is_over(
    warehouse: Warehouse, other: Warehouse, time: Time
) -> None:
    ours, theirs = gates(warehouse, other, time, 1_000)
    assert take_all(ours) == 1_000
    assert take_all(theirs) == 0

    time.passes(LONGEST.total_seconds())
    assert take_all(theirs) == 1_000


def test_calls_are_numbered_through_whoever_takes_them(warehouse: Warehouse, other: Warehouse, time: Time) -> None:
    ours, theirs = gates(warehouse, other, time, 1_000)
    grants = [gate.take(wanted, None) for gate, wanted in [(ours, 3), (theirs, 10), (ours, 1)]]
    assert [(grant.first, grant.calls) for grant in grants] == [(1, 3), (4, 10), (14, 1)]


def test_no_batch_holds_more_than_a_hundredth_of_the_minute(warehouse: Warehouse, time: Time) -> None:
    gate = RateGate(warehouse, per_minute=300, clock=time)
    assert gate.take(10, None).calls == 3


def test_a_lower_limit_of_the_server_counts_for_all_until_it_says_otherwise(
    warehouse: Warehouse, other: Warehouse, time: Time
) -> None:
    ours, theirs = gates(warehouse, other, time, 1_000)
    first = ours.take(1, None).first
    ours.take(1, news(first, limit=300))
    assert 2 + take_all(theirs) == 300

    assert 300 + take_all(theirs, news(300, limit=400)) == 400


def test_calls_that_others_made_with_the_account_leave_fewer_until_the_minute_is_over(
    warehouse: Warehouse, other: Warehouse, time: Time
) -> None:
    ours, theirs = gates(warehouse, other, time, 1_000)
    first = ours.take(1, None).first
    assert ours.take(10, news(first, limit=1_000, remaining=25, reset=30)).calls == 10
    assert take_all(theirs) == 15

    time.passes(30)
    assert take_all(theirs) == 1_000 - 26


def test_an_answer_that_was_overtaken_tells_nothing(warehouse: Warehouse, time: Time) -> None:
    gate = RateGate(warehouse, per_minute=1_000, clock=time)
    gate.take(10, None)
    gate.take(1, news(9, limit=1_000, remaining=500, reset=30))
    gate.take(1, news(3, limit=1_000, remaining=0, reset=30))
    assert 12 + take_all(gate) == 509


def test_a_pause_holds_everybody_and_one_call_tries_before_the_others_follow(
    warehouse: Warehouse, other: Warehouse, time: Time
) -> None:
    ours, theirs = gates(warehouse, other, time, 1_000)
    before = ours.take(1, None).first
    ours.block(20)
    ours.block(5)
    time.passes(19.9)
    assert (take_all(ours), take_all(theirs)) == (0, 0)

    time.passes(0.1)
    probe = theirs.take(10, None)
    assert probe.calls == 1
    # An answer from before the pause says nothing of what comes after it, nor does a refusal.
    assert (take_all(ours, news(before)), take_all(ours, news(probe.first, let_in=False))) == (0, 0)
    assert theirs.take(10, news(probe.first)).calls == 10
    assert ours.take(10, None).calls == 10


def test_a_process_that_dies_with_the_trial_call_is_replaced(
    warehouse: Warehouse, other: Warehouse, time: Time
) -> None:
    ours, theirs = gates(warehouse, other, time, 1_000)
    ours.block(0)
    assert ours.take(10, None).calls == 1
    assert theirs.take(10, None).calls == 0

    time.passes(1)
    assert theirs.take(10, None).calls == 1


@pytest.mark.parametrize("hours", [1, 24 * 365])
def test_a_clock_that_is_set_back_keeps_nobody_longer_than_a_minute(
    warehouse: Warehouse, time: Time, hours: int
) -> None:
    gate = RateGate(warehouse, per_minute=1_000, clock=time)
    assert take_all(gate) == 1_000

    time.passes(-3_600 * hours)
    assert take_all(gate) == 0
    time.passes(LONGEST.total_seconds())
    assert take_all(gate) == 1_000


def test_processes_that_are_killed_leave_the_others_the_whole_minute(database_url: str) -> None:
    # Two of the five die: one after it was given calls, one inside the gate, where it holds the lock.
    ends: list[str | None] = [None, "outside", None, "inside", None]
    barrier, taken = SPAWN.Barrier(len(ends)), SPAWN.Queue()
    processes = [
        SPAWN.Process(target=take_calls, args=(database_url, barrier, taken), kwargs={"calls": 40, "dies": dies})
        for dies in ends
    ]
    for process in processes:
        process.start()
    calls = [call for _ in range(3) for call in taken.get(timeout=60)]
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [-signal.SIGKILL if dies else 0 for dies in ends]
    assert len({number for number, _ in calls}) == len(calls) >= 3 * 40
    assert most_in(SHORT.seconds + SHORT.margin, [at for _, at in calls]) <= LIMIT


def test_whoever_watches_sees_the_minute_and_takes_nothing(warehouse: Warehouse, time: Time) -> None:
    gate = RateGate(warehouse, per_minute=1000, clock=time)
    assert minute_of(warehouse, time.now) == Minute(calls=0, server_limit=None, paused_until=None)

    gate.take(4, None)
    time.passes(40)
    gate.take(3, RateNews(call=4, let_in=True, limit=500))
    assert minute_of(warehouse, time.now) == minute_of(warehouse, time.now) == Minute(7, 500, None)
    time.passes(40)
    gate.block(30)
    assert minute_of(warehouse, time.now) == Minute(3, 500, time.now + timedelta(seconds=30))
    time.passes(30)
    assert minute_of(warehouse, time.now) == Minute(0, 500, None)

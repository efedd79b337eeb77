"""The billing term: when calls stop, what is kept in reserve by all processes together, and what was counted."""

import multiprocessing
import signal
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, date, datetime

import pytest

from soundcharts_pipeline.api.errors import BadRequest, NotFound, QuotaExhausted
from soundcharts_pipeline.api.usage import EndpointUsage, UsageMeter
from soundcharts_pipeline.storage.warehouse import Warehouse

from .calling import TRACK, USAGE, Says, answering, caller_of, error_of, outcome, track
from .conftest import Simulate
from .fake_time import FakeTime
from .quota_users import SHORT_MINUTE, THREADS, sharer, spend

SPAWN = multiprocessing.get_context("spawn")


def test_a_used_up_quota_is_never_tried_again(simulate: Simulate) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url)
    simulator.script("track", ["429-quota"] * 9)

    error = error_of(caller, QuotaExhausted)
    assert simulator.counters.total == 1
    assert (caller.between, caller.time.slept) == ([], [])
    assert TRACK in str(error)
    assert "what was saved stays" in str(error)
    assert "resumes" in str(error)


def test_the_last_call_of_a_quota_is_used_and_the_next_one_not_even_sent(
    simulate: Simulate, warehouse: Warehouse
) -> None:
    simulator = simulate(quota=2)
    caller = sharer(simulator.url, warehouse, reserve=0)
    track(caller)
    track(caller)

    assert "0 billed calls are left" in str(error_of(caller, QuotaExhausted))
    counters = simulator.counters
    assert (counters.billed, counters.calls["track"], counters.rejected_by_quota) == (2, 2, 0)


def test_a_new_term_is_noticed_by_whoever_calls_next(simulate: Simulate, warehouse: Warehouse) -> None:
    simulator = simulate(quota=12)
    ours, theirs = (sharer(simulator.url, warehouse, reserve=10) for _ in range(2))
    track(ours)
    track(theirs)
    error_of(ours, QuotaExhausted)
    simulator.set(quota=1_000)

    track(theirs)
    track(ours)
    assert simulator.counters.billed == 4
    assert ours.transport.usage.quota_remaining == 996


def test_a_quota_that_others_used_up_is_the_servers_word(simulate: Simulate) -> None:
    simulator = simulate(quota=5)
    ours, theirs = caller_of(simulator.url), caller_of(simulator.url)
    for _ in range(4):
        track(ours)
    track(theirs)
    error_of(ours, QuotaExhausted)

    assert (simulator.counters.billed, simulator.counters.rejected_by_quota) == (5, 1)


@pytest.mark.parametrize(("threads", "quota", "reserve"), [(1, 10, 7), (16, 40, 10), (16, 30, 0), (16, 3, 0)])
def test_the_reserve_is_kept_to_the_call_and_all_above_it_is_used(
    simulate: Simulate, warehouse: Warehouse, threads: int, quota: int, reserve: int
) -> None:
    simulator = simulate(quota=quota, latency=0.002)
    caller = sharer(simulator.url, warehouse, reserve=reserve)
    # With nothing in reserve the first calls leave before the server has said what is left.
    if not reserve:
        track(caller)
    with ThreadPoolExecutor(threads) as pool:
        outcomes = Counter(pool.map(lambda _: str(outcome(caller) or "answered"), range(60)))

    spare = quota - simulator.counters.billed
    assert spare == reserve
    assert outcomes == {"answered": quota - reserve - (not reserve), refusal(reserve): outcomes[refusal(reserve)]}
    assert simulator.counters.rejected_by_quota == 0


def test_large_numbers_are_written_as_everywhere(simulate: Simulate, warehouse: Warehouse) -> None:
    caller = sharer(simulate(quota=494_216).url, warehouse, reserve=500_000)
    said = str(outcome(caller))
    assert "494,216 billed calls are left in this term and 500,000 are kept" in said


def refusal(reserve: int) -> str:
    return (
        f"the quota is used up: {reserve} billed calls are left in this term and {reserve} are kept "
        "(SOUNDCHARTS_QUOTA_RESERVE); "
        "what was saved stays, a later run resumes"
    )


def test_threads_that_wait_for_the_last_word_share_one_free_call(simulate: Simulate, warehouse: Warehouse) -> None:
    simulator = simulate(quota=10, latency=0.1)
    caller = sharer(simulator.url, warehouse, reserve=10, clock=FakeTime())
    with ThreadPoolExecutor(16) as pool:
        errors = [error for error in pool.map(lambda _: outcome(caller), range(16)) if error]

    assert {type(error) for error in errors} == {QuotaExhausted}
    assert len(errors) == 16
    assert simulator.counters.billed == 0
    assert simulator.counters.calls == {"usage": 1}


def test_the_last_word_holds_for_a_second_unless_somebody_knows_better(
    simulate: Simulate, warehouse: Warehouse
) -> None:
    simulator, clock = simulate(quota=10), FakeTime()
    ours = sharer(simulator.url, warehouse, reserve=10, clock=clock)
    for seconds, asked in [(0.0, 1), (0.9, 1), (0.1, 2)]:
        clock.now += seconds
        error_of(ours, QuotaExhausted)
        assert simulator.counters.calls == {"usage": asked}
    simulator.set(quota=100)
    theirs = sharer(simulator.url, warehouse, reserve=10)
    track(theirs)
    track(ours)
    assert simulator.counters.calls == {"usage": 3, "track": 2}


def test_a_quota_that_is_far_off_costs_no_free_call(simulate: Simulate, warehouse: Warehouse) -> None:
    simulator = simulate()
    with ThreadPoolExecutor(8) as pool:
        caller = sharer(simulator.url, warehouse, reserve=0)
        list(pool.map(lambda _: track(caller), range(40)))

    assert simulator.counters.calls == {"track": 40}


@pytest.mark.parametrize("fault", ["500", "truncated", "reset"])
def test_calls_that_are_not_billed_are_made_up_for(simulate: Simulate, warehouse: Warehouse, fault: str) -> None:
    simulator = simulate(quota=60)
    caller = sharer(simulator.url, warehouse, reserve=20)
    simulator.script("track", [fault] * 25)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: outcome(caller), range(80)))

    assert (simulator.counters.billed, simulator.counters.rejected_by_quota) == (40, 0)


@pytest.mark.parametrize("processes", [1, 3])
def test_processes_keep_the_reserve_together_and_use_all_above_it(
    simulate: Simulate, database_url: str, processes: int
) -> None:
    simulator = simulate(quota=250, latency=0.005)
    simulator.script("track", ["500", "503"] * 10)
    spenders = Spenders(simulator.url, database_url, [None] * processes)

    assert Counter(spenders.last_words()) == {refusal(50): processes * THREADS}
    assert (simulator.counters.billed, simulator.counters.rejected_by_quota) == (200, 0)


def test_the_calls_of_a_killed_process_are_neither_overrun_nor_lost(simulate: Simulate, database_url: str) -> None:
    simulator = simulate(quota=250, latency=0.01)
    spenders = Spenders(simulator.url, database_url, [None, 15, None])

    assert Counter(spenders.last_words()) == {refusal(50): 2 * THREADS}
    assert spenders.exit_codes() == [0, -signal.SIGKILL, 0]
    assert (simulator.counters.billed, simulator.counters.rejected_by_quota) == (200, 0)


def test_nobody_waits_for_the_calls_of_a_client_that_rests(simulate: Simulate, warehouse: Warehouse) -> None:
    simulator = simulate(quota=3)
    ours, theirs = (sharer(simulator.url, warehouse, reserve=0, window=SHORT_MINUTE) for _ in range(2))
    track(ours)
    ours.client.rest()
    track(theirs)
    track(theirs)

    error_of(theirs, QuotaExhausted)
    assert simulator.counters.calls == {"track": 3, "usage": 1}
    assert theirs.between == []


def test_whoever_waits_long_for_the_calls_of_others_asks_less_often(simulate: Simulate, warehouse: Warehouse) -> None:
    simulator = simulate(quota=2)
    gone, ours = (sharer(simulator.url, warehouse, reserve=0, window=SHORT_MINUTE) for _ in range(2))
    track(ours)
    assert gone.throttle.acquire() is not None  # a call that is never heard of again

    track(ours)
    assert ours.between[:6] == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    assert simulator.counters.calls["track"] == 2


class Spenders:
    """Processes that spend the quota, down to 50."""

    def __init__(self, url: str, database: str, dies_after: Sequence[int | None]) -> None:
        self._barrier, self._ends = SPAWN.Barrier(len(dies_after)), SPAWN.Queue()
        self._survivors = sum(calls is None for calls in dies_after)
        arguments = (url, database, 50, self._barrier, self._ends)
        self._processes = [
            SPAWN.Process(target=spend, args=arguments, kwargs={"dies_after": calls}) for calls in dies_after
        ]
        for process in self._processes:
            process.start()

    def last_words(self) -> list[str]:
        """What each thread was told at the end."""
        return [word for _ in range(self._survivors) for word in self._ends.get(timeout=120)]

    def exit_codes(self) -> list[int | None]:
        for process in self._processes:
            process.join()
        return [process.exitcode for process in self._processes]


@pytest.mark.parametrize("usage", [Says(), Says.json({"errors": [{"code": 403, "message": "Not yours."}]}, 403)])
def test_a_server_that_says_nothing_of_a_quota_is_asked_without_end(warehouse: Warehouse, usage: Says) -> None:
    with answering(lambda asked: usage if asked.path == USAGE else Says()) as stub:
        caller = sharer(stub.url, warehouse, reserve=10)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: track(caller), range(40)))

    assert Counter(asked.path for asked in stub.asked) == {USAGE: 1, TRACK: 40}
    assert caller.transport.usage.quota_remaining is None


def test_an_answer_that_others_overtook_does_not_raise_what_is_left() -> None:
    meter = UsageMeter()

    def call(quota: int, since: int) -> int | None:
        meter.add("track", billed=True, error=False, throttled=False, quota=quota, since=since)
        return meter.quota_remaining

    assert call(50, since=0) == 50
    assert call(48, since=1) == 48
    assert call(49, since=1) == 48  # it left before the one that brought 48 was back
    assert call(45, since=2) == 45
    assert call(500_000, since=3) == 45
    assert call(500_000, since=4) == 500_000  # a new term


def test_the_meter_counts_what_the_server_counts(simulate: Simulate) -> None:
    simulator = simulate(quota=1_000)
    caller = caller_of(simulator.url, usage=UsageMeter(clock=lambda: datetime(2026, 11, 21, 23, 59, tzinfo=UTC)))
    simulator.script("track", ["500", "429-bare", "reset", "429-reset", "truncated"])
    caller.transport.get("track", TRACK, {})
    caller.transport.get("usage", USAGE, {})
    for endpoint, path, params in [
        ("track", TRACK + "x", {}),
        ("charts", "/api/v2/chart/song/by-platform/nowhere", {}),
        ("charts", "/api/v2/chart/song/by-platform/spotify", {"limit": 1_000}),
    ]:
        with pytest.raises((NotFound, BadRequest)):
            caller.transport.get(endpoint, path, params)

    meter, counters = caller.transport.usage, simulator.counters
    day = date(2026, 11, 21)
    assert {key: asdict(count) for key, count in meter.drain().items()} == {
        (day, "track"): {"calls": 7, "billed": 2, "errors": 6, "throttled": 2},
        (day, "usage"): {"calls": 1, "billed": 0, "errors": 0, "throttled": 0},
        (day, "charts"): {"calls": 2, "billed": 1, "errors": 2, "throttled": 0},
    }
    assert counters.calls == {"track": 7, "usage": 1, "charts": 2}
    assert (meter.calls, meter.answered) == (counters.total, counters.billed) == (10, 3)
    assert counters.faults == 5
    assert meter.quota_remaining == 997


def test_what_was_drained_is_not_counted_again_and_the_sums_stay(simulate: Simulate) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url)
    track(caller)
    caller.transport.usage.drain()
    track(caller)

    assert list(caller.transport.usage.drain().values()) == [EndpointUsage(calls=1, billed=1)]
    assert caller.transport.usage.drain() == {}
    assert caller.transport.usage.calls == simulator.counters.total == 2


def test_threads_lose_no_count(simulate: Simulate) -> None:
    simulator = simulate(faults=0.2, slow=0.0)
    caller = caller_of(simulator.url)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: outcome(caller), range(200)))

    [count] = caller.transport.usage.drain().values()
    assert count.calls == simulator.counters.total
    assert caller.transport.usage.quota_remaining == 500_000 - simulator.counters.billed


@pytest.mark.parametrize("overage", [0, 5])
def test_calls_beyond_the_quota_are_made_where_they_are_allowed(warehouse: Warehouse, overage: int) -> None:
    left = iter(range(1, -30, -1))

    def says(_asked: object) -> Says:
        return Says.json({"object": {}}, x_quota_remaining=str(next(left)))

    with answering(says) as stub:
        caller = sharer(stub.url, warehouse, reserve=-overage, clock=FakeTime())
        answers = 0
        while outcome(caller) is None:
            answers += 1
            assert answers < 25
        error = error_of(caller, QuotaExhausted)
    # The server is asked first, as always at the end; what it then tells has gone down by one.
    assert answers in (1 + overage, 2 + overage)
    assert ("SOUNDCHARTS_QUOTA_OVERAGE" in str(error)) is bool(overage)

"""The billing term: when calls stop, what is kept in reserve, and what was counted."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, date, datetime

import pytest

from soundcharts_pipeline.api.errors import BadRequest, NotFound, QuotaExhausted
from soundcharts_pipeline.api.usage import EndpointUsage, UsageMeter

from .calling import TRACK, USAGE, Says, answering, caller_of, error_of, outcome, track
from .conftest import Simulate


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


def test_the_last_call_of_a_quota_is_used_and_the_next_one_not_even_sent(simulate: Simulate) -> None:
    simulator = simulate(quota=2)
    caller = caller_of(simulator.url)
    track(caller)
    track(caller)

    assert "0 billed calls are left" in str(error_of(caller, QuotaExhausted))
    assert simulator.counters.total == 2
    assert caller.transport.get("usage", USAGE, {})["object"]["quota"]["remaining"] == 0


def test_a_new_term_is_noticed_by_the_free_call(simulate: Simulate) -> None:
    simulator = simulate(quota=1)
    caller = caller_of(simulator.url)
    track(caller)
    error_of(caller, QuotaExhausted)
    simulator.set(quota=3)

    assert caller.client.team_usage() == 2
    track(caller)
    assert simulator.counters.billed == 2


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
    simulate: Simulate, threads: int, quota: int, reserve: int
) -> None:
    simulator = simulate(quota=quota, latency=0.002)
    caller = caller_of(simulator.url, quota_reserve=reserve)
    # With nothing in reserve the first calls may leave before the server has said what is left.
    caller.transport.get("usage", USAGE, {})

    with ThreadPoolExecutor(threads) as pool:
        outcomes = Counter(pool.map(lambda _: str(outcome(caller) or "answered"), range(60)))

    spare = quota - reserve
    refusal = (
        f"the quota is used up: {reserve} billed calls are left in this term and {reserve} are kept "
        "(SOUNDCHARTS_QUOTA_RESERVE); "
        "what was saved stays, a later run resumes"
    )
    assert outcomes == {"answered": spare, refusal: 60 - spare}
    assert (simulator.counters.billed, simulator.counters.rejected_by_quota) == (spare, 0)


def test_with_a_reserve_the_first_call_leaves_alone_since_nobody_knows_what_is_left(simulate: Simulate) -> None:
    simulator = simulate(quota=11, latency=0.02)
    caller = caller_of(simulator.url, quota_reserve=10)
    with ThreadPoolExecutor(16) as pool:
        errors = [error for error in pool.map(lambda _: outcome(caller), range(16)) if error]

    assert {type(error) for error in errors} == {QuotaExhausted}
    assert simulator.counters.billed == 1


def test_a_server_that_says_nothing_of_a_quota_is_asked_without_end() -> None:
    with answering(lambda _: Says()) as stub:
        caller = caller_of(stub.url, quota_reserve=10)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: track(caller), range(40)))

    assert len(stub.asked) == 40
    assert caller.transport.usage.quota_remaining is None


def test_an_answer_that_others_overtook_does_not_raise_what_is_left() -> None:
    meter = UsageMeter()

    def call(quota: int, since: int, in_flight: int = 0) -> int | None:
        meter.add("track", billed=True, error=False, throttled=False, quota=quota, since=since, in_flight=in_flight)
        return meter.quota_remaining

    assert call(50, since=0) == 50
    assert call(48, since=1) == 48
    assert call(49, since=1) == 48  # it left before the one that brought 48 was back
    assert call(45, since=3, in_flight=2) == 45
    assert call(47, since=4, in_flight=2) == 45  # those in flight may have been answered before that
    assert call(500_000, since=5, in_flight=2) == 500_000  # a new term


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

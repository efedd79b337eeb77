"""The transport over real HTTP: what is tried again and how often, how long it waits, and where calls go."""

import re
from base64 import b64encode
from collections.abc import Callable

import pytest

from soundcharts_pipeline.api.errors import (
    AuthenticationError,
    BadRequest,
    NetworkError,
    QuotaExhausted,
    RateLimited,
    ServerError,
    SoundchartsError,
)
from soundcharts_pipeline.api.transport import RetryPolicy

from .calling import BAD_GUY, TRACK, Asked, Says, answering, caller_of, closed_port, error_of, track
from .conftest import Simulate
from .fake_time import FakeTime

BRIEF = RetryPolicy(attempts=2)

TRANSIENT: list[tuple[str, type[SoundchartsError], str]] = [
    ("500", ServerError, r"/api/v2\.25/song/7d53.*answered 500.*asks again"),
    ("502", ServerError, r"/api/v2\.25/song/7d53.*answered 502.*asks again"),
    ("503", ServerError, r"/api/v2\.25/song/7d53.*answered 503.*asks again"),
    ("504", ServerError, r"/api/v2\.25/song/7d53.*answered 504.*asks again"),
    ("invalid-json", ServerError, r"/api/v2\.25/song/7d53.*not JSON.*asks again"),
    ("errors-in-body", ServerError, r"/api/v2\.25/song/7d53.*200 with errors: Partial data\..*asks again"),
    ("reset", NetworkError, r"127\.0\.0\.1:\d+ for /api/v2\.25/song/.*broke.*SOUNDCHARTS_BASE_URL.*run again"),
    ("truncated", NetworkError, r"127\.0\.0\.1:\d+ for /api/v2\.25/song/.*broke.*SOUNDCHARTS_BASE_URL.*run again"),
]


@pytest.mark.parametrize("fault", [fault for fault, _, _ in TRANSIENT])
def test_a_passing_failure_costs_a_second_try_and_nothing_else(simulate: Simulate, fault: str) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url)
    simulator.script("track", [fault])

    assert track(caller)["object"]["uuid"] == BAD_GUY
    assert (simulator.counters.total, simulator.counters.billed) == (2, 1)
    assert len(caller.between) == 1


@pytest.mark.parametrize(("fault", "kind", "message"), TRANSIENT)
def test_a_lasting_failure_is_tried_five_times_with_growing_waits_and_then_named(
    simulate: Simulate, fault: str, kind: type[SoundchartsError], message: str
) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url, retry=RetryPolicy(first_wait=0.5, longest_wait=3.0))
    simulator.script("track", [fault] * 9)

    error = error_of(caller, kind)
    assert simulator.counters.total == 5
    waits = [(0.5, 1.0), (1.0, 1.5), (2.0, 2.5), (3.0, 3.0)]
    assert all(low <= wait <= high for wait, (low, high) in zip(caller.between, waits, strict=True))
    assert re.search(message, str(error))
    assert error.endpoint == "track"


@pytest.mark.parametrize(("fault", "kind"), [("429-quota", QuotaExhausted), ("401", AuthenticationError)])
def test_after_a_refusal_that_is_of_every_call_none_is_made_for_a_minute(
    simulate: Simulate, fault: str, kind: type[SoundchartsError]
) -> None:
    simulator, clock = simulate(), FakeTime()
    caller = caller_of(simulator.url, monotonic=clock.monotonic)
    simulator.script("track", [fault])

    first, second = error_of(caller, kind), error_of(caller, kind)
    assert (str(first), first.endpoint, first.status) == (str(second), second.endpoint, second.status)
    assert simulator.counters.total == 1
    caller.client.team_usage()  # the free call is how the end of it is heard of
    clock.now += 60.0
    track(caller)


def test_a_slow_answer_is_given_up_and_asked_for_again(simulate: Simulate) -> None:
    simulator = simulate(slow=60.0)
    caller = caller_of(simulator.url, timeout=(5.0, 0.4), retry=BRIEF)
    simulator.script("track", ["slow"])

    assert track(caller)["object"]["uuid"] == BAD_GUY
    assert simulator.counters.total == 2


def test_answers_that_stay_slow_end_in_a_time_out(simulate: Simulate) -> None:
    simulator = simulate(slow=60.0)
    caller = caller_of(simulator.url, timeout=(5.0, 0.2), retry=BRIEF)
    simulator.script("track", ["slow"] * 9)

    assert "(no answer in time)" in str(error_of(caller, NetworkError))
    assert simulator.counters.total == 2


@pytest.mark.parametrize(("fault", "wait"), [("429-reset", 2.0), ("429-retry-after", 1.0), ("429-bare", 10.0)])
def test_the_wait_of_a_full_minute_holds_back_every_call(simulate: Simulate, fault: str, wait: float) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url)
    simulator.script("track", [fault])

    assert track(caller)["object"]["uuid"] == BAD_GUY
    # The throttle waits, not the one call: no other call leaves meanwhile.
    assert (caller.time.slept, caller.between) == ([wait], [0.0])


def test_a_full_minute_is_waited_for_as_often_as_promised(simulate: Simulate) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url)
    simulator.script("track", ["429-reset"] * 99)

    error = error_of(caller, RateLimited)
    assert simulator.counters.total == 15
    assert TRACK in str(error)
    assert "maximum request count" in str(error)
    assert "SOUNDCHARTS_CALLS_PER_MINUTE" in str(error)


def test_waiting_for_a_turn_takes_no_try_away(simulate: Simulate) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url)
    simulator.script("track", [*["429-bare"] * 7, *["500"] * 4])

    assert track(caller)["object"]["uuid"] == BAD_GUY
    assert simulator.counters.total == 12


def test_a_limit_lower_than_ours_is_obeyed_by_the_servers_own_count(simulate: Simulate) -> None:
    time = FakeTime()
    simulator = simulate(rate=3, clock=time.monotonic)
    caller = caller_of(simulator.url, time=time)
    for _ in range(7):
        track(caller)

    assert (simulator.counters.answered, simulator.counters.rejected_by_rate) == (7, 2)
    assert caller.time.slept == [61.0, 61.0]


def test_our_own_limit_keeps_the_server_from_ever_refusing(simulate: Simulate) -> None:
    time = FakeTime()
    simulator = simulate(rate=50, clock=time.monotonic)
    caller = caller_of(simulator.url, time=time, per_minute=50)
    for _ in range(170):
        track(caller)

    assert (simulator.counters.answered, simulator.counters.rejected_by_rate) == (170, 0)
    assert caller.time.slept == [61.0] * 3


def test_a_call_carries_the_url_s_own_user_and_what_every_call_carries_and_no_cookie() -> None:
    with answering(lambda _: Says(headers={"set-cookie": "seen=1"})) as stub:
        caller = caller_of(stub.url.replace("http://", "http://someone:openpassword@"))
        for _ in range(2):
            caller.client.chart_platforms()

    for asked in stub.asked:
        assert asked.headers["authorization"] == f"Basic {b64encode(b'someone:openpassword').decode()}"
        assert asked.headers["accept"] == "application/json"
        assert "gzip" in asked.headers["accept-encoding"]
        assert "cookie" not in asked.headers
    assert [asked.target for asked in stub.asked] == ["/api/v2/chart/song/platforms?offset=0&limit=100"] * 2


def test_an_unreachable_host_is_named_with_its_variable() -> None:
    host = f"127.0.0.1:{closed_port()}"

    error = error_of(caller_of(f"http://sesame-user:sesame-word@{host}"), NetworkError)
    assert f"no whole answer from {host} for {TRACK} (connection refused)" in str(error)
    assert "SOUNDCHARTS_BASE_URL" in str(error)


@pytest.mark.parametrize("url", ["customer.api.soundcharts.com", "ftp://127.0.0.1", "http://"])
def test_what_is_no_url_is_said_so_at_once(url: str) -> None:
    caller = caller_of(url)

    error = error_of(caller, BadRequest)
    assert f"{url.rstrip('/')!r} is no URL; set SOUNDCHARTS_BASE_URL" in str(error)
    assert caller.between == []


@pytest.mark.parametrize(
    "answer", [lambda _: Says(500), lambda _: Says(200, b"no json"), lambda asked: Says.json({"path": asked.target})]
)
def test_params_are_sent_encoded_and_the_same_in_every_try(answer: Callable[[Asked], Says]) -> None:
    with answering(answer) as stub:
        caller = caller_of(f"{stub.url}/", retry=BRIEF)
        try:
            caller.transport.get("ranking", "/a/b%2Bc/", {"startDate": "2026-11-20T00:00:00Z", "limit": 1})
        except ServerError:
            assert len(stub.asked) == 2

    assert {asked.target for asked in stub.asked} == {"/a/b%2Bc/?startDate=2026-11-20T00%3A00%3A00Z&limit=1"}

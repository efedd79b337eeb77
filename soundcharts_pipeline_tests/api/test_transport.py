"""The transport over real HTTP: what is tried again and how often, what is not, and what an operator reads."""

import socket
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, date, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from soundcharts_pipeline.api.auth import HeaderPair, NoCredentials
from soundcharts_pipeline.api.errors import (
    AuthenticationError,
    BadRequest,
    NetworkError,
    NotFound,
    NotInPlan,
    QuotaExhausted,
    RateLimited,
    ServerError,
    SoundchartsError,
    UnexpectedPayload,
)
from soundcharts_pipeline.api.transport import RetryPolicy
from soundcharts_pipeline.api.usage import EndpointUsage, UsageMeter

from .calling import APP, SECRET, Asked, Caller, Says, answering, caller_of, no_secret_in
from .conftest import Simulate
from .fake_time import FakeTime
from .recorded import payload

BAD_GUY = "7d534228-5165-11e9-9375-549f35161576"
TRACK = f"/api/v2.25/song/{BAD_GUY}"
USAGE = "/api/v2/team/usage"
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


def _track(caller: Caller) -> dict[str, Any]:
    return caller.transport.get("track", TRACK, {})


def _error_of(caller: Caller, kind: type[SoundchartsError] = SoundchartsError) -> SoundchartsError:
    with pytest.raises(kind) as raised:
        _track(caller)
    assert no_secret_in(raised.value)
    assert SECRET not in repr(vars(caller.transport))
    return raised.value


@pytest.mark.parametrize("fault", [fault for fault, _, _ in TRANSIENT])
def test_a_passing_failure_costs_a_second_try_and_nothing_else(simulate: Simulate, fault: str) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url)
    simulator.script("track", [fault])

    assert _track(caller)["object"]["uuid"] == BAD_GUY
    assert (simulator.counters.total, simulator.counters.billed) == (2, 1)
    assert len(caller.between) == 1


@pytest.mark.parametrize(("fault", "kind", "message"), TRANSIENT)
def test_a_lasting_failure_is_tried_five_times_with_growing_waits_and_then_named(
    simulate: Simulate, fault: str, kind: type[SoundchartsError], message: str
) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url, retry=RetryPolicy(first_wait=0.5, longest_wait=3.0))
    simulator.script("track", [fault] * 9)

    error = _error_of(caller, kind)
    assert simulator.counters.total == 5
    waits = [(0.5, 1.0), (1.0, 1.5), (2.0, 2.5), (3.0, 3.0)]
    assert all(low <= wait <= high for wait, (low, high) in zip(caller.between, waits, strict=True))
    pytest.raises(kind, lambda: _raise(error)).match(message)
    assert error.endpoint == "track"


def _raise(error: Exception) -> None:
    raise error


def test_a_slow_answer_is_given_up_and_asked_for_again(simulate: Simulate) -> None:
    simulator = simulate(slow=60.0)
    caller = caller_of(simulator.url, timeout=(5.0, 0.4), retry=BRIEF)
    simulator.script("track", ["slow"])

    assert _track(caller)["object"]["uuid"] == BAD_GUY
    assert simulator.counters.total == 2


def test_answers_that_stay_slow_end_in_a_time_out(simulate: Simulate) -> None:
    simulator = simulate(slow=60.0)
    caller = caller_of(simulator.url, timeout=(5.0, 0.2), retry=BRIEF)
    simulator.script("track", ["slow"] * 9)

    assert "(no answer in time)" in str(_error_of(caller, NetworkError))
    assert simulator.counters.total == 2


# The server's minute.


@pytest.mark.parametrize(("fault", "wait"), [("429-reset", 2.0), ("429-retry-after", 1.0), ("429-bare", 10.0)])
def test_the_wait_of_a_full_minute_holds_back_every_call(simulate: Simulate, fault: str, wait: float) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url)
    simulator.script("track", [fault])

    assert _track(caller)["object"]["uuid"] == BAD_GUY
    # The throttle waits, not the one call: no other call leaves meanwhile.
    assert (caller.time.slept, caller.between) == ([wait], [0.0])


def test_a_full_minute_is_waited_for_as_often_as_promised(simulate: Simulate) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url)
    simulator.script("track", ["429-reset"] * 99)

    error = _error_of(caller, RateLimited)
    assert simulator.counters.total == 15
    assert TRACK in str(error)
    assert "maximum request count" in str(error)
    assert "SOUNDCHARTS_CALLS_PER_MINUTE" in str(error)


def test_waiting_for_a_turn_takes_no_try_away(simulate: Simulate) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url)
    simulator.script("track", [*["429-bare"] * 7, *["500"] * 4])

    assert _track(caller)["object"]["uuid"] == BAD_GUY
    assert simulator.counters.total == 12


def test_a_limit_lower_than_ours_is_obeyed_by_the_servers_own_count(simulate: Simulate) -> None:
    time = FakeTime()
    simulator = simulate(rate=3, clock=time.monotonic)
    caller = caller_of(simulator.url, time=time)
    for _ in range(7):
        _track(caller)

    assert (simulator.counters.answered, simulator.counters.rejected_by_rate) == (7, 2)
    assert caller.time.slept == [61.0, 61.0]


def test_our_own_limit_keeps_the_server_from_ever_refusing(simulate: Simulate) -> None:
    time = FakeTime()
    simulator = simulate(rate=50, clock=time.monotonic)
    caller = caller_of(simulator.url, time=time, per_minute=50)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: _track(caller), range(170)))

    assert (simulator.counters.answered, simulator.counters.rejected_by_rate) == (170, 0)


# The plan's term.


def test_a_used_up_quota_is_never_tried_again(simulate: Simulate) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url)
    simulator.script("track", ["429-quota"] * 9)

    error = _error_of(caller, QuotaExhausted)
    assert simulator.counters.total == 1
    assert (caller.between, caller.time.slept) == ([], [])
    assert TRACK in str(error)
    assert "what was saved stays" in str(error)
    assert "resumes" in str(error)


def test_the_last_call_of_a_quota_is_used_and_the_next_one_not_even_sent(simulate: Simulate) -> None:
    simulator = simulate(quota=2)
    caller = caller_of(simulator.url)
    _track(caller)
    _track(caller)

    assert "0 billed calls are left" in str(_error_of(caller, QuotaExhausted))
    assert simulator.counters.total == 2
    assert caller.transport.get("usage", USAGE, {})["object"]["quota"]["remaining"] == 0


def test_a_quota_that_others_used_up_is_the_servers_word(simulate: Simulate) -> None:
    simulator = simulate(quota=5)
    ours, theirs = caller_of(simulator.url), caller_of(simulator.url)
    for _ in range(4):
        _track(ours)
    _track(theirs)
    _error_of(ours, QuotaExhausted)

    assert (simulator.counters.billed, simulator.counters.rejected_by_quota) == (5, 1)


@pytest.mark.parametrize(("threads", "quota", "reserve"), [(1, 10, 7), (16, 40, 10), (16, 30, 0), (16, 3, 0)])
def test_the_reserve_is_kept_to_the_call_and_all_above_it_is_used(
    simulate: Simulate, threads: int, quota: int, reserve: int
) -> None:
    simulator = simulate(quota=quota, latency=0.002)
    caller = caller_of(simulator.url, quota_reserve=reserve)
    # With nothing in reserve the first calls may leave before the server has said what is left.
    caller.transport.get("usage", USAGE, {})

    def outcome(_: int) -> str:
        try:
            _track(caller)
        except QuotaExhausted as error:
            return str(error)
        return "answered"

    with ThreadPoolExecutor(threads) as pool:
        outcomes = Counter(pool.map(outcome, range(60)))

    spare = quota - reserve
    remedy = f"{reserve} billed calls are left in this term and {reserve} are kept in reserve (SOUNDCHARTS_QUOTA_RESERVE)"
    assert outcomes == {"answered": spare, f"{remedy}; what was saved stays, a later run resumes": 60 - spare}
    assert (simulator.counters.billed, simulator.counters.rejected_by_quota) == (spare, 0)


def test_with_a_reserve_the_first_call_leaves_alone_since_nobody_knows_what_is_left(simulate: Simulate) -> None:
    simulator = simulate(quota=11, latency=0.02)
    caller = caller_of(simulator.url, quota_reserve=10)
    with ThreadPoolExecutor(16) as pool:
        errors = [error for error in pool.map(lambda _: _outcome(caller), range(16)) if error]

    assert {type(error) for error in errors} == {QuotaExhausted}
    assert simulator.counters.billed == 1


def _outcome(caller: Caller) -> SoundchartsError | None:
    try:
        _track(caller)
    except SoundchartsError as error:
        return error
    return None


def test_a_server_that_says_nothing_of_a_quota_is_asked_without_end() -> None:
    with answering(lambda _: Says()) as stub:
        caller = caller_of(stub.url, quota_reserve=10)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: _track(caller), range(40)))

    assert len(stub.asked) == 40
    assert caller.transport.usage.quota_remaining is None


def test_an_answer_that_others_overtook_does_not_raise_what_is_left() -> None:
    meter = UsageMeter()

    def call(quota: int, since: int) -> int | None:
        meter.add("track", billed=True, error=False, throttled=False, quota=quota, since=since)
        return meter.quota_remaining

    assert call(50, since=0) == 50
    assert call(48, since=1) == 48
    assert call(49, since=1) == 48  # it left before the one that brought 48 was back
    assert call(47, since=3) == 47
    assert call(500_000, since=4) == 500_000  # a new term


# Who calls.


def test_the_header_pair_travels_and_no_bearer_token() -> None:
    with answering(lambda _: Says()) as stub:
        _track(caller_of(stub.url))

    headers = stub.asked[0].headers
    assert (headers["x-app-id"], headers["x-api-key"]) == APP
    assert headers["accept"] == "application/json"
    assert "authorization" not in headers


def test_refused_credentials_stop_at_the_first_call_and_name_the_variables(simulate: Simulate) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url, auth=HeaderPair("sesame-wrong", "sesame-wrong-too"))

    error = _error_of(caller, AuthenticationError)
    for name in ("APP_ID", "API_KEY", "CLIENT_ID", "CLIENT_SECRET"):
        assert f"SOUNDCHARTS_{name}" in str(error)
    assert simulator.counters.total == 1
    assert caller.between == []


def test_missing_credentials_make_no_call_and_name_the_variables(simulate: Simulate) -> None:
    simulator = simulate()

    error = _error_of(caller_of(simulator.url, auth=NoCredentials()), AuthenticationError)
    for name in ("APP_ID", "API_KEY", "CLIENT_ID", "CLIENT_SECRET"):
        assert f"SOUNDCHARTS_{name}" in str(error)
    assert simulator.counters.total == 0


def test_a_bearer_token_travels_alone_and_is_asked_for_once() -> None:
    token = Says.json({"access_token": "sesame-token", "token_type": "bearer", "expires_in": 3600})
    with answering(lambda asked: token if asked.path == "/oauth/token" else Says()) as stub:
        caller = caller_of(stub.url, oauth_url=f"{stub.url}/oauth/token/")
        _track(caller)
        _track(caller)

    asked = [(asked.path, asked.headers.get("authorization", "")[:7]) for asked in stub.asked]
    assert asked == [("/oauth/token", "Basic c"), (TRACK, "Bearer "), (TRACK, "Bearer ")]
    assert stub.asked[0].body == b"grant_type=client_credentials"
    assert not {"x-app-id", "x-api-key"} & stub.asked[1].headers.keys()


def test_a_token_is_renewed_45_seconds_early(simulate: Simulate) -> None:
    time = FakeTime()
    simulator = simulate(clock=time.monotonic)
    caller = caller_of(simulator.url, oauth_url=simulator.auth_url, time=time)
    tokens = []
    for time.now in (0.0, 3554.0, 3555.0, 7109.0, 7110.0):
        _track(caller)
        tokens.append(caller.auth.headers()["Authorization"][-1])

    assert tokens == ["1", "1", "2", "2", "3"]
    assert (simulator.counters.total, simulator.counters.answered) == (5, 5)


def test_a_token_that_the_server_ended_is_renewed_once_and_the_call_repeated(simulate: Simulate) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url, oauth_url=simulator.auth_url)
    simulator.script("track", ["401"])

    assert _track(caller)["object"]["uuid"] == BAD_GUY
    assert caller.auth.headers() == {"Authorization": "Bearer simulator-token-2"}
    assert caller.between == []


def test_a_renewed_token_that_is_refused_too_ends_the_matter(simulate: Simulate) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url, oauth_url=simulator.auth_url)
    simulator.script("track", ["401"] * 9)

    error = _error_of(caller, AuthenticationError)
    assert "Expired JWT Token" in str(error)
    assert "simulator-token" not in str(error)
    assert simulator.counters.total == 2


def test_threads_that_meet_the_same_expired_token_renew_it_once(simulate: Simulate) -> None:
    server = FakeTime()
    simulator = simulate(clock=server.monotonic, latency=0.01)
    caller = caller_of(simulator.url, oauth_url=simulator.auth_url)
    _track(caller)
    server.now = 5_000.0  # expired for the server, and not yet by our own clock
    together = threading.Barrier(32)

    def call(_: int) -> str:
        together.wait()
        return str(_track(caller)["object"]["uuid"])

    with ThreadPoolExecutor(32) as pool:
        assert set(pool.map(call, range(32))) == {BAD_GUY}
    assert caller.auth.headers() == {"Authorization": "Bearer simulator-token-2"}


def test_wrong_client_credentials_make_no_call_and_name_the_variables(simulate: Simulate) -> None:
    simulator = simulate(client=("someone", "else"))

    error = _error_of(caller_of(simulator.url, oauth_url=simulator.auth_url), AuthenticationError)
    assert f"{simulator.auth_url}/oauth/token refused the client credentials (401)" in str(error)
    assert "SOUNDCHARTS_CLIENT_ID and SOUNDCHARTS_CLIENT_SECRET" in str(error)
    assert simulator.counters.total == 0


@pytest.mark.parametrize(
    ("says", "kind", "tries", "message"),
    [
        (Says(500), ServerError, 5, "answered 500; try again later"),
        (Says(429), ServerError, 5, "answered 429; try again later"),
        (Says(200, b"<html>"), ServerError, 5, "broken body"),
        (Says(200, b"[]"), AuthenticationError, 1, "SOUNDCHARTS_CLIENT_SECRET"),
        (Says(200, b"{}"), AuthenticationError, 1, "SOUNDCHARTS_CLIENT_SECRET"),
        (Says(400, b"{}"), AuthenticationError, 1, "refused the client credentials (400)"),
    ],
)
def test_a_token_host_out_of_order_is_tried_again_and_one_that_refuses_is_not(
    says: Says, kind: type[SoundchartsError], tries: int, message: str
) -> None:
    with answering(lambda _: says) as stub:
        error = _error_of(caller_of("http://127.0.0.1:9", oauth_url=stub.url), kind)

    assert [asked.path for asked in stub.asked] == ["/oauth/token"] * tries
    assert f"{stub.url}/oauth/token" in str(error)
    assert message in str(error)


def _closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_an_unreachable_token_host_is_named_with_its_variable() -> None:
    url = f"http://127.0.0.1:{_closed_port()}"

    error = _error_of(caller_of("http://127.0.0.1:9", oauth_url=url), NetworkError)
    assert f"{url}/oauth/token" in str(error)
    assert "SOUNDCHARTS_AUTH_URL" in str(error)


# Where calls go.


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_carries_the_credentials_elsewhere(status: int) -> None:
    with answering(lambda _: Says()) as elsewhere:
        redirect = Says(status, b"", {"location": f"{elsewhere.url}/api"})
        with answering(lambda _: redirect) as stub:
            by_pair = _error_of(caller_of(stub.url), UnexpectedPayload)
            by_token = _error_of(caller_of(stub.url, oauth_url=stub.url), AuthenticationError)

    assert elsewhere.asked == []
    assert len(stub.asked) == 2
    assert f"{TRACK}: {status}" in str(by_pair)
    assert "`endpoints:` in charts.yaml" in str(by_pair)
    assert f"({status})" in str(by_token)


def test_an_unreachable_host_is_named_with_its_variable() -> None:
    host = f"127.0.0.1:{_closed_port()}"

    error = _error_of(caller_of(f"http://sesame-user:sesame-word@{host}"), NetworkError)
    assert f"no whole answer from {host} for {TRACK} (connection refused)" in str(error)
    assert "SOUNDCHARTS_BASE_URL" in str(error)


@pytest.mark.parametrize("url", ["customer.api.soundcharts.com", "ftp://127.0.0.1", "http://"])
def test_what_is_no_url_is_said_so_at_once(url: str) -> None:
    caller = caller_of(url)

    error = _error_of(caller, BadRequest)
    assert f"{url.rstrip('/')!r} is no URL; set SOUNDCHARTS_BASE_URL" in str(error)
    assert caller.between == []


# What a status means.


def _refusal(message: str, status: int, **headers: str) -> Says:
    return Says.json({"errors": [{"key": "access", "code": status, "message": message}]}, status, **headers)


@pytest.mark.parametrize(
    ("says", "kind", "message"),
    [
        (Says.json(payload("error_400"), 400), BadRequest, "Supported platforms: spotify, youtube."),
        (Says(400, b"no json"), BadRequest, "400 Bad Request; .*charts.yaml"),
        (_refusal("Not in your plan.", 403), NotInPlan, "403 Not in your plan.; .*does not include it"),
        (Says(403, b""), NotInPlan, "403 Forbidden"),
        (Says.json(payload("error_404"), 404), NotFound, "404 Not found."),
        (Says.json(payload("error_no_account"), 404), NotFound, "No social account found for artist Tones and I."),
        (Says.json({"detail": "nothing"}, 404), NotFound, "404 Not Found"),
        (Says.json({"errors": "gone"}, 410), NotFound, "410 gone; Soundcharts has withdrawn it"),
        (Says.json({"errors": ["one", "two"]}, 410), NotFound, "410 one two;"),
        (_refusal("Pay first.", 402), QuotaExhausted, "402 Pay first.; .*used up"),
        (_refusal("Available quota exceeded.", 429), QuotaExhausted, "Available quota exceeded."),
        (_refusal("Too much.", 429, x_quota_remaining="0"), QuotaExhausted, "429 Too much."),
        (_refusal("Too much.", 429, x_quota_remaining="-3"), QuotaExhausted, "429 Too much."),
        (Says(204, b""), UnexpectedPayload, "204 No Content; .*charts.yaml"),
        (Says(405, b"{}"), UnexpectedPayload, "405 Method Not Allowed; .*charts.yaml"),
        (Says(200, b"[]"), UnexpectedPayload, "not a JSON object"),
        (Says(200, b'"text"'), UnexpectedPayload, "not a JSON object"),
    ],
)
def test_what_another_try_cannot_help_is_asked_once(says: Says, kind: type[SoundchartsError], message: str) -> None:
    with answering(lambda _: says) as stub:
        caller = caller_of(stub.url)
        error = _error_of(caller, kind)

    assert type(error) is kind
    assert (error.endpoint, error.status) == ("track", says.status)
    pytest.raises(kind, lambda: _raise(error)).match(rf"^{TRACK}: .*{message}")
    assert len(stub.asked) == 1
    assert (caller.between, caller.time.slept) == ([], [])


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_gateways_web_page_says_nothing_of_the_plan_or_the_entity(status: int) -> None:
    page = b"\n<!DOCTYPE html><html><body>Access denied</body></html>"
    with answering(lambda _: Says(status, page, {"content-type": "text/html"})) as stub:
        error = _error_of(caller_of(stub.url), ServerError)

    assert f"{TRACK}: a gateway answered {status} with a web page" in str(error)
    assert len(stub.asked) == 5


@pytest.mark.parametrize(
    "says",
    [
        _refusal("Maximum request count reached.", 429),
        _refusal("You have reached the maximum request count per minute; see your quota.", 429),
        _refusal("You have reached the maximum request count per minute.", 429, x_quota_remaining="0"),
        _refusal("Too many requests.", 429, x_quota_remaining="4"),
        Says(429, b""),
    ],
)
def test_a_429_is_the_minute_unless_it_speaks_of_the_quota(says: Says) -> None:
    with answering(lambda _: says) as stub:
        _error_of(caller_of(stub.url, retry=RetryPolicy(rate_limited_attempts=1)), RateLimited)

    assert len(stub.asked) == 1


LONG_AGO = format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)
FAR_AHEAD = format_datetime(datetime(2199, 1, 1, tzinfo=UTC), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"x_ratelimit_reset": "37"}, 38.0),
        ({"x_ratelimit_reset": "0"}, 1.0),
        ({"x_ratelimit_reset": "-5"}, 1.0),
        ({"x_ratelimit_reset": "4", "retry_after": "90"}, 5.0),
        ({"x_ratelimit_reset": "soon", "retry_after": "7"}, 7.0),
        ({"x_ratelimit_reset": "1795305600"}, 300.0),
        ({"retry_after": "2.5"}, 2.5),
        ({"retry_after": FAR_AHEAD}, 300.0),
        ({"retry_after": "whenever"}, 10.0),
        ({}, 10.0),
    ],
)
def test_the_servers_wait_is_read_from_whichever_header_it_sends(headers: dict[str, str], wait: float) -> None:
    refused = _refusal("Maximum request count.", 429, **headers)
    with answering(lambda _: refused if len(stub.asked) == 1 else Says()) as stub:
        caller = caller_of(stub.url)
        _track(caller)

    assert caller.time.slept == [wait]


def test_a_wait_that_is_over_is_no_wait() -> None:
    refused = _refusal("Maximum request count.", 429, retry_after=LONG_AGO)
    with answering(lambda _: refused if len(stub.asked) == 1 else Says()) as stub:
        caller = caller_of(stub.url)
        _track(caller)

    assert caller.time.slept == []


def test_a_server_in_trouble_may_ask_for_a_longer_wait_than_ours() -> None:
    with answering(lambda _: Says(503, b"", {"retry-after": "33"}) if len(stub.asked) == 1 else Says()) as stub:
        caller = caller_of(stub.url)
        _track(caller)

    assert caller.between == [33.0]
    assert caller.time.slept == []


# What was called.


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
    _track(caller)
    caller.transport.usage.drain()
    _track(caller)

    assert list(caller.transport.usage.drain().values()) == [EndpointUsage(calls=1, billed=1)]
    assert caller.transport.usage.drain() == {}
    assert caller.transport.usage.calls == simulator.counters.total == 2


def test_threads_lose_no_count(simulate: Simulate) -> None:
    simulator = simulate(faults=0.2, slow=0.0)
    caller = caller_of(simulator.url)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: _outcome(caller), range(200)))

    [count] = caller.transport.usage.drain().values()
    assert count.calls == simulator.counters.total
    assert caller.transport.usage.quota_remaining == 500_000 - simulator.counters.billed


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

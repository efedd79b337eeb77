"""Who calls: the header pair or a bearer token, when it is renewed, and what a refusal says."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from soundcharts_pipeline.api.auth import HeaderPair, NoCredentials
from soundcharts_pipeline.api.errors import AuthenticationError, NetworkError, ServerError, SoundchartsError

from .calling import APP, BAD_GUY, TRACK, Says, answering, caller_of, closed_port, error_of, track
from .conftest import Simulate
from .fake_time import FakeTime


def test_the_header_pair_travels_and_no_bearer_token() -> None:
    with answering(lambda _: Says()) as stub:
        track(caller_of(stub.url))

    headers = stub.asked[0].headers
    assert (headers["x-app-id"], headers["x-api-key"]) == APP
    assert headers["accept"] == "application/json"
    assert "authorization" not in headers


def test_refused_credentials_stop_at_the_first_call_and_name_the_variables(simulate: Simulate) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url, auth=HeaderPair("sesame-wrong", "sesame-wrong-too"))

    error = error_of(caller, AuthenticationError)
    for name in ("APP_ID", "API_KEY", "CLIENT_ID", "CLIENT_SECRET"):
        assert f"SOUNDCHARTS_{name}" in str(error)
    assert simulator.counters.total == 1
    assert caller.between == []


def test_missing_credentials_make_no_call_and_name_the_variables(simulate: Simulate) -> None:
    simulator = simulate()

    error = error_of(caller_of(simulator.url, auth=NoCredentials()), AuthenticationError)
    for name in ("APP_ID", "API_KEY", "CLIENT_ID", "CLIENT_SECRET"):
        assert f"SOUNDCHARTS_{name}" in str(error)
    assert simulator.counters.total == 0


def test_a_bearer_token_travels_alone_and_is_asked_for_once() -> None:
    token = Says.json({"access_token": "sesame-token", "token_type": "bearer", "expires_in": 3600})
    with answering(lambda asked: token if asked.path == "/oauth/token" else Says()) as stub:
        caller = caller_of(stub.url, oauth_url=f"{stub.url}/oauth/token/")
        track(caller)
        track(caller)

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
        track(caller)
        tokens.append(caller.auth.headers()["Authorization"][-1])

    assert tokens == ["1", "1", "2", "2", "3"]
    assert (simulator.counters.total, simulator.counters.answered) == (5, 5)


def test_a_token_that_lives_shorter_than_that_still_serves_many_calls() -> None:
    time = FakeTime()
    token = Says.json({"access_token": "sesame-token", "token_type": "bearer", "expires_in": 10})
    with answering(lambda asked: token if asked.path == "/oauth/token" else Says()) as stub:
        caller = caller_of(stub.url, oauth_url=stub.url, time=time)
        for time.now in (0.0, 2.0, 4.9, 5.0, 9.9, 10.0):
            track(caller)

    assert [asked.path for asked in stub.asked].count("/oauth/token") == 3


def test_a_token_that_the_server_ended_is_renewed_once_and_the_call_repeated(simulate: Simulate) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url, oauth_url=simulator.auth_url)
    simulator.script("track", ["401"])

    assert track(caller)["object"]["uuid"] == BAD_GUY
    assert caller.auth.headers() == {"Authorization": "Bearer simulator-token-2"}
    assert caller.between == []


def test_a_renewed_token_that_is_refused_too_ends_the_matter(simulate: Simulate) -> None:
    simulator = simulate()
    caller = caller_of(simulator.url, oauth_url=simulator.auth_url)
    simulator.script("track", ["401"] * 9)

    error = error_of(caller, AuthenticationError)
    assert "Expired JWT Token" in str(error)
    assert "simulator-token" not in str(error)
    assert simulator.counters.total == 2


def test_threads_that_meet_the_same_expired_token_renew_it_once(simulate: Simulate) -> None:
    server = FakeTime()
    simulator = simulate(clock=server.monotonic, latency=0.01)
    caller = caller_of(simulator.url, oauth_url=simulator.auth_url)
    track(caller)
    server.now = 5_000.0  # expired for the server, and not yet by our own clock
    together = threading.Barrier(32)

    def call(_: int) -> str:
        together.wait()
        return str(track(caller)["object"]["uuid"])

    with ThreadPoolExecutor(32) as pool:
        assert set(pool.map(call, range(32))) == {BAD_GUY}
    assert caller.auth.headers() == {"Authorization": "Bearer simulator-token-2"}


def test_wrong_client_credentials_make_no_call_and_name_the_variables(simulate: Simulate) -> None:
    simulator = simulate(client=("someone", "else"))

    error = error_of(caller_of(simulator.url, oauth_url=simulator.auth_url), AuthenticationError)
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
        error = error_of(caller_of("http://127.0.0.1:9", oauth_url=stub.url), kind)

    assert [asked.path for asked in stub.asked] == ["/oauth/token"] * tries
    assert f"{stub.url}/oauth/token" in str(error)
    assert message in str(error)


def test_an_unreachable_token_host_is_named_with_its_variable() -> None:
    url = f"http://127.0.0.1:{closed_port()}"

    error = error_of(caller_of("http://127.0.0.1:9", oauth_url=url), NetworkError)
    assert f"{url}/oauth/token" in str(error)
    assert "SOUNDCHARTS_AUTH_URL" in str(error)

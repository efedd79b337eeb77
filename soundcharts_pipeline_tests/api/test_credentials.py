"""Who calls: the header pair or a bearer token, when it is renewed, and what a refusal says."""

import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pytest

from soundcharts_pipeline.api.auth import ClientCredentials, HeaderPair, NoCredentials
from soundcharts_pipeline.api.errors import AuthenticationError, NetworkError, ServerError, SoundchartsError
from soundcharts_pipeline.api.session import new_session

from .calling import APP, BAD_GUY, CLIENT, TRACK, Says, answering, caller_of, closed_port, error_of, track
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


@pytest.mark.parametrize(
    ("told", "renewed_at"),
    [
        *((3600, 3555.0), ("3600", 3555.0), (3600.5, 3555.5), (20, 10.0), ("1e2", 55.0)),
        # What says nothing, or cannot be, is the usual hour; none is trusted for longer than a day.
        *((told, 3555.0) for told in list[object]([None, "soon", "", -1, 0, float("nan"), "nan", True, {}, [3600]])),
        *((told, 86_355.0) for told in (1e300, float("inf"), "inf", 10**9)),
        (int("9" * 400), 3555.0),
    ],
)
def test_a_token_is_renewed_once_whatever_the_answer_says_of_its_life(told: object, renewed_at: float) -> None:
    time = FakeTime()
    token = Says.json({"access_token": "sesame-token", "token_type": "bearer", "expires_in": told})
    with answering(lambda asked: token if asked.path == "/oauth/token" else Says()) as stub:
        caller = caller_of(stub.url, oauth_url=stub.url, time=time)
        for time.now in (0.0, 1.0, renewed_at - 0.1, renewed_at, renewed_at + 0.1):
            track(caller)

    assert [asked.path for asked in stub.asked] == ["/oauth/token", TRACK, TRACK, TRACK, "/oauth/token", TRACK, TRACK]


def test_the_team_is_named_in_the_form_alone() -> None:
    token = Says.json({"access_token": "sesame-token", "token_type": "bearer", "expires_in": 3600})
    with answering(lambda asked: token if asked.path == "/oauth/token" else Says()) as stub:
        auth = ClientCredentials(stub.url, *CLIENT, team_id="team & 7", session=new_session(1, stub.url, {}))
        track(caller_of(stub.url, auth=auth))

    assert parse_qs(stub.asked[0].body.decode()) == {"grant_type": ["client_credentials"], "team_id": ["team & 7"]}
    assert [(asked.path, "team" in str(asked.headers)) for asked in stub.asked] == [
        ("/oauth/token", False),
        (TRACK, False),
    ]


def test_a_refused_team_is_named_with_its_variable() -> None:
    with answering(lambda _: Says(401, b"{}")) as stub:
        auth = ClientCredentials(stub.url, *CLIENT, team_id="7", session=new_session(1, stub.url, {}))
        error = error_of(caller_of("http://127.0.0.1:9", auth=auth), AuthenticationError)

    assert "SOUNDCHARTS_CLIENT_SECRET, and SOUNDCHARTS_TEAM_ID" in str(error)


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
        (Says(200, b"[" * 100_000), ServerError, 5, "broken body"),
        (Says(200, b'{"access_token": ' + b"[" * 3_000 + b"]" * 3_000 + b"}"), ServerError, 5, "broken body"),
        *(
            (Says.json({"access_token": token}), AuthenticationError, 1, "refused the client credentials (200)")
            for token in list[object]([["sesame"], {}, 7, True, "", "ses\name", "ses ame", "sésame", "ключ"])
        ),
        (Says(200, b'"sesame"'), AuthenticationError, 1, "SOUNDCHARTS_CLIENT_SECRET"),
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

"""HTTP as clients meet it: keep-alive, credentials, tokens, methods, controls, and the foreground server."""

import base64
import json
import signal
import socket
import subprocess
import sys
from datetime import date
from urllib.parse import urlsplit

import pytest
import requests

from soundcharts_pipeline.simulator import Simulator

from .asking import BAD_GUY, RANKING, Api
from .conftest import Simulate

TRACK = f"/api/v2.25/song/{BAD_GUY}"


def _connect(simulator: Simulator) -> socket.socket:
    port = urlsplit(simulator.url).port
    assert port is not None
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def _raw(path: str, *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "host: x", "x-app-id: soundcharts", "x-api-key: soundcharts", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_a_connection_serves_many_calls_even_pipelined_and_in_pieces(sim: Simulator) -> None:
    path = "/api/v2/chart/song/platforms"
    with _connect(sim) as connection:
        whole = _raw(path) + _raw(path) + _raw(path, "connection: close")
        for start in range(0, len(whole), 37):
            connection.sendall(whole[start : start + 37])
        received = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert received.count(b"HTTP/1.1 200 OK") == 3
    bodies = [part.partition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 200 OK")[1:]]
    assert len(set(bodies)) == 1
    assert json.loads(bodies[0])["items"]


def test_nonsense_is_a_bad_request(sim: Simulator) -> None:
    with _connect(sim) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")


def test_answers_are_json_with_the_account_in_their_headers(api: Api) -> None:
    response = api.call(TRACK)

    assert response.headers["content-type"] == "application/json"
    for name in ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-quota-remaining"):
        assert int(response.headers[name]) >= 0


@pytest.mark.parametrize("headers", [{}, {"x-app-id": "soundcharts", "x-api-key": "no"}, {"authorization": "Bearer x"}])
def test_wrong_credentials_are_401(sim: Simulator, headers: dict[str, str]) -> None:
    response = requests.get(sim.url + TRACK, headers=headers, timeout=60)

    assert response.status_code == 401
    assert response.json()["errors"][0]["code"] == 401
    assert "x-quota-remaining" in response.headers


def _token(url: str, secret: str, grant: str = "client_credentials") -> requests.Response:
    basic = base64.b64encode(f"simulator:{secret}".encode()).decode()
    headers = {"authorization": f"Basic {basic}"}
    return requests.post(f"{url}/oauth/token", data={"grant_type": grant}, headers=headers, timeout=60)


def test_a_token_opens_the_api_until_it_expires(simulate: Simulate) -> None:
    now = [0.0]
    simulator, _ = simulate(clock=lambda: now[0])
    body = _token(simulator.auth_url, "simulator").json()
    headers = {"authorization": f"Bearer {body['access_token']}"}
    statuses = []
    for now[0] in (0.0, 3_599.0, 3_601.0):
        response = requests.get(simulator.url + TRACK, headers=headers, timeout=60)
        statuses.append(response.status_code)

    assert (body["token_type"], body["expires_in"]) == ("bearer", 3600)
    assert statuses == [200, 200, 401]
    assert "Expired" in response.json()["errors"][0]["message"]


def test_wrong_client_credentials_get_no_token(sim: Simulator) -> None:
    assert _token(sim.auth_url, "wrong").status_code == 401
    assert _token(sim.auth_url, "simulator", "password").status_code == 400
    assert requests.get(f"{sim.auth_url}/oauth/token", timeout=60).status_code == 405


def test_only_get_is_allowed(api: Api) -> None:
    assert api.session.post(api.url + TRACK, timeout=60).status_code == 405


def test_latency_delays_answers_without_holding_up_others(simulate: Simulate) -> None:
    simulator, _ = simulate(latency=0.15)
    connections = [_connect(simulator) for _ in range(40)]
    for connection in connections:
        connection.sendall(_raw(TRACK))
    answers = [connection.recv(65_536) for connection in connections]
    for connection in connections:
        connection.close()

    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
    assert simulator.counters.most_in_flight == 40


def test_controls_work_from_outside_and_never_count(simulate: Simulate) -> None:
    simulator, api = simulate()
    assert api.control("set", today="2026-06-02", rate=77, oddities=["bare-rankings"]).status_code == 200
    response = api.call(RANKING.format("global-28", "latest"))
    counters = api.session.get(f"{api.url}/_simulator/counters", timeout=60).json()

    assert response.json()["related"]["date"][:10] == "2026-06-01"
    assert simulator.world.today == date(2026, 6, 2)
    assert simulator.world.oddities.names == {"bare-rankings"}
    assert response.headers["x-ratelimit-limit"] == "77"
    assert (counters["total"], counters["calls"]) == (1, {"ranking": 1})
    api.control("reset")
    assert simulator.counters.total == 0
    for wrong in ({"speed": 1}, {"oddities": ["none such"]}, {"today": "soon"}):
        assert api.control("set", **wrong).status_code == 400
    assert api.control("explode").status_code == 404


def test_down_means_no_answer_at_all(simulate: Simulate) -> None:
    _, api = simulate()
    api.control("set", down=True)
    with pytest.raises(requests.ConnectionError):
        api.call(TRACK)
    api.control("set", down=False)

    assert api.call(TRACK).status_code == 200


SERVE = "from soundcharts_pipeline.simulator import serve; serve(port=0, log=lambda url: print(url, flush=True))"


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_foreground_server_says_where_it_listens_and_ends_cleanly(ending: signal.Signals) -> None:
    command, pipe = [sys.executable, "-c", SERVE], subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as run:
        assert run.stdout is not None
        url = run.stdout.readline().strip()
        with requests.Session() as session:
            pair = {"x-app-id": "soundcharts", "x-api-key": "soundcharts"}
            assert session.get(url + TRACK, headers=pair, timeout=60).status_code == 200
            run.send_signal(ending)
            _, complaints = run.communicate(timeout=60)

    assert (run.returncode, complaints) == (0, "")

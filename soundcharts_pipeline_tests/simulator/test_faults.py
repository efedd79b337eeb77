"""Each fault really happens on the wire, costs nothing, and goes away."""

import errno
import json
from typing import Any

import pytest
import requests

from soundcharts_pipeline.simulator import Fault

from .asking import BAD_GUY, BILLIE, Api
from .conftest import Simulate

TRACK = f"/api/v2.25/song/{BAD_GUY}"
SERIES = f"/api/v2/song/{BAD_GUY}/audience/spotify"


def _seen(api: Api, path: str = TRACK) -> Any:
    """What a client can tell of one call."""
    try:
        response = api.call(path)
        content = response.json()
    except requests.JSONDecodeError:
        return response.status_code, "no JSON"
    except requests.exceptions.ChunkedEncodingError:
        return "truncated"
    except requests.ConnectionError as error:
        return "reset" if str(errno.ECONNRESET) in str(error) else "closed"
    message = content["errors"][0]["message"] if content["errors"] else ""
    return response.status_code, message


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        (Fault.SERVER_ERROR, (500, "Internal server error.")),
        (Fault.BAD_GATEWAY, (502, "no JSON")),
        (Fault.UNAVAILABLE, (503, "no JSON")),
        (Fault.GATEWAY_TIMEOUT, (504, "no JSON")),
        (Fault.RESET, "reset"),
        (Fault.TRUNCATED, "truncated"),
        (Fault.INVALID_JSON, (200, "no JSON")),
        (Fault.RATE_RESET, (429, "You have reached the maximum request count per minute.")),
        (Fault.RATE_RETRY_AFTER, (429, "You have reached the maximum request count per minute.")),
        (Fault.RATE_BARE, (429, "You have reached the maximum request count per minute.")),
        (Fault.QUOTA, (429, "You have used up the available quota of your plan.")),
        (Fault.ERRORS_IN_BODY, (200, "Partial data.")),
        (Fault.UNAUTHORIZED, (401, "Expired JWT Token")),
    ],
)
def test_a_scripted_fault_happens_once_and_is_no_answer(simulate: Simulate, fault: Fault, seen: object) -> None:
    simulator, api = simulate()
    simulator.script("track", [fault])

    assert _seen(api) == seen
    assert (simulator.counters.faults, simulator.counters.answered, simulator.counters.billed) == (1, 0, 0)
    assert _seen(api) == (200, "")
    assert (simulator.counters.answered, simulator.counters.repeats) == (1, 0)


def test_a_slow_answer_is_a_late_one(simulate: Simulate) -> None:
    simulator, api = simulate(slow=0.5)
    simulator.script("track", [Fault.SLOW, Fault.SLOW])

    with pytest.raises(requests.ReadTimeout):
        api.session.get(api.url + TRACK, timeout=0.1)
    assert api.call(TRACK).elapsed.total_seconds() >= 0.5


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (Fault.RATE_RESET, {"x-ratelimit-reset"}),
        (Fault.RATE_RETRY_AFTER, {"retry-after"}),
        (Fault.RATE_BARE, set()),
        (Fault.QUOTA, {"x-quota-remaining"}),
    ],
)
def test_429s_differ_in_their_headers(simulate: Simulate, fault: Fault, named: set[str]) -> None:
    simulator, api = simulate()
    simulator.script("*", [fault])

    assert set(api.call(TRACK).headers) - {"content-type", "content-length"} == named


def test_a_502_is_a_page_and_a_503_is_empty(simulate: Simulate) -> None:
    simulator, api = simulate()
    simulator.script("track", ["502", "503"])
    page, nothing = api.call(TRACK), api.call(TRACK)

    assert page.headers["content-type"] == "text/html"
    assert page.text.startswith("<html>")
    assert nothing.content == b""


def test_errors_in_a_body_come_with_half_the_items(simulate: Simulate) -> None:
    simulator, api = simulate()
    whole = api.get(SERIES, startDate="2026-08-01", endDate="2026-08-20")
    simulator.script("track_audience", [Fault.ERRORS_IN_BODY])
    half = api.get(SERIES, startDate="2026-08-01", endDate="2026-08-20")

    assert half["errors"]
    assert half["items"] == whole["items"][:10]
    assert half["page"] == whole["page"]


def test_scripts_are_kept_per_endpoint_and_in_order(simulate: Simulate) -> None:
    simulator, api = simulate()
    simulator.script("track", ["500", "502"])
    simulator.script("artist", ["503"])

    assert [api.call(f"/api/v2.9/artist/{BILLIE}").status_code for _ in range(2)] == [503, 200]
    assert [api.call(TRACK).status_code for _ in range(3)] == [500, 502, 200]
    with pytest.raises(ValueError, match="no endpoint named song"):
        simulator.script("song", ["500"])


def test_scripts_can_come_from_outside(simulate: Simulate) -> None:
    _, api = simulate()

    assert api.control("script", endpoint="track", faults=["504"]).status_code == 200
    assert api.call(TRACK).status_code == 504
    assert api.control("script", endpoint="track", faults=["911"]).status_code == 400


def _sequence(simulate: Simulate, seed: int) -> list[object]:
    _, api = simulate(seed=seed, faults=0.5, slow=0.0)
    return [_seen(api) for _ in range(120)]


def test_random_faults_follow_the_seed_and_their_probability(simulate: Simulate) -> None:
    one, again, other = (_sequence(simulate, seed) for seed in (1, 1, 2))
    healthy = one.count((200, ""))

    assert one == again != other
    assert 45 <= healthy <= 85
    assert len({json.dumps(seen) for seen in one}) >= 8


def test_random_faults_are_only_those_that_a_repeat_survives(simulate: Simulate) -> None:
    simulator, api = simulate(faults=1.0, slow=0.0)
    seen = [_seen(api) for _ in range(150)]

    assert not [one for one in seen if one[0] == 401 or "quota" in str(one)]
    simulator.set(faults=0.0)
    assert _seen(api) == (200, "")

"""Rate and quota: refused when used up, told in headers, free again in time."""

from .asking import BAD_GUY, Api
from .conftest import Simulate

TRACK = f"/api/v2.25/song/{BAD_GUY}"
USAGE = "/api/v2/team/usage"


def test_the_rate_is_a_sliding_minute(simulate: Simulate) -> None:
    now = [0.0]
    simulator, api = simulate(rate=3, clock=lambda: now[0])
    statuses = []
    for now[0] in (0.0, 20.0, 40.0, 59.0, 60.0, 61.0, 80.0):
        response = api.call(TRACK)
        statuses.append(response.status_code)

    assert statuses == [200, 200, 200, 429, 200, 429, 200]
    assert simulator.counters.rejected_by_rate == 2


def test_a_call_over_the_rate_is_told_how_long_to_wait(simulate: Simulate) -> None:
    now = [100.0]
    _, api = simulate(rate=1, clock=lambda: now[0])
    first = api.call(TRACK)
    now[0] = 112.5
    refused = api.call(TRACK)

    assert (first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == ("1", "0")
    assert refused.status_code == 429
    assert refused.headers["x-ratelimit-reset"] == "48"
    assert "maximum request count" in refused.json()["errors"][0]["message"]


def _quota_left(api: Api, path: str) -> tuple[int, int]:
    response = api.call(path)
    return response.status_code, int(response.headers["x-quota-remaining"])


def test_only_answers_are_billed(simulate: Simulate) -> None:
    simulator, api = simulate(quota=10)
    simulator.script("track", ["500", "503", "429-bare"])
    failed = [api.call(TRACK).status_code for _ in range(3)]

    assert failed == [500, 503, 429]
    assert _quota_left(api, TRACK) == (200, 9)
    assert _quota_left(api, USAGE) == (200, 9)
    assert _quota_left(api, "/api/v2/chart/song/by-platform/nowhere") == (404, 9)
    assert _quota_left(api, f"/api/v2.25/song/{BAD_GUY}x") == (404, 8)
    assert simulator.counters.billed == 2


def test_a_used_up_quota_stops_everything_but_the_usage_endpoint(simulate: Simulate) -> None:
    simulator, api = simulate(quota=2)
    codes = [api.call(TRACK).status_code for _ in range(4)]
    refused = api.call(TRACK)

    assert codes == [200, 200, 429, 429]
    assert "available quota" in refused.json()["errors"][0]["message"]
    assert refused.headers["x-quota-remaining"] == "0"
    assert api.get(USAGE)["object"]["quota"] == {"limit": 2, "used": 2, "remaining": 0}
    assert simulator.counters.rejected_by_quota == 3
    simulator.set(quota=3)
    assert api.call(TRACK).status_code == 200

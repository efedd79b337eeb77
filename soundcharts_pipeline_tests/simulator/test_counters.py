"""The counters: what was asked, how often, how fast, and what it cost."""

import socket
from urllib.parse import urlsplit

from .asking import BAD_GUY, BILLIE, RANKING
from .conftest import Simulate

TRACK = f"/api/v2.25/song/{BAD_GUY}"
SERIES = f"/api/v2/song/{BAD_GUY}/audience/spotify"


def test_calls_are_counted_per_endpoint(simulate: Simulate) -> None:
    simulator, api = simulate()
    for path in (TRACK, SERIES, f"/api/v2.9/artist/{BILLIE}", RANKING.format("global-28", "latest"), TRACK, "/x"):
        api.call(path)
    counters = simulator.counters

    assert counters.calls == {"artist": 1, "ranking": 1, "track": 2, "track_audience": 1, "unknown": 1}
    assert (counters.total, counters.answered, counters.billed) == (6, 6, 6)
    assert (counters.questions, counters.repeats, counters.repeated) == (5, 1, (f"GET {TRACK}?",))


def test_the_order_of_parameters_makes_no_other_question(simulate: Simulate) -> None:
    simulator, api = simulate()
    for query in ("startDate=2026-01-01&endDate=2026-01-05", "endDate=2026-01-05&startDate=2026-01-01"):
        api.call(f"{SERIES}?{query}")
    counters = simulator.counters

    assert (counters.questions, counters.repeats) == (1, 1)
    assert counters.repeated == (f"GET {SERIES}?endDate=2026-01-05&startDate=2026-01-01",)


def test_asking_again_after_a_failure_is_no_repeat(simulate: Simulate) -> None:
    simulator, api = simulate()
    simulator.script("*", ["500", "503"])
    codes = [api.call(TRACK).status_code for _ in range(3)]

    assert codes == [500, 503, 200]
    assert (simulator.counters.questions, simulator.counters.repeats) == (1, 0)


def test_the_busiest_minute_and_second_slide(simulate: Simulate) -> None:
    now = [0.0]
    simulator, api = simulate(clock=lambda: now[0])
    for now[0] in (0.0, 0.9, 1.5, 1.8, 30.0, 59.9, 61.0, 200.0):
        api.call(TRACK)

    assert simulator.counters.busiest_second == 3
    assert simulator.counters.busiest_minute == 6


def test_calls_in_flight_end_even_when_the_client_leaves(simulate: Simulate) -> None:
    simulator, api = simulate(latency=30.0)
    port = urlsplit(simulator.url).port
    request = f"GET {TRACK} HTTP/1.1\r\nx-app-id: soundcharts\r\nx-api-key: soundcharts\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        while simulator.counters.in_flight == 0:
            api.control("set")
    while simulator.counters.in_flight:
        api.control("set")

    assert simulator.counters.most_in_flight == 1


def test_a_snapshot_does_not_move_and_reset_starts_again(simulate: Simulate) -> None:
    simulator, api = simulate()
    api.call(TRACK)
    before = simulator.counters
    api.call(TRACK)
    simulator.reset()

    assert before.total == 1
    assert simulator.counters.total == simulator.counters.repeats == simulator.counters.billed == 0
    assert api.call(TRACK).headers["x-quota-remaining"] == "499999"

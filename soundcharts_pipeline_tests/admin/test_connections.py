"""Slow, silent and many clients: they go, and health answers meanwhile."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest

from soundcharts_pipeline.admin.access.connections import MOST_UNFINISHED_BYTES, Bounds
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.sync.rankings import NotPublished
from soundcharts_pipeline_tests.admin.site import PREFIX, Client, serving, wait_for
from soundcharts_pipeline_tests.support.helpers import SLUG

MOST = 4
# Long enough for a request that is sent at once, on the busiest machine.
IN_TIME = 2.0
SOON = 0.2
HEALTH = f"GET {PREFIX}/health/ HTTP/1.1\r\nHost: x\r\n\r\n".encode()
HALF_BODY = f"POST {PREFIX}/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\ntoken".encode()
HALF_HEAD = f"GET {PREFIX}/ HTTP/1.1\r\nHost: x\r\nX-Long: ".encode()


@pytest.fixture(scope="module")
def crowded(charts_file: Path) -> Iterator[Client]:
    """Few may wait, and all the time in the world."""
    with serving(charts_file, f"sqlite:///{charts_file.parent}/soundcharts.db", bounds=Bounds(MOST, 600)) as client:
        yield client


def connect(client: Client, sent: bytes = b"") -> socket.socket:
    host, port = client.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.sendall(sent)
    return connection


def heard(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionError:
        pass
    connection.close()
    return b"".join(parts)


def test_what_does_not_come_in_time_is_not_waited_for(charts_file: Path) -> None:
    database = f"sqlite:///{charts_file.parent}/soundcharts.db"
    with serving(charts_file, database, bounds=Bounds(50, IN_TIME)) as client:
        silent, halves = connect(client), [connect(client, half) for half in (HALF_HEAD, HALF_BODY)]
        for half in (HALF_HEAD, HALF_BODY):
            second = connect(client, HEALTH)
            answer = b""
            while b'{"status"' not in answer:  # its head may come first
                part = second.recv(65_536)
                assert part, answer
                answer += part
            second.sendall(half)
            halves.append(second)
        halves.append(connect(client, HEALTH + HALF_BODY))

        assert heard(silent) == b""
        assert all(b"HTTP/1.1 408 " in heard(connection) for connection in halves)
        assert client.get("/health/").json() == {"status": "unavailable"}


def test_whoever_waits_longest_makes_room_and_the_newest_is_heard(crowded: Client) -> None:
    kinds = [b"", HALF_HEAD, HALF_BODY, HEALTH]
    waiting = [(sent, connect(crowded, sent)) for _ in range(3) for sent in kinds]
    assert crowded.get("/health/").json() == {"status": "unavailable"}
    assert crowded.get(f"/chart/{SLUG}/status/").status_code == 200

    # The last question took a place too, so that all but the three newest of these had to go.
    for sent, connection in waiting[: -MOST + 1]:
        said = heard(connection)
        assert said.count(b"HTTP/1.1 503") == (1 if sent else 0)
    for _, connection in waiting[-MOST + 1 :]:
        connection.close()


def test_a_head_without_end_is_refused(crowded: Client) -> None:
    connection = connect(crowded, HALF_HEAD)
    with pytest.raises(ConnectionError):  # noqa: PT012  # whichever part finds it closed
        for _ in range(1_000):
            connection.sendall(b"x" * MOST_UNFINISHED_BYTES)
    connection.close()


def test_an_answer_that_nobody_takes_is_given_up(charts_file: Path) -> None:
    database = f"sqlite:///{charts_file.parent}/soundcharts.db"
    with (
        serving(charts_file, database, bounds=Bounds(MOST, 600, SOON)) as client,
        socket.socket() as connection,
    ):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        host, port = client.url.removeprefix("http://").split(":")
        connection.connect((host, int(port)))
        connection.sendall(f"GET {PREFIX}/static/pages.css HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 2_000)
        port_here = connection.getsockname()[1]

        wait_for("end of the other side", lambda: f"{port_here:04X}" not in connected_to(int(port)))


def connected_to(port: int) -> list[str]:
    """Ports, in hexadecimal, of those whom the port of this machine has a connection with."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[2][-4:] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"]


def test_more_requests_than_are_answered_at_once_are_refused_and_health_is_not(charts_file: Path) -> None:
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def slow(chart: ChartSettings) -> date:
        begun.release()
        go_on.wait(60)
        raise NotPublished(f"{chart.slug} has no ranking")

    bounds = Bounds(2, 600)
    database = f"sqlite:///{charts_file.parent}/soundcharts.db"
    with (
        serving(charts_file, database, newest_published=slow, bounds=bounds) as client,
        ThreadPoolExecutor(bounds.answered_at_once) as pool,
        ExitStack() as stack,
    ):
        stack.callback(go_on.set)
        triggers = []
        for _ in range(bounds.answered_at_once):
            # One after the other: more at once than may wait would make room for each other.
            triggers.append(pool.submit(client.trigger, SLUG))
            assert begun.acquire(timeout=60)

        refused = client.get(f"/chart/{SLUG}/status/")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert refused.json()["remedy"] == "try again in a second"
        assert client.get("/health/").json() == {"status": "unavailable"}
        go_on.set()
        assert {trigger.result().status_code for trigger in triggers} == {400}
        assert client.get(f"/chart/{SLUG}/status/").status_code == 200

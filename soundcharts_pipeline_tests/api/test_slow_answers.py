"""An answer that comes a byte at a time, or stops half-way: it is given up after its whole time, like one that never
came."""

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pytest

from soundcharts_pipeline.api.errors import NetworkError
from soundcharts_pipeline.api.transport import RetryPolicy

from .calling import Caller, caller_of, error_of, track

FINE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\n"
# What is there at once, and what comes after it for ever, a byte at a time.
TRICKLES = {
    "status line": (b"HTTP/1.1 ", b"2"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "headers": (OK, b"a: b\r\n"),
    "one header": (OK + b"a: ", b"b"),
    "body": (OK + b"content-length: 100000\r\n\r\n", b" "),
    "body without a length": (OK + b"\r\n", b" "),
    "chunks": (OK + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "size of a chunk": (OK + b"transfer-encoding: chunked\r\n\r\n1;", b"x"),
    "compressed": (OK + b"content-encoding: gzip\r\ncontent-length: 100000\r\n\r\n" + gzip.compress(b"{}")[:10], b"\0"),
    "refusal": (b"HTTP/1.1 404 Not Found\r\ncontent-length: 100000\r\n\r\n", b" "),
}


class Looked:
    """A clock that goes on by ten seconds whenever somebody looks at it, and lets a trickle give another byte."""

    def __init__(self) -> None:
        self.now = 0.0
        self._moved = threading.Condition()

    def monotonic(self) -> float:
        with self._moved:
            self.now += 10.0
            self._moved.notify_all()
            return self.now

    def wait_after(self, seen: float) -> float:
        with self._moved:
            self._moved.wait_for(lambda: self.now > seen)
            return self.now


@contextmanager
def dripping(say: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that reads a request and leaves the rest to `say`, and the requests."""
    listener = socket.create_server(("127.0.0.1", 0))
    asked: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                while request := connection.recv(65_536):
                    asked.append(request)
                    say(connection)
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _trickle(clock: Looked, at_once: bytes, then: bytes) -> Callable[[socket.socket], None]:
    def say(connection: socket.socket) -> None:
        connection.sendall(at_once)
        seen, sent = 0.0, 0
        while True:
            seen = clock.wait_after(seen)
            connection.sendall(then[sent % len(then) :][:1])
            sent += 1

    return say


def _caller(url: str, clock: Looked, *, tries: int = 2, **more: Any) -> Caller:
    return caller_of(url, answer_seconds=300.0, clock=clock.monotonic, retry=RetryPolicy(attempts=tries), **more)


@pytest.mark.parametrize("what", TRICKLES)
def test_an_answer_that_trickles_is_a_time_out_like_any_other(what: str) -> None:
    clock = Looked()
    with dripping(_trickle(clock, *TRICKLES[what])) as (url, asked):
        caller = _caller(url, clock)
        error = error_of(caller, NetworkError)

    assert "(no answer in time)" in str(error)
    assert len(asked) == 2
    # The whole time of two tries, looked at for each byte.
    assert 600 <= clock.now < 700
    [count] = caller.transport.usage.drain().values()
    assert (count.calls, count.billed, count.errors) == (2, 0, 2)


def test_a_try_after_one_that_trickled_has_its_whole_time_and_a_connection_of_its_own() -> None:
    clock = Looked()
    trickle = _trickle(clock, *TRICKLES["body"])
    with dripping(lambda connection: trickle(connection) if len(asked) == 1 else connection.sendall(FINE)) as served:
        url, asked = served
        caller = _caller(url, clock)
        assert track(caller) == track(caller) == {}

    assert len(asked) == 3


def test_a_token_host_and_a_proxy_that_trickle_are_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Looked()
    with dripping(_trickle(clock, *TRICKLES["body"])) as (url, asked):
        assert url in str(error_of(_caller(url, clock, oauth_url=url, tries=1), NetworkError))
    assert b"/oauth/token" in asked[0]
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with dripping(_trickle(clock, *TRICKLES["headers"])) as (url, asked):
        monkeypatch.setenv("https_proxy", url)
        error_of(_caller("https://api.example", clock, tries=1), NetworkError)
    assert asked[0].startswith(b"CONNECT api.example:443")


@pytest.mark.parametrize("what", TRICKLES)
def test_an_answer_that_stops_half_way_is_not_waited_for_beyond_its_whole_time(what: str) -> None:
    at_once, then = TRICKLES[what]
    with dripping(lambda connection: connection.sendall(at_once + then)) as (url, asked):
        caller = caller_of(url, answer_seconds=0.05, clock=monotonic, retry=RetryPolicy(attempts=2))
        assert "(no answer in time)" in str(error_of(caller, NetworkError))

    assert len(asked) == 2

"""HTTP/1.1 as far as the simulator needs it: requests in, replies out, and the ways a connection can go wrong.

Knows no API. `Exchange` is the one hook: it is given a request and calls back with a reply, now or later.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, Protocol
from urllib.parse import parse_qsl, unquote

_LIMIT = 1_000_000
_REASONS = {status.value: status.phrase for status in HTTPStatus}

Delivery = Literal["whole", "truncated", "reset"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `query` holds the last value of each parameter, header names are in lower case."""

    method: str
    target: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer, and how it is delivered: whole, cut off half-way, or not at all."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    delivery: Delivery = "whole"
    delay: float = 0.0

    def head(self) -> bytes:
        """Status line and headers."""
        lines = [
            f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Unknown')}",
            f"content-type: {self.content_type}",
            f"content-length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Exchange(Protocol):
    """What answers requests."""

    def receive(self, request: Request) -> Reply: ...

    def sent(self, request: Request) -> None: ...


class Connection(asyncio.Protocol):
    """One client connection: keep-alive, one request at a time, pipelined ones in order."""

    def __init__(self, exchange: Exchange, opened: set["Connection"]) -> None:
        self._exchange = exchange
        self._opened = opened
        self._buffer = b""
        self._waiting: asyncio.TimerHandle | None = None
        self._current: Request | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio sets TCP_NODELAY on its own sockets.
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._opened.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (the name is asyncio's)
        self._opened.discard(self)
        self._transport = None
        if self._waiting is not None:
            self._waiting.cancel()
        self._finish()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def abort(self) -> None:
        """Reset the connection: with no time to linger, closing sends RST instead of FIN."""
        if self._transport is not None:
            connected = self._transport.get_extra_info("socket")
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def _next(self) -> None:
        while self._current is None and self._transport is not None:
            try:
                request, self._buffer = _take_request(self._buffer)
            except ValueError:
                self._transport.write(Reply(status=400).head())
                self._transport.close()
                return
            if request is None:
                return
            self._current = request
            reply = self._exchange.receive(request)
            if reply.delay > 0:
                loop = asyncio.get_running_loop()
                self._waiting = loop.call_later(reply.delay, self._send_late, reply)
            else:
                self._send(reply)

    def _send_late(self, reply: Reply) -> None:
        self._waiting = None
        self._send(reply)
        self._next()

    def _send(self, reply: Reply) -> None:
        transport, request = self._transport, self._current
        if transport is None or request is None:
            return
        # Counted as done before the first byte leaves, so that whoever reads the answer finds it counted.
        self._finish()
        match reply.delivery:
            case "reset":
                self.abort()
            case "truncated":
                transport.write(reply.head() + reply.body[: len(reply.body) // 2])
                transport.close()
            case "whole":
                transport.write(reply.head() + reply.body)
                if request.headers.get("connection", "").lower() == "close":
                    transport.close()

    def _finish(self) -> None:
        if self._current is not None:
            request, self._current = self._current, None
            self._exchange.sent(request)


def _take_request(buffer: bytes) -> tuple[Request | None, bytes]:
    """The first whole request of a buffer, and what follows it. ValueError when it cannot be one."""
    head, found, rest = buffer.partition(b"\r\n\r\n")
    if not found:
        if len(buffer) > _LIMIT:
            raise ValueError("a head without end")
        return None, buffer
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _version = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= _LIMIT:
        raise ValueError("a body of impossible length")
    if len(rest) < length:
        return None, buffer
    path, _, query = target.partition("?")
    parameters = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
    return Request(method, target, unquote(path), parameters, headers, rest[:length]), rest[length:]


def listen_on(
    loop: asyncio.AbstractEventLoop, exchange: Exchange, *, host: str, port: int, opened: set[Connection]
) -> asyncio.Server:
    """A listening server on an address of this host; port 0 lets the system choose."""
    factory: Callable[[], Connection] = lambda: Connection(exchange, opened)  # noqa: E731
    return loop.run_until_complete(loop.create_server(factory, host, port, backlog=1_024))

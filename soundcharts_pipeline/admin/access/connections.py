"""Connections that are bounded in number and time, so that whoever opens many and says little shuts nobody out.

A connection *waits* until a whole request has come, and again once that is answered. So many may wait; one more, and
the one that has waited longest goes, so that the newest, a monitor's question for health among them, is always heard.
A request has to come within seconds of its beginning, and its answer to be taken within two minutes.
"""

import asyncio
import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# Of the files that a process may open. Twice as many requests are answered at once; the rest is for the database,
# Dagster and what the pages are made of.
WAITING_SHARE = 0.3
MOST_WAITING = 1_000
REQUEST_SECONDS = 10.0
ANSWER_SECONDS = 120.0
# Of a request that is not whole yet, or of a body that nobody wants.
MOST_UNFINISHED_BYTES = 1 << 18

_REFUSAL = b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\nRetry-After: 1\r\n\r\n"
_LATE, _CROWDED, _LONG = b"408 Request Timeout", b"503 Service Unavailable", b"431 Request Header Fields Too Large"


def _most_waiting() -> int:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_WAITING if files == resource.RLIM_INFINITY else min(MOST_WAITING, int(files * WAITING_SHARE))


@dataclass(frozen=True, slots=True)
class Bounds:
    """Connections that may wait, and seconds for a request to come and for its answer to be taken."""

    waiting: int = field(default_factory=_most_waiting)
    request_seconds: float = REQUEST_SECONDS
    answer_seconds: float = ANSWER_SECONDS

    @property
    def answered_at_once(self) -> int:
        """Requests, of which some may still wait for the rest of their body."""
        return 2 * self.waiting

    def protocol(self) -> Callable[..., asyncio.Protocol]:
        """Makes the protocol of each connection of one server."""
        waiting: dict[BoundedProtocol, None] = {}
        return lambda **options: BoundedProtocol(self, waiting, **options)


class BoundedProtocol(HttpToolsProtocol):
    """One connection. `others` are all that wait, the longest first."""

    def __init__(self, bounds: Bounds, others: "dict[BoundedProtocol, None]", **options: Any) -> None:
        super().__init__(**options)
        self._bounds, self._others = bounds, others
        self._unfinished = 0
        self._deadline: asyncio.TimerHandle | None = None
        # With several requests in a row `cycle` is the last of them.
        self._at_work: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()
        self._end_after(self._bounds.request_seconds)
        if len(self._others) > self._bounds.waiting:
            next(iter(self._others)).drop(_CROWDED)

    def data_received(self, data: bytes) -> None:
        self._unfinished += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._unfinished > MOST_UNFINISHED_BYTES:
            self.drop(_LONG)
        elif self._is_answering:
            # What comes meanwhile gives the answer no more time.
            if self in self._others:
                self._answer()
        elif self._deadline is None:
            self._end_after(self._bounds.request_seconds)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_answering:
            self._answer()
        elif not self.transport.is_closing():
            self._wait()
            if self.cycle.more_body:
                self._end_after(self._bounds.request_seconds)
            else:
                # Until the next request begins, uvicorn's own time for idle connections counts.
                self._unfinished = 0
                self._end_after(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._others.pop(self, None)
        self._end_after(None)
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        self.drop()

    def drop(self, refusal: bytes | None = None) -> None:
        """End the connection, with a word if a request was under way."""
        self._others.pop(self, None)
        if not self.transport.is_closing():
            unanswered = self._at_work is None or self._at_work.response_complete or not self._at_work.response_started
            if refusal and self._unfinished and unanswered:
                self.transport.write(_REFUSAL % refusal)
            self.transport.close()
        if self.transport.get_write_buffer_size():
            # Somebody who does not read would keep it open for good.
            self._abort()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._at_work = cycle
        super()._start_asgi_task(cycle, app)

    def _abort(self) -> None:
        if self._at_work is not None:
            # Else it would go on to write.
            self._at_work.disconnected = True
        self.transport.abort()

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete

    def _answer(self) -> None:
        self._others.pop(self, None)
        self._unfinished = 0
        self._end_after(self._bounds.answer_seconds)

    def _wait(self) -> None:
        self._others.pop(self, None)
        self._others[self] = None

    def _end_after(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        if self in self._others:
            self.drop(_LATE)
        else:
            self._abort()

"""What every answer has and no request may have: security headers, errors as JSON, a bound on bodies."""

import logging
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soundcharts_pipeline.admin.answers import Refused

# The longest body that any route reads is a form of a few fields.
MOST_BODY_BYTES = 16_384
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_RAW_HEADERS = [
    (name.lower().encode(), value.encode())
    for name, value in (SECURITY_HEADERS | {"Cache-Control": "no-store"}).items()
]

_log = logging.getLogger(__name__)


class Guarded:
    """Wraps the whole app: the headers are there on every answer, also on those that the framework makes itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            if int(Headers(scope=scope).get("content-length") or 0) > MOST_BODY_BYTES:
                raise _too_long()
            await self._app(scope, _bounded(receive), answer.send)
        except Refused as refusal:
            await answer.refuse(scope, receive, refusal)
        except Exception:
            _log.exception("%s %s failed", scope["method"], scope["path"])
            problem = "the request could not be answered"
            remedy = "try again; the log of `soundcharts-pipeline serve` says what went wrong"
            await answer.refuse(scope, receive, Refused(500, problem, remedy))


class _Answer:
    def __init__(self, send: Send) -> None:
        self._send, self._begun = send, False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            _add_headers(message)
        await self._send(message)

    async def refuse(self, scope: Scope, receive: Receive, refusal: Refused) -> None:
        if not self._begun:
            await refusal.answer()(scope, receive, self.send)


def _add_headers(message: MutableMapping[str, Any]) -> None:
    given = {name for name, _ in message["headers"]}
    message["headers"] = [*message["headers"], *(header for header in _RAW_HEADERS if header[0] not in given)]


def _bounded(receive: Receive) -> Receive:
    """A body without a length of its own is cut off at the bound too."""
    read = 0

    async def bounded() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > MOST_BODY_BYTES:
            raise _too_long()
        return message

    return bounded


def _too_long() -> Refused:
    return Refused(413, f"the body is longer than {MOST_BODY_BYTES} bytes", 'send {"date": "YYYY-MM-DD"} or no body')

"""What every answer has and no request may have: security headers, errors in words, a bound on bodies."""

import logging
from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soundcharts_pipeline.admin.answers import Refused

# The longest body that any route reads is a form of a few fields.
MOST_BODY_BYTES = 16_384
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": with that, browsers send our own forms without the origin that tells them from others.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_RAW_HEADERS = [
    (name.lower().encode(), value.encode())
    for name, value in (SECURITY_HEADERS | {"Cache-Control": "no-store"}).items()
]

_log = logging.getLogger(__name__)


class Guarded:
    """Wraps the whole app: the headers are there on every answer, also on those that the framework makes itself.
    `refuse` puts a refusal into the words of whoever asks."""

    def __init__(self, app: ASGIApp, refuse: Callable[[Request, Refused], Response]) -> None:
        self._app, self._refuse = app, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer, request = _Answer(send), Request(scope)
        try:
            if int(request.headers.get("content-length") or 0) > MOST_BODY_BYTES:
                raise _too_long()
            if "\0" in scope["path"]:
                # PostgreSQL does not even take the question.
                raise Refused(404, "there is nothing at this address", "an address has no NUL; go to the dashboard")
            await self._app(scope, _bounded(receive), answer.send)
        except Refused as refusal:
            await answer.refuse(self._refuse(request, refusal), scope, receive)
        except Exception:
            _log.exception("%s %s failed", scope["method"], scope["path"])
            problem = "the request could not be answered"
            remedy = "try again; the log of `soundcharts-pipeline serve` says what went wrong"
            await answer.refuse(self._refuse(request, Refused(500, problem, remedy)), scope, receive)


class _Answer:
    def __init__(self, send: Send) -> None:
        self._send, self._begun = send, False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            _add_headers(message)
        await self._send(message)

    async def refuse(self, refusal: Response, scope: Scope, receive: Receive) -> None:
        if not self._begun:
            await refusal(scope, receive, self.send)


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

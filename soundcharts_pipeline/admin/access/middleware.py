"""What every answer has and no request may have: security headers, errors in words, bounds on bodies and on requests at
once."""

import logging
from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soundcharts_pipeline.admin.access.root_path import PREFIX
from soundcharts_pipeline.admin.refusals import HttpRefusal

# The longest body that any route reads is a form of a few fields.
MOST_BODY_BYTES = 16_384
MOST_AT_ONCE = 600
_HEALTH = f"{PREFIX}/health"
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
    `refuse` puts a refusal into the words of whoever asks. Beyond `most_at_once` requests all are refused but those for
    health, which wait for nothing."""

    def __init__(self, app: ASGIApp, refuse: Callable[[Request, HttpRefusal], Response], most_at_once: int) -> None:
        self._app, self._refuse, self._most_at_once = app, refuse, most_at_once
        self._at_once = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer, request = _Answer(send), Request(scope)
        self._at_once += 1
        try:
            if self._at_once > self._most_at_once and not scope["path"].rstrip("/").endswith(_HEALTH):
                raise HttpRefusal(
                    503,
                    f"{self._most_at_once} requests are being answered at this moment",
                    "try again in a second",
                    headers={"Retry-After": "1"},
                )
            if int(request.headers.get("content-length") or 0) > MOST_BODY_BYTES:
                raise _too_long()
            if "\0" in scope["path"]:
                # PostgreSQL does not even take the question.
                raise HttpRefusal(404, "there is nothing at this address", "an address has no NUL; go to the dashboard")
            await self._app(scope, _bounded(receive), answer.send)
        except HttpRefusal as refusal:
            await answer.refuse(self._refuse(request, refusal), scope, receive)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        except Exception:
            _log.exception("%s %s failed", scope["method"], scope["path"])
            problem = "the request could not be answered"
            remedy = "try again; the log of `soundcharts-pipeline serve` says what went wrong"
            await answer.refuse(self._refuse(request, HttpRefusal(500, problem, remedy)), scope, receive)
        finally:
            self._at_once -= 1


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


def _too_long() -> HttpRefusal:
    return HttpRefusal(
        413, f"the body is longer than {MOST_BODY_BYTES} bytes", 'send {"date": "YYYY-MM-DD"} or no body'
    )

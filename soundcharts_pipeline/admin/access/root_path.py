"""Where a browser finds the pages: behind a proxy, below a path of the proxy's (`https://host/music/`).

The path is a setting (SOUNDCHARTS_ROOT_PATH, or the server's own root path), or the header X-Forwarded-Prefix, which
`proxies` leaves to those that are believed. Whether the proxy takes the path away or passes it on is all the same.
"""

import re
from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/admin/soundcharts"
HEADER = b"x-forwarded-prefix"
# Plain segments: nothing that is another host, a step upwards, a query, or a line of another header.
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+", re.ASCII)
LONGEST = 200

_root: ContextVar[str] = ContextVar("root_path", default="")


def is_root_path(text: str) -> bool:
    """Whether it is a path that addresses may begin with: `/music`, `/team/music`."""
    return len(text) <= LONGEST and bool(_PATH.fullmatch(text))


def root() -> str:
    """What comes before our own paths in the addresses of the request that is answered; mostly nothing."""
    return _root.get()


def home() -> str:
    """What every address of ours begins with, for whoever asks now."""
    return f"{root()}{PREFIX}"


class Rooted:
    """Finds the root path of each request, and makes its path the whole one, as ASGI has it."""

    def __init__(self, app: ASGIApp, root_path: str = "") -> None:
        self._app, self._root_path = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = _forwarded(scope) or scope.get("root_path", "").rstrip("/") or self._root_path
        path = scope["path"]
        if found and not path.startswith(f"{found}{PREFIX}"):
            path = f"{found}{path}"
        token = _root.set(found)
        try:
            await self._app({**scope, "root_path": found, "path": path}, receive, send)
        finally:
            _root.reset(token)


def _forwarded(scope: Scope) -> str:
    """The path that a proxy tells; '' when it tells none, or what cannot be one."""
    told = [value for name, value in scope["headers"] if name == HEADER]
    if len(told) != 1:
        return ""
    text = told[0].decode("latin-1").strip().rstrip("/")
    return text if is_root_path(text) else ""

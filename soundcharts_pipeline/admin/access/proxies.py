"""What a reverse proxy tells of the request that it passes on, and from whom it is believed.

`X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix` are anybody's to send: a guesser who names another address each time
would have no limit. So they count from the proxies of SOUNDCHARTS_TRUSTED_PROXIES alone; from all others, programs of
this machine among them, they are taken off before anything reads them.
"""

import ipaddress
import logging
from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

VARIABLE = "SOUNDCHARTS_TRUSTED_PROXIES"
_TOLD = b"x-forwarded-"
_HOST, _FORWARDED_HOST = b"host", b"x-forwarded-host"

_log = logging.getLogger(__name__)


class Proxied:
    """The outermost part of the app. `trusted` are addresses and networks of proxies."""

    def __init__(self, app: ASGIApp, trusted: Sequence[str]) -> None:
        self._app = app
        self._networks = [ipaddress.ip_network(one) for one in trusted]
        # Takes the client and the scheme from what is left; the addresses that it skips are those of our proxies.
        self._with_client: ASGIApp = ProxyHeadersMiddleware(app, trusted_hosts=list(trusted))  # type: ignore[arg-type, assignment]
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._is_proxy(scope["client"]):
            await self._with_client({**scope, "headers": _with_host(scope["headers"])}, receive, send)
        else:
            kept = [(name, value) for name, value in scope["headers"] if not name.startswith(_TOLD)]
            self._warn(scope["client"], disbelieved=len(kept) < len(scope["headers"]))
            await self._app({**scope, "headers": kept}, receive, send)

    def _is_proxy(self, client: tuple[str, int] | None) -> bool:
        try:
            address = ipaddress.ip_address(client[0]) if client else None
        except ValueError:
            return False
        return address is not None and any(address in network for network in self._networks)

    def _warn(self, client: tuple[str, int] | None, *, disbelieved: bool) -> None:
        """Once: a proxy that nobody told us of makes one client of all."""
        if disbelieved and not self._warned:
            self._warned = True
            host = client[0] if client else "a socket"
            _log.warning(
                "X-Forwarded headers of %s are not believed; if it is your reverse proxy, set %s=%s and start again",
                host,
                VARIABLE,
                host,
            )


def _with_host(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The host that was asked for stands where all look for it."""
    told = [value for name, value in headers if name == _FORWARDED_HOST and value.strip()]
    if len(told) != 1:
        return list(headers)
    return [(_HOST, told[0]), *((name, value) for name, value in headers if name != _HOST)]

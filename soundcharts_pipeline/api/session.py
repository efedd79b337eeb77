"""The session that every call goes through: `requests`, with what is the same for all calls done once.

`Session.get` merges settings, hooks and cookies anew for each call, and its adapter looks up proxies and builds the key
of its pool of connections: a third of what a call cost the client.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from socket import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from urllib3.connectionpool import ConnectionPool

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# A whole answer of some megabytes over a slow line; without an end, one byte a minute keeps a call for ever.
ANSWER_SECONDS = 300.0
_BUFFER_BYTES = 65_536


class ApiSession(requests.Session):
    """Keeps no cookies."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__()
        self._environ = environ

    def proxy_variable(self, url: str) -> str:
        """The variable that names the proxy for calls to `url`; "" without a proxy."""
        proxy = select_proxy(url, self.proxies)
        if not proxy:
            return ""
        names = [name for name, value in self._environ.items() if value == proxy and name.lower().endswith("_proxy")]
        return " and ".join(sorted(names)) or f"{url.partition(':')[0].upper()}_PROXY"

    def ask(
        self, url: str, params: Mapping[str, str | int], headers: Mapping[str, str], timeout: tuple[float, float]
    ) -> requests.Response:
        """The whole answer to a GET; raises as `get`. Redirects are not followed: the key headers would go to wherever
        they point."""
        request = requests.PreparedRequest()
        request.prepare_method("GET")
        request.prepare_url(url, urlencode(params))
        request.prepare_headers({**self.headers, **headers})
        request.prepare_auth(None)  # of the URL
        adapter = self.get_adapter(request.url or url)
        answer = adapter.send(request, stream=True, timeout=timeout, verify=self.verify or False, proxies=self.proxies)
        _ = answer.content  # read here, where an answer that breaks off is the call's error
        return answer


class _Adapter(HTTPAdapter):
    """Looks up the pool of a host once. All calls of a session have its certificates and its proxies, and the same time
    for an answer."""

    def __init__(self, answer: Callable[..., HTTPResponse], **settings: Any) -> None:
        super().__init__(**settings)
        self._answer = answer
        self._pools: dict[str, ConnectionPool] = {}

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *settings: Any, **more: Any
    ) -> ConnectionPool:
        url = request.url or ""
        host = url[: url.find("/", len("https://"))]
        if host not in self._pools:
            pool: Any = super().get_connection_with_tls_context(request, *settings, **more)
            # Also of a proxy, whose pool may be shared by two hosts: the second time nothing changes.
            if not isinstance(pool.ConnectionCls, partial):
                pool.ConnectionCls = partial(_connection, pool.ConnectionCls, self._answer)
            self._pools[host] = pool
        return self._pools[host]

    def close(self) -> None:
        self._pools.clear()
        super().close()


def _connection(kind: Callable[..., Any], answer: Callable[..., HTTPResponse], **settings: Any) -> Any:
    connection = kind(**settings)
    connection.response_class = answer
    return connection


class _Answer(HTTPResponse):
    """An answer, also a proxy's, that has to be there as a whole within `seconds` of the question."""

    def __init__(
        self, sock: socket, *settings: Any, seconds: float, monotonic: Callable[[], float], **more: Any
    ) -> None:
        super().__init__(sock, *settings, **more)
        end = monotonic() + seconds
        self.fp = BufferedReader(_InTime(self.fp.detach(), sock, end, monotonic), _BUFFER_BYTES)


class _InTime(RawIOBase):
    """What a socket receives until `end`. Its own time-out begins anew with every byte."""

    def __init__(self, received: RawIOBase, sock: socket, end: float, monotonic: Callable[[], float]) -> None:
        self._received, self._sock, self._end, self._monotonic = received, sock, end, monotonic

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._received.fileno()

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        left = self._end - self._monotonic()
        if left <= 0:
            raise TimeoutError("the answer did not end in time")
        timeout = self._sock.gettimeout()
        if timeout is None or left < timeout:
            self._sock.settimeout(left)  # the next question sets it again
        return self._received.readinto(buffer)

    def close(self) -> None:
        self._received.close()
        super().close()


def new_session(
    pool_size: int,
    base_url: str,
    environ: Mapping[str, str],
    *,
    answer_seconds: float = ANSWER_SECONDS,
    monotonic: Callable[[], float] = time.monotonic,
) -> ApiSession:
    """A session whose pool holds one connection per call in flight, and which gives up an answer that is not there as a
    whole after `answer_seconds`.

    `trust_env` is off because requests would read netrc and proxy settings anew for every call (measured: a
    third of the client's time); the proxies and the CA bundle of the environment are read once, here.
    """
    session = ApiSession(environ)
    session.trust_env = False
    session.proxies.update(get_environ_proxies(base_url))
    session.verify = environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE") or True
    answer = partial(_Answer, seconds=answer_seconds, monotonic=monotonic)
    adapter = _Adapter(answer, pool_connections=4, pool_maxsize=pool_size, max_retries=0, pool_block=True)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session

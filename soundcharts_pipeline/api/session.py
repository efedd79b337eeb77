"""The session that every call goes through: `requests`, with what is the same for all calls done once.

`Session.get` merges settings, hooks and cookies anew for each call, and its adapter looks up proxies and builds the key
of its pool of connections: a third of what a call cost the client.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from urllib3.connectionpool import ConnectionPool


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
    """Looks up the pool of a host once. All calls of a session have its certificates and its proxies."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._pools: dict[str, ConnectionPool] = {}

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *settings: Any, **more: Any
    ) -> ConnectionPool:
        url = request.url or ""
        host = url[: url.find("/", len("https://"))]
        if host not in self._pools:
            self._pools[host] = super().get_connection_with_tls_context(request, *settings, **more)
        return self._pools[host]

    def close(self) -> None:
        self._pools.clear()
        super().close()


def new_session(pool_size: int, base_url: str, environ: Mapping[str, str]) -> ApiSession:
    """A session whose pool holds one connection per call in flight.

    `trust_env` is off because requests would read netrc and proxy settings anew for every call (measured: a
    third of the client's time); the proxies and the CA bundle of the environment are read once, here.
    """
    session = ApiSession(environ)
    session.trust_env = False
    session.proxies.update(get_environ_proxies(base_url))
    session.verify = environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE") or True
    adapter = _Adapter(pool_connections=4, pool_maxsize=pool_size, max_retries=0, pool_block=True)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session

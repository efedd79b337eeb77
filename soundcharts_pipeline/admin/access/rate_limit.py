"""So many requests a minute for each client."""

import ipaddress
import threading
import time
from collections import deque
from collections.abc import Callable

from starlette.requests import HTTPConnection

from soundcharts_pipeline.admin.refusals import HttpRefusal

MINUTE = 60.0
# Clients remembered at once; beyond that those that were silent for a minute are forgotten.
MOST_CLIENTS = 10_000
# Whoever has one address of IPv6 has 2^64.
_ONE_CLIENT_BITS = 64


def client_of(request: HTTPConnection) -> str:
    """Who asks, for a limit: the address, of IPv6 the network that one client is given."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return host
    inside = address.ipv4_mapped
    return str(inside or ipaddress.ip_network((address, _ONE_CLIENT_BITS), strict=False))


class RateLimit:
    """Counts the last minute of each client. `what` was done too often, and `advice`, are words of the refusal;
    `clock` is in seconds."""

    def __init__(self, per_minute: int, *, what: str, advice: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._what, self._advice = what, advice
        self._lock = threading.Lock()
        self._requests: dict[str, deque[float]] = {}

    def count(self, client: str) -> None:
        """Raises the refusal when the client has asked too often; a refused request does not count."""
        now = self._clock()
        with self._lock:
            if len(self._requests) > MOST_CLIENTS:
                self._requests = {name: times for name, times in self._requests.items() if times[-1] > now - MINUTE}
            times = self._requests.setdefault(client, deque())
            while times and times[0] <= now - MINUTE:
                times.popleft()
            if len(times) < self._per_minute:
                times.append(now)
                return
            wait = max(1, round(times[0] + MINUTE - now))
        raise HttpRefusal(
            429,
            f"more than {self._per_minute} {self._what} from this address within a minute",
            f"try again in {wait} s; {self._advice}",
            headers={"Retry-After": str(wait)},
        )

"""Ways in which the service fails to answer, drawn at random or queued for an endpoint by a script.

A fault is never an answer: it is not billed and does not count as answered. Random faults are those that a
repeated call survives; the quota one is only ever scripted, and a 401 is only drawn for a bearer token.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from enum import StrEnum

from soundcharts_pipeline.simulator.service.answers import error_body
from soundcharts_pipeline.simulator.service.wire import Reply
from soundcharts_pipeline.simulator.world.seeding import fingerprint, mix, unit

RATE_MESSAGE = "You have reached the maximum request count per minute."
QUOTA_MESSAGE = "You have used up the available quota of your plan."


class Fault(StrEnum):
    """One way to fail."""

    SERVER_ERROR = "500"
    BAD_GATEWAY = "502"
    UNAVAILABLE = "503"
    GATEWAY_TIMEOUT = "504"
    RESET = "reset"
    TRUNCATED = "truncated"
    INVALID_JSON = "invalid-json"
    SLOW = "slow"
    RATE_RESET = "429-reset"
    RATE_RETRY_AFTER = "429-retry-after"
    RATE_BARE = "429-bare"
    QUOTA = "429-quota"
    ERRORS_IN_BODY = "errors-in-body"
    UNAUTHORIZED = "401"


_NEVER_DRAWN = {Fault.QUOTA, Fault.UNAUTHORIZED}
_DRAWN = tuple(fault for fault in Fault if fault not in _NEVER_DRAWN)

_RATE_BODY = error_body(429, RATE_MESSAGE)
FAULT_REPLIES: dict[Fault, Reply] = {
    Fault.SERVER_ERROR: Reply(status=500, body=error_body(500, "Internal server error.")),
    Fault.BAD_GATEWAY: Reply(
        status=502, body=b"<html><body><h1>502 Bad Gateway</h1></body></html>", content_type="text/html"
    ),
    Fault.UNAVAILABLE: Reply(status=503, content_type="text/plain"),
    Fault.GATEWAY_TIMEOUT: Reply(status=504, body=b"upstream request timeout", content_type="text/plain"),
    Fault.RESET: Reply(delivery="reset"),
    Fault.INVALID_JSON: Reply(body=b'{"items":[{"date":'),
    Fault.RATE_RESET: Reply(status=429, body=_RATE_BODY, headers={"x-ratelimit-reset": "1"}),
    Fault.RATE_RETRY_AFTER: Reply(status=429, body=_RATE_BODY, headers={"retry-after": "1"}),
    Fault.RATE_BARE: Reply(status=429, body=_RATE_BODY),
    Fault.QUOTA: Reply(status=429, body=error_body(429, QUOTA_MESSAGE), headers={"x-quota-remaining": "0"}),
    Fault.UNAUTHORIZED: Reply(status=401, body=error_body(401, "Expired JWT Token")),
}
"""Slow, truncated and errors in body are missing here: they start from the true answer."""


class FaultPlan:
    """Which fault the next call meets: a scripted one first, else one by chance, in an order set by the seed."""

    def __init__(self, seed: int, chance: float) -> None:
        self.chance = chance
        self._seed = fingerprint(seed, "faults")
        self._calls = 0
        self._scripts: dict[str, deque[Fault]] = defaultdict(deque)

    def script(self, endpoint: str, faults: Iterable[Fault]) -> None:
        """Queue faults for the next calls of an endpoint; `*` is any endpoint."""
        self._scripts[endpoint].extend(faults)

    def reset(self) -> None:
        """Drop the scripts and start the sequence again."""
        self._scripts.clear()
        self._calls = 0

    def next(self, endpoint: str, *, bearer: bool) -> Fault | None:
        """The fault of this call, if any."""
        for queue in (self._scripts.get(endpoint), self._scripts.get("*")):
            if queue:
                return queue.popleft()
        self._calls += 1
        if unit(self._seed, self._calls) >= self.chance:
            return None
        drawn = (*_DRAWN, Fault.UNAUTHORIZED) if bearer else _DRAWN
        return drawn[mix(self._seed + 1, self._calls) % len(drawn)]

"""What happens to a call between its arrival and its answer: counted, authorised, let in, failed or answered.

The order is that of a real gateway, and it decides what is billed: nothing before the answer itself.
"""

import json
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from soundcharts_pipeline.simulator.service.answers import Question, Refusal, dump, error_body, single
from soundcharts_pipeline.simulator.service.counters import Ledger
from soundcharts_pipeline.simulator.service.credentials import TOKEN_PATH, Credentials, bearer_token
from soundcharts_pipeline.simulator.service.faults import FAULT_REPLIES, QUOTA_MESSAGE, RATE_MESSAGE, Fault, FaultPlan
from soundcharts_pipeline.simulator.service.limits import Allowance
from soundcharts_pipeline.simulator.service.routes import ENDPOINTS, USAGE, Route, find
from soundcharts_pipeline.simulator.service.wire import Reply, Request
from soundcharts_pipeline.simulator.world.oddities import Oddities, Upset, named
from soundcharts_pipeline.simulator.world.world import World

CONTROL = "/_simulator/"

_KEPT_BODIES, _KEPT_SIZE = 4_096, 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How the simulator behaves; every field may be changed while it runs. `latency` is in seconds before each answer,
    `slow` in seconds before a slow one; `rate` in calls a minute, `quota` in calls, `faults` the share of calls that go
    wrong, `today` the day in UTC."""

    latency: float = 0.0
    rate: int = 10_000
    quota: int = 500_000
    faults: float = 0.0
    slow: float = 5.0
    down: bool = False
    oddities: frozenset[str] = frozenset()
    today: date | None = None


_UPSETS: dict[Upset, Fault] = {
    "bad gateway": Fault.BAD_GATEWAY,
    "unavailable": Fault.UNAVAILABLE,
    "slow": Fault.SLOW,
    "errors in answer": Fault.ERRORS_IN_BODY,
    "throttled": Fault.RATE_RETRY_AFTER,
    "throttled bare": Fault.RATE_BARE,
}


class Gate:
    """The service: one world, one account, and what has been asked of them."""

    def __init__(
        self,
        seed: int,
        behaviour: Behaviour,
        *,
        app: tuple[str, str],
        client: tuple[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.world = World(seed)
        self.ledger = Ledger(clock)
        self._allowance = Allowance(behaviour.rate, behaviour.quota, clock)
        self._credentials = Credentials(app, client, clock)
        self._faults = FaultPlan(seed, behaviour.faults)
        self._upset: set[str] = set()
        self._open: set[int] = set()
        self._bodies: dict[tuple[Hashable, ...], bytes] = {}
        self.behaviour = behaviour
        self.behave(behaviour)

    def behave(self, behaviour: Behaviour) -> None:
        """Behave like this from now on."""
        self.behaviour = behaviour
        self._allowance.rate, self._allowance.quota = behaviour.rate, behaviour.quota
        self._faults.chance = behaviour.faults
        self.world.today = behaviour.today
        self.world.oddities = Oddities(self.world.seed, named(behaviour.oddities))

    def change(self, **changes: Any) -> None:
        """Change some of the behaviour, by the names of its fields. Raises ValueError for what cannot be."""
        known = {one.name for one in fields(Behaviour)}
        if changes.keys() - known:
            raise ValueError(f"no such setting: {', '.join(sorted(changes.keys() - known))}")
        if isinstance(changes.get("today"), str):
            changes["today"] = date.fromisoformat(changes["today"])
        if "oddities" in changes:
            changes["oddities"] = named(changes["oddities"])
        self.behave(replace(self.behaviour, **changes))

    def script(self, endpoint: str, faults: Iterable[Fault | str]) -> None:
        """Queue faults for the next calls of an endpoint, `*` being any. Raises ValueError for an endpoint or a fault
        that there is not."""
        if endpoint not in (*ENDPOINTS, "*"):
            raise ValueError(f"no endpoint named {endpoint}; choose from {', '.join(ENDPOINTS)}, *")
        self._faults.script(endpoint, [Fault(fault) for fault in faults])

    def reset(self) -> None:
        """Forget every call, script and spent quota; the behaviour stays."""
        self.ledger.reset()
        self._allowance.reset()
        self._faults.reset()
        self._upset.clear()

    def receive(self, request: Request) -> Reply:
        """Answer a request."""
        if request.path.startswith(CONTROL):
            return self._control(request)
        if self.behaviour.down:
            return Reply(delivery="reset")
        if request.path == TOKEN_PATH:
            return self._credentials.issue(request)
        route, parts = find(request.path)
        key = f"{request.method} {request.path}?{urlencode(sorted(request.query.items()))}"
        self.ledger.arrived(route.name if route else "unknown", key)
        self._open.add(id(request))
        question = Question(request.path, parts, request.query, self.world.oddities.lost_next(key))
        reply = self._let_in(request, route, question, key=key)
        headers = reply.headers if reply.status == 429 else {**self._allowance.headers(), **reply.headers}
        return replace(reply, headers=headers, delay=reply.delay + self.behaviour.latency)

    def sent(self, request: Request) -> None:
        """The call is over."""
        if id(request) in self._open:
            self._open.discard(id(request))
            self.ledger.ended()

    def _let_in(self, request: Request, route: Route | None, question: Question, *, key: str) -> Reply:
        refusal = self._credentials.accept(request)
        if refusal is not None:
            return Reply(status=401, body=error_body(401, refusal))
        if not self._allowance.admit():
            self.ledger.refused("rejected_by_rate")
            message = f"{RATE_MESSAGE[:-1]} ({self._allowance.rate})."
            return Reply(status=429, body=error_body(429, message), headers=self._allowance.headers())
        fault = self._faults.next(route.name if route else "unknown", bearer=bearer_token(request) is not None)
        fault = fault or self._first_time_upset(key)
        if fault is not None and fault is not Fault.SLOW:
            self.ledger.refused("faults")
            return FAULT_REPLIES.get(fault) or self._spoilt(fault, route, question, method=request.method)
        if self._allowance.remaining() == 0 and (route is None or route.name != USAGE):
            self.ledger.refused("rejected_by_quota")
            # Item 9 of the oddities: even the headers may be missing.
            bare = self.world.oddities.on("throttling")
            headers = {} if bare else self._allowance.headers()
            return Reply(status=429, body=error_body(429, QUOTA_MESSAGE), headers=headers)
        reply = self._answer(route, question, request.method)
        self._account(route, reply, key)
        return replace(reply, delay=self.behaviour.slow) if fault is Fault.SLOW else reply

    def _first_time_upset(self, key: str) -> Fault | None:
        upset = self.world.oddities.upset(key)
        if upset is None or key in self._upset:
            return None
        self._upset.add(key)
        return _UPSETS[upset]

    def _answer(self, route: Route | None, question: Question, method: str) -> Reply:
        if route is None:
            return Reply(status=404, body=error_body(404, "Not found."))
        if method != "GET":
            return Reply(status=405, body=error_body(405, "Method not allowed.", "access"))
        if route.handler is None:
            return Reply(body=dump(self._usage()))
        world = self.world
        asked = (question.path, tuple(sorted(question.query.items())))
        key = (*asked, world.today, world.oddities, sum(world.versions.values()))
        body = self._bodies.get(key)
        if body is None:
            try:
                body = dump(route.handler(world, question))
            except Refusal as refusal:
                return Reply(status=refusal.status, body=refusal.body)
            if len(body) <= _KEPT_SIZE:
                self._bodies[key] = body
            if len(self._bodies) > _KEPT_BODIES:
                del self._bodies[next(iter(self._bodies))]
        return Reply(body=body)

    def _spoilt(self, fault: Fault, route: Route | None, question: Question, *, method: str) -> Reply:
        """The true answer, cut off half-way or with half its items and a complaint."""
        reply = self._answer(route, question, method)
        if fault is Fault.TRUNCATED:
            return replace(reply, delivery="truncated")
        if reply.status != 200:
            return FAULT_REPLIES[Fault.SERVER_ERROR]
        content = json.loads(reply.body)
        content |= json.loads(error_body(500, "Partial data."))
        if "items" in content:
            content["items"] = content["items"][: len(content["items"]) // 2]
        return Reply(body=dump(content))

    def _account(self, route: Route | None, reply: Reply, key: str) -> None:
        """Bill an answer. Free: the usage endpoint, and a 404 by platform."""
        name = route.name if route else "unknown"
        billed = name != USAGE and not (name == "charts" and reply.status == 404)
        self._allowance.spent += billed
        self.ledger.answered(key, billed=billed)

    def _usage(self) -> dict[str, Any]:
        allowance = self._allowance
        quota = {"limit": allowance.quota, "used": allowance.spent, "remaining": allowance.remaining()}
        minute = {"limit": allowance.rate, "used": allowance.used_this_minute()}
        return single("usage", {"quota": quota, "minute": minute})

    def _control(self, request: Request) -> Reply:
        match request.method, request.path.removeprefix(CONTROL).strip("/"):
            case "GET", "counters":
                return Reply(body=dump(self.ledger.snapshot().as_json()))
            case "POST", "reset":
                self.reset()
            case "POST", "set":
                try:
                    self.change(**json.loads(request.body or b"{}"))
                except (ValueError, TypeError) as error:
                    return Reply(status=400, body=error_body(400, str(error)))
            case "POST", "script":
                try:
                    asked = json.loads(request.body)
                    self.script(asked["endpoint"], asked["faults"])
                except (ValueError, TypeError, KeyError) as error:
                    return Reply(status=400, body=error_body(400, str(error)))
            case _:
                return Reply(status=404, body=error_body(404, "Not found."))
        return Reply(body=b"{}")

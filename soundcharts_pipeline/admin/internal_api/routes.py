"""The routes of the internal API."""

import json
from datetime import date

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from soundcharts_pipeline.admin.access.auth import Guard
from soundcharts_pipeline.admin.access.rate_limit import RateLimit, client_of
from soundcharts_pipeline.admin.access.root_path import PREFIX, root
from soundcharts_pipeline.admin.internal_api.answers import Health
from soundcharts_pipeline.admin.internal_api.metrics import CONTENT_TYPE, metrics_text
from soundcharts_pipeline.admin.internal_api.openapi import document
from soundcharts_pipeline.admin.internal_api.trigger import Trigger, task_answer
from soundcharts_pipeline.admin.refusals import HttpRefusal, json_answer
from soundcharts_pipeline.admin.state.live import Live
from soundcharts_pipeline.wording import day_named

TRIGGERS_PER_MINUTE = 30
_DATE_REMEDY = 'send {"date": "YYYY-MM-DD"}, or no body for the newest published day'


class Api:
    """Handlers over the live state."""

    def __init__(self, live: Live, guard: Guard, *, trigger: Trigger, limit: RateLimit) -> None:
        self._live, self._guard, self._trigger, self._limit = live, guard, trigger, limit

    def routes(self) -> list[Route]:
        """Every route with its trailing slash and without."""
        routes = [
            ("/chart/{slug}/trigger-cascade", self.trigger_cascade, "POST"),
            ("/chart/{slug}/status", self.status, "GET"),
            ("/health", self.health, "GET"),
            ("/metrics", self.metrics, "GET"),
            ("/openapi.json", self.openapi, "GET"),
        ]
        return [
            Route(PREFIX + path + slash, handler, methods=[method])
            for path, handler, method in routes
            for slash in ("/", "")
        ]

    async def trigger_cascade(self, request: Request) -> Response:
        """Queue the cascade of a chart-day: 202 with its task."""
        self._guard.require_bearer(request, change=True)
        self._limit.count(client_of(request))
        day = _day(await request.body())
        run = await run_in_threadpool(self._trigger.start, request.path_params["slug"], day)
        return json_answer(task_answer(run), 202)

    async def status(self, request: Request) -> Response:
        """How a chart is doing, and its tasks."""
        self._guard.require_bearer(request)
        slug = request.path_params["slug"]
        self._trigger.chart(slug)
        return Response(self._live.status_body(slug), media_type="application/json")

    async def health(self, _request: Request) -> Response:
        """For load balancers: whether all that is needed to sync can be reached. No token, no detail."""
        fine = self._live.snapshot.is_fine
        return json_answer(Health(status="ok" if fine else "unavailable").model_dump(), 200 if fine else 503)

    async def metrics(self, request: Request) -> Response:
        """For Prometheus."""
        self._guard.require_bearer(request)
        return Response(metrics_text(self._live.snapshot), headers={"Content-Type": CONTENT_TYPE})

    async def openapi(self, request: Request) -> Response:
        """These routes, for machines."""
        self._guard.require_bearer(request)
        return json_answer(document(self._live.settings.slugs, root()))


def _day(body: bytes) -> date | None:
    """The date of a trigger's body; None when it is left out."""
    if not body.strip():
        return None
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):  # no UTF-8, no JSON, or deeper than any is read
        raise HttpRefusal(400, "the body is no JSON", _DATE_REMEDY) from None
    if not isinstance(sent, dict) or sent.keys() - {"date"}:
        raise HttpRefusal(400, "the body is not an object with the field 'date' alone", _DATE_REMEDY)
    text = sent.get("date")
    if text is None:
        return None
    try:
        return day_named(text)
    except (TypeError, ValueError):
        raise HttpRefusal(400, f"{json.dumps(text)[:60]} is no date", _DATE_REMEDY) from None

"""The ASGI app: the internal API and the pages."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from soundcharts_pipeline.admin.answers import Refused
from soundcharts_pipeline.admin.api import TRIGGERS_PER_MINUTE, Api
from soundcharts_pipeline.admin.auth import Guard
from soundcharts_pipeline.admin.live import Live
from soundcharts_pipeline.admin.login import SignInNeeded
from soundcharts_pipeline.admin.middleware import Guarded
from soundcharts_pipeline.admin.pages import build_pages
from soundcharts_pipeline.admin.rate_limit import RateLimit
from soundcharts_pipeline.admin.rendering import Renderer, wants_page
from soundcharts_pipeline.admin.trigger import Trigger
from soundcharts_pipeline.settings import ChartSettings


def build_app(live: Live, *, token: str | None, newest_published: Callable[[ChartSettings], date]) -> Starlette:
    """The app over the live state, which it keeps up to date while it runs. `newest_published` asks Soundcharts for
    the newest day of a chart. API and pages share the state, the token, the trigger and its limit."""
    guard, renderer = Guard(token), Renderer(live.dagster.url)
    limit = RateLimit(
        TRIGGERS_PER_MINUTE,
        "cascades were triggered",
        "days of one chart are better requested as one range, in Dagster's UI or with `soundcharts-pipeline backfill`",
    )
    trigger = Trigger(live, newest_published)
    routes: list[BaseRoute] = [
        *Api(live, guard, trigger, limit).routes(),
        *build_pages(live, guard, trigger, limit, renderer),
    ]

    def refuse(request: Request, refused: Refused) -> Response:
        return renderer.refusal(request, refused) if wants_page(request) else refused.answer()

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)  # noqa: S101  # the handler is registered for it
        return refuse(request, error)

    async def no_route(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  # the handler is registered for it
        return refuse(request, _refused_route(error))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        with live.watching():
            yield

    return Starlette(
        routes=routes,
        middleware=[Middleware(Guarded, refuse=refuse)],
        exception_handlers={HTTPException: no_route, Refused: refused, SignInNeeded: _sign_in},
        lifespan=lifespan,
    )


async def _sign_in(_request: Request, error: Exception) -> Response:
    assert isinstance(error, SignInNeeded)  # noqa: S101  # the handler is registered for it
    return error.answer()


def _refused_route(error: HTTPException) -> Refused:
    remedy = "go to the dashboard, or see openapi.json for all routes"
    if error.status_code == 405:
        return Refused(405, "this address takes another method", remedy, headers=error.headers)
    return Refused(error.status_code, "there is nothing at this address", remedy)

"""The ASGI app: the internal API, and the pages when they are given."""

from collections.abc import AsyncIterator, Callable, Sequence
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
from soundcharts_pipeline.admin.middleware import Guarded
from soundcharts_pipeline.admin.rate_limit import RateLimit
from soundcharts_pipeline.admin.trigger import Trigger
from soundcharts_pipeline.settings import ChartSettings

Pages = Callable[[Live, Guard, Trigger, RateLimit], Sequence[BaseRoute]]


def build_app(
    live: Live,
    *,
    token: str | None,
    newest_published: Callable[[ChartSettings], date],
    pages: Pages | None = None,
) -> Starlette:
    """The app over the live state, which it keeps up to date while it runs. `newest_published` asks Soundcharts for
    the newest day of a chart; `pages` gives the routes of the dashboard, which share the state, the token, the
    trigger and its limit with the API."""
    guard, limit = Guard(token), RateLimit(TRIGGERS_PER_MINUTE)
    trigger = Trigger(live, newest_published)
    routes: list[BaseRoute] = [*Api(live, guard, trigger, limit).routes()]
    if pages is not None:
        routes += pages(live, guard, trigger, limit)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        with live.watching():
            yield

    return Starlette(
        routes=routes,
        middleware=[Middleware(Guarded)],
        exception_handlers={HTTPException: _no_route, Refused: _refused},
        lifespan=lifespan,
    )


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101  # the handler is registered for it
    return error.answer()


async def _no_route(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # the handler is registered for it
    if error.status_code == 405:
        return Refused(
            405, "this address takes another method", "see openapi.json for the methods", headers=error.headers
        ).answer()
    return Refused(error.status_code, "there is nothing at this address", "see openapi.json for all routes").answer()

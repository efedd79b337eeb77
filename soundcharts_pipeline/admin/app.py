"""The ASGI app: the internal API and the pages."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import date

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from soundcharts_pipeline.admin.access.auth import Guard
from soundcharts_pipeline.admin.access.login import SignInNeeded
from soundcharts_pipeline.admin.access.middleware import MOST_AT_ONCE, Guarded
from soundcharts_pipeline.admin.access.proxies import Proxied
from soundcharts_pipeline.admin.access.rate_limit import RateLimit
from soundcharts_pipeline.admin.access.root_path import Rooted
from soundcharts_pipeline.admin.configuration.editor import Surroundings
from soundcharts_pipeline.admin.internal_api.routes import TRIGGERS_PER_MINUTE, Api
from soundcharts_pipeline.admin.internal_api.trigger import Trigger
from soundcharts_pipeline.admin.pages.pages import build_pages
from soundcharts_pipeline.admin.pages.rendering import Renderer, wants_page
from soundcharts_pipeline.admin.refusals import HttpRefusal
from soundcharts_pipeline.admin.state.live import Live
from soundcharts_pipeline.config.settings import ChartSettings


def build_app(
    live: Live,
    *,
    token: str | None,
    newest_published: Callable[[ChartSettings], date],
    surroundings: Surroundings,
    read_token: str | None = None,
    root_path: str = "",
    trusted_proxies: Sequence[str] = (),
    most_at_once: int = MOST_AT_ONCE,
) -> Starlette:
    """The app over the live state, which it keeps up to date while it runs. `newest_published` asks Soundcharts for
    the newest day of a chart; `surroundings` are of the pages of charts.yaml; `root_path` is what a proxy puts before
    all addresses, and `trusted_proxies` those whose X-Forwarded headers are believed; `most_at_once` requests are
    answered at a time. API and pages share the state, the tokens, the trigger and its limit."""
    guard, renderer = Guard(token, read_token), Renderer(live.dagster.shown_url)
    limit = RateLimit(
        TRIGGERS_PER_MINUTE,
        what="cascades were triggered",
        advice="days of one chart are better requested as one range, in Dagster's UI or with "
        "`soundcharts-pipeline backfill`",
    )
    trigger = Trigger(live, newest_published)
    routes: list[BaseRoute] = [
        *Api(live, guard, trigger=trigger, limit=limit).routes(),
        *build_pages(live, guard, trigger, limit, renderer, surroundings),
    ]

    def refuse(request: Request, refused: HttpRefusal) -> Response:
        return renderer.refusal(request, refused) if wants_page(request) else refused.answer()

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HttpRefusal)  # noqa: S101  # the handler is registered for it
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
        middleware=[
            Middleware(Proxied, trusted=trusted_proxies),
            Middleware(Rooted, root_path=root_path),
            Middleware(Guarded, refuse=refuse, most_at_once=most_at_once),
        ],
        exception_handlers={HTTPException: no_route, HttpRefusal: refused, SignInNeeded: _sign_in},
        lifespan=lifespan,
    )


async def _sign_in(_request: Request, error: Exception) -> Response:
    assert isinstance(error, SignInNeeded)  # noqa: S101  # the handler is registered for it
    return error.answer()


def _refused_route(error: HTTPException) -> HttpRefusal:
    remedy = "go to the dashboard, or see openapi.json for all routes"
    if error.status_code == 405:
        return HttpRefusal(405, "this address takes another method", remedy, headers=error.headers)
    return HttpRefusal(error.status_code, "there is nothing at this address", remedy)

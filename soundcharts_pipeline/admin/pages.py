"""The pages for a browser: the dashboard, signing in and out, and starting a cascade."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from soundcharts_pipeline.admin.answers import Refused
from soundcharts_pipeline.admin.api import PREFIX
from soundcharts_pipeline.admin.auth import Guard
from soundcharts_pipeline.admin.entity_pages import entity_routes
from soundcharts_pipeline.admin.live import Live
from soundcharts_pipeline.admin.login import Login, form_of, own_page, refuse_other_sites
from soundcharts_pipeline.admin.rate_limit import RateLimit
from soundcharts_pipeline.admin.rendering import Renderer
from soundcharts_pipeline.admin.trigger import Trigger

Handler = Callable[[Request], Awaitable[Response]]


def build_pages(
    live: Live, guard: Guard, trigger: Trigger, limit: RateLimit, renderer: Renderer
) -> Sequence[BaseRoute]:
    """Every page, and the files that they need."""
    login = Login(guard)
    pages = Pages(live, guard, login, renderer)
    return [
        *page_routes("/", pages.dashboard),
        *page_routes("/login/", pages.login, "GET", "POST"),
        *page_routes("/logout/", pages.logout, "POST"),
        *entity_routes(live, login, renderer),
        Mount(f"{PREFIX}/static", StaticFiles(packages=[("soundcharts_pipeline", "admin/static")])),
    ]


def page_routes(path: str, handler: Handler, *methods: str) -> list[Route]:
    """An address below the prefix, with its trailing slash and without."""
    return [Route(PREFIX + one, handler, methods=list(methods or ("GET",))) for one in (path, path.rstrip("/"))]


class Pages:
    """Handlers over the live state."""

    def __init__(self, live: Live, guard: Guard, login: Login, renderer: Renderer) -> None:
        self._live, self._guard, self._login, self._renderer = live, guard, login, renderer

    async def dashboard(self, request: Request) -> Response:
        """How everything is doing."""
        self._login.require(request)
        return self._renderer.page(request, "dashboard.html", snapshot=self._live.snapshot)

    async def login(self, request: Request) -> Response:
        """The form, and what comes of it."""
        self._guard.require_clean_address(request)
        wanted, error, remedy, status = request.query_params.get("next", ""), "", "", 200
        try:
            self._guard.require_token()
            if request.method == "POST":
                refuse_other_sites(request)
                form = await form_of(request)
                wanted = form.get("next", "")
                answer = self._login.sign_in(request, form)
                if answer is not None:
                    return answer
                raise Refused(
                    401, "that is not the token", "it is the value of SOUNDCHARTS_ADMIN_TOKEN, as `serve` got it"
                )
        except Refused as refused:
            error, remedy, status = str(refused), refused.body["remedy"], refused.status
        return self._renderer.page(
            request,
            "login.html",
            status,
            next=own_page(str(wanted)),
            error=error,
            remedy=remedy,
            has_token=self._guard.token is not None,
        )

    async def logout(self, request: Request) -> Response:
        """Forget the session of this browser."""
        await self._login.require_form(request)
        return self._login.sign_out()

"""The pages for a browser: the dashboard, signing in and out, and starting a cascade."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from soundcharts_pipeline.admin.access.auth import Guard
from soundcharts_pipeline.admin.access.login import LOST, Login, form_of, own_page, refuse_other_sites
from soundcharts_pipeline.admin.access.rate_limit import RateLimit, client_of
from soundcharts_pipeline.admin.access.root_path import PREFIX, home
from soundcharts_pipeline.admin.configuration.editor import Surroundings
from soundcharts_pipeline.admin.configuration.routes import configuration_routes
from soundcharts_pipeline.admin.internal_api.trigger import Trigger
from soundcharts_pipeline.admin.pages.board import Boards
from soundcharts_pipeline.admin.pages.chart_table import TableView
from soundcharts_pipeline.admin.pages.entity_pages import entity_routes
from soundcharts_pipeline.admin.pages.rendering import Renderer
from soundcharts_pipeline.admin.refusals import HttpRefusal
from soundcharts_pipeline.admin.state.live import Live

# The tag of runs that the button starts.
TRIGGER = "dashboard"
# The script sends this header: it wants the part of a page that is new.
FRAGMENT = "x-fragment"
# With all of the board: what is seen with it.
SINCE = "X-Since"

# The rows of charts are alike: a thousand of them, 1.7 MB, become 50 kB within 4 ms. No page holds a secret that its
# length could tell.
_COMPRESSED = (Middleware(GZipMiddleware, minimum_size=4_000, compresslevel=1),)

Handler = Callable[[Request], Awaitable[Response]]


def build_pages(
    live: Live, guard: Guard, trigger: Trigger, limit: RateLimit, renderer: Renderer, surroundings: Surroundings
) -> Sequence[BaseRoute]:
    """Every page, and the files that they need."""
    login = Login(guard)
    pages = Pages(live, guard, login, renderer)
    start = Start(live, login, trigger, limit, renderer)
    return [
        *page_routes("/", pages.dashboard, middleware=_COMPRESSED),
        *page_routes("/tasks/", pages.tasks, middleware=_COMPRESSED),
        *page_routes("/chart/{slug}/trigger/", start.trigger, "POST"),
        *page_routes("/login/", pages.login, "GET", "POST"),
        *page_routes("/logout/", pages.logout, "POST"),
        *configuration_routes(live, login=login, renderer=renderer, surroundings=surroundings),
        *entity_routes(live, login, renderer),
        Mount(f"{PREFIX}/static", StaticFiles(packages=[("soundcharts_pipeline", "admin/static")])),
    ]


def page_routes(path: str, handler: Handler, *methods: str, middleware: Sequence[Middleware] = ()) -> list[Route]:
    """An address below the prefix, with its trailing slash and without."""
    return [
        Route(PREFIX + one, handler, methods=list(methods or ("GET",)), middleware=middleware)
        for one in (path, path.rstrip("/"))
    ]


class Pages:
    """Handlers over the live state."""

    def __init__(self, live: Live, guard: Guard, login: Login, renderer: Renderer) -> None:
        self._live, self._guard, self._login, self._renderer = live, guard, login, renderer
        self._boards = Boards(live, renderer)

    async def dashboard(self, request: Request) -> Response:
        """How everything is doing, and what was just started."""
        session = self._login.require(request)
        since, board = await self._whole(request, may_change=session.may_change)
        wanted = request.query_params.get("started")
        tasks = (task for chart in self._live.snapshot.charts.values() for task in chart.tasks)
        started = next((task for task in tasks if task.task_id == wanted), None)
        return self._renderer.page(request, "dashboard.html", board=board, since=since, started=started)

    async def tasks(self, request: Request) -> Response:
        """What changed on the dashboard since it was seen last, as JSON, or nothing; without that all of it as HTML."""
        may_change, seen = self._login.require(request).may_change, request.query_params.get("since", "")
        changes = await run_in_threadpool(self._boards.since, seen, home(), may_change=may_change)
        if changes is None:
            since, board = await self._whole(request, may_change=may_change)
            return HTMLResponse(board, headers={SINCE: since})
        return Response(changes, 200, media_type="application/json") if changes else Response(status_code=204)

    async def _whole(self, request: Request, *, may_change: bool) -> tuple[str, Markup]:
        view = TableView.of(request.query_params)
        return await run_in_threadpool(self._boards.whole, view, home(), may_change=may_change)

    async def login(self, request: Request) -> Response:
        """The form, and what comes of it. Raises HttpRefusal while no token is set."""
        self._guard.require_clean_address(request)
        told: Mapping[str, str] = request.query_params
        status, error = 200, None
        try:
            self._guard.require_token()
            if request.method == "POST":
                refuse_other_sites(request)
                told = await form_of(request)
                answer = self._login.sign_in(request, told)
                if answer is not None:
                    return answer
                raise HttpRefusal(
                    401, "that is not the token", "it is the value of SOUNDCHARTS_ADMIN_TOKEN, as `serve` got it"
                )
        except HttpRefusal as refused:
            status, error = refused.status, refused.body
        return self._renderer.page(
            request,
            "login.html",
            status,
            next=own_page(told.get("next", "")),
            lost=told.get("lost", ""),
            lost_words=LOST,
            error=error,
            tokens=[role for role, _ in self._guard.tokens],
        )

    async def logout(self, request: Request) -> Response:
        """Forget the session of this browser."""
        await self._login.require_form(request, change=False)
        return self._login.sign_out()


class Start:
    """The button that starts the cascade of a chart, by the same trigger and limit as the API."""

    def __init__(self, live: Live, login: Login, trigger: Trigger, limit: RateLimit, renderer: Renderer) -> None:
        self._live, self._login, self._trigger = live, login, trigger
        self._limit, self._renderer = limit, renderer

    async def trigger(self, request: Request) -> Response:
        """Back to the dashboard with the task; for the script, what happened as a few lines of HTML."""
        await self._login.require_form(request, lost="started")
        try:
            self._limit.count(client_of(request))
            run = await run_in_threadpool(self._trigger.start, request.path_params["slug"], None, TRIGGER)
        except HttpRefusal as refused:
            if FRAGMENT not in request.headers:
                raise
            return self._refused(request, refused)
        if FRAGMENT not in request.headers:
            return RedirectResponse(f"{home()}/?started={run.run_id}", 303)
        title = f"The cascade of {run.partition} was started"
        text = "It waits for its turn; the dashboard shows how far it is."
        url = self._live.dagster.run_url(run.run_id)
        return self._renderer.page(request, "said.html", 202, kind="good", title=title, text=text, url=url)

    def _refused(self, request: Request, refused: HttpRefusal) -> Response:
        task_id = refused.body.get("task_id")
        return self._renderer.page(
            request,
            "said.html",
            refused.status,
            kind="warn" if task_id else "bad",
            title=str(refused),
            text=refused.body["remedy"],
            url=self._live.dagster.run_url(str(task_id)) if task_id else "",
        )

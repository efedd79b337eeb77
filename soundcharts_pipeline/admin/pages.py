"""The pages for a browser: the dashboard, signing in and out, and starting a cascade."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from soundcharts_pipeline.admin.answers import Refused
from soundcharts_pipeline.admin.api import PREFIX
from soundcharts_pipeline.admin.auth import Guard
from soundcharts_pipeline.admin.entity_pages import entity_routes
from soundcharts_pipeline.admin.live import Live
from soundcharts_pipeline.admin.login import Login, form_of, own_page, refuse_other_sites
from soundcharts_pipeline.admin.overview import Overview, overview
from soundcharts_pipeline.admin.rate_limit import RateLimit
from soundcharts_pipeline.admin.rendering import Renderer
from soundcharts_pipeline.admin.trigger import Trigger
from soundcharts_pipeline.sync.context import utc_now

# The tag of runs that the button starts.
TRIGGER = "dashboard"
# The script sends this header: it wants the part of a page that is new.
FRAGMENT = "x-fragment"

Handler = Callable[[Request], Awaitable[Response]]


def build_pages(
    live: Live, guard: Guard, trigger: Trigger, limit: RateLimit, renderer: Renderer
) -> Sequence[BaseRoute]:
    """Every page, and the files that they need."""
    login = Login(guard)
    pages = Pages(live, guard, login, renderer)
    start = Start(live, login, trigger, limit, renderer)
    return [
        *page_routes("/", pages.dashboard),
        *page_routes("/tasks/", pages.tasks),
        *page_routes("/chart/{slug}/trigger/", start.trigger, "POST"),
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
        """How everything is doing, and what was just started."""
        self._login.require(request)
        seen, wanted = self._overview(), request.query_params.get("started")
        started = next((task for task in seen.tasks if task.task_id == wanted), None)
        return self._renderer.page(request, "dashboard.html", o=seen, started=started)

    async def tasks(self, request: Request) -> Response:
        """The part of the dashboard that changes."""
        self._login.require(request)
        return self._renderer.page(request, "tasks.html", o=self._overview())

    def _overview(self) -> Overview:
        live = self._live
        return overview(live.snapshot, live.settings, live.calls_per_minute, utc_now())

    async def login(self, request: Request) -> Response:
        """The form, and what comes of it."""
        self._guard.require_clean_address(request)
        wanted, status, error = request.query_params.get("next", ""), 200, None
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
            status, error = refused.status, refused.body
        return self._renderer.page(
            request,
            "login.html",
            status,
            next=own_page(wanted),
            error=error,
            has_token=self._guard.token is not None,
        )

    async def logout(self, request: Request) -> Response:
        """Forget the session of this browser."""
        await self._login.require_form(request)
        return self._login.sign_out()


class Start:
    """The button that starts the cascade of a chart, by the same trigger and limit as the API."""

    def __init__(self, live: Live, login: Login, trigger: Trigger, limit: RateLimit, renderer: Renderer) -> None:
        self._live, self._login, self._trigger = live, login, trigger
        self._limit, self._renderer = limit, renderer

    async def trigger(self, request: Request) -> Response:
        """Back to the dashboard with the task; for the script, what happened as a few lines of HTML."""
        await self._login.require_form(request)
        try:
            self._limit.count(request.client.host if request.client else "")
            run = await run_in_threadpool(self._trigger.start, request.path_params["slug"], None, TRIGGER)
        except Refused as refused:
            if FRAGMENT not in request.headers:
                raise
            return self._refused(request, refused)
        if FRAGMENT not in request.headers:
            return RedirectResponse(f"{PREFIX}/?started={run.run_id}", 303)
        title = f"The cascade of {run.partition} was started"
        text = "It waits for its turn; the dashboard shows how far it is."
        url = self._live.dagster.run_url(run.run_id)
        return self._renderer.page(request, "said.html", 202, kind="good", title=title, text=text, url=url)

    def _refused(self, request: Request, refused: Refused) -> Response:
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

"""Charts of the catalog, as far as it is saved, to choose one that is synced from now on. What is not saved yet is
fetched when somebody asks for it, who has read what that costs."""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from soundcharts_pipeline.admin.access.login import Login, address_of
from soundcharts_pipeline.admin.access.root_path import PREFIX, home
from soundcharts_pipeline.admin.configuration.editor import Editor
from soundcharts_pipeline.admin.configuration.pages import SettingsPages
from soundcharts_pipeline.admin.pages.rendering import Renderer
from soundcharts_pipeline.admin.refusals import HttpRefusal
from soundcharts_pipeline.admin.state.reading import read
from soundcharts_pipeline.api.errors import NotFound, SoundchartsError
from soundcharts_pipeline.api.pages import PAGE_LIMIT
from soundcharts_pipeline.config.edit_charts import check_addable
from soundcharts_pipeline.config.settings import SettingsError
from soundcharts_pipeline.config.yaml_nodes import brief
from soundcharts_pipeline.models import Chart
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.sync.chart_search import look_up, matching, search_charts
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.wording import nearest_ones

SEARCH_PAGE = f"{PREFIX}/charts/add/"
MOST_FOUND = 50
LONGEST_WORDS = 100
# A platform that was fetched a moment ago is not fetched again: a double click costs once.
MOMENT_SECONDS = 60.0


class CatalogPages:
    """Handlers."""

    def __init__(self, editor: Editor, pages: SettingsPages, *, login: Login, renderer: Renderer) -> None:
        self._editor, self._pages, self._login, self._renderer = editor, pages, login, renderer
        self._asking = threading.Lock()
        self._fetched: dict[str, float] = {}

    async def search(self, request: Request) -> Response:
        """Saved charts whose name, slug, country or city holds every word. Makes no call."""
        self._login.require(request)
        words, platform, country = (
            " ".join(request.query_params.get(name, "")[:LONGEST_WORDS].split())
            for name in ("q", "platform", "country")
        )
        saved = await read(self._editor.live, worklists.saved_charts)
        asked = bool(words or platform or country)
        found = matching(saved, words.split(), platform=platform or None, country=country or None) if asked else []
        found.sort(key=lambda chart: (chart.platform, chart.name))
        sizes = Counter(chart.platform for chart in saved)
        return self._renderer.page(
            request,
            "add_chart.html",
            words=words,
            platform=platform,
            country=country,
            asked=asked,
            found=found[:MOST_FOUND],
            number=len(found),
            most=MOST_FOUND,
            # What is saved of a platform, and what fetching it would cost.
            platforms=[(name, size, math.ceil(size / PAGE_LIMIT)) for name, size in sorted(sizes.items())],
            charts=self._editor.live.settings.charts,
            fetched=request.query_params.get("fetched", ""),
            calls=request.query_params.get("calls", ""),
        )

    async def fetch(self, request: Request) -> Response:
        """Ask for every chart of a platform: a call per 100 charts. Raises HttpRefusal when none is named."""
        form = await self._login.require_form(request, page=SEARCH_PAGE, lost="saved")
        platform = form.get("platform", "").strip().lower()
        if not platform:
            raise HttpRefusal(400, "no platform was named", "go back, and name one, such as `spotify`")
        calls = await run_in_threadpool(self._fetch, platform)
        found = urlencode({"platform": platform, "fetched": platform, "calls": calls})
        return RedirectResponse(f"{home()}/charts/add/?{found}", 303)

    def _fetch(self, platform: str) -> int:
        with self._asking:
            if time.monotonic() - self._fetched.get(platform, -MOMENT_SECONDS) < MOMENT_SECONDS:
                return 0
            calls = self._ask(lambda ctx: search_charts(ctx, [], platform=platform, country=None))
            self._fetched[platform] = time.monotonic()
            return calls

    async def look_up(self, request: Request) -> Response:
        """Ask for one chart by its slug, which is one call; no call for one that is saved. Raises HttpRefusal
        without one."""
        form = await self._login.require_form(request, page=SEARCH_PAGE, lost="saved")
        slug = form.get("slug", "").strip()
        if not slug:
            raise HttpRefusal(
                400, "no slug was named", "go back, and type one as Soundcharts prints it, such as `global-28`"
            )
        await run_in_threadpool(self._look_up, slug, await self._saved())
        return RedirectResponse(f"{home()}/charts/add/{quote(slug, safe='')}/", 303)

    def _look_up(self, slug: str, saved: Sequence[Chart]) -> None:
        slugs = [chart.slug for chart in saved]
        if slug in slugs:
            return

        def question(ctx: SyncContext) -> None:
            check_addable(self._editor.live.charts_file, {"slug": slug}, ctx.clock)
            look_up(ctx, slug)

        try:
            self._ask(question)
        except NotFound:
            near = nearest_ones(slug, slugs, most=3)
            remedy = f"did you mean {' or '.join(near)}?" if near else "search for its name"
            raise HttpRefusal(404, f"Soundcharts has no chart '{brief(slug)}'", remedy) from None

    async def add(self, request: Request) -> Response:
        """The settings of a chart that is to be added. Raises HttpRefusal (404) for one that is not saved."""
        form = None
        if request.method == "POST":
            form = await self._login.require_form(request, page=address_of(request), lost="saved")
        else:
            self._login.require(request)
        slug = request.path_params["slug"]
        found = next((chart for chart in await self._saved() if chart.slug == slug), None)
        if found is None:
            raise HttpRefusal(404, f"no chart '{brief(slug)}' is saved of the catalog", "search for it, or look it up")
        return await run_in_threadpool(self._pages.new, request, found, form)

    async def _saved(self) -> list[Chart]:
        return await read(self._editor.live, worklists.saved_charts)

    def _ask(self, question: Callable[[SyncContext], object]) -> int:
        """The calls that it took. Raises NotFound, and HttpRefusal for all else that goes wrong."""
        try:
            with self._editor.surroundings.asking() as ctx:
                question(ctx)
                return ctx.client.usage.calls
        except NotFound:
            raise
        except (SoundchartsError, StorageError) as error:
            raise HttpRefusal(503, "the catalog cannot be asked", str(error)) from None
        except SettingsError as error:
            problem, _, remedy = str(error).partition("; ")
            raise HttpRefusal(400, problem, remedy) from None

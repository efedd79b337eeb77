"""The pages of one chart's settings: form, preview, saving, removing; and the page that leads to them."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from soundcharts_pipeline.admin.access.login import Login, address_of
from soundcharts_pipeline.admin.access.root_path import home
from soundcharts_pipeline.admin.configuration.chart_form import VERSION, ChartForm, diff_of
from soundcharts_pipeline.admin.configuration.editor import EFFECT, ChartsFile, Editor
from soundcharts_pipeline.admin.internal_api.trigger import chart_of
from soundcharts_pipeline.admin.pages.rendering import Renderer
from soundcharts_pipeline.config.edit_charts import (
    Draft,
    NotWritable,
    draft_of_chart,
    draft_without_chart,
    why_not_writable,
)
from soundcharts_pipeline.config.settings import ChartSettings, SettingsError
from soundcharts_pipeline.models import Chart

CHANGES_SHOWN = 20


class SettingsPages:
    """Handlers. Everything they do is done in a thread: the file is read, and a plan is counted."""

    def __init__(self, editor: Editor, login: Login, renderer: Renderer) -> None:
        self._editor, self._login, self._renderer = editor, login, renderer

    async def configuration(self, request: Request) -> Response:
        """Every chart of the file, and the last changes."""
        self._login.require(request)
        return await run_in_threadpool(self._configuration, request)

    def _configuration(self, request: Request, problem: str = "", status: int = 200) -> Response:
        editor, charts = self._editor, {}
        try:
            charts = dict(editor.read().settings.charts)
        except SettingsError as error:
            problem = problem or str(error)
        return self._renderer.page(
            request,
            "configuration.html",
            status,
            path=editor.live.charts_file,
            charts=charts,
            problem=problem,
            removed=request.query_params.get("removed"),
            read_only=why_not_writable(editor.live.charts_file),
            changes=editor.surroundings.changes.newest(CHANGES_SHOWN),
            effect=EFFECT,
        )

    async def settings(self, request: Request) -> Response:
        """The settings of a chart of the file."""
        form = await self._form_of(request)
        return await run_in_threadpool(self._settings, request, form)

    def _settings(self, request: Request, form: dict[str, str] | None) -> Response:
        try:
            file = self._editor.read()
        except SettingsError as error:
            return self._configuration(request, str(error), 409)
        chart = chart_of(file.settings, request.path_params["slug"])
        return ChartForm(self._editor, self._renderer, request, file=file, chart=chart).answer(form)

    def new(self, request: Request, found: Chart, form: dict[str, str] | None) -> Response:
        """The settings of a chart of the catalog that is not in the file yet. Raises SettingsError when it cannot be
        added."""
        try:
            file = self._editor.read()
            if found.slug in file.settings.charts:
                return RedirectResponse(f"{home()}/chart/{found.slug}/settings/", 303)
            values = {"slug": found.slug}
            draft = draft_of_chart(file.path, file.text, values, clock=self._editor.live.clock)
            if draft.mistakes:
                raise SettingsError("\n".join(map(str, draft.mistakes)))
        except SettingsError as error:
            return self._configuration(request, str(error), 409)
        chart = draft.settings.chart(found.slug)
        page = ChartForm(self._editor, self._renderer, request, file=file, chart=chart, name=found.name)
        return page.answer(form)

    async def remove(self, request: Request) -> Response:
        """A chart is taken out of the file: first what that means, then it is done."""
        form = await self._form_of(request)
        return await run_in_threadpool(self._remove, request, form)

    def _remove(self, request: Request, form: dict[str, str] | None) -> Response:
        editor, slug = self._editor, request.path_params["slug"]
        try:
            file = editor.read()
            chart = chart_of(file.settings, slug)
            draft = draft_without_chart(file.path, file.text, slug, clock=editor.live.clock)
            if form and form.get(VERSION) == file.settings.version:
                editor.save(draft, request, chart=slug, did="removed")
                return RedirectResponse(f"{home()}/configuration/?removed={slug}", 303)
        except NotWritable as error:
            return self._removal(request, file, chart, draft=draft, status=503, problem=str(error))
        except SettingsError as error:
            return self._configuration(request, str(error), 409)
        return self._removal(request, file, chart, draft=draft, status=409 if form else 200)

    def _removal(
        self, request: Request, file: ChartsFile, chart: ChartSettings, *, draft: Draft, status: int, problem: str = ""
    ) -> Response:
        reason = why_not_writable(file.path)
        return self._renderer.page(
            request,
            "chart_removal.html",
            status,
            chart=chart,
            path=file.path,
            version=file.settings.version,
            changed=status == 409,
            diff_lines=diff_of(draft),
            problem=problem or reason,
            may_save=reason is None,
            effect=EFFECT,
        )

    async def _form_of(self, request: Request) -> dict[str, str] | None:
        """What was sent; None for somebody who looks."""
        if request.method != "POST":
            self._login.require(request)
            return None
        return await self._login.require_form(request, page=address_of(request), lost="saved")

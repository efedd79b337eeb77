"""One request about the settings of one chart: the form, the preview of what it changes and costs, and saving it."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from soundcharts_pipeline.admin.access.root_path import home
from soundcharts_pipeline.admin.configuration.costs import Row, asks_the_same, price_of, rows_of, sentences_of
from soundcharts_pipeline.admin.configuration.editor import EFFECT, ChartsFile, Editor
from soundcharts_pipeline.admin.configuration.form import (
    NO_WORDS,
    Field,
    Moved,
    changes_of,
    fields_of,
    moved,
    typed,
    with_mistakes,
)
from soundcharts_pipeline.admin.pages.rendering import Renderer
from soundcharts_pipeline.config.charts_text import SettingValue, Unusual, block_of
from soundcharts_pipeline.config.edit_charts import (
    ChangedMeanwhile,
    Draft,
    NotWritable,
    draft_of_chart,
    draft_of_values,
    why_not_writable,
)
from soundcharts_pipeline.config.settings import ChartSettings, SettingsError
from soundcharts_pipeline.config.value_readers import timezone_names
from soundcharts_pipeline.storage.errors import StorageError

SCHEDULES = ("hourly", "every 6 hours", "daily at 06:00", "weekly on monday at 06:00", "0 2 * * *")
VERSION, STEP = "version", "step"


@dataclass(frozen=True, slots=True)
class Paste:
    """Lines for somebody to put into the file by hand, and where."""

    where: str
    lines: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a change would cost (`rows` before and after, of so many days up to the newest), in sentences too."""

    rows: Sequence[Row] = ()
    sentences: Sequence[str] = ()
    days: int = 0
    newest_day: str = ""


class ChartForm:
    """One request about the settings of one chart. `name`: of a chart that is to be added, as the catalog has it."""

    def __init__(
        self,
        editor: Editor,
        renderer: Renderer,
        request: Request,
        *,
        file: ChartsFile,
        chart: ChartSettings,
        name: str | None = None,
    ) -> None:
        self._editor, self._renderer, self._request = editor, renderer, request
        self._file, self._chart, self._name, self._is_new = file, chart, name, name is not None

    def answer(self, form: dict[str, str] | None) -> Response:
        """The form, what is wrong with what was typed into it, what it would change, or back to the chart once it is
        saved."""
        now = fields_of(self._file.text, self._chart, new_name=self._name)
        if form is None:
            return self._form(now)
        fields = typed(now, form)
        if form.get(VERSION) != self._file.settings.version:
            differences, fresh = moved(now, fields)
            return self._form(fresh, 409, moved=differences)
        changes = changes_of(fields)
        if form.get(STEP) == "edit":
            return self._form(fields)
        if not changes and not self._is_new:
            return self._form(fields, general=["nothing is changed: every value is the one that the file has"])
        try:
            draft = self._draft(changes)
            fields, general = with_mistakes(fields, draft, self._chart.slug)
            if draft.mistakes:
                return self._form(fields, 400, general=general)
            if form.get(STEP) != "save":
                return self._preview(form, fields, draft)
            self._editor.save(draft, self._request, chart=self._chart.slug, did="added" if self._is_new else "changed")
        except NotWritable as error:
            return self._preview(form, fields, draft, status=503, problem=str(error))
        except ChangedMeanwhile as error:
            # Between our look and the saving. The next look shows what differs.
            return self._form(fields, 409, general=[str(error)])
        except SettingsError as error:
            return self._form(fields, 400, general=str(error).splitlines())
        return RedirectResponse(f"{home()}/chart/{self._chart.slug}/?saved=1", 303)

    def _draft(self, changes: dict[str, SettingValue | None]) -> Draft:
        file, slug, clock = self._file, self._chart.slug, self._editor.live.clock
        if not self._is_new:
            return draft_of_values(file.path, file.text, slug, changes=changes, clock=clock)
        values = {key: value for key, value in changes.items() if value is not None}
        return draft_of_chart(file.path, file.text, {"slug": slug, **values}, clock=clock)

    def _form(
        self, fields: Sequence[Field], status: int = 200, *, general: Sequence[str] = (), moved: Sequence[Moved] = ()
    ) -> Response:
        return self._page(
            "chart_settings.html",
            status,
            fields=fields,
            general=general,
            moved=moved,
            changed=status == 409,
            wrong=[field for field in fields if field.mistakes],
            timezones=timezone_names(),
            schedules=SCHEDULES,
            read_only=why_not_writable(self._file.path),
        )

    def _preview(
        self, form: dict[str, str], fields: Sequence[Field], draft: Draft, *, status: int = 200, problem: str = ""
    ) -> Response:
        problem = problem or why_not_writable(self._file.path) or ""
        return self._page(
            "chart_preview.html",
            status,
            fields=[field for field in fields if field.is_changed],
            diff_lines=diff_of(draft),
            costs=self._costs(draft),
            # The form once more, for saving and for going back.
            sent=[(name, value) for name, value in form.items() if name not in (VERSION, STEP)],
            problem=problem,
            paste=self._paste(draft) if problem else None,
            effect=EFFECT,
        )

    def _page(self, template: str, status: int, **context: object) -> Response:
        return self._renderer.page(
            self._request,
            template,
            status,
            chart=self._chart,
            name=self._name or self._chart.name,
            is_new=self._is_new,
            path=self._file.path,
            version=self._file.settings.version,
            no_words=NO_WORDS,
            **context,
        )

    def _costs(self, draft: Draft) -> Costs:
        """Counted from what is stored, without a call."""
        after, editor = draft.settings.chart(self._chart.slug), self._editor
        try:
            ctx = editor.surroundings.planning()
            price = price_of(ctx, draft.settings, after)
            before = None if self._is_new else price
            if before and not asks_the_same(self._chart, after):
                before = price_of(ctx, self._file.settings, self._chart)
        except (StorageError, SettingsError) as error:
            return Costs(sentences=[f"What it would cost is not known: {error}"])
        sentences = sentences_of(after, price, editor.allowance())
        return Costs(
            rows=rows_of(before, price), sentences=sentences, days=price.days, newest_day=str(price.newest_day)
        )

    def _paste(self, draft: Draft) -> Paste | None:
        """The chart's lines as they would be; None when they do not stand by themselves."""
        try:
            line, block = block_of(draft.after, self._chart.slug)
            if self._is_new:
                return Paste(f"put these lines behind line {line - 1}", block)
            _, old = block_of(draft.before, self._chart.slug)
            return Paste(f"replace the lines {line} to {line + len(old.splitlines()) - 1} by these", block)
        except Unusual:
            return None


def diff_of(draft: Draft) -> list[tuple[str, str]]:
    """(kind, line): `+`, `-` or a blank, and `@` for where the lines stand."""
    lines = difflib.unified_diff(draft.before.splitlines(), draft.after.splitlines(), lineterm="", n=2)
    return [(line[0], line[1:] if line[0] != "@" else line) for line in list(lines)[2:]]

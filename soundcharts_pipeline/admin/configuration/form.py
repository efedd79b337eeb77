"""The form of one chart: a field for each key, what was typed into it, and which keys that changes.

A field also knows the value that the page was made with (`was`), so that a file that was changed meanwhile does not
look as if the user had typed the old values.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from soundcharts_pipeline.config.chart_keys import KEYS, NAME, ChartKey, text_of
from soundcharts_pipeline.config.charts_text import SettingValue, Written, written_keys
from soundcharts_pipeline.config.edit_charts import Draft
from soundcharts_pipeline.config.settings import ChartSettings, default_of
from soundcharts_pipeline.config.yaml_nodes import Mistake
from soundcharts_pipeline.wording import day_named

# Names of form fields: `schedule`, `was.schedule`, `reset.schedule`, and `track_audience_platforms.spotify`.
WAS, RESET = "was.", "reset."
# In place of an empty `was`, for fields of a form that are empty are not sent on.
NO_WORDS = "(none)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One key of the chart, values as text. `otherwise` is what it is when the chart does not say, `reset`: it shall
    no longer say; `mistakes` are about what was typed."""

    key: ChartKey
    value: str
    was: str
    here: Written
    otherwise: str
    otherwise_from: Written
    reset: bool = False
    mistakes: tuple[str, ...] = ()

    @property
    def is_own(self) -> bool:
        return self.here.source == "chart"

    @property
    def words(self) -> list[str]:
        """Of a list of platforms."""
        return _words(self.value)

    @property
    def is_changed(self) -> bool:
        return self.reset or self.value != self.was


def fields_of(text: str, chart: ChartSettings, *, new_name: str | None = None) -> list[Field]:
    """What the file says of a chart. A new one stands in no line yet, so its settings are those of `defaults`; its name
    is as good as typed."""
    here, others = written_keys(text, chart.slug if new_name is None else None), written_keys(text, None)
    name, *rest = [_field(key, chart, here, others) for key in (NAME, *KEYS)]
    return [name if new_name is None else replace(name, value=new_name), *rest]


def _field(key: ChartKey, chart: ChartSettings, here: Mapping[str, Written], others: Mapping[str, Written]) -> Field:
    built_in = Written("built in", text=chart.slug if key is NAME else text_of(default_of(key.name)))
    other = others.get(key.name, built_in)
    written = here.get(key.name, built_in)
    # A schedule is shown as it was written: `daily at 06:00`, not its cron string.
    value = written.text if key.kind == "schedule" else text_of(getattr(chart, key.name))
    return Field(key=key, value=value, was=value, here=written, otherwise=other.text, otherwise_from=other)


def typed(fields: Iterable[Field], form: Mapping[str, str]) -> list[Field]:
    """The fields with what a form says. What it says nothing of (`was` is missing) stays as it is."""
    return [_typed(field, form) if f"{WAS}{field.key.name}" in form else field for field in fields]


def _typed(field: Field, form: Mapping[str, str]) -> Field:
    name, was = field.key.name, form[f"{WAS}{field.key.name}"].removeprefix(NO_WORDS)
    if field.key.kind == "platforms":
        chosen = [word for word in field.key.choices if f"{name}.{word}" in form]
        before = [word for word in _words(was) if word in chosen]
        value = text_of([*before, *(word for word in chosen if word not in before)])
    elif field.key.kind == "flag":
        value = form.get(name, "false")
    else:
        value = "".join(sign for sign in " ".join(form.get(name, "").split()) if sign.isprintable())
    return replace(field, value=value, was=was, reset=f"{RESET}{name}" in form)


def changes_of(fields: Iterable[Field]) -> dict[str, SettingValue | None]:
    """The keys that the user changed, with their new values; None: the chart shall say nothing of it."""
    return {
        field.key.name: None if field.reset or _is_name_left_out(field) else value_of(field.key, field.value)
        for field in fields
        if field.is_changed
    }


def _is_name_left_out(field: Field) -> bool:
    return field.key is NAME and not field.value


def value_of(key: ChartKey, text: str) -> SettingValue:
    """What was typed as a value of the file. What cannot be one stays text, for the file's own checks to refuse."""
    if key.kind == "platforms":
        return _words(text)
    if key.kind == "flag" and text in ("true", "false"):
        return text == "true"
    if key.kind == "number" and re.fullmatch(r"-?[0-9]{1,9}", text):
        return int(text)
    try:
        return day_named(text) if key.kind == "day" else text
    except ValueError:
        return text


def with_mistakes(fields: Sequence[Field], draft: Draft, slug: str) -> tuple[list[Field], list[str]]:
    """The fields with the mistakes of their lines in the new text, and the mistakes that stand in no line of theirs."""
    written = written_keys(draft.after, slug)
    lines = {said.line or 0: key for key, said in written.items() if said.source == "chart"}
    of_key: dict[str, list[str]] = {}
    general = []
    for mistake in draft.mistakes:
        key = lines.get(_line_before(mistake, lines))
        said = mistake.located(str(draft.path))
        if key is None or key == "slug":
            general.append(said)
        else:
            of_key.setdefault(key, []).append(said)
    return [replace(field, mistakes=tuple(of_key.get(field.key.name, ()))) for field in fields], general


def _line_before(mistake: Mistake, lines: Iterable[int]) -> int:
    """The line of the key that the mistake is about, an item of a list stands below it; 0: it stands before the
    chart."""
    return max((line for line in lines if line <= (mistake.line or 0)), default=0)


@dataclass(frozen=True, slots=True)
class Moved:
    """A key that was changed in the file since the page was made; `typed` is what the user has changed it to, if so."""

    key: str
    was: str
    now: str
    typed: str | None


def moved(now: Sequence[Field], then: Sequence[Field]) -> tuple[list[Moved], list[Field]]:
    """What differs between the file now and the file that the form was made of; and the form over the file now, in
    which what the user changed stands as typed."""
    found, fresh = [], []
    for field, old in zip(now, then, strict=True):
        if old.was != field.was:
            found.append(Moved(field.key.name, old.was, field.was, old.value if old.is_changed else None))
        fresh.append(replace(field, value=old.value, reset=old.reset and field.is_own) if old.is_changed else field)
    return found, fresh


def _words(text: str) -> list[str]:
    return [word for word in text.split(", ") if word]

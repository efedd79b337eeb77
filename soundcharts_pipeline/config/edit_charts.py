"""Changes the charts file: a chart is added, given other values, or taken out.

A change is first a draft: the new text and everything that is wrong with it, found by the checks that every load of
the file makes. A draft without mistakes takes the place of the file in one step, and only of the text it was made from.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from soundcharts_pipeline.clock import Clock, utc_now
from soundcharts_pipeline.config import yaml_nodes
from soundcharts_pipeline.config.chart_keys import text_of
from soundcharts_pipeline.config.charts_text import (
    SettingValue,
    Unusual,
    with_chart,
    with_values,
    without_chart,
    written_keys,
)
from soundcharts_pipeline.config.read_charts import NoCharts, examine, parse_settings, read_charts_text
from soundcharts_pipeline.config.settings import ChartSettings, Settings, SettingsError
from soundcharts_pipeline.config.yaml_nodes import Mistake
from soundcharts_pipeline.wording import write_nearest


class ChangedMeanwhile(SettingsError):
    """The charts file is no longer the one that the draft was made from."""


class NotWritable(SettingsError):
    """The charts file, or its folder, may not be written to."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The charts file as it was read, and as it would be. With mistakes it can only be looked at."""

    path: Path
    before: str
    after: str
    settings: Settings
    mistakes: Sequence[Mistake] = ()

    def save(self) -> Settings:
        """Take the place of the file; returns the settings of the new one. Raises SettingsError with the file
        unchanged: for mistakes, ChangedMeanwhile, NotWritable."""
        if self.mistakes:
            raise SettingsError("\n".join(mistake.located(str(self.path)) for mistake in self.mistakes))
        _replace(self.path, self.before, self.after)
        return self.settings


def add_chart(
    path: Path, slug: str, name: str | None = None, *, clock: Clock = utc_now, **settings: SettingValue
) -> Settings:
    """Add a chart after the last one and return the settings of the new file.

    Keys that are left out keep the file's defaults. Raises SettingsError, with the file unchanged, when the chart
    is there already or a value is not acceptable.
    """
    values = {"slug": slug} | ({"name": name} if name else {}) | settings
    check_addable(path, values, clock)
    return draft_of_chart(path, read_charts_text(path), values, clock=clock).save()


def check_addable(path: Path, values: Mapping[str, SettingValue], clock: Clock = utc_now) -> None:
    """Raise the SettingsError with which `add_chart` would refuse the chart, before a call is spent on it."""
    slug, before = values["slug"], _settings_to_add_to(path, read_charts_text(path), clock)
    if slug in before.charts:
        raise SettingsError(f"{path}: chart '{slug}' is there already; edit its lines, or remove it first")
    with _explained(path):
        _, mistakes = examine(with_chart("", values), clock)
    if mistakes:
        raise SettingsError("\n".join(f"{path}: chart '{slug}' cannot be added: {mistake}" for mistake in mistakes))


def remove_chart(path: Path, slug: str, clock: Clock = utc_now) -> Settings:
    """Remove a chart with the comments inside its lines and return the settings of the new file.

    Raises SettingsError, with the file unchanged, when there is no such chart or no other one.
    """
    return draft_without_chart(path, read_charts_text(path), slug, clock=clock).save()


def draft_of_chart(path: Path, text: str, values: Mapping[str, SettingValue], *, clock: Clock = utc_now) -> Draft:
    """With one more chart, behind the last one. Raises SettingsError for a file with mistakes of its own, and for one
    that cannot be edited safely."""
    before = _settings_to_add_to(path, text, clock)
    slug = str(values["slug"])
    with _explained(path):
        draft = _draft(path, before=text, after=with_chart(text, values), clock=clock)
    kept = all(draft.settings.charts.get(key) == chart for key, chart in before.charts.items())
    if not draft.mistakes and not (kept and draft.settings.slugs == (*before.slugs, slug)):
        raise _unusual(path)
    return draft


def draft_of_values(
    path: Path, text: str, slug: str, *, changes: Mapping[str, SettingValue | None], clock: Clock = utc_now
) -> Draft:
    """With other values on a chart; None takes a key out, so that it is as `defaults` say. Raises SettingsError for a
    file with mistakes of its own, an unknown chart, and lines that cannot be edited safely."""
    before = parse_settings(text, source=str(path), clock=clock)
    chart = before.chart(slug)
    with _explained(path):
        draft = _draft(path, before=text, after=with_values(text, slug, changes), clock=clock)
    others = {key: one for key, one in draft.settings.charts.items() if key != slug}
    kept = others == {key: one for key, one in before.charts.items() if key != slug}
    if not draft.mistakes and not (
        kept and draft.settings.slugs == before.slugs and _is_as_asked(draft, chart, changes)
    ):
        raise _unusual(path)
    return draft


def draft_without_chart(path: Path, text: str, slug: str, *, clock: Clock = utc_now) -> Draft:
    """Without a chart. Raises SettingsError for a file with mistakes, an unknown chart, the only chart, and lines that
    cannot be edited safely."""
    before = parse_settings(text, source=str(path), clock=clock)
    if slug not in before.charts:
        near = write_nearest(slug, before.slugs)
        raise SettingsError(f"{path}: no chart '{yaml_nodes.brief(slug)}' to remove; {near}")
    if len(before.charts) == 1:
        remedy = "add another chart first, or switch this one off with 'active: false'"
        raise SettingsError(f"{path}: '{slug}' is the only chart; {remedy}")
    with _explained(path):
        draft = _draft(path, before=text, after=without_chart(text, slug), clock=clock)
    if draft.mistakes or draft.settings.charts != {k: chart for k, chart in before.charts.items() if k != slug}:
        raise _unusual(path)
    return draft


def why_not_writable(path: Path) -> str | None:
    """Why the file cannot be replaced by this process, as far as permissions tell; None when they do not forbid it."""
    target = path.resolve()
    for place, what in ((target, "the file"), (target.parent, "its folder")):
        if not os.access(place, os.W_OK, effective_ids=True):
            return f"{what} is read-only for this program"
    return None


def _settings_to_add_to(path: Path, text: str, clock: Clock) -> Settings:
    """The file's settings; that it has no chart yet is no reason not to add one."""
    before, mistakes = examine(text, clock)
    if any(not isinstance(mistake, NoCharts) for mistake in mistakes):
        parse_settings(text, source=str(path), clock=clock)
    return before


def _draft(path: Path, *, before: str, after: str, clock: Clock) -> Draft:
    """Raises Unusual when the edit has left no YAML: what was wrong with a value is a mistake of its line."""
    try:
        yaml_nodes.compose(after)
    except Mistake:
        raise Unusual from None
    return Draft(path, before, after, *examine(after, clock))


def _is_as_asked(draft: Draft, before: ChartSettings, changes: Mapping[str, SettingValue | None]) -> bool:
    """Whether the chart has these values in its own lines, and every other one that it had."""
    now, written = draft.settings.chart(before.slug), written_keys(draft.after, before.slug)
    own = {key: said.text for key, said in written.items() if said.source == "chart"}
    rest = ChartSettings.__dataclass_fields__.keys() - changes
    return all(own.get(key) == (None if value is None else text_of(value)) for key, value in changes.items()) and all(
        getattr(before, name) == getattr(now, name) for name in rest
    )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except Unusual:
        raise _unusual(path) from None


def _unusual(path: Path) -> SettingsError:
    remedy = "edit it by hand, or write each chart on lines of its own that start with '- slug:'"
    return SettingsError(f"{path}: the charts are laid out in a way that cannot be edited safely; {remedy}")


def _replace(path: Path, before: str, after: str) -> None:
    """Put the new text in place in one step, so that a reader sees the old file or the new one. Mode and owner stay."""
    target = path.resolve()
    try:
        if reason := why_not_writable(path):
            raise PermissionError(0, reason)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            draft = Path(file.name)
            try:
                file.write(after.encode("utf-8"))
                file.flush()
                os.fsync(file.fileno())
                shutil.copymode(target, draft)
                with suppress(PermissionError):
                    shutil.chown(draft, target.stat().st_uid, target.stat().st_gid)
                if read_charts_text(path) != before:
                    raise ChangedMeanwhile(f"{path}: it was changed meanwhile; look at it, and make the change again")
                draft.replace(target)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
    except OSError as error:
        remedy = "make the file and its folder writable"
        raise NotWritable(f"{path}: cannot be written ({error.strerror}); {remedy}") from None

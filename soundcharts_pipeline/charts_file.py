"""Adds a chart to the charts file and removes one from it.

The file belongs to its user: only the lines of that chart change, every other byte stays. The new text is
checked before it takes the place of the old one, in one step.
"""

import itertools
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from soundcharts_pipeline import yaml_nodes
from soundcharts_pipeline.settings import NoCharts, Settings, SettingsError, examine, parse_settings, read_charts_text

SettingValue = str | bool | int | date | Sequence[str]


def add_chart(path: Path, slug: str, name: str | None = None, **settings: SettingValue) -> Settings:
    """Add a chart after the last one and return the settings of the new file.

    Keys that are left out keep the file's defaults. Raises SettingsError, with the file unchanged, when the chart
    is there already or a value is not acceptable.
    """
    item = _item_lines({"slug": slug} | ({"name": name} if name else {}) | settings)
    text, before = _read_for(path, slug, item)
    new_text = _with_item(path, text, item)
    after, mistakes = examine(new_text)
    if (
        mistakes
        or after.slugs != (*before.slugs, slug)
        or any(after.charts[key] != before.charts[key] for key in before.slugs)
    ):
        raise _unusual(path)
    _replace(path, new_text)
    return after


def check_addable(path: Path, slug: str) -> None:
    """Raise the SettingsError with which `add_chart` would refuse the slug, before a call is spent on it."""
    _read_for(path, slug, _item_lines({"slug": slug}))


def _read_for(path: Path, slug: str, item: list[str]) -> tuple[str, Settings]:
    """The file's text and settings, which are fit to take the new chart."""
    text = read_charts_text(path)
    before, mistakes = examine(text)
    if any(not isinstance(mistake, NoCharts) for mistake in mistakes):
        parse_settings(text, source=str(path))
    if slug in before.charts:
        raise SettingsError(f"{path}: chart '{slug}' is there already; edit its lines, or remove it first")
    _, mistakes = examine("\n".join(["charts:", *_indented(item, column=0, gap=1)]))
    if mistakes:
        raise SettingsError("\n".join(f"{path}: chart '{slug}' cannot be added: {mistake}" for mistake in mistakes))
    return text, before


def remove_chart(path: Path, slug: str) -> Settings:
    """Remove a chart with the comments inside its lines and return the settings of the new file.

    Raises SettingsError, with the file unchanged, when there is no such chart or no other one.
    """
    text = read_charts_text(path)
    before = parse_settings(text, source=str(path))
    if slug not in before.charts:
        near = yaml_nodes.write_nearest(slug, before.slugs)
        raise SettingsError(f"{path}: no chart '{slug}' to remove; {near}")
    if len(before.charts) == 1:
        remedy = "add another chart first, or switch this one off with 'active: false'"
        raise SettingsError(f"{path}: '{slug}' is the only chart; {remedy}")
    _, charts = _charts_entry(text) or (None, None)
    span = _spans(path, text, charts)[before.slugs.index(slug)]
    new_text = text[: span.start] + text[span.end :]
    after, mistakes = examine(new_text)
    if mistakes or after.charts != {key: chart for key, chart in before.charts.items() if key != slug}:
        raise _unusual(path)
    _replace(path, new_text)
    return after


class _Span(NamedTuple):
    """Where one chart's lines start and end in the text, counted in characters."""

    start: int
    end: int


def _unusual(path: Path) -> SettingsError:
    remedy = "edit it by hand, or write each chart on lines of its own that start with '- slug:'"
    return SettingsError(f"{path}: the charts are laid out in a way that cannot be edited safely; {remedy}")


def _charts_entry(text: str) -> tuple[Node, Node] | None:
    """The key `charts` of the file and its value."""
    root = yaml_nodes.compose(text)
    pairs = root.value if isinstance(root, MappingNode) else []
    return next(((key, value) for key, value in pairs if key.value == "charts"), None)


def _spans(path: Path, text: str, charts: Node | None) -> list[_Span]:
    """The lines of every chart, from its dash to its last line or the last comment indented below its dash."""
    if not isinstance(charts, SequenceNode) or charts.flow_style:
        raise _unusual(path)
    dash = re.compile(rf"^ {{{charts.start_mark.column}}}-(?=\s)", re.MULTILINE)
    marks = [0, *(item.start_mark.index for item in charts.value)]
    starts = []
    for before, mark in itertools.pairwise(marks):
        found = [match.start() for match in dash.finditer(text, before, mark)]
        if not found:
            raise _unusual(path)
        starts.append(found[-1])
    after = text.rfind("\n", 0, charts.end_mark.index) + 1 if text[charts.end_mark.index :].strip() else len(text)
    return [
        _Span(start, _content_end(text, start, end, charts.start_mark.column))
        for start, end in itertools.pairwise([*starts, after])
    ]


def _content_end(text: str, start: int, end: int, column: int) -> int:
    """The end of a chart's own lines: blank lines and comments not indented below its dash belong to what follows."""
    lines = text[start:end].splitlines(keepends=True)
    while lines and re.fullmatch(rf"\s*|\s{{0,{column}}}#.*\s*", lines[-1]):
        end -= len(lines.pop())
    return end


def _with_item(path: Path, text: str, item: list[str]) -> str:
    """The text with a new chart behind the last one, indented as the last one is."""
    entry = _charts_entry(text)
    if entry is None:
        return _inserted(text, len(text), ["charts:", *_indented(item, column=2, gap=1)])
    key, charts = entry
    if isinstance(charts, SequenceNode) and charts.value:
        column = charts.start_mark.column
        gap = charts.value[-1].start_mark.column - column - 1
        return _inserted(text, _spans(path, text, charts)[-1].end, _indented(item, column=column, gap=max(gap, 1)))
    if isinstance(charts, SequenceNode):
        text = text[: charts.start_mark.index].rstrip() + text[charts.end_mark.index :]
    line_end = text.find("\n", key.start_mark.index)
    return _inserted(text, len(text) if line_end < 0 else line_end + 1, _indented(item, column=2, gap=1))


def _indented(item: list[str], *, column: int, gap: int) -> list[str]:
    first, *rest = item
    return [" " * column + "-" + " " * gap + first, *(" " * (column + 1 + gap) + line for line in rest)]


def _inserted(text: str, index: int, lines: list[str]) -> str:
    line_end = "\r\n" if "\r\n" in text else "\n"
    head = text[:index]
    if head and not head.endswith("\n"):
        head += line_end
    return head + "".join(line + line_end for line in lines) + text[index:]


def _item_lines(values: Mapping[str, SettingValue]) -> list[str]:
    """The lines of one chart without indentation, every value quoted where YAML needs it, lists on one line."""
    yaml = YAML()
    yaml.width = 100_000
    block: dict[str, SettingValue | CommentedSeq] = {}
    for key, value in values.items():
        if isinstance(value, Sequence) and not isinstance(value, str):
            words = CommentedSeq(value)
            words.fa.set_flow_style()
            value = words
        block[key] = value
    stream = StringIO()
    yaml.dump(block, stream)
    return stream.getvalue().splitlines()


def _replace(path: Path, text: str) -> None:
    """Put the new text in place in one step, so that a reader sees the old file or the new one."""
    target = path.resolve()
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            draft = Path(file.name)
            try:
                file.write(text.encode("utf-8"))
                file.close()
                shutil.copymode(target, draft)
                draft.replace(target)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
    except OSError as error:
        remedy = "make the file and its folder writable"
        raise SettingsError(f"{path}: cannot be written ({error.strerror}); {remedy}") from None

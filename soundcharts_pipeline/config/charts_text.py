"""Where things stand in the text of a charts file, and the text with a chart added, changed or taken out.

From text to text: only the lines of that chart change, every other character stays, comments, order and line ends
included. What is laid out so that this cannot be done is refused (Unusual), and so is what an anchor is shared by.
Whether the new text says what it should is for `charts_file` to see.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from io import StringIO
from typing import Literal, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from soundcharts_pipeline.config import yaml_nodes

SettingValue = str | bool | int | date | Sequence[str]
Pair = tuple[Node, Node]

# An alias in the place of a value. Its node is that of the anchor and stands elsewhere.
_ALIAS = re.compile(r"\s*:\s+(\*[^\s,\[\]{}]+)")


class Unusual(Exception):
    """The charts are laid out in a way that cannot be edited safely."""


class Span(NamedTuple):
    """Where something starts and ends in the text, counted in characters."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Written:
    """Where the value of a chart's key comes from; line and text (lists with commas) when it stands in the file."""

    source: Literal["chart", "defaults", "built in"]
    line: int | None = None
    text: str = ""


def written_keys(text: str, slug: str | None) -> dict[str, Written]:
    """By key, what stands on the chart or under `defaults`; without a slug what a new chart would find."""
    found = {key: Written("defaults", *said) for key, said in _said(_entry(text, "defaults"))}
    chart = None if slug is None else _chart(text, slug)
    return found | {key: Written("chart", *said) for key, said in _said((None, chart) if chart else None)}


def block_of(text: str, slug: str) -> tuple[int, str]:
    """The first line of a chart, counted from 1, and its own lines. Raises Unusual."""
    span = _spans(text)[_place(text, slug)]
    return text.count("\n", 0, span.start) + 1, text[span.start : span.end]


def with_chart(text: str, values: Mapping[str, SettingValue]) -> str:
    """The text with a new chart behind the last one, indented as the last one is. Raises Unusual."""
    item = [f"{key}: {_dumped(key, value)}" for key, value in values.items()]
    entry = _entry(text, "charts")
    if entry is None:
        return _inserted(text, len(text), ["charts:", *_indented(item, column=2, gap=1)])
    key, charts = entry
    if isinstance(charts, SequenceNode) and charts.value:
        column = charts.start_mark.column
        gap = charts.value[-1].start_mark.column - column - 1
        return _inserted(text, _spans(text)[-1].end, _indented(item, column=column, gap=max(gap, 1)))
    if isinstance(charts, SequenceNode):
        text = text[: charts.start_mark.index].rstrip() + text[charts.end_mark.index :]
    return _inserted(text, _next_line(text, key.start_mark.index), _indented(item, column=2, gap=1))


def without_chart(text: str, slug: str) -> str:
    """The text without the chart and the comments inside its lines. Raises Unusual."""
    span = _spans(text)[_place(text, slug)]
    return text[: span.start] + text[span.end :]


def with_values(text: str, slug: str, changes: Mapping[str, SettingValue | None]) -> str:
    """The text with these values on the chart; None takes a key out. Raises Unusual."""
    for key, value in changes.items():
        text = _with_value(text, slug, key, value=value)
    return text


def _with_value(text: str, slug: str, key: str, *, value: SettingValue | None) -> str:
    chart = _chart(text, slug)
    if chart is None:
        raise Unusual
    pairs: list[Pair] = chart.value
    place = next((number for number, (name, _) in enumerate(pairs) if name.value == key), None)
    if place is None:
        return text if value is None else _with_key(text, chart, key, value=value)
    if value is None:
        return _without_key(text, chart, place)
    name, old = pairs[place]
    if isinstance(old, SequenceNode) and not old.flow_style and not _ALIAS.match(text, name.end_mark.index):
        words = value if isinstance(value, Sequence) and not isinstance(value, str) else [str(value)]
        return _with_items(text, name, old, words=words)
    span = _span_of_value(text, pairs[place])
    return _replaced(text, span, _dumped(key, value, inside_braces=bool(chart.flow_style)))


def _with_key(text: str, chart: MappingNode, key: str, *, value: SettingValue) -> str:
    end = _span_of_value(text, chart.value[-1]).end
    if chart.flow_style:
        return f"{text[:end]}, {key}: {_dumped(key, value, inside_braces=True)}{text[end:]}"
    column = chart.value[0][0].start_mark.column
    return _inserted(text, _next_line(text, end), [f"{' ' * column}{key}: {_dumped(key, value)}"])


def _without_key(text: str, chart: MappingNode, place: int) -> str:
    pairs: list[Pair] = chart.value
    start, end = pairs[place][0].start_mark.index, _span_of_value(text, pairs[place]).end
    if chart.flow_style:
        # With the comma before it, or behind it.
        if place:
            return _replaced(text, Span(_span_of_value(text, pairs[place - 1]).end, end), "")
        return _replaced(text, Span(start, pairs[1][0].start_mark.index), "")
    line = text.rfind("\n", 0, start) + 1
    end = _next_line(text, end)
    if text[line:start].strip():
        # The dash of the chart stays, alone in its line.
        return text[:line] + text[line:start].rstrip() + _line_end(text) + text[end:]
    return text[:line] + text[end:]


def _with_items(text: str, name: Node, items: SequenceNode, *, words: Sequence[str]) -> str:
    """A list of lines: those of words that stay are kept with their comments, in the order of the new list."""
    start = _next_line(text, name.end_mark.index)
    ends = [_next_line(text, item.end_mark.index) for item in items.value]
    spans = [Span(*pair) for pair in itertools.pairwise([start, *ends])]
    if any(not isinstance(item, ScalarNode) or item.anchor for item in items.value) or any(a >= b for a, b in spans):
        raise Unusual
    old = {item.value: text[span.start : span.end] for item, span in zip(items.value, spans, strict=True)}
    line_end, column = _line_end(text), items.start_mark.column
    lines = [old.get(word, f"{' ' * column}- {_dumped('word', word)}") for word in words]
    block = "".join(line if line.endswith("\n") else line + line_end for line in lines)
    colon = text.index(":", name.end_mark.index) + 1
    head = text[:start] if words else f"{text[:colon]} []{text[colon:start]}"
    return head + block + text[ends[-1] :]


def _span_of_value(text: str, pair: Pair) -> Span:
    """A value without the comments and blanks around it."""
    name, value = pair
    if alias := _ALIAS.match(text, name.end_mark.index):
        return Span(*alias.span(1))
    start, end = value.start_mark.index, value.end_mark.index
    if start < name.end_mark.index:
        raise Unusual
    if isinstance(value, CollectionNode) and not value.flow_style:
        last = value.value[-1]
        end = (last[1] if isinstance(last, tuple) else last).end_mark.index
    return Span(start, start + len(text[start:end].rstrip()))


def _replaced(text: str, span: Span, new: str) -> str:
    old = text[span.start : span.end]
    if "#" in old and "\n" in old:
        # A comment between lines that are to go.
        raise Unusual
    return text[: span.start] + new + text[span.end :]


def _dumped(key: str, value: SettingValue, *, inside_braces: bool = False) -> str:
    """The value on one line, quoted where YAML needs it. Raises Unusual for a text of several lines."""
    yaml = YAML()
    yaml.width = 100_000
    if isinstance(value, Sequence) and not isinstance(value, str):
        words = CommentedSeq(value)
        words.fa.set_flow_style()
        value = words
    stream = StringIO()
    yaml.dump({key: value}, stream)
    dumped = stream.getvalue().removeprefix(f"{key}:").strip(" \n")
    if len(dumped.splitlines()) != 1:
        raise Unusual
    if isinstance(value, str) and dumped == value and not _is_plain(value, inside_braces=inside_braces):
        return "'" + value.replace("'", "''") + "'"
    return dumped


def _is_plain(text: str, *, inside_braces: bool) -> bool:
    """Whether it may stand without quotes. In braces more signs mean something; where the file says `%YAML 1.1`, `yes`
    and its like are no texts."""
    if inside_braces and not re.fullmatch(r"\w[\w ./-]*", text):
        return False
    try:
        node = yaml_nodes.compose(f"%YAML 1.1\n---\na: {text}\n")
    except yaml_nodes.Mistake:
        return False
    return isinstance(node, MappingNode) and str(node.value[0][1].tag).endswith(":str")


def _said(entry: tuple[object, Node] | None) -> Iterator[tuple[str, tuple[int, str]]]:
    """Each key of a mapping with its line and its value as text."""
    mapping = entry[1] if entry else None
    for name, value in mapping.value if isinstance(mapping, MappingNode) else ():
        items = value.value if isinstance(value, SequenceNode) else [value]
        said = ", ".join(str(item.value) for item in items if isinstance(item, ScalarNode))
        yield str(name.value), (yaml_nodes.line_of(name), said)


def _entry(text: str, key: str) -> Pair | None:
    """A key of the file and its value."""
    root = yaml_nodes.compose(text)
    pairs = root.value if isinstance(root, MappingNode) else []
    return next(((name, value) for name, value in pairs if name.value == key), None)


def _chart(text: str, slug: str) -> MappingNode | None:
    return next((chart for of_it, chart in _charts(text) if of_it == slug), None)


def _place(text: str, slug: str) -> int:
    return [of_it for of_it, _ in _charts(text)].index(slug)


def _charts(text: str) -> Iterator[tuple[str, MappingNode]]:
    _, charts = _entry(text, "charts") or (None, None)
    for chart in charts.value if isinstance(charts, SequenceNode) else ():
        pairs = chart.value if isinstance(chart, MappingNode) else []
        slug = next((value.value for name, value in pairs if name.value == "slug"), None)
        yield str(slug).strip(), chart


def _spans(text: str) -> list[Span]:
    """The lines of every chart, from its dash to its last line or the last comment indented below its dash."""
    _, charts = _entry(text, "charts") or (None, None)
    if not isinstance(charts, SequenceNode) or charts.flow_style:
        raise Unusual
    dash = re.compile(rf"^ {{{charts.start_mark.column}}}-(?=\s)", re.MULTILINE)
    marks = [0, *(item.start_mark.index for item in charts.value)]
    starts = []
    for before, mark in itertools.pairwise(marks):
        found = [match.start() for match in dash.finditer(text, before, mark)]
        if not found:
            raise Unusual
        starts.append(found[-1])
    after = text.rfind("\n", 0, charts.end_mark.index) + 1 if text[charts.end_mark.index :].strip() else len(text)
    return [
        Span(start, _content_end(text, start, end, column=charts.start_mark.column))
        for start, end in itertools.pairwise([*starts, after])
    ]


def _content_end(text: str, start: int, end: int, *, column: int) -> int:
    """The end of a chart's own lines: blank lines and comments not indented below its dash belong to what follows."""
    lines = text[start:end].splitlines(keepends=True)
    while lines and re.fullmatch(rf"\s*|\s{{0,{column}}}#.*\s*", lines[-1]):
        end -= len(lines.pop())
    return end


def _indented(item: list[str], *, column: int, gap: int) -> list[str]:
    first, *rest = item
    return [" " * column + "-" + " " * gap + first, *(" " * (column + 1 + gap) + line for line in rest)]


def _inserted(text: str, index: int, lines: list[str]) -> str:
    line_end = _line_end(text)
    head = text[:index]
    if head and not head.endswith("\n"):
        head += line_end
    return head + "".join(line + line_end for line in lines) + text[index:]


def _next_line(text: str, index: int) -> int:
    line_end = text.find("\n", index)
    return len(text) if line_end < 0 else line_end + 1


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"

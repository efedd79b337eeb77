"""Reads YAML values together with the lines they stand on, so that every mistake can name its line.

A document is composed into nodes and no further; each `as_` function turns one node into one Python value or
raises a Mistake that says what to write instead. Knows YAML and nothing of charts.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from io import StringIO
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from soundcharts_pipeline.wording import day_named, write_nearest

_TAGS = "tag:yaml.org,2002:"
_LONGEST_QUOTE = 80
_VERSION = re.compile(r"^%YAML[ \t]+(1\.(?![12]\b)\S+)", re.MULTILINE)
_OLD = re.compile(r"^%YAML[ \t]+1\.1\b", re.MULTILINE)
# By YAML 1.1 of the eighth, by any later one of the tenth.
_OCTAL = re.compile(r"[-+]?0[0-7_]+")
# `yes` and its like are flags where the file says that it is YAML 1.1, and texts elsewhere.
_FLAGS = dict.fromkeys(("true", "yes", "on", "y"), True) | dict.fromkeys(("false", "no", "off", "n"), False)
# Halves of characters, which a double-quoted text can write and no encoding can.
_HALVES = re.compile("[\ud800-\udfff]")


class Mistake(Exception):
    """One thing wrong in a file: the line it stands on (None: the whole file), what is wrong, what to write."""

    def __init__(self, line: int | None, problem: str, remedy: str) -> None:
        text = _HALVES.sub("\ufffd", f"{problem}; {remedy}")
        super().__init__(" ".join(text.splitlines()))
        self.line = line

    def located(self, source: str) -> str:
        """The mistake as one line of text: `charts.yaml:12: problem; remedy`."""
        return f"{source}: {self}" if self.line is None else f"{source}:{self.line}: {self}"


class Entry(NamedTuple):
    """One key of a mapping with its value, and the line of the key."""

    key: str
    line: int
    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What messages say about one kind of mapping: its name, an example line, and which keys it must have.

    `elsewhere` holds the remedy for keys that exist, but in another mapping.
    """

    name: str
    example: str
    required: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = field(default_factory=dict)


# A thousand charts take half a second, and the same text is looked at again and again. Nobody changes a node.
@lru_cache(maxsize=4)
def compose(text: str) -> Node | None:
    """The root node of a document, None when the document is empty. Raises Mistake when it is no YAML."""
    if version := _VERSION.search(text):
        before = text.count("\n", 0, version.start())
        raise Mistake(before + 1, f"YAML {version[1]} is not known here", "remove the line, or write %YAML 1.2")
    try:
        root: Node | None = YAML(typ="safe", pure=True).compose(StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise _unreadable(line, error.problem or error.context or "syntax error") from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Mistake(line, "a character here is not allowed in YAML", "remove it") from None
    except (YAMLError, ValueError, AttributeError, RecursionError, AssertionError, LookupError, TypeError):
        raise _unreadable(None, "not a YAML document") from None
    if root is not None and _OLD.search(text):
        _refuse_octals(root)
    return root


def _refuse_octals(root: Node) -> None:
    """Numbers that mean another one by YAML 1.1 than to whoever knows a later one."""
    left, seen = [root], set[int]()
    while left:
        node = left.pop()
        if id(node) in seen:  # an alias may stand within its own anchor
            continue
        seen.add(id(node))
        if isinstance(node, ScalarNode) and _kind(node) == "int" and _OCTAL.fullmatch(node.value):
            problem = f"{describe(node)} is an octal number by %YAML 1.1"
            raise Mistake(line_of(node), problem, "write it without the zero, or in quotes where it is a text")
        if isinstance(node, MappingNode):
            left += [part for pair in node.value for part in pair]
        elif isinstance(node, SequenceNode):
            left += node.value


def _unreadable(line: int | None, reason: str) -> Mistake:
    remedy = "check indentation and colons, and quote a value that starts with * or & or contains ': '"
    return Mistake(line, f"cannot be read as YAML ({' '.join(reason.split())})", remedy)


def line_of(node: Node) -> int:
    """The line a node starts on, counted from 1."""
    return int(node.start_mark.line) + 1


def is_nothing(node: Node) -> bool:
    """Whether a key stands without a value."""
    return isinstance(node, ScalarNode) and node.tag == f"{_TAGS}null"


def read_mapping(
    node: Node, *, readers: Mapping[str, Callable[[Entry], object]], form: Form, mistakes: list[Mistake]
) -> dict[str, Any]:
    """The values of a mapping by key, each read by its reader; whatever cannot be read becomes a mistake."""
    values: dict[str, Any] = {}
    found: set[str] = set()
    for entry in entries(node, form=form, mistakes=mistakes):
        found.add(entry.key)
        reader = readers.get(entry.key)
        if reader is None:
            remedy = form.elsewhere.get(entry.key) or write_nearest(entry.key, tuple(readers))
            mistakes.append(Mistake(entry.line, f"unknown key '{entry.key}' in {form.name}", remedy))
            continue
        try:
            values[entry.key] = reader(entry)
        except Mistake as mistake:
            mistakes.append(mistake)
    missing = [key for key in form.required if key not in found] if isinstance(node, MappingNode) else []
    mistakes += [Mistake(line_of(node), f"{form.name} has no {key}", f"write '{form.example}'") for key in missing]
    return values


def entries(node: Node, *, form: Form, mistakes: list[Mistake]) -> Iterator[Entry]:
    """The keys of a mapping, in order; a second use of a key and anything but a mapping become mistakes."""
    if not isinstance(node, MappingNode):
        problem = f"{form.name} is {describe(node)}, not 'key: value' lines"
        mistakes.append(Mistake(line_of(node), problem, f"write '{form.example}'"))
        return
    lines: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = line_of(key_node)
        if not isinstance(key_node, ScalarNode):
            problem = f"{form.name} has {describe(key_node)} for a key"
            mistakes.append(Mistake(line, problem, f"write '{form.example}'"))
            continue
        key = str(key_node.value)
        if key in lines:
            remedy = "keep one of the two lines"
            mistakes.append(Mistake(line, f"key '{key}' stands already in line {lines[key]}", remedy))
            continue
        lines[key] = line
        yield Entry(key, line, value_node)


def describe(node: Node) -> str:
    """A value in words for a message."""
    if isinstance(node, MappingNode):
        return "a group of keys"
    if isinstance(node, SequenceNode):
        return "a list"
    return "empty" if is_nothing(node) else f"'{brief(node.value)}'"


def brief(text: str) -> str:
    """A text as a message has room for, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_QUOTE else f"{line[:_LONGEST_QUOTE]}…"


def as_text(entry: Entry) -> str:
    """A text that is not empty. Raises Mistake, as every reader here does for what it cannot read."""
    if _kind(entry.node) != "str" or not entry.node.value.strip():
        example = f'"{entry.node.value}"' if _kind(entry.node) in ("int", "float", "bool", "timestamp") else "a text"
        raise Mistake(entry.line, f"{entry.key} is {describe(entry.node)}, not a text", f"write {entry.key}: {example}")
    if _HALVES.search(entry.node.value):
        raise Mistake(
            entry.line, f"{entry.key} holds half a character ('\\ud800' and its like)", "write it as it reads"
        )
    return str(entry.node.value).strip()


def as_flag(entry: Entry) -> bool:
    """true or false. Raises Mistake."""
    flag = _FLAGS.get(entry.node.value.lower()) if _kind(entry.node) == "bool" else None
    if flag is None:
        remedy = f"write '{entry.key}: true' or '{entry.key}: false'"
        raise Mistake(entry.line, f"{entry.key} is {describe(entry.node)}, neither true nor false", remedy)
    return flag


def as_whole_number(entry: Entry, *, least: int, most: int, example: int) -> int:
    """A whole number between two bounds, both included. Raises Mistake."""
    digits = _kind(entry.node) == "int" and re.fullmatch(r"-?[0-9]{1,9}", entry.node.value)
    if not digits or not least <= int(entry.node.value) <= most:
        problem = f"{entry.key} is {describe(entry.node)}, not a whole number from {least} to {most}"
        raise Mistake(entry.line, problem, f"write for example '{entry.key}: {example}'")
    return int(entry.node.value)


def as_date(entry: Entry) -> date:
    """A calendar day. Raises Mistake."""
    try:
        if _kind(entry.node) in ("timestamp", "str"):
            return day_named(entry.node.value)
    except ValueError:
        pass
    problem = f"{entry.key} is {describe(entry.node)}, not a day of the calendar"
    raise Mistake(entry.line, problem, f"write '{entry.key}: YYYY-MM-DD', such as 2026-01-31")


def as_choice(entry: Entry, *, choices: Sequence[str]) -> str:
    """One word of a fixed set. Raises Mistake."""
    word = str(entry.node.value) if _kind(entry.node) == "str" else ""
    if word not in choices:
        problem = f"{entry.key} is {describe(entry.node)}, which is not known"
        raise Mistake(entry.line, problem, write_nearest(word, choices))
    return word


def as_words(entry: Entry, *, known: Sequence[str], what: str) -> tuple[str, ...]:
    """A list of known words without repetition; it may be empty. Raises Mistake for the first that cannot be."""
    if not isinstance(entry.node, SequenceNode):
        problem = f"{entry.key} is {describe(entry.node)}, not a list"
        inside = entry.node.value if entry.node.value in known else ", ".join(known[:2])
        raise Mistake(entry.line, problem, f"write '{entry.key}: [{inside}]'")
    words: list[str] = []
    for item in entry.node.value:
        line = entry.line if is_nothing(item) else line_of(item)
        word = str(item.value) if isinstance(item, ScalarNode) else ""
        if word not in known:
            raise Mistake(line, f"unknown {what} {describe(item)} in {entry.key}", write_nearest(word, known))
        if word in words:
            raise Mistake(line, f"'{word}' stands twice in {entry.key}", "write it once")
        words.append(word)
    return tuple(words)


def _kind(node: Node) -> str:
    """The YAML type of a scalar (str, int, bool, ...), '' for anything else."""
    return str(node.tag).removeprefix(_TAGS) if isinstance(node, ScalarNode) else ""

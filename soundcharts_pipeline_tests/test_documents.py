"""What is written for people is held to the code: links, names of files and functions, variables, the rooms."""

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from ruamel.yaml import YAML

from soundcharts_pipeline.config.environment import PACKAGE_FOLDER, read_environment
from soundcharts_pipeline_tests.support.llms import FILE, llms_text
from soundcharts_pipeline_tests.test_layers import ALLOWED, GROUND

PROJECT = PACKAGE_FOLDER.parent
DOCS = PROJECT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
DOCUMENTS = [*sorted(PROJECT.glob("*.md")), *PAGES, PROJECT / "benchmarks" / "README.md"]
# Those that tell how the code is made, and name its parts.
ABOUT_CODE = [
    *(PROJECT / name for name in ("CONTRIBUTING.md", "SECURITY.md")),
    *(DOCS / name for name in ("architecture.md", "glossary.md")),
    *sorted((DOCS / "decisions").glob("*.md")),
]
CHARTERS = sorted(PACKAGE_FOLDER.rglob("__init__.py"))
# A file or a folder.
PATH = re.compile(r"`([\w.][\w./-]*(?:/|\.(?:py|md|yml|lock|txt|yaml|example)))`")
LINK = re.compile(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"")
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
# What the user's own data directory, and a build, hold.
MADE = {"reports/", "site/"}
# `one` or `one`, `two` and `three`, in `path/of/file.py`.
NAMED_IN = re.compile(r"((?:`\w+`(?:, | and | or )?)+) (?:in|of)\s`([\w/]+\.py)`")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts and the site make them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", _text(path)), re.MULTILINE)
    plain = (re.sub(r"\[(.*?)\]\(.*?\)|`", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w -]", "", heading.lower().strip()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_link_leads_to_a_file_that_is_there_and_to_a_heading_of_it(document: Path) -> None:
    targets = ["".join(found) for found in LINK.findall(FENCE.sub("", _text(document)))]
    assert [target for target in targets if not _leads_somewhere(document, target)] == []


def _leads_somewhere(document: Path, target: str) -> bool:
    if re.match(r"[a-z]+:", target):
        return True
    path, _, anchor = target.partition("#")
    file = (document.parent / unquote(path)).resolve() if path else document
    # The site has the pages alone.
    inside = document not in PAGES or DOCS in file.parents
    return inside and file.exists() and (not anchor or anchor in _anchors(file))


def test_every_page_stands_in_the_index_and_on_the_site() -> None:
    indexes = [DOCS / "README.md", DOCS / "decisions" / "README.md"]
    linked = {(index.parent / link).resolve() for index in indexes for link in re.findall(r"\]\((.+?)\)", _text(index))}
    assert linked == {*PAGES} - {DOCS / "README.md"}
    on_site = re.findall(r"- (\S+\.md)$", _text(PROJECT / "mkdocs.yml"), re.MULTILINE)
    assert sorted(on_site) == sorted(str(page.relative_to(DOCS)) for page in PAGES)


@pytest.mark.parametrize("document", [*ABOUT_CODE, *CHARTERS], ids=lambda path: str(path.relative_to(PROJECT)))
def test_files_and_names_that_are_told_of_are_there(document: Path) -> None:
    text = _text(document)
    places = [PACKAGE_FOLDER, PROJECT]
    if document in CHARTERS:
        text = ast.get_docstring(ast.parse(text)) or ""
        places.insert(0, document.parent)
    missing = [path for path in PATH.findall(FENCE.sub("", text)) if path not in MADE and not _found(path, places)]
    for names, path in NAMED_IN.findall(" ".join(text.split())):
        file = _found(path, places)
        missing += [
            f"{name} in {path}" for name in re.findall(r"`(\w+)`", names) if file and name not in _defined(file)
        ]
    assert missing == []


def _found(path: str, places: Iterable[Path]) -> Path | None:
    return next((place / path for place in places if (place / path).exists()), None)


@cache
def _defined(file: Path) -> set[str]:
    """Names of functions, classes, constants and fields, at whatever level."""
    found = set()
    for node in ast.walk(ast.parse(_text(file))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def test_every_room_has_a_charter() -> None:
    silent = [path for path in CHARTERS if len((ast.get_docstring(ast.parse(_text(path))) or "").splitlines()) < 3]
    assert [str(path.parent.relative_to(PACKAGE_FOLDER)) for path in silent] == [".", "storage/migrations/versions"]


def test_the_picture_of_rooms_is_what_imports_are_held_to() -> None:
    text = _text(DOCS / "architecture.md")
    _, _, table = text.partition("| room | may import, beside itself |\n|---|---|\n")
    told: dict[str, set[str]] = {}
    for rooms, below in re.findall(r"^\| (.+) \| (.+) \|$", table.partition("\n\n")[0], re.MULTILINE):
        ground = GROUND if below.endswith("the ground") else set()
        told |= {room: {*re.findall(r"`(\w+)`", below), *ground} for room in re.findall(r"`(\w+)`", rooms)}
    assert told == ALLOWED

    picture = text.partition("flowchart TD")[2].partition("```")[0]
    arrows: dict[str, set[str]] = {}
    for upper, lower in re.findall(r"(\w+)(?:\[.*?\])? --> (\w+)", picture):
        arrows.setdefault(upper, set()).add(lower)
    allowed = {room: {"ground" if one in GROUND else one for one in below} for room, below in ALLOWED.items()}
    drawn = {room: below for room, below in arrows.items() if room != "cli"}
    assert {room: below - allowed[room] for room, below in drawn.items() if below - allowed[room]} == {}
    for room in allowed.keys() - GROUND:
        assert allowed[room] <= _below(room, arrows), room


def _below(room: str, arrows: dict[str, set[str]]) -> set[str]:
    return {one for lower in arrows.get(room, ()) for one in (lower, *_below(lower, arrows))}


def _variables_read() -> set[str]:
    tree = ast.parse(_text(PACKAGE_FOLDER / "config" / "environment.py"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if re.fullmatch(r"SOUNDCHARTS_[A-Z_]+|DAGSTER_HOME", text)}


def test_the_example_has_every_variable_with_its_default() -> None:
    lines = re.findall(r"^#?([A-Z_]+)=(.*)$", _text(PROJECT / ".env.example"), re.MULTILINE)
    assert sorted(name for name, _ in lines) == sorted(_variables_read())

    unset, written = (read_environment(environ, current_folder=PROJECT) for environ in ({}, dict(lines)))
    assert written == unset


def test_every_variable_is_listed_for_users() -> None:
    listed = re.findall(r"`(SOUNDCHARTS_[A-Z_]+|DAGSTER_HOME)`", _text(DOCS / "settings.md"))
    # Tests and demonstrations set this one, which docs/api.md tells.
    assert {*listed, "SOUNDCHARTS_NOW"} == _variables_read()


def test_the_list_for_assistants_is_made_of_the_index() -> None:
    """After a change of docs/README.md: `python -m soundcharts_pipeline_tests.support.llms`."""
    assert _text(FILE) == llms_text()


def test_the_hooks_are_those_of_the_check() -> None:
    hooks = YAML(typ="safe").load(_text(PROJECT / ".pre-commit-config.yaml"))["repos"][0]["hooks"]
    tools = {hook["entry"].split()[0].rpartition("/")[2] for hook in hooks}
    assert tools == {*re.findall(r"\$\(BIN\)/(ruff|mypy)", _text(PROJECT / "Makefile"))}


def test_no_lock_names_a_registry() -> None:
    assert [path.name for path in PROJECT.glob("*.lock") if re.search(r"https?://|index-url", _text(path))] == []

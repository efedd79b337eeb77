"""Every command of Dagster that is written down, for people or machines: it is there, and no newer one replaces it."""

import re
from pathlib import Path

import click
import pytest
from dagster._annotations import is_superseded
from dagster._cli import create_dagster_cli
from dagster_dg_cli.cli import create_dg_cli

from soundcharts_pipeline.config.environment import PACKAGE_FOLDER

PROJECT = PACKAGE_FOLDER.parent
# Of text and code, what is marked as a command: code of a page, a program's path, the words of a list.
MARKED = re.compile(r"(?:^|CMD |[`/])(dagster|dg) ((?:[a-z][a-z-]*(?: |$|(?=`)))+)", re.MULTILINE)
FOLDERS = ("docs", "deploy", ".ci", "benchmarks", PACKAGE_FOLDER.name)
FILES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile", ".env.example", "dagster.yaml", "charts.yaml")
PROGRAMS = {"dagster": create_dagster_cli(), "dg": create_dg_cli()}  # type: ignore[no-untyped-call]


def _texts() -> dict[Path, str]:
    files = [PROJECT / name for name in FILES]
    files += [path for folder in FOLDERS for path in sorted((PROJECT / folder).rglob("*")) if path.is_file()]
    readable = [path for path in files if path.suffix not in (".png", ".pyc")]
    return {path: path.read_text(encoding="utf-8") for path in readable}


def commands(text: str) -> set[tuple[str, str]]:
    """Program and words of each command; those of a list in YAML are joined."""
    words = re.sub(r'", "', " ", text).replace('["', "`")
    return {(program, rest.strip()) for program, rest in MARKED.findall(words)}


# What follows them is the type of a component, which a project knows.
TAKE_A_COMPONENT = {("dg", "scaffold defs")}
NAMED = sorted({command for text in _texts().values() for command in commands(text)})


def _resolved(program: str, words: str) -> click.Command:
    """The command that the words name; those after it are its arguments."""
    found: click.Command = PROGRAMS[program]
    with click.Context(found) as context:
        for word in words.split():
            if not isinstance(found, click.Group):
                break
            inner = found.get_command(context, word)
            assert inner, f"`{program} {words}` is no command"
            found = inner
    return found


@pytest.mark.parametrize("command", NAMED, ids=" ".join)
def test_a_command_that_is_named_is_there_and_current(command: tuple[str, str]) -> None:
    found = _resolved(*command)
    assert not isinstance(found, click.Group) or command in TAKE_A_COMPONENT, "an incomplete command"
    assert not is_superseded(found.callback)


def test_commands_are_found_where_they_are_written() -> None:
    assert {
        ("dg", "check defs"),  # Makefile
        ("dg", "launch"),  # a page
        ("dagster", "api grpc-health-check"),  # a list of compose.yaml
        ("dagster", "code-server start"),  # a unit of systemd
    } <= set(NAMED)


@pytest.mark.parametrize("words", ["dev", "definitions validate", "asset materialize", "job execute"])
def test_a_superseded_command_is_known_as_such(words: str) -> None:
    assert is_superseded(_resolved("dagster", words).callback)

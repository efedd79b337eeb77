"""Imports point one way, and Dagster is known in few places: read from the import statements of every module."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import soundcharts_pipeline

PACKAGE = soundcharts_pipeline.__name__
FOLDER = Path(soundcharts_pipeline.__file__).parent
MODULES = sorted(".".join(path.relative_to(FOLDER).with_suffix("").parts) for path in FOLDER.rglob("*.py"))

GROUND = {"clock", "errors", "models", "remedies", "troubleshooting", "wording"}
DATA = {"api", "storage", "config", *GROUND}
# What each room may import of ours, beside itself; from the bottom up. `cli` may import everything.
ALLOWED: dict[str, set[str]] = {
    **{module: set() for module in GROUND},
    "troubleshooting": {"remedies"},
    "config": GROUND,
    "api": {"clock", "errors", "models", "wording"},
    "simulator": {"clock", "models"},
    "storage": {"clock", "errors", "models", "wording"},
    "reports": {"storage", *GROUND},
    "analysis": {"storage", "config", *GROUND},
    "sync": DATA,
    "orchestration": {"sync", "reports", "analysis", *DATA},
    "monitoring": {"orchestration", "storage", "config", *GROUND},
    "embedding": {"orchestration", "monitoring", "storage", "config", *GROUND},
    "definitions": {"embedding"},
    "admin": {"monitoring", "orchestration", "sync", "reports", "analysis", *DATA},
}
# `config.cron` asks Dagster for the ticks of a schedule when somebody needs them; it imports nothing of it on load.
KNOW_DAGSTER = {"orchestration", "monitoring", "embedding", "definitions", "cli.run_in_process", "config.cron"}

TAKE_INTERNALS = {
    "orchestration.dagster_internals",
    "orchestration.daemon",
    "orchestration.dagster_program",
    "config.cron",
}


@pytest.mark.parametrize("module", MODULES)
def test_a_room_imports_what_is_below_it(module: str) -> None:
    room = _room(module)
    if room in ALLOWED:
        found = {_room(name) for name in _imports(module) if name}
        assert found - {room} <= ALLOWED[room]


@pytest.mark.parametrize("module", MODULES)
def test_dagster_is_imported_by_its_own_rooms_alone(module: str) -> None:
    if not {module, _room(module)} & KNOW_DAGSTER:
        assert not [name for name in _all_imports(module) if name.split(".")[0].startswith("dagster")]


@pytest.mark.parametrize("module", MODULES)
def test_what_dagster_does_not_promise_is_taken_in_one_place(module: str) -> None:
    if module not in TAKE_INTERNALS:
        assert not [name for name in _all_imports(module) if name.startswith(("dagster._", "dagster_shared."))]


def test_nothing_stands_loose_at_the_root() -> None:
    loose = {module for module in MODULES if "." not in module}
    assert loose == {"__init__", "__main__", "definitions", *GROUND}
    assert {_room(module) for module in MODULES} - loose == {*ALLOWED, "cli"} - loose


def _room(module: str) -> str:
    return module.split(".")[0]


def _imports(module: str) -> Iterator[str]:
    """Names of our modules, without the package."""
    for name in _all_imports(module):
        if name.startswith(f"{PACKAGE}."):
            yield name.removeprefix(f"{PACKAGE}.")


def _all_imports(module: str) -> Iterator[str]:
    """Names of modules, of imports inside functions too."""
    path = FOLDER / f"{module.replace('.', '/')}.py"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module

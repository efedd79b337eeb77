"""Imports point one way, and Dagster is known in few places: read from the import statements of every module."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import soundcharts_pipeline

PACKAGE = soundcharts_pipeline.__name__
FOLDER = Path(soundcharts_pipeline.__file__).parent
MODULES = sorted(".".join(path.relative_to(FOLDER).with_suffix("").parts) for path in FOLDER.rglob("*.py"))

# What each room may import of ours. A room that is not named here may import everything.
ALLOWED = {
    "models": set(),
    "processes": set(),
    "yaml_nodes": set(),
    "cron": set(),
    "value_readers": {"cron", "yaml_nodes"},
    "housekeeping": {"value_readers", "yaml_nodes"},
    "settings": {"cron", "housekeeping", "value_readers", "yaml_nodes"},
    "charts_file": {"settings", "yaml_nodes"},
    "environment": {"settings"},
    "api": {"api", "models"},
    "storage": {"storage", "models", "processes"},
    "sync": {"sync", "api", "storage", "models", "settings"},
    "simulator": {"simulator", "models"},
    "analysis": {"analysis", "storage", "models", "environment"},
    "reports": {"reports", "storage", "models"},
    "cascade": {"settings"},
    "partitions": {"settings"},
    "troubleshooting": set(),
    "failures": {"api", "storage", "sync", "settings", "troubleshooting"},
    "notifications": {"storage", "troubleshooting"},
    "account": {"api", "environment", "storage"},
    "resources": {"account", "api", "dead_runs", "storage", "environment"},
    "dead_runs": {"partitions", "processes", "storage"},
    "run_requests": {"partitions", "troubleshooting"},
    "health": set(),
    "task_progress": {"health"},
    "chart_facts": {"cascade", "cron", "health", "settings", "storage"},
    "supervisor": {"settings"},
    "sparklines": set(),
    "figures": {"figures", "sparklines"},
    "drawings": {"figures", "sparklines", "storage"},
}
KNOW_DAGSTER = {
    *("assets", "checks", "definitions", "failures", "freshness", "jobs", "launch", "partitions", "resources"),
    *("alerts", "dead_runs", "news", "run_facts", "run_requests", "schedules", "sensors"),
}
# Only the composition root and the edges may see the rooms that Dagster loads.
LOADED_BY_DAGSTER = {"alerts", "news", "assets", "checks", "jobs", "schedules", "sensors", "freshness"}
MAY_SEE_THEM = LOADED_BY_DAGSTER | {"definitions", "launch", "admin"}


def _room(module: str) -> str:
    return module.partition(".")[0]


def _imports(module: str) -> Iterator[str]:
    """Full names of everything that the module imports, inside functions too."""
    path = FOLDER.joinpath(*module.split(".")).with_suffix(".py")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively, in line {node.lineno}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _rooms_imported(module: str) -> set[str]:
    return {name.split(".")[1] for name in _imports(module) if name.startswith(f"{PACKAGE}.")}


@pytest.mark.parametrize("module", [module for module in MODULES if _room(module) in ALLOWED])
def test_a_module_imports_only_what_lies_below_it(module: str) -> None:
    assert _rooms_imported(module) <= ALLOWED[_room(module)]


@pytest.mark.parametrize("module", [module for module in MODULES if _room(module) not in KNOW_DAGSTER])
def test_dagster_is_imported_by_its_own_layer_alone(module: str) -> None:
    assert not [name for name in _imports(module) if _room(name).startswith("dagster")]


@pytest.mark.parametrize("module", [module for module in MODULES if _room(module) not in MAY_SEE_THEM])
def test_nothing_below_sees_what_dagster_loads(module: str) -> None:
    # The names of jobs are words of the command line too.
    assert _rooms_imported(module) & LOADED_BY_DAGSTER <= {"jobs"}


def test_every_room_that_is_ruled_exists() -> None:
    rooms = {_room(module) for module in MODULES}
    assert ALLOWED.keys() <= rooms
    assert rooms >= KNOW_DAGSTER

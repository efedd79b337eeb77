"""No test depends on the day on which it runs: each simulator is given its day, and the machine's clock is read only
where it is what a test is about."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FILES = sorted(str(path.relative_to(TESTS)) for path in TESTS.rglob("*.py"))
# Dagster stamps its records by the machine's clock, and so do locks of processes that are at work at once.
MACHINES_CLOCK = {
    *("admin/test_serve.py", "simulator/test_world.py", "storage/gate_users.py", "monitoring/test_alerts.py"),
    *(
        "orchestration/test_dead_runs.py",
        "orchestration/test_healing.py",
        "orchestration/test_pruning.py",
        "orchestration/test_run_requests.py",
        "orchestration/test_stops.py",
    ),
    *(
        "orchestration/test_failed_days.py",
        "admin/dagster_ui.py",
        "orchestration/test_dagster_home.py",
        "monitoring/test_many_runs.py",
    ),
}
CLOCKS = {("datetime", "now"), ("date", "today"), ("datetime", "today"), ("datetime", "utcnow"), ("time", "time")}


def _calls(file: str) -> Iterator[ast.Call]:
    tree = ast.parse((TESTS / file).read_text())
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


@pytest.mark.parametrize("file", FILES)
def test_every_simulator_is_given_its_day(file: str) -> None:
    for call in _calls(file):
        if isinstance(call.func, ast.Name) and call.func.id == "Simulator":
            named = {keyword.arg for keyword in call.keywords}
            # Settings that are handed over in one name the day, too; what is refused needs none.
            assert named & {"today", None} or named == {"oddities"}, f"line {call.lineno}: Simulator(today=TODAY, ...)"


@pytest.mark.parametrize("file", sorted(set(FILES) - MACHINES_CLOCK))
def test_the_machines_clock_is_not_read(file: str) -> None:
    for call in _calls(file):
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            read = (call.func.value.id, call.func.attr)
            assert read not in CLOCKS, (
                f"line {call.lineno}: take TODAY or noon(day) of soundcharts_pipeline_tests.support.today"
            )

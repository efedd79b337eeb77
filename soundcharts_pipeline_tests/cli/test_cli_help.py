"""Every command explains itself, with an example that one may copy."""

import os
import re

import pytest

from soundcharts_pipeline_tests.support.command_line import Done, run, run_each

COMMANDS = [
    "",
    *("demo", "init", "simulate", "plan", "sync", "backfill", "dev", "doctor", "notify-test", "serve", "status"),
    *("export", "archive", "restore-archive", "backup", "restore", "report", "catalog", "migrate", "prune"),
    *("charts", "charts list", "charts search", "charts add", "charts remove"),
]


@pytest.fixture(scope="module")
def pages() -> dict[str, Done]:
    """What `--help` of every command prints."""
    environ = {**os.environ, "COLUMNS": "80"}
    return run_each({command: (environ, [*command.split(), "--help"]) for command in COMMANDS})


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_of_options_that_exist(pages: dict[str, Done], command: str) -> None:
    done = pages[command]

    assert done.code == 0
    example = re.search(r"Example: (soundcharts-pipeline .*)", done.out)
    assert example is not None
    assert example[1].startswith(f"soundcharts-pipeline {command}".strip())
    for option in re.findall(r"--[a-z-]+", example[1]):
        assert re.search(rf"│ (\*? *){option} ", done.out)


def test_help_names_the_exit_codes(pages: dict[str, Done]) -> None:
    assert pages[""].says("0 ok", "1 failed", "2 bad use", "3 credentials", "4 quota, budget or rate limit")
    assert pages[""].says("130 Ctrl-C", "143 SIGTERM", "129 a terminal that is closed")
    assert pages["init"].says("Without --force nothing that is there is replaced")


def test_a_command_that_does_not_exist_is_bad_use() -> None:
    done = run(os.environ, "snyc")

    assert done.code == 2
    assert done.says("No such command 'snyc'", "--help")

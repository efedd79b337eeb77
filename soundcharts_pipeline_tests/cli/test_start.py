"""What a command loads before it does anything: held by the modules of a process, for seconds are the machine's."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from soundcharts_pipeline_tests.support.command_line import CHARTS, with_charts
from soundcharts_pipeline_tests.support.helpers import SLUG

# Runs the command, and says last on standard error which modules it has loaded.
LOADING = """\
import json, runpy, sys
try:
    runpy.run_module("soundcharts_pipeline", run_name="__main__", alter_sys=True)
finally:
    sys.stderr.write("\\n" + json.dumps(sorted(sys.modules)))
"""
ASKING = {"requests", "soundcharts_pipeline.api.client", "soundcharts_pipeline.api.payloads"}
WRITING = {"xlsxwriter", "openpyxl"}
FRAMES = {"pandas", "pyarrow"}
HEAVY = {"dagster", "sqlalchemy", *FRAMES, *ASKING, *WRITING}


@pytest.fixture
def environ(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The user's environment, with charts that have a workbook."""
    return with_charts(environ, tmp_path, CHARTS.replace("report: false", "report: true"))


def loaded(environ: Mapping[str, str], *arguments: str) -> set[str]:
    """The modules of a process that ran the command."""
    done = subprocess.run(
        [sys.executable, "-c", LOADING, *arguments], env=environ, capture_output=True, text=True, check=False
    )
    modules = set(json.loads(done.stderr.splitlines()[-1]))
    assert "soundcharts_pipeline.cli.main" in modules
    return modules


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["charts", "--help"], ["sync", "--help"], ["export", "--help"], ["charts", "list"], ["snyc"]],
    ids=" ".join,
)
def test_help_the_list_of_charts_and_bad_use_load_nothing_heavy(environ: dict[str, str], arguments: list[str]) -> None:
    assert not HEAVY & loaded(environ, *arguments)


def test_status_reads_and_does_not_load_what_asks(environ: dict[str, str]) -> None:
    modules = loaded(environ, "status")

    assert {"dagster", "sqlalchemy"} <= modules
    assert not {*FRAMES, *ASKING, *WRITING} & modules


def test_a_run_loads_no_pandas_and_one_that_changes_nothing_no_writer_of_workbooks(environ: dict[str, str]) -> None:
    first = loaded(environ, "sync", SLUG)
    assert "xlsxwriter" in first
    assert not {"openpyxl", *FRAMES} & first

    again = loaded(environ, "sync", SLUG)

    assert "soundcharts_pipeline.reports.workbook.report" in again
    assert not (WRITING | FRAMES) & again

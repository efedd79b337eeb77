"""The example notebook runs from top to bottom on a warehouse that was filled as everybody's is."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import soundcharts_pipeline
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade, small_chart

NOTEBOOK = Path(soundcharts_pipeline.__file__).parents[1] / "docs" / "analysis.ipynb"


def test_every_cell_runs_in_order_and_the_last_ones_show_rows(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    warehouse = Warehouse(read_environment(environ).database_url)
    run_cascade(new_context(simulator, warehouse), small_chart(), last_days(simulator, SLUG, 3))
    warehouse.close()
    found: dict[str, Any] = {}
    for cell in cells("code"):
        exec(compile("".join(cell["source"]), NOTEBOOK.name, "exec"), found)  # noqa: S102
    assert found["slug"] == SLUG
    for name in ("movers", "trends", "streams", "daily", "cities"):
        assert isinstance(found[name], pd.DataFrame)
        assert not found[name].empty, name


def test_the_notebook_is_kept_without_results() -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells("code"))


def cells(kind: str) -> list[dict[str, Any]]:
    notebook = json.loads(NOTEBOOK.read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]

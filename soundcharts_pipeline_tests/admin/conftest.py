"""The internal API and its pages over an empty warehouse, with no Dagster there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from soundcharts_pipeline_tests.admin.site import Client, serving
from soundcharts_pipeline_tests.command_line import CHARTS


@pytest.fixture(scope="module")
def charts_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("admin") / "charts.yaml"
    path.write_text(CHARTS)
    return path


@pytest.fixture(scope="module")
def client(charts_file: Path) -> Iterator[Client]:
    with serving(charts_file, f"sqlite:///{charts_file.parent}/soundcharts.db") as client:
        yield client

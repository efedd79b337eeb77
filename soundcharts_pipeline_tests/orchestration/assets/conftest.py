"""A whole project on one simulator."""

from collections.abc import Iterator

import pytest

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.support.project import Project, open_project


@pytest.fixture
def project(simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with open_project(simulator, environ, monkeypatch) as project:
        yield project

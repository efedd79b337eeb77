"""The internal API and its pages over an empty warehouse and over a filled one, with no Dagster there."""

import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from soundcharts_pipeline_tests.admin.filled import Filled, fill
from soundcharts_pipeline_tests.admin.running import Site
from soundcharts_pipeline_tests.admin.site import Client, serving
from soundcharts_pipeline_tests.admin.visitor import Visitor, visiting
from soundcharts_pipeline_tests.support.command_line import CHARTS


@pytest.fixture(scope="module")
def charts_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("admin") / "charts.yaml"
    path.write_text(CHARTS)
    return path


@pytest.fixture(scope="module")
def client(charts_file: Path) -> Iterator[Client]:
    with serving(charts_file, f"sqlite:///{charts_file.parent}/soundcharts.db") as client:
        yield client


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return fill(tmp_path_factory.mktemp("entities"))


@pytest.fixture(scope="module")
def visitor(filled: Filled) -> Iterator[Visitor]:
    with serving(filled.charts, filled.database_url) as client, visiting(client.url) as visitor:
        yield visitor


@pytest.fixture(autouse=True)
def _serve_is_told(request: pytest.FixtureRequest) -> Iterator[None]:
    """What `serve` says during a test stands below its failure."""
    site = request.getfixturevalue("site") if "site" in request.fixturenames else None
    with site.telling() if isinstance(site, Site) else nullcontext():
        yield


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "chromium is not installed: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()

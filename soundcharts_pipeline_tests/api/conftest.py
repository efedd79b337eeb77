"""One simulator for questions that change nothing, and a maker of fresh ones for those that do."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from typing import Any

import pytest

from soundcharts_pipeline.api.remarks import Remarks
from soundcharts_pipeline.simulator import Simulator

from .calling import APP, CLIENT

TODAY = date(2026, 11, 21)

Simulate = Callable[..., Simulator]


@pytest.fixture(scope="session")
def sim() -> Iterator[Simulator]:
    with Simulator(today=TODAY, app=APP, client=CLIENT) as simulator:
        yield simulator


@pytest.fixture
def simulate() -> Iterator[Simulate]:
    with ExitStack() as running:

        def start(**settings: Any) -> Simulator:
            return running.enter_context(Simulator(**{"today": TODAY, "app": APP, "client": CLIENT, **settings}))

        yield start


@pytest.fixture
def unremarked() -> Iterator[Remarks]:
    """Remarks of a test in which there must be none."""
    remarks = Remarks()
    yield remarks
    assert remarks.drain() == []

"""One simulator for questions that change nothing, and a maker of fresh ones for those that do."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from typing import Any

import pytest

from soundcharts_pipeline.simulator import Simulator

from .asking import Api

TODAY = date(2026, 11, 21)

Simulate = Callable[..., tuple[Simulator, Api]]


@pytest.fixture(scope="session")
def sim() -> Iterator[Simulator]:
    with Simulator(today=TODAY) as simulator:
        yield simulator


@pytest.fixture(scope="session")
def api(sim: Simulator) -> Api:
    return Api(sim)


@pytest.fixture
def simulate() -> Iterator[Simulate]:
    with ExitStack() as running:

        def start(**settings: Any) -> tuple[Simulator, Api]:
            simulator = running.enter_context(Simulator(**{"today": TODAY, "slow": 0.2, **settings}))
            return simulator, Api(simulator)

        yield start

"""A run that is killed with -9 in the middle of each step costs no more than the calls that were in flight."""

import subprocess
import threading
from collections.abc import Callable

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days
from soundcharts_pipeline_tests.support.today import TODAY
from soundcharts_pipeline_tests.support.truth import expected, stored
from soundcharts_pipeline_tests.sync.one_run import IN_FLIGHT, command, run_chart

# Somewhere in the middle of each step, in the order of the cascade: the endpoint, and how many calls of it have come.
MIDDLES = [
    ("ranking", 1),
    ("track", 3),
    ("track_audience", 25),
    ("track_broadcasts", 25),
    ("artist", 3),
    ("artist_streaming", 20),
    ("artist_followers", 60),
]


def test_killed_in_each_step_a_run_resumes_and_repeats_only_what_was_in_flight(database_url: str) -> None:
    chart = run_chart()
    with Simulator(today=TODAY, latency=0.05) as simulator:
        days = last_days(simulator, SLUG, 1)
        run = command(simulator, database_url, SLUG, days)
        repeated = 0
        for endpoint, calls in MIDDLES:
            process = subprocess.Popen(run)
            _until(lambda e=endpoint, n=calls: simulator.counters.calls.get(e, 0) >= n, process)  # type: ignore[misc]
            process.kill()
            process.wait()
            _until(lambda: simulator.counters.in_flight == 0, None)
            repeated, before = simulator.counters.repeats, repeated
            assert repeated - before <= IN_FLIGHT, f"killed in {endpoint}"
        assert subprocess.run(run).returncode == 0
        assert simulator.counters.repeats - repeated <= IN_FLIGHT
        warehouse = Warehouse(database_url)
        assert stored(warehouse) == expected(simulator.world, chart, days)
        warehouse.close()


def _until(reached: Callable[[], bool], process: subprocess.Popen[bytes] | None) -> None:
    """Wait for the simulator to get there; a process that ends before it does has failed the test."""
    pause = threading.Event()
    while not reached():
        assert process is None or process.poll() is None, "the run ended before it could be killed"
        pause.wait(0.02)

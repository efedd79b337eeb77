"""A database server that is away for a while in the middle of a run: nothing that was paid for is lost."""

import os
import signal
import threading
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import Engine, event, select

from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.errors import StorageUnavailable
from soundcharts_pipeline.storage.tables import bookkeeping
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.account import open_client
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline_tests.support.away import away
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.truth import expected, stored

# For a test that hangs; no promise.
LONGEST_SECONDS = 120.0
# More than one try for each answer that is to be saved, and fewer than a wait of that length makes.
MANY_TRIES = 10
SAID = f"is away: waiting for it, up to {LONGEST_SECONDS:.0f} s"


def test_a_server_that_comes_back_costs_no_answer_and_no_run(
    simulator: Simulator, environ: dict[str, str], postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    chart, days = small_chart(), last_days(simulator, SLUG, 1)
    simulator.set(latency=0.05)
    with closing(Warehouse(postgres_url, patience=LONGEST_SECONDS)) as warehouse:
        ctx = _with_gate(simulator, environ, warehouse)
        with away(simulator, postgres_url, until=lambda: SAID in caplog.text):
            run_cascade(ctx, chart, days)
        assert stored(warehouse) == expected(simulator.world, chart, days)
        usage = bookkeeping.api_usage
        with warehouse.read() as conn:
            counted = sum(conn.scalars(select(usage.c.calls)))
            assert list(conn.scalars(select(bookkeeping.claims.c.subject))) == []
    counters = simulator.counters
    assert (counters.repeats, counters.questions) == (0, counters.total)
    assert counted == counters.total


def test_a_server_that_stays_away_ends_the_run_with_its_name(
    simulator: Simulator, environ: dict[str, str], postgres_url: str
) -> None:
    simulator.set(latency=0.05)
    with (
        closing(Warehouse(postgres_url)) as warehouse,
        away(simulator, postgres_url, until=lambda: False),
        pytest.raises(StorageUnavailable, match="cannot reach PostgreSQL"),
    ):
        run_cascade(_with_gate(simulator, environ, warehouse), small_chart(), last_days(simulator, SLUG, 1))


def test_a_run_that_is_interrupted_waits_for_no_server(
    simulator: Simulator, environ: dict[str, str], postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    tried: list[int] = []

    def interrupted_and_waiting() -> bool:
        if SAID in caplog.text and not tried:
            tried.append(0)
            os.kill(os.getpid(), signal.SIGINT)
        return len(tried) > MANY_TRIES

    def count_of_main(*_: object) -> None:
        if tried and threading.current_thread() is threading.main_thread():  # the others do not wait
            tried.append(1)

    simulator.set(latency=0.05)
    with closing(Warehouse(postgres_url, patience=LONGEST_SECONDS)) as warehouse:
        ctx = _with_gate(simulator, environ, warehouse)
        event.listen(Engine, "do_connect", count_of_main)
        with away(simulator, postgres_url, until=interrupted_and_waiting), pytest.raises(KeyboardInterrupt):
            run_cascade(ctx, small_chart(), last_days(simulator, SLUG, 1))
        event.remove(Engine, "do_connect", count_of_main)
    assert 0 < len(tried) <= MANY_TRIES


def _with_gate(simulator: Simulator, environ: dict[str, str], warehouse: Warehouse) -> SyncContext:
    """As runs work: their calls are counted in the database."""
    client = open_client(read_environment(environ), warehouse=warehouse)
    return replace(new_context(simulator, warehouse), client=client, calls_before=0)

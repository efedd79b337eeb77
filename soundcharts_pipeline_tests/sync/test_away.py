"""A database server that is away for a while in the middle of a run: nothing that was paid for is lost."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Engine, create_engine, make_url, select, text

from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.errors import StorageUnavailable
from soundcharts_pipeline.storage.tables import bookkeeping
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.account import open_client
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.truth import expected, stored

# Calls into the audience of the tracks of the chart.
IN_THE_MIDDLE = 60
# For a test that hangs; no promise.
LONGEST_SECONDS = 120.0
SAID = f"is away: waiting for it, up to {LONGEST_SECONDS:.0f} s"


def test_a_server_that_comes_back_costs_no_answer_and_no_run(
    simulator: Simulator, environ: dict[str, str], postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    chart, days = small_chart(), last_days(simulator, SLUG, 1)
    simulator.set(latency=0.05)
    with closing(Warehouse(postgres_url, patience=LONGEST_SECONDS)) as warehouse:
        ctx = _with_gate(simulator, environ, warehouse)
        with _away(simulator, postgres_url, until=lambda: SAID in caplog.text):
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
        _away(simulator, postgres_url, until=lambda: False),
        pytest.raises(StorageUnavailable, match="cannot reach PostgreSQL"),
    ):
        run_cascade(_with_gate(simulator, environ, warehouse), small_chart(), last_days(simulator, SLUG, 1))


def _with_gate(simulator: Simulator, environ: dict[str, str], warehouse: Warehouse) -> SyncContext:
    """As runs work: their calls are counted in the database."""
    client = open_client(read_environment(environ), warehouse=warehouse)
    return replace(new_context(simulator, warehouse), client=client, calls_before=0)


@contextmanager
def _away(simulator: Simulator, url: str, *, until: Callable[[], bool]) -> Iterator[None]:
    """Away from the middle of the work until then, and until every call that was under way has been answered; at most
    to the end of the block."""
    elsewhere = create_engine(make_url(url).set(database="postgres"), isolation_level="AUTOCOMMIT")
    over = threading.Event()

    def go() -> None:
        _until(over, lambda: simulator.counters.total >= IN_THE_MIDDLE)
        _admit(elsewhere, url, admitted=False)
        _until(over, lambda: simulator.counters.in_flight == 0 and until())
        _admit(elsewhere, url, admitted=True)

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        elsewhere.dispose()


def _until(over: threading.Event, condition: Callable[[], bool]) -> None:
    while not condition() and not over.wait(0.01):
        pass


def _admit(elsewhere: Engine, url: str, *, admitted: bool) -> None:
    """Whether the server lets anybody into the database; nobody is left in it when not."""
    name = make_url(url).database
    with elsewhere.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {admitted}"))
        if not admitted:
            ended = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = :name"
            connection.execute(text(ended), {"name": name})

"""A run's process keeps its lease while it lives, and saves and asks nothing more once the run was ended over it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import dagster as dg
import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.engine import make_url

from soundcharts_pipeline.clock import utc_now
from soundcharts_pipeline.orchestration.dagster_internals import DagsterExecutionInterruptedError
from soundcharts_pipeline.orchestration.dead_runs import fail_dead_runs
from soundcharts_pipeline.orchestration.heartbeat import Heartbeat
from soundcharts_pipeline.orchestration.resources import WarehouseResource
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage import leases
from soundcharts_pipeline.storage.leases import Lengths
from soundcharts_pipeline.storage.tables.bookkeeping import audience_asks, claims
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.orchestration.sensed import small
from soundcharts_pipeline_tests.support.project import Project, open_project

RUN = "run-1"
IN_FLIGHT = 4
OFTEN = Lengths(beat=0.02, lease=5.0, between_looks=0)
# Beats once; what a suspended process looks like from outside.
SILENT = Lengths(beat=3600.0, lease=0.0, between_looks=0)


class Silent(WarehouseResource):
    """A process that takes its lease and is not heard of again."""

    lengths = SILENT


@pytest.fixture
def heartbeat(warehouse: Warehouse) -> Iterator[Heartbeat]:
    with _beating(warehouse, OFTEN) as heartbeat:
        yield heartbeat


@contextmanager
def _beating(warehouse: Warehouse, lengths: Lengths) -> Iterator[Heartbeat]:
    url = warehouse.url.render_as_string(hide_password=False)
    warehouse.prepare()
    heartbeat = Heartbeat(url, RUN, lengths)
    try:
        _until(lambda: _leases(warehouse) != [])
        yield heartbeat
    finally:
        heartbeat.stop()


def _until(reached: Callable[[], bool]) -> None:
    pause = threading.Event()
    while not reached():
        pause.wait(0.02)


def _leases(warehouse: Warehouse) -> list[datetime]:
    """Until when the run is held."""
    with warehouse.beside().read() as conn:
        return list(conn.scalars(select(claims.c.until).where(claims.c.subject.startswith("run/"))))


def _saved(warehouse: Warehouse) -> int:
    with warehouse.read() as conn:
        return conn.scalar(select(func.count()).select_from(audience_asks)) or 0


def _look(warehouse: Warehouse, lengths: Lengths = OFTEN) -> dict[str, str]:
    with warehouse.beside().write() as conn:
        return leases.end_lost(conn, [RUN], lengths, expected={})


def test_a_living_process_is_never_taken_for_dead(warehouse: Warehouse, heartbeat: Heartbeat) -> None:
    [first] = _leases(warehouse)
    looks = []

    def is_a_lease_later() -> bool:
        looks.append(_look(warehouse))
        [now] = _leases(warehouse)
        return (now - first).total_seconds() > 0.5

    _until(is_a_lease_later)
    assert set(map(len, looks)) == {0}
    with warehouse.write() as conn:
        heartbeat.check(conn)


def test_a_run_that_is_over_leaves_nothing_behind(warehouse: Warehouse) -> None:
    before = threading.active_count()
    with _beating(warehouse, OFTEN):
        assert threading.active_count() == before + 1
    assert (_leases(warehouse), threading.active_count()) == ([], before)


def test_a_lease_that_runs_out_while_the_database_is_away_is_renewed_when_it_is_back(
    warehouse: Warehouse, database_url: str
) -> None:
    _look(warehouse)
    with _beating(warehouse, Lengths(beat=0.02, lease=0.2, between_looks=0)):
        with _away(warehouse, database_url) as time:
            over = time() + timedelta(seconds=0.2)
            _until(lambda: time() > over)
        assert _look(warehouse) == {}
        back = _leases(warehouse)
        _until(lambda: _leases(warehouse) > back)
        assert _look(warehouse) == {}


@contextmanager
def _away(warehouse: Warehouse, url: str) -> Iterator[Callable[[], datetime]]:
    """PostgreSQL ends every connection and takes none; of SQLite, somebody else holds the file. Gives its clock."""
    if warehouse.dialect == "sqlite":
        with warehouse.beside().write():
            yield utc_now
        return
    database = make_url(url).database
    engine = create_engine(make_url(url).set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        conn.execute(text(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false"))
        connected = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :database")
        conn.execute(connected, {"database": database})
        yield lambda: conn.execute(select(func.clock_timestamp())).scalar_one()
        conn.execute(text(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true"))
    engine.dispose()


def test_a_process_that_was_cut_off_saves_nothing_once_it_is_back(warehouse: Warehouse) -> None:
    with _beating(warehouse, SILENT) as heartbeat:
        with warehouse.write() as conn:
            heartbeat.check(conn)
        assert [len(_look(warehouse)), len(_look(warehouse))] == [0, 1]
        warehouse.guard = heartbeat.check
        with pytest.raises(DagsterExecutionInterruptedError), warehouse.write() as conn:
            raise AssertionError("a transaction was begun")


@pytest.fixture
def project(
    simulator: Simulator, environ: dict[str, str], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    environ["SOUNDCHARTS_DATABASE_URL"] = database_url
    environ["SOUNDCHARTS_MAX_IN_FLIGHT"] = str(IN_FLIGHT)
    one_call_a_question = small(track_audience_platforms=("spotify",))
    with open_project(
        simulator, environ, monkeypatch, one_call_a_question, resources={"database": Silent()}
    ) as project:
        yield project


def test_a_run_that_was_taken_for_dead_asks_and_saves_no_more_than_was_under_way(project: Project) -> None:
    """A transaction that had begun may end, and what it makes room for is asked."""
    project.simulator.set(latency=0.5)
    found: list[tuple[list[str], int, int]] = []

    def watch() -> None:
        _until(lambda: _saved(project.warehouse) >= 4)
        ended = [fail_dead_runs(project.instance, project.warehouse, SILENT) for _ in range(2)]
        found.append((ended[-1], project.simulator.counters.total, _saved(project.warehouse)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    result = project.run(project.span(1))
    watcher.join()

    [(ended, calls, saved)] = found
    assert ended == [result.run_id]
    run = project.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert (run.status, result.success) == (dg.DagsterRunStatus.FAILURE, False)
    assert project.simulator.counters.total - calls <= IN_FLIGHT
    assert _saved(project.warehouse) - saved <= IN_FLIGHT

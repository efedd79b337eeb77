"""Dagster's connections to PostgreSQL: kept for the next statement, replaced when the server has ended them.
Its engines of SQLite, in which compiled statements are."""

import os
import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import pytest
from dagster_postgres.utils import create_pg_engine
from sqlalchemy import Connection, create_engine, event, text

from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.orchestration import dagster_connections
from soundcharts_pipeline.orchestration.daemon import open_daemons_instance
from soundcharts_pipeline.orchestration.dagster_connections import keep_connections
from soundcharts_pipeline.orchestration.dagster_home import open_instance, prepare_home
from soundcharts_pipeline.orchestration.dagster_internals import POSTGRES_STORAGES
from soundcharts_pipeline.orchestration.resources import WarehouseResource
from soundcharts_pipeline.storage.engine import NETWORK
from soundcharts_pipeline_tests.support.dagster_site import PROJECT


@pytest.fixture
def on_a_server(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Dagster's state on a server, in a process that keeps no connection yet."""
    for name in POSTGRES_STORAGES:
        monkeypatch.setattr(import_module(name), "create_pg_engine", create_pg_engine)
    shutil.copy(PROJECT / "deploy" / "postgres" / "dagster.yaml", tmp_path)
    with patch.dict(os.environ, DAGSTER_HOME=str(tmp_path), DAGSTER_POSTGRES_URL=postgres_url):
        prepare_home(read_environment(os.environ))
        yield


def _answers(instance: dg.DagsterInstance, ask: Callable[[Connection], Any]) -> list[Any]:
    """What is asked of a connection of each of the storages."""
    found = []
    for storage in (instance.run_storage, instance.event_log_storage, instance.schedule_storage):
        connect = getattr(storage, "connect", None) or storage.index_connection  # type: ignore[union-attr]
        with connect() as conn:
            found.append(ask(conn))
    return found


def _processes_of_the_server(instance: dg.DagsterInstance) -> list[int]:
    """Which of the server's processes answers each of the storages."""
    return _answers(instance, lambda conn: conn.scalar(text("SELECT pg_backend_pid()")))


@pytest.mark.usefixtures("on_a_server")
def test_a_server_that_is_gone_without_a_word_is_noticed() -> None:
    with open_instance() as instance:
        told = _answers(instance, lambda conn: conn.connection.dbapi_connection.get_dsn_parameters())  # type: ignore[union-attr]
    for parameters in told:
        assert {name: int(parameters[name]) for name in NETWORK} == NETWORK


@pytest.mark.usefixtures("on_a_server")
def test_a_command_uses_a_connection_again_and_gives_it_back_at_its_end(postgres_url: str) -> None:
    with open_instance() as instance:
        first = _processes_of_the_server(instance)
        assert _processes_of_the_server(instance) == first
    engine = create_engine(postgres_url)
    with engine.connect() as conn:
        left = conn.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(:pids)"), {"pids": first})
    engine.dispose()
    assert left == 0


@pytest.mark.usefixtures("on_a_server")
def test_a_connection_that_the_server_has_ended_is_replaced(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    with open_instance() as instance:
        first = _processes_of_the_server(instance)
        with engine.connect() as conn:
            ended = text("SELECT pg_terminate_backend(pid, 60000) FROM unnest(:pids) pid")
            assert all(conn.scalars(ended, {"pids": [*set(first)]}))
        assert set(_processes_of_the_server(instance)).isdisjoint(first)
    engine.dispose()


@pytest.mark.usefixtures("on_a_server")
def test_every_run_keeps_them_wherever_its_instance_was_opened(tmp_path: Path) -> None:
    with dg.DagsterInstance.get() as instance:
        before = _processes_of_the_server(instance)
        assert _processes_of_the_server(instance) != before

        @dg.op
        def work(database: WarehouseResource) -> None:
            assert database.clock()

        @dg.job(resource_defs={"database": WarehouseResource(database_url=f"sqlite:///{tmp_path}/music.db")})
        def run() -> None:
            work()

        assert run.execute_in_process(instance=instance).success
        first = _processes_of_the_server(instance)
        assert _processes_of_the_server(instance) == first


@pytest.mark.usefixtures("on_a_server")
def test_a_tick_keeps_them_for_the_ticks_after_it() -> None:
    """A code server opens an instance for each."""

    @dg.schedule(job_name="none", cron_schedule="@daily")
    def tick(context: dg.ScheduleEvaluationContext, database: WarehouseResource) -> dg.SkipReason:
        assert database.clock()
        return dg.SkipReason(str(_processes_of_the_server(context.instance)))

    told = []
    for _ in range(2):
        resources = {"database": WarehouseResource()}
        with (
            dg.DagsterInstance.get() as instance,
            dg.build_schedule_context(instance, resources=resources) as context,
        ):
            told.append(tick.evaluate_tick(context).skip_message)
    assert told[0] == told[1]


@pytest.mark.usefixtures("on_a_server")
def test_the_daemon_keeps_them() -> None:
    with open_daemons_instance() as instance:
        first = _processes_of_the_server(instance)
        assert _processes_of_the_server(instance) == first


def test_an_instance_without_a_server_is_left_alone() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        keep_connections(instance)
        assert instance.get_runs_count() == 0


@pytest.mark.usefixtures("on_a_server")
def test_the_catalog_is_asked_once_for_what_is_there_and_again_for_what_is_not(postgres_url: str) -> None:
    with open_instance() as instance:
        storage: Any = instance.event_log_storage
        asked: list[str] = []
        event.listen(storage._engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
        for _ in range(2):
            assert storage.has_table("event_logs")
            assert storage.has_asset_key_col("cached_status_data")
            with storage.index_connection() as conn:
                assert storage._has_asset_key_col_on_connection(conn, "cached_status_data")
        assert len([one for one in asked if "pg_class" in one]) == 2
        assert not storage.has_table("coming")
        engine = create_engine(postgres_url)
        with engine.begin() as conn:
            conn.execute(text("CREATE TABLE coming (id INTEGER)"))
        engine.dispose()
        assert storage.has_table("coming")


def test_on_sqlite_engines_are_kept_and_files_are_not(environ: dict[str, str]) -> None:
    with patch.dict(os.environ, environ):
        prepare_home(read_environment(os.environ))
        with open_instance() as instance:
            first = _answers(instance, lambda conn: conn.engine)
            again = _answers(instance, lambda conn: conn.engine)
            assert [one is other for one, other in zip(first, again, strict=True)] == [True] * 3
            for number in range(2 * dagster_connections.MOST_ENGINES):
                with instance.event_log_storage.run_connection(f"run-{number}") as conn:  # type: ignore[attr-defined]
                    assert conn.scalar(text("SELECT count(*) FROM event_logs")) == 0
            assert len(dagster_connections._engines) <= dagster_connections.MOST_ENGINES
            held = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.exists()]
            assert not [one for one in held if one.startswith(environ["DAGSTER_HOME"])]

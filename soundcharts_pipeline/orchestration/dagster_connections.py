"""Dagster's connections to PostgreSQL and its engines of SQLite are kept, and what its tables are like is remembered.

Dagster makes one for every statement, 560 in a run that asks nothing: half of what such a run takes of a core on
PostgreSQL and most of what the server does for it, a fifth on SQLite (docs/decisions/0028-dagsters-connections.md).
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from soundcharts_pipeline.orchestration.dagster_internals import (
    POSTGRES_STORAGES,
    SQLITE_STORAGES,
    TABLE_QUESTIONS,
)
from soundcharts_pipeline.storage.engine import NETWORK

# More are opened while that many are in use, and closed after it.
KEPT = 6
# Of files of SQLite: every run has one of its own, and a daemon sees them all.
MOST_ENGINES = 16
_engines: dict[tuple[str, str], Engine] = {}


def keep_connections(instance: dg.DagsterInstance) -> None:
    """From now on, for the three storages that are in PostgreSQL, and for those of every instance that the process
    opens after this one: a code server opens one for each tick. A connection that the server has closed meanwhile is
    noticed when it is taken, and replaced. On SQLite the process keeps engines, and with them the statements that they
    have compiled; a file is opened for a statement and closed after it. Calling it again changes nothing."""
    for asked in (instance.event_log_storage, instance.run_storage):
        _remember_tables(asked)
    # None of these names is one that Dagster promises.
    for module in SQLITE_STORAGES:
        setattr(module, "create_engine", _kept_engine)  # noqa: B010
    for storage in _on_a_server(instance):
        for name in POSTGRES_STORAGES:
            if name in sys.modules:
                setattr(sys.modules[name], "create_pg_engine", _kept_engine_of_server)  # noqa: B010
        if isinstance(storage._engine.pool, NullPool):
            storage._engine = _kept_engine_of_server(
                storage.postgres_url, storage._token_provider, isolation_level="AUTOCOMMIT", poolclass=NullPool
            )


def close_connections(instance: dg.DagsterInstance) -> None:
    """Those that are kept; a statement that comes after it opens one again."""
    for storage in _on_a_server(instance):
        storage._engine.dispose()


def _remember_tables(storage: Any) -> None:
    """Which tables and columns there are is asked once, not beside every event: 160 looks into the catalog in a run.
    Only what is there is remembered, for a migration may bring what is not."""
    for name in TABLE_QUESTIONS:
        ask = getattr(storage, name, None)
        if ask and name not in vars(storage):
            setattr(storage, name, _remembered(ask))


def _remembered(ask: Callable[..., bool]) -> Callable[..., bool]:
    known = set()

    def asked(*about: Any) -> bool:
        names = tuple(name for name in about if isinstance(name, str))  # beside a connection, perhaps
        if names not in known and ask(*about):
            known.add(names)
        return names in known

    return asked


def _kept_engine_of_server(url: str, token_provider: Any = None, **options: Any) -> Engine:
    """That of the process, where Dagster asks for one that keeps no connection."""
    # Not needed where nobody has a server.
    from dagster_postgres.utils import create_pg_engine

    if options.get("poolclass") is not NullPool:
        return create_pg_engine(url, token_provider, **options)
    # The one that was given back last is taken first: of those that a busy moment has opened, few are used again.
    pool = {"poolclass": None, "pool_size": KEPT, "max_overflow": -1, "pool_use_lifo": True, "pool_pre_ping": True}
    return _kept((url, "server"), lambda: create_pg_engine(url, token_provider, **options | pool, connect_args=NETWORK))


def _kept_engine(url: str, **options: Any) -> Engine:
    """That of an earlier call with the same options."""
    return _kept((url, repr(sorted(options.items(), key=str))), lambda: create_engine(url, **options))


def _kept(of: tuple[str, str], make: Callable[[], Engine]) -> Engine:
    if of not in _engines and len(_engines) >= MOST_ENGINES:
        _engines.clear()
    return _engines.get(of) or _engines.setdefault(of, make())


def _on_a_server(instance: dg.DagsterInstance) -> Iterator[Any]:
    for storage in (instance.run_storage, instance.event_log_storage, instance.schedule_storage):
        engine = getattr(storage, "_engine", None)
        if isinstance(engine, Engine) and engine.dialect.name == "postgresql":
            yield storage

"""Dagster's connections to PostgreSQL, kept for the next statement.

Dagster opens one for every statement, 560 in a run that asks nothing: half of what such a run takes of a core, and most
of what the server does for it (docs/decisions/0028-dagsters-connections.md).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from sqlalchemy import Engine
from sqlalchemy.pool import NullPool

from soundcharts_pipeline.storage.engine import NETWORK

# More are opened while that many are in use, and closed after it.
KEPT = 2


def keep_connections(instance: dg.DagsterInstance) -> None:
    """From now on, for each of the three storages that is in PostgreSQL. One that the server has closed meanwhile is
    noticed when it is taken, and replaced. Calling it again changes nothing."""
    for storage in _on_a_server(instance):
        if isinstance(storage._engine.pool, NullPool):
            # Not needed where nobody has a server.
            from dagster_postgres.utils import create_pg_engine

            storage._engine = create_pg_engine(
                storage.postgres_url,
                storage._token_provider,
                isolation_level="AUTOCOMMIT",
                pool_size=KEPT,
                max_overflow=-1,
                pool_pre_ping=True,
                connect_args=NETWORK,
            )


def close_connections(instance: dg.DagsterInstance) -> None:
    """Those that are kept; a statement that comes after it opens one again."""
    for storage in _on_a_server(instance):
        storage._engine.dispose()


def _on_a_server(instance: dg.DagsterInstance) -> Iterator[Any]:
    for storage in (instance.run_storage, instance.event_log_storage, instance.schedule_storage):
        engine = getattr(storage, "_engine", None)
        if isinstance(engine, Engine) and engine.dialect.name == "postgresql":
            yield storage

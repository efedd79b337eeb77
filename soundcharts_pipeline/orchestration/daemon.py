"""`python -m soundcharts_pipeline.orchestration.daemon run ...`: `dagster-daemon` that looks for backfills more often,
by the code that the web server shows, and keeps its connections to PostgreSQL.

What somebody launches or cancels in Dagster's UI waits for the daemon's next look. Dagster looks every 30 s and has no
setting for that. It learns of changed code a second or more after the web server; a backfill of a chart that was added
meanwhile, looked at before, would be given up for having partitions that are not there.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import dagster as dg
from dagster._cli.utils import get_instance_for_cli
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.remote_representation.code_location import GrpcServerCodeLocation
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._daemon import backfill, cli, controller

from soundcharts_pipeline.orchestration.dagster_connections import keep_connections
from soundcharts_pipeline.orchestration.dagster_home import PLANNED_AS_ONE

# A look that finds nothing is three queries of an empty list.
LOOK_SECONDS = 5


def look_more_often() -> None:
    """For this process, before its daemon begins."""
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = LOOK_SECONDS


def look_by_current_code() -> None:
    """For this process, before its daemon begins."""
    look = backfill.execute_backfill_iteration

    def load_and_look(workspace: WorkspaceProcessContext, *more: Any, **options: Any) -> Iterable[Any]:
        load_changed_code(workspace)
        yield from look(workspace, *more, **options)

    setattr(backfill, "execute_backfill_iteration", load_and_look)  # noqa: B010  # the loop takes it from there


def load_changed_code(workspace: WorkspaceProcessContext) -> None:
    """What Dagster's own watch of code servers would do in a moment."""
    for name, entry in workspace.create_request_context().get_code_location_entries().items():
        location = entry.code_location
        if not isinstance(location, GrpcServerCodeLocation):
            continue  # not loaded: the watch looks after it
        with suppress(DagsterUserCodeUnreachableError):
            if location.client.get_server_id() != location.server_id:
                workspace.refresh_code_location(name)


@contextmanager
def open_daemons_instance(**options: object) -> Iterator[dg.DagsterInstance]:
    """Dagster's own, with connections that are kept."""
    with get_instance_for_cli(**options) as instance:  # type: ignore[arg-type]
        keep_connections(instance)
        yield instance


if __name__ == "__main__":
    os.environ.setdefault(PLANNED_AS_ONE, "1")
    look_more_often()
    look_by_current_code()
    setattr(cli, "get_instance_for_cli", open_daemons_instance)  # noqa: B010  # the name is not one that it promises
    cli.main()

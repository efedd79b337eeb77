"""`python -m soundcharts_pipeline.orchestration.daemon run ...`: `dagster-daemon` that looks for backfills more often
and keeps its connections to PostgreSQL.

What somebody launches or cancels in Dagster's UI waits for the daemon's next look. Dagster looks every 30 s and has no
setting for that.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster._cli.utils import get_instance_for_cli
from dagster._daemon import cli, controller

from soundcharts_pipeline.orchestration.dagster_connections import keep_connections
from soundcharts_pipeline.orchestration.dagster_home import PLANNED_AS_ONE

# A look that finds nothing is three queries of an empty list.
LOOK_SECONDS = 5


def look_more_often() -> None:
    """For this process, before its daemon begins."""
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = LOOK_SECONDS


@contextmanager
def open_daemons_instance(**options: object) -> Iterator[dg.DagsterInstance]:
    """Dagster's own, with connections that are kept."""
    with get_instance_for_cli(**options) as instance:  # type: ignore[arg-type]
        keep_connections(instance)
        yield instance


if __name__ == "__main__":
    os.environ.setdefault(PLANNED_AS_ONE, "1")
    look_more_often()
    setattr(cli, "get_instance_for_cli", open_daemons_instance)  # noqa: B010  # the name is not one that it promises
    cli.main()

"""`python -m soundcharts_pipeline.orchestration.daemon run ...`: `dagster-daemon` that looks for backfills more often.

What somebody launches or cancels in Dagster's UI waits for the daemon's next look. Dagster looks every 30 s and has no
setting for that.
"""

import os

from dagster._daemon import controller
from dagster._daemon.cli import main

from soundcharts_pipeline.orchestration.dagster_home import PLANNED_AS_ONE

# A look that finds nothing is three queries of an empty list.
LOOK_SECONDS = 5


def look_more_often() -> None:
    """For this process, before its daemon begins."""
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = LOOK_SECONDS


if __name__ == "__main__":
    os.environ.setdefault(PLANNED_AS_ONE, "1")
    look_more_often()
    main()

"""Runs as tasks of Celery, which workers on many hosts take: named by deploy/celery/dagster.yaml."""

from contextlib import suppress

import dagster as dg
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from soundcharts_pipeline.orchestration.dagster_internals import WorkerStatus


class LeasedCeleryRunLauncher(CeleryRunLauncher):
    """Tells a run that waits for a worker from one that a worker has taken and did not begin: its host may be gone.

    Dagster gives both five minutes. One that waits may need hours, and the other is lost.
    """

    def has_taken(self, run: dg.DagsterRun) -> bool:
        """Whether a worker has; False also while Redis is away."""
        with suppress(Exception):  # whatever clients of Redis raise: the next look asks again
            if DAGSTER_CELERY_TASK_ID_TAG in run.tags:
                return self.check_run_worker_health(run).status == WorkerStatus.RUNNING
        return False

"""Runs as tasks of Celery, which workers on many hosts take: named by deploy/celery/dagster.yaml. It needs
`dagster-celery`, which no lock of the runtime has: nothing imports it but Dagster, where that file names it."""

from contextlib import suppress

import dagster as dg
import redis.exceptions
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from kombu.exceptions import OperationalError

from soundcharts_pipeline.orchestration.dagster_internals import CheckRunHealthResult, WorkerStatus
from soundcharts_pipeline.orchestration.leased_launcher import LeftToItsLease


class LeasedCeleryRunLauncher(LeftToItsLease, CeleryRunLauncher):
    """A run that is no task, and one whose task Redis has forgotten, are left to their leases.

    Tells a run that waits for a worker from one that a worker has taken and did not begin, whose host may be gone:
    Dagster gives both five minutes, but one that waits may need hours, and the other is lost.
    """

    taker = "Redis (DAGSTER_CELERY_BROKER)"
    # The last of a subscription to results that Celery has tried to renew; the next one is another.
    away = (OperationalError, redis.exceptions.RedisError, OSError, RuntimeError)

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        if DAGSTER_CELERY_TASK_ID_TAG not in run.tags:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return super().check_run_worker_health(run)

    def has_taken(self, run: dg.DagsterRun) -> bool:
        """Whether a worker has, one too that failed with it before it began, as where Redis was just out of its reach;
        False also while Redis is away."""
        with suppress(Exception):  # whatever clients of Redis raise: the next look asks again
            if DAGSTER_CELERY_TASK_ID_TAG in run.tags:
                return CeleryRunLauncher.check_run_worker_health(self, run).status != WorkerStatus.UNKNOWN
        return False

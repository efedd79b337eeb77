"""Dagster's launcher of runs as Jobs of Kubernetes, for deploy/kubernetes/. It needs `dagster-k8s`, which no lock of
the runtime has: nothing imports it but Dagster, where dagster.yaml names it."""

import dagster as dg
from dagster_k8s import K8sRunLauncher

from soundcharts_pipeline.orchestration.dagster_internals import CheckRunHealthResult, WorkerStatus
from soundcharts_pipeline.orchestration.run_requests import LOST_TAG


class LeasedK8sRunLauncher(K8sRunLauncher):
    """Leaves a run to its lease where Kubernetes knows nothing of it.

    Dagster's run monitoring fails a run that has no Job, as those of `sync` and `backfill` have none, and every run at
    work when the cluster's API fails or is away. A Job that has failed is believed, and its run lost its process: its
    days are requested again at healing's next look, as those of a lease that is over.
    """

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        found: CheckRunHealthResult = super().check_run_worker_health(run)
        if found.status == WorkerStatus.FAILED and run.status == dg.DagsterRunStatus.STARTED:
            self._instance.add_run_tags(run.run_id, {LOST_TAG: "true"})
        return CheckRunHealthResult(WorkerStatus.RUNNING) if found.status == WorkerStatus.UNKNOWN else found

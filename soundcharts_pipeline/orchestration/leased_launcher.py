"""What our launchers for many machines have in common: what they do not know is for a run's lease to say, and a run
that they cannot hand over stays in the queue."""

from typing import ClassVar

import dagster as dg

from soundcharts_pipeline.orchestration.dagster_internals import (
    CheckRunHealthResult,
    DagsterUserCodeUnreachableError,
    LaunchRunContext,
    RunLauncher,
    WorkerStatus,
)
from soundcharts_pipeline.orchestration.run_requests import LOST_TAG


class LeftToItsLease(RunLauncher):
    """Before one of Dagster's launchers: leaves a run to its lease where that launcher knows nothing of it.

    Dagster's run monitoring fails a run that its launcher has not started, as those of `sync` and `backfill`, and every
    run at work when that knows nothing any more. What it knows to have failed is believed, and its run lost its
    process: its days are requested again at healing's next look, as those of a lease that is over.

    Dagster's queue fails each run that its launcher raises for, one after another, but for one whose code cannot be
    reached: that is what it is told while `taker`, which is `away` by these errors, cannot take any. `run_queue` in
    dagster.yaml says how often it tries again.
    """

    taker: ClassVar[str]
    away: ClassVar[tuple[type[Exception], ...]]

    def launch_run(self, context: LaunchRunContext) -> None:
        try:
            super().launch_run(context)  # type: ignore[safe-super]  # of the launcher that comes after
        except self.away as error:
            raise DagsterUserCodeUnreachableError(
                f"{self.taker} cannot be reached ({error}); the run stays in the queue until it can"
            ) from error

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        found = super().check_run_worker_health(run)
        if found.status == WorkerStatus.FAILED and run.status == dg.DagsterRunStatus.STARTED:
            self._instance.add_run_tags(run.run_id, {LOST_TAG: "true"})
        return CheckRunHealthResult(WorkerStatus.RUNNING) if found.status == WorkerStatus.UNKNOWN else found

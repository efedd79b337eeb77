"""Which schedules' last ticks failed. Dagster keeps every tick there was: each schedule is asked about once after it
has ticked, and not at every look."""

from datetime import UTC, datetime, timedelta

from soundcharts_pipeline.admin.state.dagster_client import Dagster, Deployment
from soundcharts_pipeline.monitoring.health import FailedTick

# Dagster gives a tick a minute, and the one whose code server was away another one.
LONGEST_TICK = timedelta(minutes=5)
_AT_FIRST = datetime.min.replace(tzinfo=UTC)


class Ticks:
    """By schedule, as of the last look."""

    def __init__(self) -> None:
        self.failed: dict[str, FailedTick] = {}
        self._next: dict[str, datetime] = {}
        self._due: dict[str, datetime] = {}

    def look(self, dagster: Dagster, deployment: Deployment, now: datetime) -> None:
        """Ask about those that have ticked since. Raises DagsterUnreachable."""
        if deployment.repository is None:
            return
        for schedule, following in deployment.next_ticks.items():
            if self._next.get(schedule) != following:
                self._due[schedule] = self._next.get(schedule, _AT_FIRST)
        self._next = dict(deployment.next_ticks)
        for schedule in {*self._due, *self.failed} - self._next.keys():  # turned off
            self._due.pop(schedule, None)
            self.failed.pop(schedule, None)
        due = {schedule: at for schedule, at in self._due.items() if at <= now}
        ended = dagster.last_ticks(due, deployment.repository) if due else {}
        for schedule, since in due.items():
            at, error = ended.get(schedule, (_AT_FIRST, None))
            if at >= since:
                self.failed.pop(schedule, None)
                if error is not None:
                    self.failed[schedule] = FailedTick(at, error)
            if at >= since or now - since > LONGEST_TICK:
                del self._due[schedule]

"""How far the runs that are shown have come."""

from collections.abc import Sequence
from datetime import datetime

from soundcharts_pipeline.monitoring.health import RunState, Task
from soundcharts_pipeline.monitoring.task_progress import Counts, Meter, remedy_of, task_of
from soundcharts_pipeline.storage.queries.chart_states import calls_of_runs, progress_of_runs
from soundcharts_pipeline.storage.warehouse import Warehouse


class RunMeters:
    """A meter for each of them. `look` is for one thread, `task` for any."""

    def __init__(self) -> None:
        self._meters: dict[str, Meter] = {}
        self._counts: dict[str, Counts] = {}

    def look(self, warehouse: Warehouse, shown: Sequence[RunState], now: datetime) -> list[RunState]:
        """Read how far the runs at work are; of one that failed, how far it came, which is read once. Returns those
        that were read. Raises StorageError."""
        for run_id in self._meters.keys() - {run.run_id for run in shown}:
            del self._meters[run_id]
            self._counts.pop(run_id, None)
        read = [
            run
            for run in shown
            if run.state == "processing" or (run.state in ("failed", "canceled") and run.run_id not in self._counts)
        ]
        if read:
            with warehouse.read() as conn:
                counts = progress_of_runs(conn, [run.run_id for run in read])
                calls = calls_of_runs(conn, [run.run_id for run in read])
            for run in read:
                self._counts[run.run_id] = counts[run.run_id]
                self._meters.setdefault(run.run_id, Meter()).look(run, counts[run.run_id], now, calls=calls[run.run_id])
        return read

    def task(self, run: RunState, *, logs_url: str) -> Task:
        """The run as people follow it."""
        meter, counts = self._meters.get(run.run_id) or Meter(), self._counts.get(run.run_id, {})
        return task_of(run, meter, counts, logs_url=logs_url, remedy=remedy_of)

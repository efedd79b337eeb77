"""The runs of all charts in memory, newest first by chart, and which charts have changed. Threads may share it."""

import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date

from soundcharts_pipeline.models import RunError
from soundcharts_pipeline.monitoring.health import RECENT_RUNS, RunState, TaskState, newest_first, recorded_days
from soundcharts_pipeline.monitoring.unseen_days import days_of


class RunBook:
    """Runs by id and by chart. A run of several charts is there once for each."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._runs: dict[str, dict[str, RunState]] = {}  # by chart: most runs have one
        self._by_chart: dict[str, dict[str, RunState]] = {}
        self._sorted: dict[str, Sequence[RunState]] = {}
        self._days: dict[str, set[date]] = {}
        self._changed: set[str] = set()
        self._left = 0

    def is_over(self, run_id: str) -> bool:
        """It is known, and it has ended."""
        return any(run.is_over for run in self._runs.get(run_id, {}).values())

    def states(self, run_id: str) -> set[TaskState]:
        """Of the run, as it is known so far; none of one that is not."""
        return {run.state for run in self._runs.get(run_id, {}).values()}

    def put(self, run: RunState) -> None:
        """The run as it is now; steps that are known to have ended stay so."""
        with self._lock:
            known = self._runs.get(run.run_id, {}).get(run.chart)
            if known is not None and not run.ended_steps:
                run = replace(run, ended_steps=known.ended_steps)
            if run != known:
                self._runs.setdefault(run.run_id, {})[run.chart] = run
                self._by_chart.setdefault(run.chart, {})[run.run_id] = run
                self._changed_at(run.chart)

    def add(self, run: RunState) -> None:
        """A run that was requested just now, unless more is known of it already."""
        with self._lock:
            if run.run_id not in self._runs:
                self.put(run)

    def detail(
        self,
        run_id: str,
        ended_steps: frozenset[str],
        error: RunError | None,
        made: Collection[tuple[str, str]] = (),
    ) -> None:
        """What its steps and events say; `made`: assets and partitions that it materialized."""
        with self._lock:
            for run in list(self._runs.get(run_id, {}).values()):
                days = recorded_days(made, run.chart)
                self.put(replace(run, ended_steps=ended_steps or run.ended_steps, ended_days=days, error=error))

    def cancel(self, backfills: Collection[str]) -> None:
        """Somebody has canceled these backfills: also days that they had done with are wanted no more."""
        with self._lock:
            for run in self.all():
                if run.backfill in backfills:
                    self.put(replace(run, backfill_canceled=True))

    def drop(self, run_ids: Iterable[str]) -> None:
        with self._lock:
            for run_id in run_ids:
                for chart in self._runs.pop(run_id, {}):
                    del self._by_chart[chart][run_id]
                    self._changed_at(chart)

    def keep_newest(self, most: int) -> None:
        """Drop older runs than so many, but for the newest of each chart: no answer depends on them any more. Looked at
        once a tenth more are there than at the last time."""
        with self._lock:
            if len(self._runs) <= max(most, self._left * 1.1):
                return
            kept = {run.run_id for chart in self._by_chart for run in self.of_chart(chart)[:RECENT_RUNS]}
            runs = newest_first(next(iter(by_chart.values())) for by_chart in self._runs.values())
            self.drop([run.run_id for run in runs[most:] if run.run_id not in kept])
            self._left = len(self._runs)

    def of_chart(self, slug: str) -> Sequence[RunState]:
        """The chart's runs, newest first."""
        with self._lock:
            if slug not in self._sorted:
                self._sorted[slug] = newest_first(self._by_chart.get(slug, {}).values())
            return self._sorted[slug]

    def days_of(self, slug: str, since: date) -> set[date]:
        """The days from then on that a run of the chart is for; worked out again when one of its runs changes."""
        with self._lock:
            if slug not in self._days:
                self._days[slug] = days_of(self.of_chart(slug), since)
            return self._days[slug]

    def all(self) -> list[RunState]:
        """Every run, once for each of its charts."""
        with self._lock:
            return [run for by_chart in self._runs.values() for run in by_chart.values()]

    def in_flight(self) -> list[RunState]:
        return [run for run in self.all() if not run.is_over]

    def take_changed(self) -> set[str]:
        """Charts that changed since the last time."""
        with self._lock:
            changed, self._changed = self._changed, set()
            return changed

    def touch(self, slug: str) -> None:
        """Something about the chart's runs is new that this book does not hold."""
        with self._lock:
            self._changed.add(slug)

    def _changed_at(self, slug: str) -> None:
        self._sorted.pop(slug, None)
        self._days.pop(slug, None)
        self.touch(slug)

"""The runs of all charts in memory, newest first by chart, and which charts have changed. Threads may share it."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace

from soundcharts_pipeline.health import ErrorFacts, RunFacts, newest_first


class RunBook:
    """Runs by id and by chart."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._runs: dict[str, RunFacts] = {}
        self._by_chart: dict[str, dict[str, RunFacts]] = {}
        self._sorted: dict[str, Sequence[RunFacts]] = {}
        self._changed: set[str] = set()

    def get(self, run_id: str) -> RunFacts | None:
        return self._runs.get(run_id)

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._runs

    def put(self, run: RunFacts) -> None:
        """The run as it is now; steps that are known to have ended stay so."""
        with self._lock:
            known = self._runs.get(run.run_id)
            if known is not None and not run.ended_steps:
                run = replace(run, ended_steps=known.ended_steps)
            if run != known:
                self._runs[run.run_id] = run
                self._by_chart.setdefault(run.chart, {})[run.run_id] = run
                self._changed_at(run.chart)

    def add(self, run: RunFacts) -> None:
        """A run that was requested just now, unless more is known of it already."""
        with self._lock:
            if run.run_id not in self._runs:
                self.put(run)

    def detail(self, run_id: str, ended_steps: frozenset[str], error: ErrorFacts | None) -> None:
        """What its steps and events say."""
        with self._lock:
            if run_id in self._runs:
                run = self._runs[run_id]
                self.put(replace(run, ended_steps=ended_steps or run.ended_steps, error=error))

    def drop(self, run_ids: Iterable[str]) -> None:
        with self._lock:
            for run_id in run_ids:
                run = self._runs.pop(run_id, None)
                if run is not None:
                    del self._by_chart[run.chart][run_id]
                    self._changed_at(run.chart)

    def keep_newest(self, most: int) -> None:
        """Drop older runs: no answer depends on them any more."""
        with self._lock:
            if len(self._runs) > most:
                self.drop([run.run_id for run in newest_first(self._runs.values())[most:]])

    def of_chart(self, slug: str) -> Sequence[RunFacts]:
        """The chart's runs, newest first."""
        with self._lock:
            if slug not in self._sorted:
                self._sorted[slug] = newest_first(self._by_chart.get(slug, {}).values())
            return self._sorted[slug]

    def in_flight(self) -> list[RunFacts]:
        with self._lock:
            return [run for run in self._runs.values() if not run.is_over]

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
        self.touch(slug)

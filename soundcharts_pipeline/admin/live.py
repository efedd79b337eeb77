"""How everything is doing at this moment, in memory: requests read a snapshot and never wait for Dagster or SQL.

A thread looks every two seconds at what changed. What cannot be reached is a sentence in `problems` until it can.
"""

import logging
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from soundcharts_pipeline.admin.answers import as_json, status_of
from soundcharts_pipeline.admin.graphql import Dagster, DagsterUnreachable, Deployment, UpdatedRun
from soundcharts_pipeline.admin.problems import deployment_problems
from soundcharts_pipeline.admin.run_book import RunBook
from soundcharts_pipeline.cascade import schedule_names
from soundcharts_pipeline.chart_facts import chart_facts
from soundcharts_pipeline.health import (
    STRIP_DAYS,
    ChartHealth,
    ErrorFacts,
    RunFacts,
    chart_health,
    newest_first,
    shown_first,
)
from soundcharts_pipeline.run_facts import MOST_RUNS, facts_of, to_explain
from soundcharts_pipeline.settings import SettingsError, load_settings
from soundcharts_pipeline.storage.chart_states import ChartState, Usage, chart_states, progress_of_runs, usage_of
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.storage.rate_gate import Minute, minute_of
from soundcharts_pipeline.storage.totals import Totals, totals
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import utc_now
from soundcharts_pipeline.task_progress import Counts, Meter, task_of
from soundcharts_pipeline.troubleshooting import trouble_of

LOOK_SECONDS = 2.0
# Daemons beat every 30 s, charts change with their runs: less often than runs.
SLOW_LOOK = timedelta(seconds=5)
# Totals read every point of an SQLite file: once a minute, and never more than a hundredth of the time.
TOTALS_LOOK = timedelta(minutes=1)
TOTALS_SHARE = 0.01
# Dagster's times of change are those of its database's clock, some of them in whole seconds.
OVERLAP_SECONDS = 10.0
# Failures looked into at once; the rest waits for the next look.
EXPLAINED_AT_ONCE = 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was true at `taken_at`. `bodies` are the answers to status requests, ready to be sent."""

    taken_at: datetime | None = None
    charts: Mapping[str, ChartHealth] = field(default_factory=dict)
    bodies: Mapping[str, bytes] = field(default_factory=dict)
    problems: tuple[str, ...] = ("the first look at Dagster and the database is under way",)
    usage: Usage | None = None
    minute: Minute | None = None
    totals: Totals | None = None


class Live:
    """The state of all charts of a charts file. `look` is for one thread; all else for any. `calls_per_minute` is our
    own cap, None where it is not known."""

    def __init__(
        self, charts_file: Path, dagster: Dagster, warehouse: Warehouse, *, calls_per_minute: int | None = None
    ) -> None:
        self.dagster, self.warehouse, self.calls_per_minute = dagster, warehouse, calls_per_minute
        self.settings = load_settings(charts_file)
        self.snapshot = Snapshot()
        self.deployment: Deployment | None = None
        self.states: Mapping[str, ChartState] = {}
        self._charts_file = charts_file
        self._runs = RunBook()
        self._unexplained: dict[str, RunFacts] = {}
        self._meters: dict[str, Meter] = {}
        self._counts: dict[str, Counts] = {}
        self._usage: Usage | None = None
        self._minute: Minute | None = None
        self._totals: Totals | None = None
        self._totals_due: datetime | None = None
        self._problems: dict[str, tuple[str, ...]] = {"look": Snapshot().problems}
        self._newest_update = 0.0
        self._slow_look_at: datetime | None = None
        self._building = threading.Lock()
        self._over = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Looks again and again while the block lasts."""
        thread = threading.Thread(target=self._watch, name="live", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            try:
                self.look(utc_now())
            except Exception as error:  # whatever it is, the next look may succeed
                _log.exception("a look at the charts failed")
                name = type(error).__name__
                self._problems["look"] = (f"the status is not brought up to date ({name}); see the log",)
                self._build(utc_now(), ())
            self._over.wait(LOOK_SECONDS)

    def look(self, now: datetime) -> None:
        """Bring the snapshot up to date."""
        every: Collection[str] = ()
        with self._noting("webserver"):
            self._look_at_runs()
        if self._slow_look_at is None or now - self._slow_look_at >= SLOW_LOOK:
            self._slow_look_at = now
            self._look_around(now)
            every = self.settings.slugs
        with self._noting("database"):
            self._measure(now)
        self._problems.pop("look", None)
        self._build(now, every)

    def note(self, run: RunFacts) -> None:
        """A run that was requested just now: nobody need wait for the next look to see it."""
        self._runs.add(run)
        self._build(utc_now(), ())

    def in_flight(self, slug: str) -> list[RunFacts]:
        """The chart's runs that are queued or at work, as of the last look or note."""
        return [run for run in self._runs.of_chart(slug) if not run.is_over]

    def status_body(self, slug: str) -> bytes:
        """The answer to a status request of a chart of charts.yaml."""
        if slug not in self.snapshot.bodies:  # before the first look
            self._build(utc_now(), ())
        return self.snapshot.bodies[slug]

    @contextmanager
    def _noting(self, source: str) -> Iterator[None]:
        """What cannot be reached is a sentence, until a block of the same source comes to its end."""
        try:
            yield
        except (DagsterUnreachable, StorageError, SettingsError) as error:
            self._problems[source] = (str(error),)
            self._slow_look_at = None  # look again at once: what is back is to be seen at once
        else:
            self._problems.pop(source, None)

    def _look_around(self, now: datetime) -> None:
        with self._noting("charts file"):
            self.settings = load_settings(self._charts_file)
        with self._noting("deployment"):
            self.deployment = self.dagster.deployment()
            self._problems["daemon"] = tuple(deployment_problems(self.deployment, now))
        with self._noting("tables"):
            # Reads are let in beside a writer, so only a writer notices that the database stays locked.
            with self.warehouse.write():
                pass
            with self.warehouse.read() as conn:
                self.states = chart_states(conn, now.date() - timedelta(days=STRIP_DAYS))
                self._usage = usage_of(conn, now.date())
            self._minute = minute_of(self.warehouse, now)
            if self._totals_due is None or now >= self._totals_due:
                began = time.monotonic()
                with self.warehouse.read() as conn:
                    self._totals = totals(conn)
                took = timedelta(seconds=(time.monotonic() - began) / TOTALS_SHARE)
                self._totals_due = now + max(TOTALS_LOOK, took)

    def _look_at_runs(self) -> None:
        filters = {"updatedAfter": self._newest_update - OVERLAP_SECONDS} if self._newest_update else {}
        changed = list(self.dagster.runs(filters, most=MOST_RUNS))
        changed += self._rest_in_flight({one.row.run_id for one in changed})
        for one in changed:
            self._take(one)
        working = [run.run_id for run in self._runs.in_flight() if run.state == "processing"]
        for run_id, ended in self.dagster.ended_steps(working).items():
            self._runs.detail(run_id, ended, None)
        self._explain()
        self._newest_update = max([self._newest_update, *(one.updated for one in changed)])
        self._runs.keep_newest(MOST_RUNS)

    def _rest_in_flight(self, seen: set[str]) -> list[UpdatedRun]:
        """Runs that were at work at the last look and did not change since; those deleted meanwhile are dropped."""
        left = [run.run_id for run in self._runs.in_flight() if run.run_id not in seen]
        found = list(self.dagster.runs({"runIds": left}, most=len(left))) if left else []
        self._runs.drop({*left} - {one.row.run_id for one in found})
        return found

    def _take(self, one: UpdatedRun) -> None:
        run = facts_of(one.row, self.settings)
        known = self._runs.get(one.row.run_id)
        if run is None or (known is not None and known.is_over):
            return
        if run.state == "failed":
            self._unexplained[run.run_id] = run
        if run.is_over:
            self._slow_look_at = None  # it has changed the tables
        self._runs.put(run)

    def _explain(self) -> None:
        """What failed runs left behind, read once; and why they failed, as far as somebody may want to know."""
        chosen = newest_first(self._unexplained.values())[:EXPLAINED_AT_ONCE]
        steps = self.dagster.ended_steps([run.run_id for run in chosen])
        wanted = to_explain(run for slug in {run.chart for run in chosen} for run in self._runs.of_chart(slug))
        for run in chosen:
            error = self.dagster.failure(run.run_id) if run.run_id in wanted else run.error
            self._runs.detail(run.run_id, steps.get(run.run_id, frozenset()), error)
            del self._unexplained[run.run_id]

    def _measure(self, now: datetime) -> None:
        """How far the runs at work are; of one that failed, how far it came, which is read once."""
        shown = [run for slug in self.settings.slugs for run in shown_first(self._runs.of_chart(slug))]
        for run_id in self._meters.keys() - {run.run_id for run in shown}:
            del self._meters[run_id]
            self._counts.pop(run_id, None)
        read = [
            run
            for run in shown
            if run.state == "processing" or (run.state == "failed" and run.run_id not in self._counts)
        ]
        if read:
            with self.warehouse.read() as conn:
                counts = progress_of_runs(conn, [run.run_id for run in read])
            for run in read:
                self._counts[run.run_id] = counts[run.run_id]
                self._meters.setdefault(run.run_id, Meter()).look(run, counts[run.run_id], now)
                self._runs.touch(run.chart)

    def _build(self, now: datetime, every: Collection[str]) -> None:
        """A new snapshot, of the charts that changed or of those given."""
        with self._building:
            before = self.snapshot
            problems = tuple(dict.fromkeys(text for texts in self._problems.values() for text in texts))
            slugs = self.settings.slugs
            again = {*every, *self._runs.take_changed()} | (set(slugs) - before.charts.keys())
            charts = {slug: self._health(slug, now) if slug in again else before.charts[slug] for slug in slugs}
            if problems != before.problems:
                again = set(slugs)
            bodies = {
                slug: as_json(status_of(charts[slug], problems)) if slug in again else before.bodies[slug]
                for slug in slugs
            }
            self.snapshot = Snapshot(now, charts, bodies, problems, self._usage, self._minute, self._totals)

    def _health(self, slug: str, now: datetime) -> ChartHealth:
        ticks = self.deployment.next_ticks if self.deployment else {}
        chart = self.settings.charts[slug]
        next_run = ticks.get(schedule_names(self.settings)[slug])
        facts = chart_facts(self.settings, chart, self.states.get(slug, ChartState()), next_run)
        tasks = [
            task_of(
                run,
                self._meters.get(run.run_id) or Meter(),
                self._counts.get(run.run_id, {}),
                logs_url=self.dagster.run_url(run.run_id),
                remedy=_remedy_of,
            )
            for run in shown_first(self._runs.of_chart(slug))
        ]
        return chart_health(facts, self._runs.of_chart(slug), tasks, now, _remedy_of)


def _remedy_of(error: ErrorFacts) -> str:
    return trouble_of(error.kind).remedy

"""How everything is doing at this moment, in memory: requests read a snapshot and never wait for Dagster or SQL.

A thread looks every two seconds at what changed. What cannot be reached is a sentence in `problems` until it can.
"""

import logging
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from soundcharts_pipeline.admin.state.changed_runs import changed_runs, rest_in_flight
from soundcharts_pipeline.admin.state.code_reload import CodeReload
from soundcharts_pipeline.admin.state.dagster_client import Dagster, DagsterUnreachable, Deployment
from soundcharts_pipeline.admin.state.made_days import MadeDays
from soundcharts_pipeline.admin.state.problems import deployment_problems
from soundcharts_pipeline.admin.state.run_book import RunBook
from soundcharts_pipeline.admin.state.run_meters import RunMeters
from soundcharts_pipeline.admin.state.stored import StoredFacts
from soundcharts_pipeline.admin.state.ticks import Ticks
from soundcharts_pipeline.clock import Clock, utc_now
from soundcharts_pipeline.config.cascade import schedule_names
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.config.settings import SettingsError
from soundcharts_pipeline.monitoring.as_json import as_json, status_of
from soundcharts_pipeline.monitoring.chart_status import chart_health
from soundcharts_pipeline.monitoring.facts import (
    EndedEarly,
    backfills_of_canceled,
    chart_facts,
    facts_of,
    to_explain,
)
from soundcharts_pipeline.monitoring.given_up import GivenUp, reasons, told_of
from soundcharts_pipeline.monitoring.health import ChartHealth, RunState, newest_first, shown_first
from soundcharts_pipeline.monitoring.run_history import MOST_RUNS, RunRecord
from soundcharts_pipeline.monitoring.task_progress import remedy_of
from soundcharts_pipeline.storage.endpoint_states import EndpointState
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.storage.queries.chart_states import ChartState, Totals, Usage
from soundcharts_pipeline.storage.rate_gate import Minute
from soundcharts_pipeline.storage.warehouse import Warehouse

LOOK_SECONDS = 2.0
# Daemons beat every 30 s, charts change with their runs: less often than runs.
SLOW_LOOK = timedelta(seconds=5)
# Sources of sentences that are to be read, while all that a run needs can be reached.
NOTICES = ("code", "backfills")
# Failures looked into at once; the rest waits for the next look.
EXPLAINED_AT_ONCE = 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was true at `taken_at`. `bodies` are the answers to status requests, ready to be sent; `is_fine`: everything
    that a run needs can be reached; `countries` are the codes of those charts whose country is known."""

    taken_at: datetime | None = None
    charts: Mapping[str, ChartHealth] = field(default_factory=dict)
    bodies: Mapping[str, bytes] = field(default_factory=dict)
    problems: tuple[str, ...] = ("the first look at Dagster and the database is under way",)
    usage: Usage | None = None
    minute: Minute | None = None
    totals: Totals | None = None
    refusing: Sequence[EndpointState] = ()
    countries: Mapping[str, str] = field(default_factory=dict)
    is_fine: bool = False


class Live:
    """The state of all charts of a charts file. `look` is for one thread; all else for any. `calls_per_minute` is our
    own cap, None where it is not known; `clock` the calendar's."""

    def __init__(
        self,
        charts_file: Path,
        dagster: Dagster,
        warehouse: Warehouse,
        *,
        calls_per_minute: int | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.dagster, self.warehouse, self.calls_per_minute = dagster, warehouse, calls_per_minute
        self.clock = clock
        self.settings = load_settings(charts_file, clock)
        self.snapshot = Snapshot()
        self.deployment: Deployment | None = None
        self.code = CodeReload(dagster)
        self.charts_file = charts_file
        self._runs = RunBook()
        self._unexplained: dict[str, RunState] = {}
        self._meters = RunMeters()
        self._stored, self._ticks, self._made = StoredFacts(), Ticks(), MadeDays()
        self._given_up: Sequence[GivenUp] = ()
        self._canceled: set[str] = set()
        self._problems: dict[str, tuple[str, ...]] = {"look": Snapshot().problems}
        self._newest_update = 0.0
        self._slow_look_at: datetime | None = None
        self._building, self._reading = threading.Lock(), threading.Lock()
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
            self._look_at_runs(now)
        if self._slow_look_at is None or now - self._slow_look_at >= SLOW_LOOK:
            self._slow_look_at = now
            self._look_around(now)
            every = self.settings.slugs
        with self._noting("database"):
            self._measure(now)
        self._problems.pop("look", None)
        self._build(now, every)

    def note(self, run: RunState) -> None:
        """A run that was requested just now: nobody need wait for the next look to see it."""
        self._runs.add(run)
        self._build(utc_now(), ())

    def read_settings(self) -> None:
        """The charts file as it is now; with mistakes in it, they are told and the last good one counts."""
        # One after the other: whoever reads last has read the newest file.
        with self._reading, self._noting("charts file"):
            self.settings = load_settings(self.charts_file, self.clock)

    @property
    def mistake(self) -> str:
        """What is wrong with the charts file, as it was last read."""
        return "".join(self._problems.get("charts file", ()))

    def version_to_load(self) -> str:
        """Of the charts file, for Dagster; "" while it has mistakes."""
        return "" if self.mistake else self.settings.version

    def settings_changed(self) -> None:
        """The charts file has just been changed by this program: nobody need wait for the next look to see it."""
        self.read_settings()
        self._slow_look_at = None  # and Dagster is told at the next look, at once
        self._build(utc_now(), self.settings.slugs)

    def in_flight(self, slug: str) -> list[RunState]:
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
        self.read_settings()
        with self._noting("deployment"):
            self._given_up = self.dagster.given_up(now)
            self.deployment = self.dagster.deployment()
            self._ticks.look(self.dagster, self.deployment, now)
            self._problems["daemon"] = tuple(deployment_problems(self.deployment, now))
            changed = self.code.problem(self.deployment, self.version_to_load())
            self._problems["code"] = (changed,) if changed else ()
            self._problems["backfills"] = tuple(told_of(self._given_up, self.settings, self._runs.all(), now))
        with self._noting("tables"):
            self._stored.look(self.warehouse, today := self.clock().date(), now)
            if self.deployment and self.deployment.repository:  # else Dagster knows no asset of ours
                self._made.look(self.dagster, self.settings, self._stored.states, self._runs, today)

    def _look_at_runs(self, now: datetime) -> None:
        changed = changed_runs(self.dagster, self._newest_update, self.settings.slugs, now)
        changed += rest_in_flight(self.dagster, self._runs, {one.run_id for one in changed})
        backfills = backfills_of_canceled(one for one in changed if not self._runs.is_over(one.run_id))
        if backfills:  # Dagster gives a backfill up, or cancels it, before its runs
            self._given_up = self.dagster.given_up(now)
            self._canceled |= self.dagster.canceled_backfills(backfills)
            self._runs.cancel(self._canceled)
        ended_early = EndedEarly(reasons(self._given_up, self.settings), self._canceled)
        for one in changed:
            self._take(one, ended_early)
        working = [run.run_id for run in self._runs.in_flight() if run.state == "processing"]
        for run_id, ended in self.dagster.ended_steps(working).items():
            self._runs.detail(run_id, ended, None)
        self._explain()
        self._newest_update = max([self._newest_update, *(one.updated for one in changed)])
        self._runs.keep_newest(MOST_RUNS)

    def _take(self, one: RunRecord, backfills: EndedEarly) -> None:
        runs = facts_of(one, self.settings, backfills)
        # One that failed may still become a canceled one, when somebody had asked for its end.
        if self._runs.is_over(one.run_id) and self._runs.states(one.run_id) == {run.state for run in runs}:
            return
        if not runs:  # also one that has handed its charts over
            self._runs.drop([one.run_id])
        for run in runs:
            if run.state in ("failed", "canceled"):
                self._unexplained[run.run_id] = run
            if run.is_over:
                self._slow_look_at = None  # it has changed the tables
            self._runs.put(run)

    def _explain(self) -> None:
        """What failed and canceled runs left behind, read once; and why they failed, as far as somebody may want to
        know."""
        chosen = newest_first(self._unexplained.values())[:EXPLAINED_AT_ONCE]
        steps = self.dagster.ended_steps([run.run_id for run in chosen])
        made = self.dagster.made([run.run_id for run in chosen if run.first != run.last])
        wanted = to_explain(run for slug in {run.chart for run in chosen} for run in self._runs.of_chart(slug))
        for run in chosen:
            error = self.dagster.failure(run.run_id) if run.run_id in wanted else run.error
            self._runs.detail(run.run_id, steps.get(run.run_id, frozenset()), error, made.get(run.run_id, ()))
            del self._unexplained[run.run_id]

    def _measure(self, now: datetime) -> None:
        shown = [run for slug in self.settings.slugs for run in shown_first(self._runs.of_chart(slug))]
        for run in self._meters.look(self.warehouse, shown, now):
            self._runs.touch(run.chart)

    def _build(self, now: datetime, every: Collection[str]) -> None:
        """A new snapshot, of the charts that changed or of those given."""
        with self._building:
            before = self.snapshot
            problems = tuple(dict.fromkeys(text for texts in self._problems.values() for text in texts))
            slugs = self.settings.slugs
            again = {*every, *self._runs.take_changed()} | (set(slugs) - before.charts.keys())
            names = schedule_names(self.settings)
            charts = {slug: before.charts[slug] for slug in slugs if slug in before.charts}
            found = {slug: self._health(slug, names[slug]) for slug in slugs if slug in again}
            changed = {slug for slug, health in found.items() if charts.get(slug) != health}
            charts = {slug: found[slug] if slug in changed else charts[slug] for slug in slugs}
            if problems != before.problems:
                changed = set(slugs)
            bodies = {
                slug: as_json(status_of(charts[slug], problems)) if slug in changed else before.bodies[slug]
                for slug in slugs
            }
            is_fine = not any(texts for source, texts in self._problems.items() if source not in NOTICES)
            stored = self._stored
            self.snapshot = Snapshot(
                taken_at=now,
                charts=charts,
                bodies=bodies,
                problems=problems,
                usage=stored.usage,
                minute=stored.minute,
                totals=stored.totals,
                refusing=stored.refusing,
                countries=stored.countries,
                is_fine=is_fine,
            )

    def _health(self, slug: str, schedule: str) -> ChartHealth:
        ticks = self.deployment.next_ticks if self.deployment else {}
        chart, failed_tick = self.settings.charts[slug], self._ticks.failed.get(schedule)
        state, refusing = self._stored.states.get(slug, ChartState()), self._stored.refusing
        facts = chart_facts(
            self.settings, chart, state, ticks.get(schedule), refusing, failed_tick, self._made.of(slug)
        )
        shown = shown_first(self._runs.of_chart(slug))
        tasks = [self._meters.task(run, logs_url=self.dagster.run_url(run.run_id)) for run in shown]
        return chart_health(facts, self._runs.of_chart(slug), tasks, self.clock(), remedy_of)

"""How each chart and each task is doing, in the words that API, pages, terminal and notifications share; the rules are
in chart_status.

Knows no Dagster, no SQL, no clock. A task is one Dagster run of some days of one chart; times are aware and UTC.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal

from soundcharts_pipeline.models import RunError

TaskState = Literal["pending", "processing", "complete", "failed", "canceled"]
ChartStatus = Literal["healthy", "degraded", "failing", "never_synced"]
DayState = Literal["complete", "partial", "failed", "running", "missing", "offered", "not published"]

# Complete and failed runs that the success rate and the error count look back on.
RECENT_RUNS = 20
STRIP_DAYS = 30
TASKS_SHOWN = 20

ENDED: tuple[TaskState, ...] = ("complete", "failed", "canceled")
# Statuses that need nobody: what `status` ends well with.
GOOD: tuple[ChartStatus, ...] = ("healthy", "never_synced")

CANCELED = "Canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """One run of the days `first` to `last` of a chart. `steps` are asset keys in the order of the cascade, `backfill`
    is Dagster's id of the one that it belongs to, which somebody has canceled or not. `ended_days`: the days that a
    step had complete when the run failed or was canceled."""

    run_id: str
    chart: str
    first: date
    last: date
    state: TaskState
    trigger: str
    backfill: str = ""
    backfill_canceled: bool = False
    steps: tuple[str, ...]
    ended_steps: frozenset[str] = frozenset()
    ended_days: Mapping[str, frozenset[date]] = field(default_factory=dict)
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: RunError | None = None

    @property
    def is_stopped(self) -> bool:
        """Somebody wants no more of its days: it was canceled, or all of its backfill, though it had ended by then."""
        return self.state == "canceled" or (self.backfill_canceled and self.is_over)

    @property
    def is_over(self) -> bool:
        return self.state in ENDED

    def days_within(self, first: date, last: date) -> list[date]:
        """Those of its days that lie between these two, both included."""
        first, last = max(first, self.first), min(last, self.last)
        return [first + timedelta(days=number) for number in range((last - first).days + 1)]

    def ended_steps_of(self, day: date) -> set[str]:
        """The steps that are complete on one of its days."""
        return {*self.ended_steps, *(step for step, days in self.ended_days.items() if day in days)}

    @property
    def partition(self) -> str:
        """`slug|day`, or `slug|first...slug|last`, as Dagster writes a range."""
        first = f"{self.chart}|{self.first}"
        return first if self.first == self.last else f"{first}...{self.chart}|{self.last}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A run as people follow it. `progress` is 0 to 100, and 100 only when complete; `step` is the asset under way."""

    task_id: str
    chart: str
    partition: str
    status: TaskState
    trigger: str
    progress: int
    step: str | None
    calls_per_second: float | None
    seconds_left: int | None
    logs_url: str | None
    started_at: datetime | None
    finished_at: datetime | None
    error: RunError | None


@dataclass(frozen=True, slots=True)
class FailedTick:
    """When the last tick of a schedule was due, and why it failed."""

    at: datetime
    error: RunError


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartFacts:
    """What is known of a chart beside its runs. `published` are the published days that charts.yaml follows, with the
    moment at which each was found to be, `saved` days whose ranking is in the warehouse, `changed` those of which
    it took the place of another one, and when, `absent` days that certainly have none, `incomplete` saved days of which
    the warehouse does not note that all is there, where it would. `made`: of days of which no run is
    known, those that Dagster records as done. `keys` are the assets that make a day complete,
    `left_out` those of them that Soundcharts refuses to this plan, `failed_tick` the last tick of its schedule, if that
    failed."""

    slug: str
    name: str
    platform: str | None
    schedule: str
    active: bool
    keys: frozenset[str]
    heal_days: int
    freshness: timedelta
    next_run: datetime | None = None
    published: Mapping[date, datetime] = field(default_factory=dict)
    saved: frozenset[date] = frozenset()
    changed: Mapping[date, datetime] = field(default_factory=dict)
    absent: frozenset[date] = frozenset()
    made: frozenset[date] = frozenset()
    incomplete: frozenset[date] = frozenset()
    newest_saved_at: datetime | None = None
    failed_tick: FailedTick | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartHealth:
    """How one chart is doing; `strip` holds the last thirty days, newest last, `left_out` assets that are refused."""

    chart: str
    name: str
    platform: str | None
    schedule: str
    next_run: datetime | None
    last_sync: datetime | None
    success_rate: float | None
    error_count: int
    last_error: RunError | None
    status: ChartStatus
    reason: str
    left_out: tuple[str, ...] = ()
    strip: tuple[tuple[date, DayState], ...]
    tasks: tuple[Task, ...]


def recorded_days(made: Iterable[tuple[str, str]], chart: str) -> dict[str, frozenset[date]]:
    """The days of the chart on which each asset was materialized, of assets and partitions."""
    days: dict[str, set[date]] = {}
    for asset, partition in made:
        slug, _, day = partition.rpartition("|")
        if slug == chart:
            days.setdefault(asset, set()).add(date.fromisoformat(day))
    return {asset: frozenset(of_asset) for asset, of_asset in days.items()}


def newest_first(runs: Iterable[RunState]) -> list[RunState]:
    return sorted(runs, key=lambda run: (run.created_at, run.run_id), reverse=True)


def shown_first(runs: Sequence[RunState]) -> list[RunState]:
    """The runs that people look at, of newest first ones: all at work or waiting, then the newest of the others."""
    at_work = [run for run in runs if not run.is_over]
    return [*at_work, *(run for run in runs if run.is_over)][: max(TASKS_SHOWN, len(at_work))]


def success_rate(ended: Sequence[RunState]) -> float | None:
    """Share of the last complete and failed runs (newest first) that are complete; None when there are none."""
    recent = ended[:RECENT_RUNS]
    return sum(run.state == "complete" for run in recent) / len(recent) if recent else None


def task_error(run: RunState, remedy: Callable[[RunState], str]) -> RunError | None:
    """The run's error with its remedy."""
    error = run.error
    return None if error is None else replace(error, remedy=remedy(run))

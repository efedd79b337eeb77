"""How each chart and each task is doing, in the words that API, pages, terminal and notifications share.

Arithmetic on facts that others have gathered: knows no Dagster, no SQL, no clock. A task is one Dagster run of some
days of one chart; times are aware and UTC.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

TaskState = Literal["pending", "processing", "complete", "failed"]
ChartStatus = Literal["healthy", "degraded", "failing", "never_synced"]
DayState = Literal["complete", "partial", "failed", "running", "missing", "not published"]

# Ended runs that the success rate and the error count look back on.
RECENT_RUNS = 20
# So many failures in a row are no accident.
FAILURES_IN_A_ROW = 3
LOWEST_SUCCESS_RATE = 0.5
STRIP_DAYS = 30
TASKS_SHOWN = 20

CANCELED = "Canceled"


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """Why a run failed: the asset it happened in ("" for the run as a whole), the name of the error, its message."""

    asset: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """One run of the days `first` to `last` of a chart. `steps` are asset keys in the order of the cascade."""

    run_id: str
    chart: str
    first: date
    last: date
    state: TaskState
    trigger: str
    steps: tuple[str, ...]
    ended_steps: frozenset[str] = frozenset()
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: ErrorFacts | None = None

    @property
    def is_over(self) -> bool:
        return self.state in ("complete", "failed")

    @property
    def partition(self) -> str:
        """`slug|day`, or `slug|first...slug|last`, as Dagster writes a range."""
        first = f"{self.chart}|{self.first}"
        return first if self.first == self.last else f"{first}...{self.chart}|{self.last}"


@dataclass(frozen=True, slots=True)
class TaskError:
    """What failed, and what to do next."""

    asset: str
    kind: str
    message: str
    remedy: str


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
    error: TaskError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartFacts:
    """What is known of a chart beside its runs. `published` are the published days that charts.yaml follows, `saved`
    those whose ranking is in the warehouse, `keys` the assets that make a day complete."""

    slug: str
    name: str
    platform: str | None
    schedule: str
    active: bool
    keys: frozenset[str]
    heal_days: int
    freshness: timedelta
    next_run: datetime | None = None
    published: frozenset[date] = frozenset()
    saved: frozenset[date] = frozenset()
    newest_saved_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartHealth:
    """How one chart is doing; `strip` holds the last thirty days, newest last."""

    chart: str
    name: str
    platform: str | None
    schedule: str
    next_run: datetime | None
    last_sync: datetime | None
    success_rate: float | None
    error_count: int
    last_error: TaskError | None
    status: ChartStatus
    reason: str
    strip: tuple[tuple[date, DayState], ...]
    tasks: tuple[Task, ...]


def chart_health(
    chart: ChartFacts,
    runs: Iterable[RunFacts],
    tasks: Sequence[Task],
    now: datetime,
    remedy: Callable[[ErrorFacts], str],
) -> ChartHealth:
    """From the chart's facts, its runs in any order and the tasks to show with it."""
    of_chart = newest_first(run for run in runs if run.chart == chart.slug)
    ended = _ended(of_chart)
    recent = ended[:RECENT_RUNS]
    failed = [run for run in recent if run.state == "failed"]
    strip = day_strip(chart, of_chart, now.date())
    status, reason = _status(chart, of_chart, strip, now)
    return ChartHealth(
        chart=chart.slug,
        name=chart.name,
        platform=chart.platform,
        schedule=chart.schedule,
        next_run=chart.next_run,
        last_sync=next((run.ended_at for run in ended if run.state == "complete"), None),
        success_rate=success_rate(ended),
        error_count=len(failed),
        last_error=task_error(failed[0], remedy) if failed else None,
        status=status,
        reason=reason,
        strip=strip,
        tasks=tuple(tasks),
    )


def newest_first(runs: Iterable[RunFacts]) -> list[RunFacts]:
    return sorted(runs, key=lambda run: (run.created_at, run.run_id), reverse=True)


def shown_first(runs: Sequence[RunFacts]) -> list[RunFacts]:
    """The runs that people look at, of newest first ones: all at work or waiting, then the newest of the others."""
    at_work = [run for run in runs if not run.is_over]
    return [*at_work, *(run for run in runs if run.is_over)][: max(TASKS_SHOWN, len(at_work))]


def success_rate(ended: Sequence[RunFacts]) -> float | None:
    """Share of the last ended runs (newest first) that succeeded; None when there are none."""
    recent = ended[:RECENT_RUNS]
    return sum(run.state == "complete" for run in recent) / len(recent) if recent else None


def day_strip(chart: ChartFacts, runs: Sequence[RunFacts], today: date) -> tuple[tuple[date, DayState], ...]:
    """The state of each of the last thirty days, newest last. `runs` are the chart's, newest first."""
    days = [today - timedelta(days=ago) for ago in reversed(range(STRIP_DAYS))]
    covering: list[list[RunFacts]] = [[] for _ in days]
    for run in runs:
        for place in range(max((run.first - days[0]).days, 0), min((run.last - days[0]).days + 1, STRIP_DAYS)):
            covering[place].append(run)
    return tuple((day, _day_state(chart, of_day, day)) for day, of_day in zip(days, covering, strict=True))


def _day_state(chart: ChartFacts, covering: Sequence[RunFacts], day: date) -> DayState:
    if any(not run.is_over for run in covering):
        return "running"
    done: AbstractSet[str] = set().union(*(run.ended_steps for run in covering))
    if covering and chart.keys <= done:
        return "complete"
    if covering and _ended(covering)[0].state == "failed":
        return "failed"
    if done or day in chart.saved:
        return "partial"
    return "missing" if day in chart.published else "not published"


def _status(
    chart: ChartFacts, runs: Sequence[RunFacts], strip: Sequence[tuple[date, DayState]], now: datetime
) -> tuple[ChartStatus, str]:
    """The status and why, in words that need no further look."""
    ended = _ended(runs)
    rate = success_rate(ended)
    if not chart.saved and all(run.state != "complete" for run in ended):
        return "never_synced", "nothing of it was ever saved" + (", its last run failed" if ended else "")
    in_a_row = [run.state == "failed" for run in ended[:FAILURES_IN_A_ROW]]
    if len(in_a_row) == FAILURES_IN_A_ROW and all(in_a_row):
        return "failing", f"its last {FAILURES_IN_A_ROW} runs failed"
    if rate is not None and rate < LOWEST_SUCCESS_RATE:
        return "failing", f"{rate:.0%} of its last {len(ended[:RECENT_RUNS])} runs succeeded"
    if in_a_row and in_a_row[0]:
        return "degraded", "its last run failed"
    if not chart.active:
        return "healthy", "it is not active: nothing is expected of it"
    if chart.newest_saved_at is not None and now - chart.newest_saved_at > chart.freshness:
        return "degraded", f"no new ranking was saved since {chart.newest_saved_at:%Y-%m-%d %H:%M} UTC"
    since = now.date() - timedelta(days=chart.heal_days)
    ever_lost = [day for day, state in strip if state in ("missing", "partial") and day in chart.published]
    lost = [day for day in ever_lost if day >= since]
    if not lost:
        return "healthy", f"nothing published since {since} is missing" if ever_lost else "every published day is here"
    days = "1 published day is" if len(lost) == 1 else f"{len(lost)} published days are"
    if all(run.is_over for run in runs):
        return "degraded", f"{days} not complete, the newest is {lost[-1]}"
    return "healthy", f"{days} not complete, a run is at work"


def _ended(runs: Iterable[RunFacts]) -> list[RunFacts]:
    """Those that are over, the one that ended last first."""
    ended = [run for run in runs if run.is_over]
    return sorted(ended, key=lambda run: (run.ended_at or run.created_at, run.run_id), reverse=True)


def worst(statuses: Iterable[ChartStatus]) -> ChartStatus:
    """The status of several charts taken together; one that was never synced counts as healthy beside others."""
    found = set(statuses)
    order: tuple[ChartStatus, ...] = ("failing", "degraded", "healthy", "never_synced")
    return next((status for status in order if status in found), "never_synced")


def task_error(run: RunFacts, remedy: Callable[[ErrorFacts], str]) -> TaskError | None:
    """The run's error with its remedy."""
    error = run.error
    return None if error is None else TaskError(error.asset, error.kind, error.message, remedy(error))

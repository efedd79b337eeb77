"""What the dashboard shows, from the snapshot: charts, tasks at work, failures by cause, how long the quota lasts."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from soundcharts_pipeline.admin.state.live import Snapshot
from soundcharts_pipeline.config.cron import in_words
from soundcharts_pipeline.config.settings import Settings
from soundcharts_pipeline.monitoring.health import ChartHealth, Task, TaskState
from soundcharts_pipeline.storage.queries.chart_states import PACE_DAYS
from soundcharts_pipeline.troubleshooting import trouble_of

FAILURES_SHOWN = 6
# Older failures are history: the chart's page and Dagster's UI have them.
FAILURES_SINCE = timedelta(days=7)
# A task that has ended stays in sight for so long, so that whoever watches sees its end.
JUST_ENDED = timedelta(minutes=2)
FURTHEST_FORECAST = timedelta(days=3650)
_ORDER: tuple[TaskState, ...] = ("processing", "pending", "complete", "failed", "canceled")


@dataclass(frozen=True, slots=True)
class ChartRow:
    """A chart, with its schedule in words and the code of its country, as far as it is known."""

    health: ChartHealth
    schedule: str
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Runs of a chart that failed for the same reason: the newest, and how many there are. `over`: a run succeeded
    since."""

    task: Task
    title: str
    count: int
    over: bool


@dataclass(frozen=True, slots=True)
class Quota:
    """Billed calls left and the most seen within a month (None: the server has not said); calls a day, those of each
    of the last days (oldest first), and the day on which none are left (None: not in sight)."""

    left: int | None
    most: int | None
    a_day: float
    days: Sequence[tuple[date, int]]
    exhausted_on: date | None


@dataclass(frozen=True, slots=True)
class Overview:
    """`tasks` are at work, queued, or have just ended, in this order; `limit` is what one minute may hold, None where
    nobody said."""

    snapshot: Snapshot
    charts: Sequence[ChartRow]
    tasks: Sequence[Task]
    failures: Sequence[Failure]
    quota: Quota
    limit: int | None

    @property
    def healthy(self) -> int:
        return sum(row.health.status == "healthy" for row in self.charts)

    @property
    def at_work(self) -> int:
        return sum(task.finished_at is None for task in self.tasks)

    @property
    def busiest_day(self) -> int:
        return max(calls for _, calls in self.quota.days)

    def name(self, slug: str) -> str:
        return self.snapshot.charts[slug].name


def overview(
    snapshot: Snapshot, settings: Settings, calls_per_minute: int | None, now: datetime, today: date
) -> Overview:
    """All of it, for one moment of Dagster's records and one day of the calendar."""
    charts = list(snapshot.charts.values())
    tasks = [task for chart in charts for task in chart.tasks if _is_followed(task, now)]
    limits = [calls_per_minute, snapshot.minute.server_limit if snapshot.minute else None]
    return Overview(
        snapshot=snapshot,
        charts=[_row(chart, settings, snapshot.countries.get(chart.chart)) for chart in charts],
        tasks=sorted(tasks, key=lambda task: (_ORDER.index(task.status), task.partition)),
        failures=list(failures(charts, now))[:FAILURES_SHOWN],
        quota=_quota(snapshot, today),
        limit=min((limit for limit in limits if limit is not None), default=None),
    )


def failures(charts: Iterable[ChartHealth], now: datetime) -> Iterable[Failure]:
    """One for each chart and cause, the newest first."""
    found: dict[tuple[str, str, str], list[tuple[Task, bool]]] = {}
    for chart in charts:
        for task in chart.tasks:
            at = task.finished_at
            if task.error is None or task.status != "failed" or at is None or now - at > FAILURES_SINCE:
                continue
            over = chart.last_sync is not None and chart.last_sync > at
            found.setdefault((task.chart, task.error.kind, task.error.asset), []).append((task, over))
    newest = [(max(tasks, key=lambda one: _ended(one[0])), len(tasks)) for tasks in found.values()]
    for (task, over), count in sorted(newest, key=lambda one: _ended(one[0][0]), reverse=True):
        yield Failure(task, trouble_of(task.error.kind if task.error else "").title, count, over)


def _is_followed(task: Task, now: datetime) -> bool:
    return task.finished_at is None or now - task.finished_at <= JUST_ENDED


def _ended(task: Task) -> datetime:
    assert task.finished_at is not None  # noqa: S101  # only such tasks are failures
    return task.finished_at


def calls_a_day(billed: Mapping[date, int], today: date) -> float:
    """The sum of the billed calls of the last seven days, today included, divided by the days from the first of these
    that had any to today: (b1 + ... + bn) / n. An account that is three days old is judged by three days; 0.0 where
    nothing was called."""
    recent = {day: calls for day, calls in billed.items() if 0 <= (today - day).days < PACE_DAYS and calls}
    return sum(recent.values()) / ((today - min(recent)).days + 1) if recent else 0.0


def exhausted_on(left: int | None, a_day: float, today: date) -> date | None:
    """The day on which the quota is used up when so many calls are made every day: today + floor(left / calls a day).
    None when nobody knows what is left, nothing is called, or it lasts for more than ten years."""
    if left is None or a_day <= 0:
        return today if left is not None and left <= 0 else None
    days = math.floor(max(left, 0) / a_day)
    return today + timedelta(days=days) if days <= FURTHEST_FORECAST.days else None


def _quota(snapshot: Snapshot, today: date) -> Quota:
    usage = snapshot.usage
    billed = usage.billed if usage else {}
    left = usage.quota_left if usage else None
    a_day = calls_a_day(billed, today)
    days = [today - timedelta(days=ago) for ago in reversed(range(PACE_DAYS))]
    return Quota(
        left=left,
        most=usage.quota_most if usage else None,
        a_day=a_day,
        days=[(day, billed.get(day, 0)) for day in days],
        exhausted_on=exhausted_on(left, a_day, today),
    )


def _row(chart: ChartHealth, settings: Settings, country: str | None) -> ChartRow:
    known = settings.charts.get(chart.chart)
    zone = f" ({known.timezone})" if known and known.timezone != "UTC" else ""
    return ChartRow(chart, in_words(chart.schedule) + zone, country)

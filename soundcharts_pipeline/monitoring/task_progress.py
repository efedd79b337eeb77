"""How far a task is: percent, step, speed and time left, from counts of entities. Pure, like health."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from soundcharts_pipeline.monitoring.health import RunState, Task, task_error
from soundcharts_pipeline.remedies import Subject
from soundcharts_pipeline.troubleshooting import trouble_of

# Calls per second and time left are those of the last minute: older ones say little of the step under way.
PACE_WINDOW = timedelta(seconds=60)

# (done, total) entities of every step that has begun, as sync_progress has them.
Counts = Mapping[str, tuple[int, int]]


def fraction_done(run: RunState, counts: Counts) -> float:
    """Mean over the steps of a run: 1 for one that ended, done/total of its entities for one under way, else 0."""
    if run.state == "complete":
        return 1.0
    if not run.steps:
        return 0.0
    return sum(1.0 if step in run.ended_steps else _part(counts.get(step)) for step in run.steps) / len(run.steps)


def _part(count: tuple[int, int] | None) -> float:
    # A step that has begun and knows of nothing to ask is not over before Dagster says so.
    done, total = count or (0, 0)
    return min(max(done / total, 0.0), 1.0) if total > 0 else 0.0


def step_under_way(run: RunState, counts: Counts) -> str | None:
    """The asset that a run is at; of a failed one the asset it failed or was killed at. None where there is none."""
    if run.state in ("pending", "complete"):
        return None
    if run.error is not None and run.error.asset:
        return run.error.asset
    left = [step for step in run.steps if step not in run.ended_steps]
    begun = [step for step in left if step in counts and counts[step][0] < counts[step][1]]
    return next(iter(begun or left), None)


@dataclass(slots=True)
class Meter:
    """The progress of one task over time: it never goes backwards, though a step may find more to do on its way."""

    _highest: float = 0.0
    _looks: list[tuple[datetime, float, int]] = field(default_factory=list)

    def look(self, run: RunState, counts: Counts, now: datetime, *, calls: int) -> None:
        """Note how far the run is now, and how many calls it has made."""
        self._highest = max(self._highest, fraction_done(run, counts))
        self._looks = [look for look in self._looks if now - look[0] <= PACE_WINDOW]
        self._looks.append((now, self._highest, calls))

    def percent(self, run: RunState) -> int:
        """0 to 100; 100 only when the run is complete."""
        return 100 if run.state == "complete" else min(int(self._highest * 100 + 1e-9), 99)

    @property
    def calls_per_second(self) -> float | None:
        """Calls made in the last minute; None before a second look."""
        seconds = self._seconds
        return round(max(self._looks[-1][2] - self._looks[0][2], 0) / seconds, 1) if seconds else None

    @property
    def seconds_left(self) -> int | None:
        """What is left at the speed of the last minute; None when nothing moved."""
        seconds = self._seconds
        moved = self._looks[-1][1] - self._looks[0][1] if seconds else 0.0
        return round((1 - self._highest) * seconds / moved) if moved > 0 else None

    @property
    def _seconds(self) -> float:
        return (self._looks[-1][0] - self._looks[0][0]).total_seconds() if self._looks else 0.0


def task_of(
    run: RunState,
    meter: Meter,
    counts: Counts,
    *,
    logs_url: str | None,
    remedy: Callable[[RunState], str],
) -> Task:
    """The run as people follow it; speed and time left only while it is at work."""
    running = run.state == "processing"
    return Task(
        task_id=run.run_id,
        chart=run.chart,
        partition=run.partition,
        status=run.state,
        trigger=run.trigger,
        progress=meter.percent(run),
        step=step_under_way(run, counts),
        calls_per_second=meter.calls_per_second if running else None,
        seconds_left=meter.seconds_left if running else None,
        logs_url=logs_url,
        started_at=run.started_at,
        finished_at=run.ended_at,
        error=task_error(run, remedy),
    )


def remedy_of(run: RunState) -> str:
    """What to do about the error of the run, of its chart and days."""
    kind, asset = (run.error.kind, run.error.asset) if run.error else ("", "")
    return trouble_of(kind).advice(Subject(run.chart, run.first, run.last, asset))

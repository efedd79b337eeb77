"""The rules of a chart's status, in one place for page, API, terminal and metrics; docs/operations.md tells them as a
table.

Health is about what was asked for and what is due. A canceled run counts neither as a success nor as a failure, and a
run that failed because its day is not out yet is no fault of anybody. Pure, like health.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import takewhile

from soundcharts_pipeline.config.cascade import AUDIENCE_TRENDS
from soundcharts_pipeline.models import RunError
from soundcharts_pipeline.monitoring.health import (
    RECENT_RUNS,
    STRIP_DAYS,
    ChartFacts,
    ChartHealth,
    ChartStatus,
    DayState,
    FailedTick,
    RunState,
    Task,
    newest_first,
    success_rate,
    task_error,
)
from soundcharts_pipeline.orchestration.due_days import Wishes, due_days, wanted_days

# So many failures in a row are no accident.
FAILURES_IN_A_ROW = 3
# The kind of error of a run whose day is not out yet, and triggers of runs that nobody asked for by hand: where one of
# these is on record, the chart is synced by itself.
NOT_OUT = "NotPublished"
BY_ITSELF = frozenset({"schedule", "healing_sensor"})

Strip = tuple[tuple[date, DayState], ...]
_TICK_FAILED = "the last tick of its schedule failed"
# Of a day that lacks nothing, or will lack nothing soon.
_IN_HAND: frozenset[DayState] = frozenset({"complete", "running"})


def chart_health(
    chart: ChartFacts,
    runs: Iterable[RunState],
    tasks: Sequence[Task],
    now: datetime,
    remedy: Callable[[RunState], str],
) -> ChartHealth:
    """From the chart's facts, its runs in any order and the tasks to show with it."""
    record = _Record(chart, newest_first(run for run in runs if run.chart == chart.slug), now)
    failed = [run for run in record.ended[:RECENT_RUNS] if run.state == "failed"]
    status, reason = _status(record)
    return ChartHealth(
        chart=chart.slug,
        name=chart.name,
        platform=chart.platform,
        schedule=chart.schedule,
        next_run=chart.next_run,
        last_sync=next((run.ended_at for run in record.ended if run.state == "complete"), None),
        success_rate=success_rate(record.ended),
        error_count=len(failed),
        last_error=_last_error(record, failed, remedy),
        status=status,
        reason="; ".join([reason, *_more(record), *_left_out(chart)]),
        left_out=chart.left_out,
        strip=record.strip,
        tasks=tuple(tasks),
    )


@dataclass(frozen=True)
class _Record:
    """A chart with its runs (newest first), and what follows from both."""

    chart: ChartFacts
    runs: Sequence[RunState]
    now: datetime

    @cached_property
    def ended(self) -> list[RunState]:
        """Complete and failed runs, the one that ended last first."""
        return _ended(self.runs)

    @cached_property
    def faults(self) -> list[RunState]:
        """Runs that failed by somebody's fault since the last complete one, the one that ended last first."""
        return list(takewhile(lambda run: run.state == "failed", (run for run in self.ended if not _is_early(run))))

    @cached_property
    def failed_tick(self) -> FailedTick | None:
        """The last one of its schedule, where it failed and no run was complete since."""
        tick, done = self.chart.failed_tick, next((run for run in self.ended if run.state == "complete"), None)
        is_over = tick is None or (done is not None and (done.ended_at or done.created_at) > tick.at)
        return None if is_over or not self.chart.active else tick

    @cached_property
    def covering(self) -> dict[date, list[RunState]]:
        """The runs of each of the thirty days, newest first. The last day is today, or the one that a ranking is dated
        ahead to: by the end of its week."""
        last = max([self.now.date(), *self.chart.published])
        first = last - timedelta(days=STRIP_DAYS - 1)
        days: dict[date, list[RunState]] = {first + timedelta(days=number): [] for number in range(STRIP_DAYS)}
        for run in self.runs:
            for day in run.days_within(first, last):
                days[day].append(run)
        return days

    @cached_property
    def wishes(self) -> Wishes:
        of_days = self.covering.items()
        return Wishes(
            asked=self.chart.saved | {day for day, runs in of_days if any(run.state != "canceled" for run in runs)},
            stopped={day for day, runs in of_days if runs and runs[0].is_stopped},
            by_itself=self.chart.active and any(run.trigger in BY_ITSELF for run in self.runs),
        )

    @cached_property
    def strip(self) -> Strip:
        wanted = wanted_days(self.chart.published, self.wishes)
        return tuple((day, _day_state(self.chart, runs, day, day in wanted)) for day, runs in self.covering.items())

    @cached_property
    def stopped(self) -> list[date]:
        """Days that are not complete because somebody stopped the run that was at them."""
        return [day for day, s in self.strip if day in self.wishes.stopped and s not in _IN_HAND]

    @property
    def since(self) -> date:
        """From when on the healing sensor looks after a day."""
        return self.now.date() - timedelta(days=self.chart.heal_days)

    @cached_property
    def lost(self) -> list[tuple[date, DayState]]:
        """Days that somebody waits for: whose run failed, or that are due and not complete."""
        if not self.chart.active:
            return [(day, s) for day, s in self.strip if s == "failed"]
        due = due_days(self.chart.published, self.wishes, since=self.since, now=self.now)
        # Of a day that is not known to be published, and whose run was complete, a restored backup knows nothing.
        due += [day for day, s in self.strip if s == "missing" and day not in self.chart.published]
        return [(day, s) for day, s in self.strip if s == "failed" or (s in ("missing", "partial") and day in due)]

    @cached_property
    def gaps(self) -> list[tuple[date, DayState]]:
        """Published days that are not complete, and that nobody waits for, stopped or is at work on."""
        known = {*self.stopped, *(day for day, _ in self.lost), *(day for day, s in self.strip if s in _IN_HAND)}
        return [(day, s) for day, s in self.strip if day in self.chart.published and day not in known]


def _last_error(record: _Record, failed: Sequence[RunState], remedy: Callable[[RunState], str]) -> RunError | None:
    """That of its newest failed run, or of the tick that came to none."""
    tick = record.failed_tick
    if tick is not None and not (failed and (failed[0].ended_at or failed[0].created_at) > tick.at):
        return tick.error
    return task_error(failed[0], remedy) if failed else None


def _ended(runs: Iterable[RunState]) -> list[RunState]:
    ended = [run for run in runs if run.state in ("complete", "failed")]
    return sorted(ended, key=lambda run: (run.ended_at or run.created_at, run.run_id), reverse=True)


def _is_early(run: RunState) -> bool:
    """It failed for its day is not out yet. Nothing is broken."""
    return run.state == "failed" and run.error is not None and run.error.kind == NOT_OUT


def _day_state(chart: ChartFacts, covering: Sequence[RunState], day: date, wanted: bool) -> DayState:
    if any(not run.is_over for run in covering):
        return "running"
    if not covering and day in chart.saved:
        # Its runs were pruned, or are too many to be read.
        return "complete" if day in chart.made and day not in chart.incomplete else "partial"
    changed = chart.changed.get(day)
    since = [run for run in covering if changed is None or run.ended_at is None or run.ended_at >= changed]
    done = {step for run in since for step in run.ended_steps_of(day)}
    was_complete = bool(covering) and chart.keys <= done
    if day not in chart.saved and day not in chart.absent:
        done = set()  # it was not listed yet when a run was done with it, or the data is of before that run
    # The trends come last: once they are there the warehouse has noted that all is.
    if was_complete and done and not (AUDIENCE_TRENDS in done and day in chart.incomplete):
        return "complete"
    judged = [run for run in _ended(covering) if not _is_early(run)]
    if judged and judged[0].state == "failed":
        return "failed"
    if done or day in chart.saved:
        return "partial"
    if day not in chart.published:
        return "missing" if was_complete else "not published"
    return "missing" if wanted else "offered"


def _status(record: _Record) -> tuple[ChartStatus, str]:
    """The status and why, in words that need no further look."""
    chart, faults = record.chart, record.faults
    if not chart.saved and chart.newest_saved_at is None and all(run.state != "complete" for run in record.ended):
        return _never_worked(record)
    if len(faults) >= FAILURES_IN_A_ROW:
        failed = f"its last {min(len(faults), RECENT_RUNS)} runs failed"
        return "failing", "; ".join([failed, *_lost_days(record.lost)])
    reasons = ["its last run failed"] if faults else []
    reasons += [_TICK_FAILED] if record.failed_tick else []
    saved_at = chart.newest_saved_at
    if chart.active and saved_at is not None and record.now - saved_at > chart.freshness:
        reasons.append(f"no new ranking was saved since {saved_at:%Y-%m-%d %H:%M} UTC")
    reasons += _lost_days(record.lost)
    if reasons:
        return "degraded", "; ".join(reasons)
    return "healthy", _all_is_well(record)


def _never_worked(record: _Record) -> tuple[ChartStatus, str]:
    """Of a chart of which nothing was ever saved."""
    faults, nothing = record.faults, "nothing of it was ever saved"
    if not faults and record.failed_tick:
        return "failing", f"{nothing}: {_TICK_FAILED}"
    if not faults:
        early = ": what was asked for is not published yet" if record.ended else ""
        return "never_synced", f"{nothing}{early}"
    if len(faults) > 1:
        return "failing", f"{nothing}: its {len(faults)} runs failed"
    # A process may be killed once for reasons of its own.
    is_accident = faults[0].error is None or not faults[0].error.asset
    return "degraded" if is_accident else "failing", f"{nothing}: its only run failed"


def _lost_days(lost: Sequence[tuple[date, DayState]]) -> list[str]:
    """`2026-11-20 failed`, `3 published days are not complete, the newest is 2026-11-20`."""
    failed = [day for day, state in lost if state == "failed"]
    others = [day for day, state in lost if state != "failed"]
    said = []
    if failed:
        many = f"{len(failed)} days failed, the newest is {failed[-1]}"
        said.append(f"{failed[0]} failed" if len(failed) == 1 else many)
    if others:
        days = "1 published day is" if len(others) == 1 else f"{len(others)} published days are"
        said.append(f"{days} not complete, the newest is {others[-1]}")
    return said


def _all_is_well(record: _Record) -> str:
    """Of a healthy chart: no more than what is true of its days."""
    if not record.chart.active:
        return "it is not active: nothing is expected of it"
    gaps = record.gaps
    offered = [day for day, state in gaps if state == "offered"]
    if offered:
        days = "1 more published day" if len(offered) == 1 else f"{len(offered)} more published days"
        return f"all that was asked for is here; {days} of the last {STRIP_DAYS} can be had"
    if any(day < record.since for day, _ in gaps):
        return f"nothing published since {record.since} is missing"
    return "no other published day is missing" if list(_more(record)) else "every published day is here"


def _more(record: _Record) -> Iterator[str]:
    """Why days are not here that nobody need wait for."""
    if any(state == "running" for _, state in record.strip):
        yield "a run is at work"
    if stopped := record.stopped:
        days = f"the run of {stopped[0]} was" if len(stopped) == 1 else f"runs of {len(stopped)} days were"
        yield f"{days} canceled"
    just_found = [day for day, state in record.gaps if state == "missing" and day >= record.since]
    if record.chart.active and just_found:
        yield f"{just_found[-1]} was found published a moment ago"


def _left_out(chart: ChartFacts) -> list[str]:
    return [f"Soundcharts refuses {', '.join(chart.left_out)}"] if chart.left_out else []

"""Which of Dagster's runs are read: the newest ones, and of an instance that has more of them those which others, of
another project or of charts that run more often, would push out. docs/decisions/0034-runs-that-are-read.md."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.monitoring.health import RECENT_RUNS, STRIP_DAYS, TaskState
from soundcharts_pipeline.orchestration.jobs import CASCADE, CHART_SYNC, FULL_SYNC
from soundcharts_pipeline.orchestration.partitions import spans_of_tags

# Runs of an instance that are read at most, newest first: a month of forty charts that run three times a day.
MOST_RUNS = 4000
# Older ones that did not come to a good end; each takes queries of its own.
MOST_BAD = 1000
STATES: Mapping[str, TaskState] = {
    "QUEUED": "pending",
    "NOT_STARTED": "pending",
    "STARTING": "processing",
    "STARTED": "processing",
    "CANCELING": "processing",
    "SUCCESS": "complete",
    "FAILURE": "failed",
    "CANCELED": "canceled",
}
# What schedules, sensors and people launch, the last one in Dagster's dialog: its name for assets without a job.
_JOBS = (FULL_SYNC, CHART_SYNC, CASCADE, "__ASSET_JOB")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run as Dagster records it, from wherever it was read. `selection` is None for all that its job has;
    `updated`: when anything about it last changed, in seconds since 1970."""

    run_id: str
    status: str
    job: str
    tags: Mapping[str, str]
    selection: Sequence[str] | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    updated: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """Runs to be read, newest first: `most` of them, older than the run `before`, of a job, with one of the statuses,
    changed since."""

    most: int
    before: str | None = None
    job: str = ""
    statuses: Sequence[str] = ()
    changed_since: datetime | None = None


Ask = Callable[[RunQuery], Iterable[RunRecord]]
# The newest runs of each of some charts, as many as are wanted of one.
AskCharts = Callable[[Sequence[str], int], Iterable[RunRecord]]


def past_runs(ask: Ask, ask_charts: AskCharts, slugs: Collection[str], now: datetime) -> list[RunRecord]:
    """The newest runs, newest first. Where there are more than are read at once, also older ones: of our jobs, until
    there are as many of chart-days; of the last thirty days those that did not end well; and of each of the charts of
    which none has ended well so far. `now` is the time of Dagster's clock."""
    newest = list(ask(RunQuery(most=MOST_RUNS)))
    if len(newest) < MOST_RUNS:
        return newest
    runs = {run.run_id: run for run in [*newest, *_older(ask, newest, now)]}
    done = {span.slug for run in runs.values() if run.status == "SUCCESS" for span in _spans(run)}
    lacking = [slug for slug in slugs if slug not in done]
    runs |= {run.run_id: run for run in (ask_charts(lacking, RECENT_RUNS) if lacking else ())}
    return sorted(runs.values(), key=lambda run: (run.created_at, run.run_id), reverse=True)


def _older(ask: Ask, newest: Sequence[RunRecord], now: datetime) -> Iterator[RunRecord]:
    before, left = newest[-1].run_id, MOST_RUNS - sum(bool(_spans(run)) for run in newest)
    for job in _JOBS if left else ():
        yield from ask(RunQuery(most=left, before=before, job=job))
    bad = [status for status, state in STATES.items() if state != "complete"]
    since = now - timedelta(days=STRIP_DAYS)
    yield from ask(RunQuery(most=MOST_BAD, before=before, statuses=bad, changed_since=since))


def _spans(run: RunRecord) -> list[ChartDays]:
    return spans_of_tags(run.tags, ())

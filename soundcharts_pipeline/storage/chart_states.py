"""What the warehouse knows of every chart at once, for those who watch: days, progress of runs, calls."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, func, select

from soundcharts_pipeline.storage import bookkeeping as b
from soundcharts_pipeline.storage import schema as s


@dataclass(frozen=True, slots=True)
class ChartState:
    """One chart. `published` and `saved` are days since the asked one; `saved_at` is when its newest ranking was
    saved."""

    platform: str | None = None
    frequency: str | None = None
    published: frozenset[date] = frozenset()
    saved: frozenset[date] = frozenset()
    saved_at: datetime | None = None


# What a quota lasts is judged by so many days; the most that was ever left is looked for in so many.
PACE_DAYS = 7
TERM_DAYS = 31


@dataclass(frozen=True, slots=True)
class Usage:
    """Calls of one UTC day; billed calls left of the term as last seen on any day, and the most that were seen left
    within a month; billed calls of each of the last seven days that had any, this one included."""

    calls: int
    errors: int
    throttled: int
    quota_left: int | None
    quota_most: int | None = None
    billed: Mapping[date, int] = field(default_factory=dict)


def chart_states(conn: Connection, since: date) -> dict[str, ChartState]:
    """By slug, every chart that was ever seen; one row read per chart and day since then."""
    d = s.ranking_days
    published: dict[str, dict[date, datetime | None]] = {}
    query = select(d.c.chart_slug, d.c.rank_date, d.c.saved_at)
    for slug, day, saved_at in conn.execute(query.where(d.c.published_at.is_not(None), d.c.rank_date >= since)):
        published.setdefault(slug, {})[day] = saved_at
    last_saved = select(d.c.chart_slug, func.max(d.c.saved_at)).group_by(d.c.chart_slug)
    ever: dict[str, datetime | None] = {row[0]: row[1] for row in conn.execute(last_saved)}
    charts = {row.slug: (row.platform, row.frequency) for row in conn.execute(select(s.charts))}
    return {
        slug: _state(*charts.get(slug, (None, None)), published.get(slug, {}), ever.get(slug))
        for slug in {*charts, *published, *ever}
    }


def _state(
    platform: str | None,
    frequency: str | None,
    days: dict[date, datetime | None],
    last_saved_at: datetime | None,
) -> ChartState:
    newest_saved = max((day for day, saved_at in days.items() if saved_at), default=None)
    return ChartState(
        platform=platform,
        frequency=frequency,
        published=frozenset(days),
        saved=frozenset(day for day, saved_at in days.items() if saved_at),
        saved_at=days[newest_saved] if newest_saved else last_saved_at,
    )


def progress_of_runs(conn: Connection, run_ids: Collection[str]) -> dict[str, dict[str, tuple[int, int]]]:
    """(done, total) by step, by run."""
    t = b.sync_progress
    found: dict[str, dict[str, tuple[int, int]]] = {run_id: {} for run_id in run_ids}
    for row in conn.execute(select(t.c.run_id, t.c.step, t.c.done, t.c.total).where(t.c.run_id.in_(found))):
        found[row.run_id][row.step] = (row.done, row.total)
    return found


def usage_of(conn: Connection, day: date) -> Usage:
    """Calls made on the day and in the days before, by all processes."""
    u = b.api_usage
    sums = conn.execute(
        select(func.sum(u.c.calls), func.sum(u.c.errors), func.sum(u.c.throttled)).where(u.c.day == day)
    ).one()
    left = select(func.min(u.c.quota_remaining)).where(u.c.quota_remaining.is_not(None)).group_by(u.c.day)
    most = select(func.max(u.c.quota_remaining)).where(u.c.day > day - timedelta(days=TERM_DAYS))
    billed = select(u.c.day, func.sum(u.c.billed)).where(u.c.day > day - timedelta(days=PACE_DAYS), u.c.day <= day)
    calls, errors, throttled = (int(value or 0) for value in sums)
    return Usage(
        calls,
        errors,
        throttled,
        quota_left=conn.scalar(left.order_by(u.c.day.desc()).limit(1)),
        quota_most=conn.scalar(most),
        billed={row[0]: int(row[1]) for row in conn.execute(billed.group_by(u.c.day))},
    )

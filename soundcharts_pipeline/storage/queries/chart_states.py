"""What the warehouse knows of every chart at once, for those who watch: days, progress of runs, calls."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, Table, func, select, text

from soundcharts_pipeline.storage.queries.held_days import archived_rankings, is_ranked, is_whole
from soundcharts_pipeline.storage.queries.worklists import GONE, METADATA
from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s


@dataclass(frozen=True, slots=True)
class ChartState:
    """One chart. `published` and `saved` are days since the asked one, the former with the moment when each was last
    found so; `changed` are those whose ranking took the place of another one, and when; `absent` certainly have no
    ranking; of `incomplete` it is saved, and nothing says that all below it is; `saved_at` is when its newest ranking
    was saved."""

    platform: str | None = None
    frequency: str | None = None
    published: Mapping[date, datetime] = field(default_factory=dict)
    saved: frozenset[date] = frozenset()
    changed: Mapping[date, datetime] = field(default_factory=dict)
    absent: frozenset[date] = frozenset()
    incomplete: frozenset[date] = frozenset()
    saved_at: datetime | None = None


# What a quota lasts is judged by so many days; the most that was ever left is looked for in so many.
PACE_DAYS = 7
TERM_DAYS = 31


@dataclass(frozen=True, slots=True)
class Usage:
    """Calls of one UTC day, and accounts that were found not to exist; billed calls left of the term as last seen on
    any day, and the most that were seen left within a month; billed calls of each of the last seven days that had any,
    this one included."""

    calls: int
    errors: int
    throttled: int
    not_found: int
    quota_left: int | None
    quota_most: int | None = None
    billed: Mapping[date, int] = field(default_factory=dict)


def wait_for_tables(conn: Connection) -> None:
    """Until every table may be written to, as long as a writer would wait. On SQLite the transaction itself has waited;
    on PostgreSQL a table is locked by whoever works on it."""
    if conn.dialect.name == "postgresql":
        quote = conn.dialect.identifier_preparer.quote
        tables = ", ".join(quote(table.name) for table in s.metadata.sorted_tables)
        conn.exec_driver_sql(f"LOCK TABLE {tables} IN ROW EXCLUSIVE MODE")


def chart_states(conn: Connection, since: date) -> dict[str, ChartState]:
    """By slug, every chart that was ever seen; one row read per chart and day since then."""
    d = s.ranking_days
    known: dict[str, list[Any]] = {}
    times = (d.c.published_at, d.c.checked_at, d.c.saved_at, d.c.changed_at, d.c.completed_at)
    for row in conn.execute(select(d.c.chart_slug, d.c.rank_date, *times).where(d.c.rank_date >= since)):
        known.setdefault(row.chart_slug, []).append(row)
    archived = archived_rankings(conn)
    last_saved = select(d.c.chart_slug, func.max(d.c.saved_at)).group_by(d.c.chart_slug)
    ever: dict[str, datetime | None] = {row[0]: row[1] for row in conn.execute(last_saved)}
    charts = {row.slug: (row.platform, row.frequency) for row in conn.execute(select(s.charts))}
    return {
        slug: _state(*charts.get(slug, (None, None)), known.get(slug, ()), archived, ever.get(slug))
        for slug in {*charts, *ever}
    }


def _state(
    platform: str | None,
    frequency: str | None,
    days: Sequence[Any],
    archived: Collection[date],
    last_saved_at: datetime | None,
) -> ChartState:
    published = [row for row in days if row.published_at is not None]
    saved = {row.rank_date: row.saved_at for row in published if row.saved_at}
    return ChartState(
        platform=platform,
        frequency=frequency,
        published={row.rank_date: row.checked_at for row in published},
        saved=frozenset(saved),
        changed={row.rank_date: row.changed_at for row in published if row.changed_at and row.saved_at},
        absent=frozenset(row.rank_date for row in days if is_ranked(row) and row.saved_at is None),
        incomplete=frozenset(row.rank_date for row in published if row.saved_at and not is_whole(row, archived)),
        saved_at=saved[max(saved)] if saved else last_saved_at,
    )


def progress_of_runs(conn: Connection, run_ids: Collection[str]) -> dict[str, dict[str, tuple[int, int]]]:
    """(done, total) by step, by run."""
    t = b.sync_progress
    found: dict[str, dict[str, tuple[int, int]]] = {run_id: {} for run_id in run_ids}
    for row in conn.execute(select(t.c.run_id, t.c.step, t.c.done, t.c.total).where(t.c.run_id.in_(found))):
        found[row.run_id][row.step] = (row.done, row.total)
    return found


def calls_of_runs(conn: Connection, run_ids: Collection[str]) -> dict[str, int]:
    """Calls that the steps of each run have made so far."""
    t = b.sync_progress
    query = select(t.c.run_id, func.sum(func.coalesce(t.c.calls, 0))).where(t.c.run_id.in_(run_ids))
    return dict.fromkeys(run_ids, 0) | {row[0]: int(row[1]) for row in conn.execute(query.group_by(t.c.run_id))}


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
    t, midnight = b.tombstones.c, datetime.combine(day, time(), UTC)
    absent = select(func.count()).where(t.reason == GONE, t.scope != METADATA)
    return Usage(
        calls,
        errors,
        throttled,
        int(conn.scalar(absent.where(t.noted_at >= midnight, t.noted_at < midnight + timedelta(days=1))) or 0),
        quota_left=conn.scalar(left.order_by(u.c.day.desc()).limit(1)),
        quota_most=conn.scalar(most),
        billed={row[0]: int(row[1]) for row in conn.execute(billed.group_by(u.c.day))},
    )


# PostgreSQL keeps an estimate of every table's rows; below this many they are counted.
ESTIMATED_FROM = 100_000


@dataclass(frozen=True, slots=True)
class Totals:
    """Rows of the whole warehouse, and its bytes with all indexes. The points of a large PostgreSQL table are its own
    estimate."""

    tracks: int
    artists: int
    audience_points: int
    database_bytes: int


def totals(conn: Connection) -> Totals:
    """SQLite keeps no counts: there every point is read once, 0.1 s for a million."""
    return Totals(
        tracks=_count(conn, s.tracks),
        artists=_count(conn, s.artists),
        audience_points=_rows(conn, audience.points),
        database_bytes=_bytes(conn),
    )


def _rows(conn: Connection, table: Table) -> int:
    if conn.dialect.name == "postgresql":
        query = text(
            "SELECT sum(greatest(c.reltuples, 0))::bigint FROM pg_partition_tree(to_regclass(:name)) t"
            " JOIN pg_class c ON c.oid = t.relid WHERE t.isleaf"
        )
        estimate = conn.scalar(query, {"name": table.name}) or 0
        if estimate >= ESTIMATED_FROM:
            return int(estimate)
    return _count(conn, table)


def _count(conn: Connection, table: Table) -> int:
    return conn.scalar(select(func.count()).select_from(table)) or 0


def _bytes(conn: Connection) -> int:
    if conn.dialect.name == "postgresql":
        return int(conn.scalar(text("SELECT pg_database_size(current_database())")) or 0)
    pages, size = conn.scalar(text("PRAGMA page_count")), conn.scalar(text("PRAGMA page_size"))
    return int(pages or 0) * int(size or 0)

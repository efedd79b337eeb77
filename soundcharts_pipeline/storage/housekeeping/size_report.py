"""How large the warehouse is, how fast it grows, when its disk is full, and which queries are slow."""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.storage.bulk import merge
from soundcharts_pipeline.storage.queries import summaries, worklists
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

# Growth is a straight line through the reports of this long.
TREND_DAYS = 90
SLOWEST = 10
# One day of a series as an asset's worklist reads it.
SERIES = ("spotify", "streams")


@dataclass(frozen=True, slots=True)
class TableSize:
    """One table: rows, bytes without and of its indexes."""

    table: str
    rows: int
    table_bytes: int
    index_bytes: int

    @property
    def bytes(self) -> int:
        return self.table_bytes + self.index_bytes


@dataclass(frozen=True, slots=True)
class Forecast:
    """The straight line through the reports: bytes a day, bytes in 30 and 90 days, the day when the disk is full
    (None: not in sight, or the disk cannot be seen from here)."""

    bytes_a_day: float
    in_30_days: int
    in_90_days: int
    full_on: date | None


@dataclass(frozen=True, slots=True)
class SlowQuery:
    """A query: what it is, how often it ran, milliseconds on average."""

    query: str
    calls: int
    milliseconds: float


@dataclass(frozen=True, slots=True)
class StorageReport:
    """`earlier` is the report before this one; `totals` are all known sizes in bytes, oldest first, this one last.
    `forecast` is None until there are two reports a day or more apart."""

    sizes: Sequence[TableSize]
    earlier: dict[str, TableSize]
    earlier_at: datetime | None
    totals: Sequence[tuple[datetime, int]]
    free_bytes: int | None
    forecast: Forecast | None
    slowest: Sequence[SlowQuery]
    timed_now: bool

    @property
    def bytes(self) -> int:
        return sum(size.bytes for size in self.sizes)


def make_report(warehouse: Warehouse, now: datetime) -> StorageReport:
    """Measure, compare with what was measured before, and keep the measurement."""
    with warehouse.read() as conn:
        sizes = sorted(_sizes(conn), key=lambda size: -size.bytes)
        earlier_at, earlier, totals = _history(conn)
    totals = [*totals, (now, sum(size.bytes for size in sizes))]
    slowest = _statistics(warehouse)
    free = _free_bytes(warehouse)
    columns = ["reported_at", "table_name", "rows", "table_bytes", "index_bytes"]
    rows = [(now, size.table, size.rows, size.table_bytes, size.index_bytes) for size in sizes]
    with warehouse.write() as conn:
        merge(conn, b.storage_sizes, rows, columns=columns)
    return StorageReport(
        sizes=sizes,
        earlier=earlier,
        earlier_at=earlier_at,
        totals=totals,
        free_bytes=free,
        forecast=forecast(totals, free),
        slowest=slowest or _timed(warehouse),
        timed_now=not slowest,
    )


def forecast(totals: Sequence[tuple[datetime, int]], free_bytes: int | None) -> Forecast | None:
    """The least-squares line through the totals of the last `TREND_DAYS`, from the newest total on."""
    now, newest = totals[-1]
    recent = [((at - now) / timedelta(days=1), size) for at, size in totals if now - at <= timedelta(days=TREND_DAYS)]
    if recent[0][0] > -1:
        return None
    mean_day = sum(day for day, _ in recent) / len(recent)
    mean_size = sum(size for _, size in recent) / len(recent)
    spread = sum((day - mean_day) ** 2 for day, _ in recent)
    slope = sum((day - mean_day) * (size - mean_size) for day, size in recent) / spread
    full_on = None
    if free_bytes is not None and slope > 0 and (days := free_bytes / slope) < (date.max - now.date()).days:
        full_on = now.date() + timedelta(days=int(days))
    return Forecast(slope, max(0, round(newest + 30 * slope)), max(0, round(newest + 90 * slope)), full_on)


def _history(conn: Connection) -> tuple[datetime | None, dict[str, TableSize], list[tuple[datetime, int]]]:
    """When the last report was made, what it found, and the total of every report."""
    t = b.storage_sizes
    size = func.sum(t.c.table_bytes + t.c.index_bytes)
    found = conn.execute(select(t.c.reported_at, size).group_by(t.c.reported_at).order_by(t.c.reported_at))
    totals = [(at, int(total)) for at, total in found]
    if not totals:
        return None, {}, []
    last = totals[-1][0]
    columns = (t.c.table_name, t.c.rows, t.c.table_bytes, t.c.index_bytes)
    rows = conn.execute(select(*columns).where(t.c.reported_at == last))
    return last, {row[0]: TableSize(*row) for row in rows}, totals


def _sizes(conn: Connection) -> list[TableSize]:
    """Every table of the schema. Counts exactly, which reads every row or an index of them once."""
    measured = _sqlite_bytes(conn) if conn.dialect.name == "sqlite" else _postgresql_bytes(conn)
    return [
        TableSize(name, conn.scalar(select(func.count()).select_from(table)) or 0, *measured.get(name, (0, 0)))
        for name, table in s.metadata.tables.items()
    ]


def _sqlite_bytes(conn: Connection) -> dict[str, tuple[int, int]]:
    """Bytes of tables and of their indexes; empty where SQLite was built without the table that knows them."""
    try:
        pages = conn.execute(text("SELECT name, sum(pgsize) FROM dbstat WHERE aggregate = TRUE GROUP BY name"))
        of_name = {name: int(size) for name, size in pages}
    except DBAPIError:
        return {}
    owners = conn.execute(text("SELECT name, tbl_name FROM sqlite_master WHERE type = 'index'"))
    indexes: dict[str, int] = {}
    for name, table in owners:
        indexes[table] = indexes.get(table, 0) + of_name.get(name, 0)
    return {name: (of_name.get(name, 0), indexes.get(name, 0)) for name in s.metadata.tables}


def _postgresql_bytes(conn: Connection) -> dict[str, tuple[int, int]]:
    query = text(
        "SELECT c.relname, sum(pg_table_size(part)), sum(pg_indexes_size(part)) FROM pg_class c"
        " CROSS JOIN LATERAL (SELECT c.oid UNION SELECT relid FROM pg_partition_tree(c.oid)) parts (part)"
        " WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid) AND c.relname = ANY(:names) GROUP BY 1"
    )
    return {row[0]: (int(row[1]), int(row[2])) for row in conn.execute(query, {"names": list(s.metadata.tables)})}


def _free_bytes(warehouse: Warehouse) -> int | None:
    """Room on the disk of an SQLite file; a server's disk cannot be seen from here."""
    if warehouse.dialect != "sqlite":
        return None
    return shutil.disk_usage(Path(warehouse.url.database or "").absolute().parent).free


def _statistics(warehouse: Warehouse) -> list[SlowQuery]:
    """What PostgreSQL's own statistics hold of this user's queries, the slowest on average first; empty without the
    extension. Their constants are replaced by $1, and statements that might hold a password are left out."""
    if warehouse.dialect != "postgresql":
        return []
    with warehouse.read() as conn:
        if not conn.scalar(text("SELECT 1 FROM pg_extension WHERE extname = 'pg_stat_statements'")):
            return []
        query = text(
            "SELECT regexp_replace(query, '\\s+', ' ', 'g'), calls, mean_exec_time FROM pg_stat_statements st"
            " JOIN pg_database d ON d.oid = st.dbid JOIN pg_roles r ON r.oid = st.userid"
            " WHERE d.datname = current_database() AND r.rolname = current_user"
            " AND query ~* '^\\s*(select|insert|update|delete|with)\\s' ORDER BY mean_exec_time DESC LIMIT :most"
        )
        try:
            return [SlowQuery(row[0][:200], row[1], row[2]) for row in conn.execute(query, {"most": SLOWEST})]
        except DBAPIError:
            # The extension is there and its library is not loaded, or this user may not read it.
            return []


def _timed(warehouse: Warehouse) -> list[SlowQuery]:
    """The queries that every run makes, once each, now, for the newest ranking of the largest chart."""
    t = s.chart_rankings
    with warehouse.read() as conn:
        newest = select(t.c.chart_slug, t.c.rank_date).group_by(t.c.chart_slug, t.c.rank_date)
        found = conn.execute(newest.order_by(t.c.rank_date.desc(), func.count().desc()).limit(1)).first()
        if found is None:
            return []
        days = ChartDays(found.chart_slug, found.rank_date, found.rank_date)
        timed = [SlowQuery(name, 1, _milliseconds(conn, days, run)) for name, run in QUERIES.items()]
    return sorted(timed, key=lambda query: -query.milliseconds)


def _milliseconds(conn: Connection, days: ChartDays, run: Callable[[Connection, ChartDays], Any]) -> float:
    began = time.perf_counter()
    run(conn, days)
    return (time.perf_counter() - began) * 1000


EVER = datetime.min.replace(tzinfo=UTC)
QUERIES: dict[str, Callable[[Connection, ChartDays], Any]] = {
    "summary: what the whole warehouse holds": lambda conn, _: summaries.totals(conn),
    "worklist: tracks ranked on a day": partial(worklists.ranked_tracks, gone_after=EVER),
    "worklist: artists ranked on a day": partial(worklists.ranked_artists, gone_after=EVER),
    "worklist: answered windows of a day's tracks": lambda conn, days: worklists.asks_of(
        conn, "track", *SERIES, worklists.entities(days, "track")
    ),
    "preview: a ranking": lambda conn, days: summaries.ranking_preview(conn, days.slug, days.first),
    "row count: a day's track series": lambda conn, days: summaries.audience_rows(conn, days, "track", SERIES[0], 90),
}

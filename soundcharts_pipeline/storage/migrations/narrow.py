"""Moves the audience from tables that repeat their key in every row into series and points.

A step is a transaction: so many rows of one table, and how far that is, in `narrowing`. So whatever ends it, the next
start goes on from there. The old tables stay as they are until every row was counted
and its sums were compared; then they go in one transaction.
"""

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from soundcharts_pipeline.storage.errors import RowsLost, StorageFull
from soundcharts_pipeline.storage.tables import months

_log = logging.getLogger(__name__)

PROGRESS = "narrowing"
# Rows of a step: about a second. All rows of an entity belong to one.
STEP = 100_000
# A low guess, for two cores with much else to do; and bytes a row takes, with its share of keys and indexes.
ROWS_A_SECOND = {"sqlite": 60_000, "postgresql": 60_000}
BYTES_A_ROW = {"sqlite": 25, "postgresql": 90}


@dataclass(frozen=True, slots=True)
class Wide:
    """One old table. `uuid` is its first column; `kind` are the columns that make a series with it."""

    name: str
    entity: str
    identifier: str
    located: bool = False

    @property
    def uuid(self) -> str:
        return f"{self.entity}_uuid"

    @property
    def points(self) -> str:
        return "located_points" if self.located else "points"


TABLES = (
    Wide("track_audience", "track", "w.identifier"),
    Wide("artist_audience", "artist", "''"),
    Wide("artist_audience_geo", "artist", "''", located=True),
)
# What the two databases call differently: a day, the number of a stored day, a moment in whole seconds.
DAY = {"sqlite": "CAST(julianday(w.date) - 2440587.5 AS INTEGER)", "postgresql": "w.date"}
NUMBER = {"sqlite": "{}", "postgresql": "({} - DATE '1970-01-01')"}
MOMENT = {
    "sqlite": "CAST(strftime('%s', substr(w.fetched_at, 1, 19)) AS INTEGER) - 946684800",
    "postgresql": "floor(extract(epoch FROM w.fetched_at))::bigint - 946684800",
}
# A sum that tells which value is of which day, small enough for the sum of any number of rows.
SUM = "sum({value} % 1000003 * ({day} % 1009 + 1))"


def left(conn: Connection) -> int:
    """Rows that are still to be moved; 0 where there is no old table."""
    there, done = set(inspect(conn).get_table_names()), _progress(conn)
    counts = [_count(conn, f"SELECT count(*) FROM {wide.name}") for wide in TABLES if wide.name in there]  # noqa: S608
    return max(0, sum(counts) - sum(rows for _, rows in done.values()))


def announce(conn: Connection) -> None:
    """Say how long it takes and how much disk. Raises StorageFull where SQLite's disk has not enough."""
    rows, kind = left(conn), conn.dialect.name
    needed = rows * BYTES_A_ROW[kind]
    minutes = max(1, round(rows / ROWS_A_SECOND[kind] / 60))
    _log.warning(
        "%s audience rows move into narrow tables: about %s min and %s MB of disk. It may be ended and started again.",
        *(f"{number:,}" for number in (rows, minutes, needed // 1_000_000)),
    )
    if kind == "sqlite":
        free = shutil.disk_usage(Path(conn.engine.url.database or "").absolute().parent).free
        if free < needed:
            raise StorageFull(
                f"moving {rows:,} audience rows needs {needed // 1_000_000:,} MB of disk, and {free // 1_000_000:,} MB"
                " are free; free some, then start again. Nothing was lost"
            )


def begin(conn: Connection) -> None:
    """Note that nothing has moved; what was noted stays."""
    conn.execute(
        text(
            f"CREATE TABLE IF NOT EXISTS {PROGRESS} (table_name VARCHAR PRIMARY KEY, last_uuid VARCHAR NOT NULL,"
            " rows BIGINT NOT NULL)"
        )
    )


def step(conn: Connection) -> bool:
    """Move the next rows of the first table that is not done; whether there were any."""
    done = _progress(conn)
    for wide in TABLES:
        last, moved = done.get(wide.name, ("", 0))
        end = _end(conn, wide, last)
        if end is not None:
            moved += _move(conn, wide, last, end)
            _note(conn, wide.name, end, moved)
            return True
    return False


def finish(conn: Connection) -> None:
    """Compare, then let the old tables go. Raises RowsLost when anything differs."""
    kind = conn.dialect.name
    if kind == "postgresql":
        conn.execute(text(f"LOCK TABLE {', '.join(wide.name for wide in TABLES)} IN SHARE MODE"))
    for wide in TABLES:
        old = _sums(conn, wide, f"{wide.name} w", DAY[kind], MOMENT[kind], "w.value")
        source = f"{wide.points} p JOIN series s ON s.id = p.series_id AND s.entity = '{wide.entity}'"
        new = _sums(conn, wide, source, "p.day", "p.fetched_at", "p.value")
        if old != new:
            raise RowsLost(
                f"{wide.name} has changed while it was moved ({old} is {new}); stop every older version of this"
                " program, empty the tables points and located_points, drop the table narrowing, and start again. "
                "Nothing was lost"
            )
    for name in (*(wide.name for wide in TABLES), PROGRESS):
        conn.execute(text(f"DROP TABLE {name}"))


def _end(conn: Connection, wide: Wide, last: str) -> str | None:
    """The entity with which so many rows after the last one are reached, else the last entity of all; None: done."""
    after = f"FROM {wide.name} WHERE {wide.uuid} > :last"
    reached = f"SELECT {wide.uuid} {after} ORDER BY {wide.uuid} LIMIT 1 OFFSET :rows"
    end: str | None = conn.scalar(text(reached), {"last": last, "rows": STEP})
    return end or conn.scalar(text(f"SELECT max({wide.uuid}) {after}"), {"last": last})


def _move(conn: Connection, wide: Wide, last: str, end: str) -> int:
    kind, names = conn.dialect.name, {"last": last, "end": end}
    rows = f"FROM {wide.name} w WHERE w.{wide.uuid} > :last AND w.{wide.uuid} <= :end"
    series = f"'{wide.entity}', w.{wide.uuid}, w.platform, w.metric, {wide.identifier}"
    conn.execute(
        text(
            "INSERT INTO series (entity, uuid, platform, metric, identifier)"  # names of ours
            f" SELECT DISTINCT {series} {rows} ORDER BY 2, 3, 4, 5 ON CONFLICT DO NOTHING"
        ),
        names,
    )
    if wide.located:
        place = "w.country_code, w.region, w.city_name"
        conn.execute(
            text(
                "INSERT INTO places (country_code, region, city_name)"
                f" SELECT DISTINCT {place} {rows} ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING"
            ),
            names,
        )
    if kind == "postgresql":
        of_rows = text(f"SELECT DISTINCT date_trunc('month', w.date)::date {rows}")
        for month in conn.scalars(of_rows, names).all():
            months.make(conn, wide.points, month)
    found = _count(conn, f"SELECT count(*) {rows}", names)
    moved = conn.execute(text(_insert(wide, kind)), names, execution_options={"preserve_rowcount": True}).rowcount
    if moved != found:
        raise RowsLost(f"{moved} of {found} rows of {wide.name} could be moved; nothing was lost")
    return moved


def _insert(wide: Wide, kind: str) -> str:
    same = f"s.entity = '{wide.entity}' AND s.uuid = w.{wide.uuid} AND s.platform = w.platform AND s.metric = w.metric"
    joined = f"{wide.name} w JOIN series s ON {same} AND s.identifier = {wide.identifier}"
    of = f"WHERE w.{wide.uuid} > :last AND w.{wide.uuid} <= :end"
    if wide.located:
        joined += (
            " JOIN places l ON l.country_code = w.country_code AND l.region = w.region AND l.city_name = w.city_name"
        )
        return (
            f"INSERT INTO located_points (series_id, day, place_id, value) SELECT s.id, {DAY[kind]}, l.id, w.value"  # noqa: S608
            f" FROM {joined} {of} ORDER BY 1, 2, 3"
        )
    return (
        f"INSERT INTO points (series_id, day, value, fetched_at) SELECT s.id, {DAY[kind]}, w.value, {MOMENT[kind]}"  # noqa: S608
        f" FROM {joined} {of} ORDER BY 1, 2"
    )


def _sums(conn: Connection, wide: Wide, source: str, day: str, moment: str, value: str) -> Sequence[int]:
    number = NUMBER[conn.dialect.name].format(day)
    sums = ["count(*)", f"sum({number})", SUM.format(value=value, day=number)]
    sums += [] if wide.located else [f"sum({moment})"]
    row = conn.execute(text(f"SELECT {', '.join(sums)} FROM {source}")).one()  # noqa: S608
    return [int(number or 0) for number in row]


def _progress(conn: Connection) -> Mapping[str, tuple[str, int]]:
    if PROGRESS not in inspect(conn).get_table_names():
        return {}
    rows = conn.execute(text(f"SELECT table_name, last_uuid, rows FROM {PROGRESS}"))  # noqa: S608
    return {row[0]: (row[1], row[2]) for row in rows}


def _note(conn: Connection, name: str, last: str, rows: int) -> None:
    conn.execute(
        text(
            f"INSERT INTO {PROGRESS} (table_name, last_uuid, rows) VALUES (:name, :last, :rows)"  # noqa: S608
            " ON CONFLICT (table_name) DO UPDATE SET last_uuid = excluded.last_uuid, rows = excluded.rows"
        ),
        {"name": name, "last": last, "rows": rows},
    )


def _count(conn: Connection, query: str, names: Mapping[str, Any] | None = None) -> int:
    return int(conn.scalar(text(query), names or {}) or 0)

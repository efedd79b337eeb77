"""Rows a second into the warehouse against what the bare driver does: `python -m benchmarks.loading --help`.

The rows come in batches of a dozen answers, one transaction each, into the points of known series. Bare is COPY
on PostgreSQL and executemany on SQLite into the same tables, in the numbers of series, places and days: once of values
made ready beforehand ("ready"), and once of such Python rows ("rows"). Ours is given the API's answers, as a sync
is, and looks the numbers up. Every case is measured in turn and so a few times; the ratios are medians. What is stored
is compared with what was given after every save of ours.

Prints the rows of a Markdown table. Without `--database` SQLite, then a PostgreSQL server of its own, without fsync.
"""

import argparse
import csv
import io
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, select, text

from soundcharts_pipeline.models import AudiencePoint, LocatedDay, Series
from soundcharts_pipeline.storage import bulk_values as rendering
from soundcharts_pipeline.storage.points import merge_audience
from soundcharts_pipeline.storage.saves import SeriesAnswer, save_series
from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.tables.columns import Day, Moment
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.postgres import running_server, url_of

HEADER = "| database | table | case | rows/s | bare, ready rows/s | ratio | bare, rows/s | ratio |\n" + 8 * "|---" + "|"

Row = tuple[Any, ...]
Batches = Sequence[Sequence[Row]]
Load = Callable[[Connection, int], object]

DAYS = [date(2026, 8, 1) + timedelta(days=n) for n in range(90)]
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
CITIES = [(country, f"Region {n % 7}", f"City {n}") for n, country in enumerate(["BR", "DE", "GB", "MX", "US"] * 10)]


def track_rows(count: int) -> list[Row]:
    """90 days of tracks with one identifier."""
    identifiers = iter(lambda: str(uuid.UUID(int=random.getrandbits(128))), "")
    series = ((next(identifiers), "spotify", "streams", f"id-{n}") for n in range(-(-count // len(DAYS))))
    return [(*who, day, random.getrandbits(40), NOW) for who in series for day in DAYS][:count]


def geo_rows(count: int) -> list[Row]:
    """A dozen days of artists in fifty cities, as they are answered: day by day."""
    identifiers = iter(lambda: str(uuid.UUID(int=random.getrandbits(128))), "")
    artists = ((next(identifiers), "spotify", "monthly_listeners") for _ in range(-(-count // 600)))
    days = DAYS[:12]
    return [(*who, day, *city, random.getrandbits(30)) for who in artists for day in days for city in CITIES][:count]


SHAPES: dict[str, tuple[Table, Table, Callable[[int], list[Row]]]] = {
    "points": (s.track_audience, audience.points, track_rows),
    "located_points": (s.artist_audience_geo, audience.located_points, geo_rows),
}


def answers_of(view: Table, rows: Sequence[Row]) -> list[SeriesAnswer]:
    """The rows as the API answers them: one answer for each track or artist."""
    found = []
    for uuid_, of_entity in groupby(rows, key=itemgetter(0)):
        if view is s.track_audience:
            series = Series(tuple(AudiencePoint(day, name, value) for _, _, _, name, day, value, _ in of_entity))
        else:
            days = groupby(of_entity, key=itemgetter(3))
            series = Series((), tuple(LocatedDay(day, {row[4:7]: row[7] for row in of_day}) for day, of_day in days))
        found.append(SeriesAnswer(uuid_, series, ()))
    return found


class Measurement:
    """One view and the table of its points, of one database."""

    def __init__(self, warehouse: Warehouse, view: Table, table: Table, rows: list[Row], batch: int) -> None:
        self._warehouse, self._view, self._table, self._rows = warehouse, view, table, rows
        self._columns = [column.name for column in table.columns]
        names = [column.name for column in view.columns]
        date_of = itemgetter(names.index("date"))
        self._batches = [rows[start : start + batch] for start in range(0, len(rows), batch)]
        days = {day: n for n, day in enumerate(sorted(set(map(date_of, rows))))}
        self._early = [[r for r in b if days[date_of(r)] < len(days) // 2] for b in self._batches]
        on_postgres = warehouse.dialect == "postgresql"
        make = self._copy_text if on_postgres else self._sqlite_rows
        self._narrow = [self._numbers(part) for part in self._batches]
        self._answers = {id(part): answers_of(view, part) for part in (*self._batches, *self._early)}
        self._ready = [make(part) for part in self._narrow]
        self._bare = self._copy if on_postgres else self._executemany

    def repetition(self) -> dict[str, float]:
        """Seconds of each case, once."""
        seconds = {"ready": self._fresh(lambda conn, n: self._bare(conn, self._ready[n]))}
        make = self._csv_text if self._warehouse.dialect == "postgresql" else self._sqlite_rows
        options = " WITH (FORMAT csv)" if self._warehouse.dialect == "postgresql" else ""
        seconds["rows"] = self._fresh(lambda conn, n: self._bare(conn, make(self._narrow[n]), options))
        seconds["first time"] = self._fresh(self._merge)
        self._verify()
        seconds["again"] = self._timed(self._merge)
        self._verify()
        self._empty()
        self._timed(lambda conn, n: self._merge_rows(conn, self._early[n]))
        seconds["half stored"] = self._timed(self._merge)
        self._verify()
        return seconds

    def _fresh(self, load: Load) -> float:
        self._empty()
        return self._timed(load)

    def _timed(self, load: Load) -> float:
        started = time.perf_counter()
        for number in range(len(self._batches)):
            with self._warehouse.write() as conn:
                load(conn, number)
        return time.perf_counter() - started

    def _merge(self, conn: Connection, number: int) -> None:
        self._merge_rows(conn, self._batches[number])

    def _merge_rows(self, conn: Connection, rows: Sequence[Row]) -> None:
        entity = "track" if self._view is s.track_audience else "artist"
        save_series(conn, entity, *self._rows[0][1:3], self._answers[id(rows)], NOW)

    def _numbers(self, rows: Sequence[Row]) -> list[Row]:
        """The rows as the table of points has them, in its order. Saved once, so that months, series and places are
        there."""
        with self._warehouse.write() as conn:
            merge_audience(conn, self._view, rows)
        with self._warehouse.write() as conn:
            stored = [tuple(row) for row in conn.execute(select(self._table).order_by(*self._table.primary_key))]
            conn.execute(self._table.delete())
        return stored

    def _copy(self, conn: Connection, body: str, options: str = "") -> None:
        command = f"COPY {self._table.name} ({', '.join(self._columns)}) FROM STDIN{options}"
        with closing(conn.connection.cursor()) as cursor:
            cursor.copy_expert(command, io.BytesIO(body.encode()), 1 << 18)

    def _executemany(self, conn: Connection, rows: Sequence[Row], _options: str = "") -> None:
        command = f"INSERT INTO {self._table.name} VALUES ({', '.join('?' * len(self._columns))})"  # noqa: S608
        with closing(conn.connection.cursor()) as cursor:
            cursor.executemany(command, rows)

    def _copy_text(self, rows: Sequence[Row]) -> str:
        return "\n".join(rendering.copy_lines(self._table, rows, columns=self._columns, unique=self._columns))

    def _sqlite_rows(self, rows: Sequence[Row]) -> list[Row]:
        if self._table is audience.points:
            return [(series, Day.number(day), value, Moment.number(at)) for series, day, value, at in rows]
        return [(series, Day.number(day), *rest) for series, day, *rest in rows]

    def _csv_text(self, rows: Sequence[Row]) -> str:
        body = io.StringIO()
        if self._table is audience.points:
            rows = [(*row[:3], Moment.number(row[3])) for row in rows]
        csv.writer(body).writerows(rows)
        return body.getvalue()

    def _empty(self) -> None:
        with self._warehouse.write() as conn:
            conn.execute(
                text(f"TRUNCATE {self._table.name}") if conn.dialect.name != "sqlite" else self._table.delete()
            )

    def _verify(self) -> None:
        with self._warehouse.read() as conn:
            stored = {tuple(row) for row in conn.execute(select(self._view))}
        if stored != set(self._rows):
            sys.exit(f"{self._table.name} on {self._warehouse.dialect}: stored rows differ from those given")


@contextmanager
def warehouses(url: str | None) -> Iterator[Iterator[Warehouse]]:
    """Empty ones: at the URL, or one of each kind."""
    if url is not None:
        with closing(Warehouse(url)) as warehouse:
            yield iter([warehouse])
        return
    with tempfile.TemporaryDirectory() as folder, running_server() as server:
        urls = [f"sqlite:///{Path(folder) / 'soundcharts.db'}", url_of(server, "postgres").render_as_string()]
        with closing(Warehouse(urls[0])) as sqlite, closing(Warehouse(urls[1])) as postgres:
            yield iter([sqlite, postgres])


def measure(warehouse: Warehouse, shape: str, count: int, batch: int, repetitions: int) -> None:
    """Print a line for each case."""
    view, table, make = SHAPES[shape]
    with warehouse.read() as conn:
        if conn.scalar(select(func.count()).select_from(table)):
            sys.exit(f"{table.name} holds rows already; give the URL of an empty database")
    measurement = Measurement(warehouse, view, table, make(count), batch)
    times = [measurement.repetition() for _ in range(repetitions)]
    for case in ("first time", "again", "half stored"):
        ours, ready, rows = (count / statistics.median(t[name] for t in times) for name in (case, "ready", "rows"))
        ratios = [statistics.median(t[bare] / t[case] for t in times) for bare in ("ready", "rows")]
        print(  # noqa: T201
            f"| {warehouse.dialect} | {shape} | {case} | {ours:,.0f} | {ready:,.0f} | {ratios[0]:.2f} "
            f"| {rows:,.0f} | {ratios[1]:.2f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--batch", type=int, default=12_000, help="rows of one transaction")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--database", help="the URL of an empty database")
    a = parser.parse_args()
    random.seed(28)
    print(HEADER)  # noqa: T201
    with warehouses(a.database) as found:
        for warehouse in found:
            for shape in SHAPES:
                measure(warehouse, shape, a.rows, a.batch, a.repetitions)


if __name__ == "__main__":
    main()

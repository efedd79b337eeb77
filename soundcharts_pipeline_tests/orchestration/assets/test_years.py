"""A chart-day asks the same of the database beside four years of its own series as beside one.

SQLite counts its instructions, so that no clock is needed; PostgreSQL reads by the same keys.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, func, insert, select, text, update
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.tables import audience, bookkeeping
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.project import chart, open_project

# What is stored is copied so many times, each a month before the last: as far back as anything looks, and years more.
MONTHS = (14, 42)
# What reads all of it reads many times as much.
AS_GOOD_AS_THE_SAME = 1.1
INSTRUCTIONS = 100
MONTH = 30
COPIED = {audience.points: "day", audience.located_points: "day", s.chart_rankings: "rank_date"}


def test_a_chart_day_beside_years_of_its_own_series(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    worked = []
    for months in MONTHS:
        file = tmp_path / f"{months}.db"
        here = {**environ, "SOUNDCHARTS_DATABASE_URL": f"sqlite:///{file}"}
        followed = chart(report=True, artist_audience_platforms=("spotify",))
        with open_project(simulator, here, monkeypatch, followed) as project:
            assert project.run(project.span(1, ago=1)).success
            copy_back(project.warehouse, months)
            project.warehouse.close()
            with counted(file) as of_day:
                assert project.run(project.span(1)).success
        worked += of_day
    few, many = worked
    assert many < few * AS_GOOD_AS_THE_SAME, (few, many)


def copy_back(warehouse: Warehouse, months: int) -> None:
    """So many months of points and rankings before those that are there, as if they had been asked for."""
    with warehouse.write() as conn:
        for table, day in COPIED.items():
            first, last = conn.execute(select(func.min(table.c[day]), func.max(table.c[day]))).one()
            nearest = MONTH * ((last - first).days // MONTH + 1)
            for back in range(nearest, nearest + MONTH * months, MONTH):
                earlier = f"date({day}, '-{back} days')" if day == "rank_date" else f"{day} - {back}"
                names = table.c.keys()
                rows = select(*(text(earlier if name == day else name) for name in names)).select_from(table)
                conn.execute(insert(table).from_select(names, rows.where(table.c[day] >= first)))
        earlier = f"date(start_date, '-{MONTH * (months + 3)} days')"
        conn.execute(update(bookkeeping.audience_asks).values(start_date=text(earlier)))


@contextmanager
def counted(file: Path) -> Iterator[list[int]]:
    """What SQLite works on this file within the block, put into the list at its end: instructions, in hundreds."""
    found: list[int] = []
    steps = count()

    def watch(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA database_list")
        if file in [Path(row[2]) for row in cursor.fetchall()]:
            connection.set_progress_handler(lambda: next(steps) < 0, INSTRUCTIONS)

    event.listen(Engine, "connect", watch)
    try:
        yield found
    finally:
        event.remove(Engine, "connect", watch)
    found.append(next(steps))

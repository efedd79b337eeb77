"""A database of ours as it was before series and points: the promised names are tables that repeat their key."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from alembic import command
from sqlalchemy import Connection, Engine, insert, text

from soundcharts_pipeline.storage import migrations
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.tables import view_sql
from soundcharts_pipeline.storage.tables.views import VIEWS

Row = tuple[Any, ...]

NARROW = ("points", "located_points", "series", "places")


def widen(conn: Connection) -> None:
    """The rows of the views in tables of their names, at the last revision that had these."""
    for view in s.AUDIENCE:
        conn.execute(text(f"CREATE TABLE wide_{view.name} AS SELECT * FROM {view.name}"))
    view_sql.drop(conn, VIEWS)
    for table in NARROW:
        conn.execute(text(f"DROP TABLE {table}"))
    for view in s.AUDIENCE:
        conn.execute(text(f"ALTER TABLE wide_{view.name} RENAME TO {view.name}"))
    conn.execute(text(f"UPDATE {migrations.VERSION_TABLE} SET version_num = '0011'"))


def fill_wide(engine: Engine, entities: int, days: int) -> None:
    """An empty database at the last revision with wide tables, and in each of them rows of so many entities and
    days from 10 December 2025."""
    with engine.begin() as conn:
        command.upgrade(migrations.config(conn), "0011")
    fetched = datetime(2026, 1, 2, 3, 4, 59, 999_999, tzinfo=UTC)
    tracks: list[Row] = []
    artists: list[Row] = []
    places: list[Row] = []
    for name in (f"{n:02}" for n in range(entities)):
        for n in range(days):
            day = date(2025, 12, 10) + timedelta(days=n)
            of_track = (f"t{name}", "spotify", "streams")
            tracks += [(*of_track, f"é {i}", day, value, fetched) for i, value in enumerate((2**62 + n, -n))]
            artists.append((f"a{name}", "youtube", "views", day, n, fetched))
            places += [(f"a{name}", "youtube", "views", day, "FR", "", city, n) for city in ("", "Paris")]
    with engine.begin() as conn:
        for view, rows in zip(s.AUDIENCE, (tracks, artists, places), strict=True):
            names = [column.name for column in view.columns]
            conn.execute(insert(view), [dict(zip(names, row, strict=True)) for row in rows])

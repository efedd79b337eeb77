"""How much the warehouse holds, cheaply enough to be looked at now and then, however large it is."""

from dataclasses import dataclass

from sqlalchemy import Connection, Table, func, select, text

from soundcharts_pipeline.storage import schema as s

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
        audience_points=sum(_rows(conn, table) for table in (s.track_audience, s.artist_audience)),
        database_bytes=_bytes(conn),
    )


def _rows(conn: Connection, table: Table) -> int:
    if conn.dialect.name == "postgresql":
        query = text("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(:name)")
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

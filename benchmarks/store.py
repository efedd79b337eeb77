"""Bytes a point takes, keys and indexes included: `python -m benchmarks.store --help`.

Series of tracks over 90 days, with totals between a thousand and three billion, saved a hundred answers at a time;
then day by day as nightly syncs bring them; and located points of artists. What is measured is what the database says
of its pages, after VACUUM on PostgreSQL, with the shares of `series` and `places`.

Prints the rows of a Markdown table. Without `--database` SQLite, then a PostgreSQL server of its own, without fsync.
"""

import argparse
import random
from datetime import timedelta

from sqlalchemy import text

from benchmarks.loading import DAYS, geo_rows, track_rows, warehouses
from benchmarks.scratch import heading, row
from soundcharts_pipeline.storage.housekeeping.size_report import make_report
from soundcharts_pipeline.storage.points import merge_audience
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.storage.rows import MONDAY

AT_ONCE = 12_000
NIGHTS = 10


def measure(warehouse: Warehouse, count: int) -> None:
    """Print a line for each shape, and one for what nights add."""
    empty = _bytes(warehouse)
    tracks = [(*one[:5], int(10 ** random.uniform(3, 9.5)), one[6]) for one in track_rows(count)]
    _save(warehouse, s.track_audience, tracks)
    whole = _bytes(warehouse)
    _row(warehouse, "points, 90 days at once", count, whole - empty)
    newest = [one for one in tracks if one[4] == DAYS[-1]]
    for night in range(1, NIGHTS + 1):
        _save(warehouse, s.track_audience, [(*one[:4], one[4] + timedelta(days=night), *one[5:]) for one in newest])
    _row(warehouse, f"points, with {NIGHTS} nights", count + NIGHTS * len(newest), _bytes(warehouse) - empty)
    before = _bytes(warehouse)
    _save(warehouse, s.artist_audience_geo, geo_rows(count))
    _row(warehouse, "located points", count, _bytes(warehouse) - before)


def _save(warehouse: Warehouse, view: object, rows: list[tuple[object, ...]]) -> None:
    for start in range(0, len(rows), AT_ONCE):
        with warehouse.write() as conn:
            merge_audience(conn, view, rows[start : start + AT_ONCE])  # type: ignore[arg-type]


def _bytes(warehouse: Warehouse) -> int:
    with warehouse.write() as conn:
        engine = conn.engine
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        if warehouse.dialect == "postgresql":
            conn.execute(text("VACUUM (ANALYZE) points"))
            conn.execute(text("VACUUM (ANALYZE) located_points"))
    kept = ("series", "places", "points", "located_points")
    return sum(size.bytes for size in make_report(warehouse, MONDAY).sizes if size.table in kept)


def _row(warehouse: Warehouse, shape: str, rows: int, found: int) -> None:
    row(warehouse.dialect, shape, f"{rows:,}", f"{found / rows:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--database", help="the URL of an empty database")
    a = parser.parse_args()
    random.seed(28)
    heading("database", "shape", "points", "bytes a point")
    with warehouses(a.database) as found:
        for warehouse in found:
            measure(warehouse, a.rows)


if __name__ == "__main__":
    main()

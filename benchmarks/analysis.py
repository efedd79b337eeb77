"""Trends and views over ten million audience points: `python -m benchmarks.analysis --help`.

28,000 series (4,000 tracks, 3,000 artists) of a year with a day in 37 missing, ten charts of 200 places a day, and of
every artist the places of his listeners each week and of his followers each month.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import text

from benchmarks.music import LAST, Size, fill
from benchmarks.scratch import empty_database, heading, peak_mb, row
from soundcharts_pipeline.analysis import trends
from soundcharts_pipeline.storage.read_only import ExistingWarehouse

CHART, TRACK, ARTIST = "chart-3", "track-000700", "artist-000700"
OF_CHART = f"(SELECT track_uuid FROM current_charts WHERE chart_slug = '{CHART}')"  # noqa: S608
ARTISTS_OF_CHART = f"(SELECT artist_uuid FROM track_artists WHERE track_uuid IN {OF_CHART})"  # noqa: S608
LATELY = f"date > '{LAST - timedelta(days=90)}'"
# View: what it is asked of one entity (all days), and of a chart (90 days).
VIEWS = {
    "track_audience_daily": (f"track_uuid = '{TRACK}'", f"track_uuid IN {OF_CHART} AND {LATELY}"),
    "artist_audience_daily": (f"artist_uuid = '{ARTIST}'", f"artist_uuid IN {ARTISTS_OF_CHART} AND {LATELY}"),
    "audience_latest": (f"uuid = '{TRACK}'", f"entity = 'track' AND uuid IN {OF_CHART}"),
    "artist_audience_geo_latest": (f"artist_uuid = '{ARTIST}'", f"artist_uuid IN {ARTISTS_OF_CHART}"),
    "coverage_gaps": (f"id = '{TRACK}'", f"entity = 'track' AND id IN {OF_CHART}"),
    "chart_history": (f"track_uuid = '{TRACK}'", f"chart_slug = '{CHART}' AND rank_{LATELY}"),
    "current_charts": (f"track_uuid = '{TRACK}'", f"chart_slug = '{CHART}'"),
    "track_overview": (f"uuid = '{TRACK}'", f"uuid IN {OF_CHART}"),
    "artist_overview": (f"uuid = '{ARTIST}'", f"uuid IN {ARTISTS_OF_CHART}"),
}
ROUNDS = 3


def chart_day(url: str) -> tuple[float, int]:
    """Seconds and rows of the trends of one chart-day, from an open connection to columns with names."""
    with closing(ExistingWarehouse(url)) as warehouse, warehouse.read() as conn:
        return timed(lambda: len(trends.chart_trends(conn, CHART, LAST)["uuid"]))


def everything(url: str) -> tuple[float, int]:
    """The same of everything stored; the columns are not kept."""
    with closing(ExistingWarehouse(url)) as warehouse, warehouse.read() as conn:
        began = time.perf_counter()
        rows = sum(len(part["uuid"]) for part in trends.all_trends(conn, LAST))
        return time.perf_counter() - began, rows


def views(url: str) -> list[tuple[str, str, float, int]]:
    """Milliseconds and rows of every view, of one entity and of a chart."""
    found = []
    with closing(ExistingWarehouse(url)) as warehouse, warehouse.read() as conn:
        for view, questions in VIEWS.items():
            for what, where in zip(("one entity", "a chart"), questions, strict=True):
                query = text(f"SELECT * FROM {view} WHERE {where}")  # noqa: S608
                seconds, rows = timed(lambda query=query: len(conn.execute(query).all()))  # type: ignore[misc]
                found.append((view, what, seconds * 1000, rows))
    return found


def timed(ask: Callable[[], int]) -> tuple[float, int]:
    """The median of some rounds, and how many rows there are."""
    seconds, rows = [], 0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        rows = ask()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), rows


def apart(work: Callable[[str], object], url: str) -> tuple[object, int]:
    """What the work gives in a process of its own, and that process' largest resident memory in MB."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, url).result(), pool.submit(peak_mb).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"])
    parser.add_argument("--days", type=int, default=367)
    chosen = parser.parse_args()
    heading("database", "what", "rows", "time", "peak")
    for kind in chosen.database:
        with tempfile.TemporaryDirectory() as folder, empty_database(kind, Path(folder)) as url:
            fill(url, Size(days=chosen.days))
            for what, work in (("trends of a chart-day", chart_day), ("trends of everything", everything)):
                (seconds, rows), peak = apart(work, url)
                row(kind, what, f"{rows:,}", f"{seconds:.2f} s", f"{peak} MB")
            for view, what, milliseconds, rows in apart(views, url)[0]:
                row(kind, f"{view}, {what}", f"{rows:,}", f"{milliseconds:.0f} ms", "")


if __name__ == "__main__":
    main()

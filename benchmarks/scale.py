"""What a night, a worklist, a view and a trend take beside ten and a hundred times as much.

`python -m benchmarks.scale --help`. Points are made inside the database: 2,800 series of 367 days for each of `--times`
(1, 10 and 100 million points by default), without places. Then, of one chart-day among them: what a night brings
(three days of four series of each track, a dozen answers at a time), the queries of its worklists, the views and the
trends.
"""

import argparse
import statistics
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import select, text

from benchmarks.analysis import CHART, chart_day, views
from benchmarks.music import LAST, PLACES, TRACK_SERIES, Size, fill
from benchmarks.scratch import empty_database, heading, row
from soundcharts_pipeline.models import AnsweredWindow, AudiencePoint, ChartDays, Series, Window
from soundcharts_pipeline.storage.housekeeping.size_report import make_report
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.storage.saves import SeriesAnswer, save_series
from soundcharts_pipeline.storage.warehouse import Warehouse

# A million points.
TRACKS, ARTISTS = 400, 300
NIGHTS, AT_ONCE = 5, 12
NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)


def size_of(times: int) -> Size:
    return Size(tracks=TRACKS * times, artists=ARTISTS * times, charts=max(times, 4), located=False)


def nights(warehouse: Warehouse) -> list[float]:
    """Milliseconds of an answer in each of some nights: tracks of the chart get the next day and two that are known."""
    with warehouse.read() as conn:
        query = text("SELECT DISTINCT track_uuid FROM chart_rankings WHERE chart_slug = :slug AND rank_date = :day")
        tracks = list(conn.scalars(query, {"slug": CHART, "day": str(LAST)}))
    took = []
    for night in range(1, NIGHTS + 1):
        window = Window(LAST + timedelta(days=night - 2), LAST + timedelta(days=night))
        began = time.perf_counter()
        for platform, metric, count in TRACK_SERIES:
            answers = [_answer(track, platform, count, window) for track in tracks]
            for start in range(0, len(answers), AT_ONCE):
                with warehouse.write() as conn:
                    save_series(conn, "track", platform, metric, answers[start : start + AT_ONCE], NOW)
        took.append((time.perf_counter() - began) * 1000 / (len(tracks) * len(TRACK_SERIES)))
    return took


def _answer(track: str, platform: str, count: int, window: Window) -> SeriesAnswer:
    days = [window.start + timedelta(days=n) for n in range((window.end - window.start).days + 1)]
    points = (AudiencePoint(day, f"identifier-{platform}-{n}", _value(day)) for day in days for n in range(count))
    return SeriesAnswer(track, Series(tuple(points)), [AnsweredWindow(window.start, window.end, None, NOW)])


def _value(day: date) -> int:
    return 2_000_000 + day.toordinal()


def worklist(warehouse: Warehouse) -> float:
    """Milliseconds of the queries that find what a chart-day still needs, for one series of tracks and of artists."""
    took = []
    for _ in range(NIGHTS):
        began = time.perf_counter()
        span = ChartDays(CHART, LAST, LAST)
        with warehouse.read() as conn:
            for entity, metric in (("track", "streams"), ("artist", "followers")):
                find = worklists.ranked_tracks if entity == "track" else worklists.ranked_artists
                list(find(conn, span, gone_after=NOW))
                among = worklists.entities(span, entity)
                worklists.asks_of(conn, entity, "spotify", metric, among)
                worklists.tombstones_of(conn, among, entity, f"spotify/{metric}", after=NOW)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def measure(kind: str, times: int) -> None:
    with tempfile.TemporaryDirectory() as folder, empty_database(kind, Path(folder)) as url:
        began = time.perf_counter()
        fill(url, size_of(times))
        filled = time.perf_counter() - began
        warehouse = Warehouse(url)
        with warehouse.read() as conn:
            points = conn.scalar(select(text("count(*) FROM points"))) or 0
        bytes_ = sum(one.bytes for one in make_report(warehouse, NOW).sizes if one.table in ("series", "points"))
        answers, found = nights(warehouse), worklist(warehouse)
        warehouse.close()
        trend, rows = chart_day(url)
        slowest = {
            what: max((ms, view) for view, of, ms, _ in views(url) if of == what) for what in ("one entity", "a chart")
        }
        row(
            kind,
            f"{points:,}",
            f"{bytes_ / points:.1f}",
            f"{filled:.0f} s",
            f"{statistics.median(answers):.2f} ms",
            f"{found:.0f} ms",
            *(f"{ms:.0f} ms ({view})" for ms, view in slowest.values()),
            f"{trend:.2f} s ({rows} rows)",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"])
    parser.add_argument("--times", type=int, nargs="+", default=[1, 10, 100])
    chosen = parser.parse_args()
    heading(
        "database",
        "points",
        "bytes a point",
        "filled in",
        f"an answer of a night ({PLACES} tracks)",
        "worklist",
        "slowest view of an entity",
        "of a chart",
        "trends of a chart-day",
    )
    for kind in chosen.database:
        for times in chosen.times:
            measure(kind, times)


if __name__ == "__main__":
    main()

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
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import Connection, insert, text

from benchmarks.scratch import empty_database, heading, peak_mb, row
from soundcharts_pipeline.analysis import trends
from soundcharts_pipeline.storage.read_only import ExistingWarehouse
from soundcharts_pipeline.storage.tables import months
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.tables.columns import Moment
from soundcharts_pipeline.storage.warehouse import Warehouse

TRACKS, ARTISTS, CHARTS, PLACES = 4_000, 3_000, 10, 200
LAST = date(2026, 11, 22)
# As both databases read it.
NOW = "2026-11-23 00:00:00.000000"
TRACK_SERIES = [("spotify", "streams", 2), ("youtube", "views", 1), ("shazam", "shazams", 1)]
ARTIST_SERIES = [
    ("spotify", "monthly_listeners"),
    ("spotify", "followers"),
    ("instagram", "followers"),
    ("tiktok", "followers"),
]
# Located days are so far apart, each of so many cities and countries.
LOCATED = [("spotify", "monthly_listeners", 7), ("instagram", "followers", 30)]
CITIES, COUNTRIES = 50, 25
SERIES = TRACKS * sum(count for *_, count in TRACK_SERIES) + ARTISTS * len(ARTIST_SERIES)
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


def fill(url: str, points: int) -> None:
    """So many points, made inside the database."""
    days = [LAST - timedelta(days=n) for n in range(round(points / SERIES * 37 / 36))]
    with closing(Warehouse(url)) as warehouse, warehouse.write() as conn:
        entities(conn)
        conn.execute(text("CREATE TEMPORARY TABLE some_days (n BIGINT PRIMARY KEY, day DATE)"))
        rows = [{"n": n, "day": str(day)} for n, day in enumerate(days)]
        conn.execute(text("INSERT INTO some_days VALUES (:n, :day)"), rows)
        if warehouse.dialect == "postgresql":
            for month in sorted({day.replace(day=1) for day in days}):
                months.make(conn, "points", month)
                months.make(conn, "located_points", month)
        series(conn)
        places(conn)
        rankings(conn)
        if warehouse.dialect == "postgresql":
            # Its own background process does this, sooner or later.
            conn.execute(text("ANALYZE"))


def entities(conn: Connection) -> None:
    tracks = [
        {"uuid": f"track-{n:06}", "name": f"Track {n}", "first_seen_at": datetime(2026, 11, 23, tzinfo=UTC)}
        for n in range(TRACKS)
    ]
    extracted = {"artists_extracted": True, "genres_extracted": True}
    conn.execute(insert(s.tracks), [track | extracted for track in tracks])
    conn.execute(
        insert(s.artists),
        [
            {"uuid": f"artist-{n:06}", "name": f"Artist {n}", "first_seen_at": datetime(2026, 11, 23, tzinfo=UTC)}
            for n in range(ARTISTS)
        ],
    )
    credits_ = [
        {"track_uuid": f"track-{n:06}", "artist_uuid": f"artist-{(n + k) % ARTISTS:06}", "role": role, "position": 0}
        for n in range(TRACKS)
        for k, role in enumerate(("main", "featured"))
    ]
    conn.execute(insert(s.track_artists), credits_)
    conn.execute(
        insert(s.charts),
        [{"slug": f"chart-{n}", "name": f"Chart {n}", "platform": "spotify"} for n in range(CHARTS)],
    )


def series(conn: Connection) -> None:
    """Totals that rise, and levels that swing, each with a day in 37 missing."""
    conn.execute(
        text(
            "CREATE TEMPORARY TABLE some_series (n BIGINT, entity VARCHAR, uuid VARCHAR, platform VARCHAR,"
            " metric VARCHAR, identifier VARCHAR, PRIMARY KEY (entity, uuid, platform, metric, identifier))"
        )
    )
    made = [
        ("track", f"track-{n:06}", platform, metric, f"identifier-{platform}-{number}")
        for n in range(TRACKS)
        for platform, metric, count in TRACK_SERIES
        for number in range(count)
    ] + [
        ("artist", f"artist-{n:06}", platform, metric, "") for n in range(ARTISTS) for platform, metric in ARTIST_SERIES
    ]
    names = ("n", "entity", "uuid", "platform", "metric", "identifier")
    rows = [dict(zip(names, (n, *one), strict=True)) for n, one in enumerate(sorted(made))]
    conn.execute(text("INSERT INTO some_series VALUES (:n, :entity, :uuid, :platform, :metric, :identifier)"), rows)
    value = "1000000 + (400 - d.n) * (1000 + k.n % 977) + (d.n * 7919 + k.n * 104729) % 500"
    key = "entity, uuid, platform, metric, identifier"
    conn.execute(text(f"INSERT INTO series (id, {key}) SELECT n + 1, {key} FROM some_series ORDER BY n"))  # noqa: S608
    conn.execute(
        text(
            f"INSERT INTO points SELECT k.n + 1, {_day(conn)}, {value}, :now"  # noqa: S608  # names of ours
            " FROM some_series k CROSS JOIN some_days d WHERE (k.n + d.n) % 37 <> 0 ORDER BY k.n, d.day"
        ),
        {"now": Moment.number(datetime.fromisoformat(NOW).replace(tzinfo=UTC))},
    )


def _day(conn: Connection) -> str:
    """A day of `some_days` as points keep it."""
    return "d.day" if conn.dialect.name == "postgresql" else "CAST(julianday(d.day) - 2440587.5 AS INTEGER)"


def places(conn: Connection) -> None:
    """Located days of every artist."""
    conn.execute(text("CREATE TEMPORARY TABLE some_cities (n INTEGER, country VARCHAR, city VARCHAR)"))
    cities = [(n, f"{n % COUNTRIES:02}", f"City {n:02}" if n < CITIES else "") for n in range(CITIES + COUNTRIES)]
    conn.execute(
        text("INSERT INTO some_cities VALUES (:n, :country, :city)"),
        [dict(zip(("n", "country", "city"), city, strict=True)) for city in cities],
    )
    conn.execute(
        text(
            "INSERT INTO places (id, country_code, region, city_name) SELECT n + 1, country, '', city FROM some_cities"
        )
    )
    for platform, metric, apart_days in LOCATED:
        conn.execute(
            text(
                f"INSERT INTO located_points SELECT a.id, {_day(conn)}, c.n + 1,"  # noqa: S608  # names of ours
                " 1000 + (400 - d.n) * 10 + c.n * 37 FROM series a CROSS JOIN some_days d CROSS JOIN some_cities c"
                " WHERE a.entity = 'artist' AND a.platform = :platform AND a.metric = :metric AND d.n % :apart = 0"
                " ORDER BY a.id, d.day, c.n"
            ),
            {"platform": platform, "metric": metric, "apart": apart_days},
        )


def rankings(conn: Connection) -> None:
    """Ten charts of 200 places a day; every week each of them loses ten tracks and gains ten."""
    conn.execute(text("CREATE TEMPORARY TABLE some_places (chart INTEGER, place INTEGER)"))
    positions = [{"chart": chart, "place": place} for chart in range(CHARTS) for place in range(1, PLACES + 1)]
    conn.execute(text("INSERT INTO some_places VALUES (:chart, :place)"), positions)
    for number in range(CHARTS):
        track = "substr('000000' || ((p.chart * 400 + p.place + d.n / 7 * 10) % :tracks), -6)"
        if conn.dialect.name == "postgresql":
            track = "lpad(((p.chart * 400 + p.place + d.n / 7 * 10) % :tracks)::text, 6, '0')"
        conn.execute(
            text(
                "INSERT INTO chart_rankings (chart_slug, rank_date, position, track_uuid, fetched_at)"  # noqa: S608
                f" SELECT 'chart-' || p.chart, d.day, p.place, 'track-' || {track}, :now"
                " FROM some_days d CROSS JOIN some_places p WHERE p.chart = :chart ORDER BY d.day, p.place"
            ),
            {"chart": number, "tracks": TRACKS, "now": NOW},
        )


def chart_day(url: str) -> tuple[float, int]:
    """Seconds and rows of the trends of one chart-day, from an open connection to a frame with names."""
    with closing(ExistingWarehouse(url)) as warehouse, warehouse.read() as conn:
        return timed(lambda: len(trends.chart_trends(conn, CHART, LAST)))


def everything(url: str) -> tuple[float, int]:
    """The same of everything stored; the frames are not kept."""
    with closing(ExistingWarehouse(url)) as warehouse, warehouse.read() as conn:
        began = time.perf_counter()
        rows = sum(map(len, trends.all_trends(conn, LAST)))
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
    parser.add_argument("--points", type=int, default=10_000_000)
    chosen = parser.parse_args()
    heading("database", "what", "rows", "time", "peak")
    for kind in chosen.database:
        with tempfile.TemporaryDirectory() as folder, empty_database(kind, Path(folder)) as url:
            fill(url, chosen.points)
            for what, work in (("trends of a chart-day", chart_day), ("trends of everything", everything)):
                (seconds, rows), peak = apart(work, url)
                row(kind, what, f"{rows:,}", f"{seconds:.2f} s", f"{peak} MB")
            for view, what, milliseconds, rows in apart(views, url)[0]:
                row(kind, f"{view}, {what}", f"{rows:,}", f"{milliseconds:.0f} ms", "")


if __name__ == "__main__":
    main()

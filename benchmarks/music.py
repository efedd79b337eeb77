"""A made-up warehouse of any size, made inside the database: what the benchmarks of views, trends and growth ask.

Tracks with four series and artists with as many, a day in 37 missing; charts of 200 places a day, which lose ten tracks
a week and gain ten; and of every artist the places of his listeners each week and of his followers each month.
"""

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, insert, text

from soundcharts_pipeline.storage.tables import months
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.tables.columns import Moment
from soundcharts_pipeline.storage.warehouse import Warehouse

PLACES = 200
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
SERIES_OF_TRACK = sum(count for *_, count in TRACK_SERIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much there is. `located`: with places."""

    tracks: int = 4_000
    artists: int = 3_000
    charts: int = 10
    days: int = 367
    located: bool = True

    @property
    def series(self) -> int:
        return self.tracks * SERIES_OF_TRACK + self.artists * len(ARTIST_SERIES)


def fill(url: str, size: Size) -> None:
    """An empty database of that size."""
    days = [LAST - timedelta(days=n) for n in range(size.days)]
    with closing(Warehouse(url)) as warehouse, warehouse.write() as conn:
        entities(conn, size)
        conn.execute(text("CREATE TEMPORARY TABLE some_days (n BIGINT PRIMARY KEY, day DATE)"))
        rows = [{"n": n, "day": str(day)} for n, day in enumerate(days)]
        conn.execute(text("INSERT INTO some_days VALUES (:n, :day)"), rows)
        if warehouse.dialect == "postgresql":
            for month in sorted({day.replace(day=1) for day in days}):
                months.make(conn, "points", month)
                months.make(conn, "located_points", month)
        series(conn, size)
        if size.located:
            places(conn)
        rankings(conn, size)
        if warehouse.dialect == "postgresql":
            # Its own background process does this, sooner or later.
            conn.execute(text("ANALYZE"))


def entities(conn: Connection, size: Size) -> None:
    tracks = [
        {"uuid": f"track-{n:06}", "name": f"Track {n}", "first_seen_at": datetime(2026, 11, 23, tzinfo=UTC)}
        for n in range(size.tracks)
    ]
    extracted = {"artists_extracted": True, "genres_extracted": True}
    conn.execute(insert(s.tracks), [track | extracted for track in tracks])
    conn.execute(
        insert(s.artists),
        [
            {"uuid": f"artist-{n:06}", "name": f"Artist {n}", "first_seen_at": datetime(2026, 11, 23, tzinfo=UTC)}
            for n in range(size.artists)
        ],
    )
    credits_ = [
        {
            "track_uuid": f"track-{n:06}",
            "artist_uuid": f"artist-{(n + k) % size.artists:06}",
            "role": role,
            "position": 0,
        }
        for n in range(size.tracks)
        for k, role in enumerate(("main", "featured"))
    ]
    conn.execute(insert(s.track_artists), credits_)
    conn.execute(
        insert(s.charts),
        [{"slug": f"chart-{n}", "name": f"Chart {n}", "platform": "spotify"} for n in range(size.charts)],
    )


def series(conn: Connection, size: Size) -> None:
    """Totals that rise, and levels that swing, each with a day in 37 missing."""
    conn.execute(
        text(
            "CREATE TEMPORARY TABLE some_series (n BIGINT, entity VARCHAR, uuid VARCHAR, platform VARCHAR,"
            " metric VARCHAR, identifier VARCHAR, PRIMARY KEY (entity, uuid, platform, metric, identifier))"
        )
    )
    made = [
        ("track", f"track-{n:06}", platform, metric, f"identifier-{platform}-{number}")
        for n in range(size.tracks)
        for platform, metric, count in TRACK_SERIES
        for number in range(count)
    ] + [
        ("artist", f"artist-{n:06}", platform, metric, "")
        for n in range(size.artists)
        for platform, metric in ARTIST_SERIES
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


def rankings(conn: Connection, size: Size) -> None:
    """Every week a chart loses ten tracks and gains ten."""
    conn.execute(text("CREATE TEMPORARY TABLE some_places (chart INTEGER, place INTEGER)"))
    positions = [{"chart": chart, "place": place} for chart in range(size.charts) for place in range(1, PLACES + 1)]
    conn.execute(text("INSERT INTO some_places VALUES (:chart, :place)"), positions)
    for number in range(size.charts):
        track = "substr('000000' || ((p.chart * 400 + p.place + d.n / 7 * 10) % :tracks), -6)"
        if conn.dialect.name == "postgresql":
            track = "lpad(((p.chart * 400 + p.place + d.n / 7 * 10) % :tracks)::text, 6, '0')"
        conn.execute(
            text(
                "INSERT INTO chart_rankings (chart_slug, rank_date, position, track_uuid, fetched_at)"  # noqa: S608
                f" SELECT 'chart-' || p.chart, d.day, p.place, 'track-' || {track}, :now"
                " FROM some_days d CROSS JOIN some_places p WHERE p.chart = :chart ORDER BY d.day, p.place"
            ),
            {"chart": number, "tracks": size.tracks, "now": NOW},
        )

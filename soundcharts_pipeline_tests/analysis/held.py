"""A small warehouse whose every figure can be worked out by hand."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.rows import put

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
DAY = date(2026, 11, 22)
CHART = "chart-1"

# Further columns by track.
Fields = Mapping[str, Mapping[str, Any]]


def ago(days: int) -> date:
    """So many days before the day in question."""
    return DAY - timedelta(days=days)


def save(warehouse: Warehouse, table: Any, *rows: Mapping[str, Any]) -> None:
    with warehouse.write() as conn:
        put(conn, table, rows)


def save_names(warehouse: Warehouse, tracks: str, artists: str = "", charts: str = CHART) -> None:
    """Tracks `a b` are named `Track a`, `Track b`; likewise the others."""
    extracted = {"artists_extracted": True, "genres_extracted": True, "first_seen_at": NOW}
    save(warehouse, s.charts, *({"slug": x, "name": f"Chart {x}", "platform": "spotify"} for x in charts.split()))
    save(warehouse, s.tracks, *({"uuid": x, "name": f"Track {x}", **extracted} for x in tracks.split()))
    if artists:
        made = [{"uuid": x, "name": f"Artist {x}", "first_seen_at": NOW} for x in artists.split()]
        save(warehouse, s.artists, *made)


def save_ranking(
    warehouse: Warehouse,
    day: date,
    tracks: str,
    slug: str = CHART,
    *,
    fields: Fields | None = None,
    places: Sequence[int] = (),
) -> None:
    """The tracks from the top down, or on these places; `fields` are further columns by track."""
    blank = {"old_position": None, "position_change": None, "metric": None}
    blank |= {"time_on_chart": None, "time_on_chart_unit": None}
    rows = [
        {"chart_slug": slug, "rank_date": day, "position": place, "track_uuid": track, "fetched_at": NOW}
        | blank
        | dict((fields or {}).get(track, {}))
        for place, track in zip(places or count(1), tracks.split(), strict=bool(places))
    ]
    save(warehouse, s.chart_rankings, *rows)
    save_listed(warehouse, slug, day, str(day), saved_at=NOW)


def save_listed(
    warehouse: Warehouse, slug: str, day: date, published_at: str | None, *, saved_at: datetime | None = None
) -> None:
    """What the list of rankings says of the day; None: that there is none."""
    row = {"chart_slug": slug, "rank_date": day, "published_at": published_at, "checked_at": NOW, "saved_at": saved_at}
    save(warehouse, s.ranking_days, row)


def save_track_points(
    warehouse: Warehouse, track: str, values: Mapping[int, int], *, identifier: str = "id", **key: str
) -> None:
    """Values by how many days ago; spotify streams unless said otherwise."""
    whole = {"platform": "spotify", "metric": "streams", **key}
    rows = [
        {"track_uuid": track, "identifier": identifier, "date": ago(n), "value": value, "fetched_at": NOW, **whole}
        for n, value in values.items()
    ]
    save(warehouse, s.track_audience, *rows)


def save_artist_points(warehouse: Warehouse, artist: str, values: Mapping[int, int], **key: str) -> None:
    """Values by how many days ago; spotify followers unless said otherwise."""
    whole = {"platform": "spotify", "metric": "followers", **key}
    rows = [
        {"artist_uuid": artist, "date": ago(n), "value": value, "fetched_at": NOW, **whole}
        for n, value in values.items()
    ]
    save(warehouse, s.artist_audience, *rows)

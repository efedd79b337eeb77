"""Where the audience of artists is: places of the newest located day of each series.

The places are partial: see docs/analysis.md.
"""

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Connection, exists, select

from soundcharts_pipeline.storage.queries.lines import best_placed
from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables import audience_views as v
from soundcharts_pipeline.storage.tables import schema as s

# Of a chart-day; the places of each are read one by one.
PLACED_ARTISTS = 3

# Largest first.
Places = Sequence[tuple[str, int]]


class Located(NamedTuple):
    """One series of an artist on its newest located day; countries by code."""

    artist: str
    platform: str
    metric: str
    day: date
    countries: Places
    cities: Places


def located(conn: Connection, artist_uuid: str, *, platform: str | None = None) -> list[Located]:
    """The artist's series that have places, on the platform or on all."""
    t, a = v.artist_audience_geo_latest.table, s.artists
    columns = (a.c.name, t.c.platform, t.c.metric, t.c.date, t.c.country_code, t.c.region, t.c.city_name, t.c.value)
    query = select(*columns).join(a, a.c.uuid == t.c.artist_uuid).where(t.c.artist_uuid == artist_uuid)
    query = query.where(t.c.platform == platform) if platform else query
    order = (t.c.platform, t.c.metric, t.c.value.desc(), t.c.country_code, t.c.region, t.c.city_name)
    found = []
    for key, rows in groupby(conn.execute(query.order_by(*order)), key=lambda row: tuple(row[:4])):
        places = list(rows)
        countries = [(row.country_code, row.value) for row in places if not row.city_name]
        cities = [row for row in places if row.city_name]
        names = [f"{row.city_name}, {row.country_code}" for row in cities]
        told_apart = [
            name if names.count(name) == 1 or not row.region else f"{row.city_name}, {row.region}, {row.country_code}"
            for name, row in zip(names, cities, strict=True)
        ]
        by_city = list(zip(told_apart, (row.value for row in cities), strict=True))
        artist, on, metric, day = key
        found.append(Located(artist, on, metric, day, countries, by_city))
    return found


def located_artists(conn: Connection, slug: str, day: date, platform: str) -> list[Located]:
    """The best placed artists of the chart-day that have places on the platform."""
    best = {one.uuid: one.name for one in best_placed(conn, slug, day, "artist")}
    t, p = audience.series, audience.located_points
    of_artists = (t.c.entity == "artist", t.c.uuid.in_(best), t.c.platform == platform)
    have = set(conn.scalars(select(t.c.uuid).where(*of_artists, exists().where(p.c.series_id == t.c.id))))
    chosen = [uuid for uuid in best if uuid in have][:PLACED_ARTISTS]
    return [one._replace(artist=best[uuid]) for uuid in chosen for one in located(conn, uuid, platform=platform)]

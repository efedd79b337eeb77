"""Audience series and their places as frames."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Select, select

from soundcharts_pipeline.analysis.charts import newest_day
from soundcharts_pipeline.analysis.frames import frame
from soundcharts_pipeline.storage import audience_views as v
from soundcharts_pipeline.storage import schema as s
from soundcharts_pipeline.storage.worklists import ChartDays, entities

Among = Sequence[str] | Select[Any] | None


def points(
    conn: Connection,
    entity: str,
    uuids: Sequence[str] | None,
    *,
    slug: str | None,
    platform: str | None,
    first: date | None,
    last: date | None,
) -> pd.DataFrame:
    """Points of the view of daily figures, with the name of the track or artist, in the order of the series."""
    t, names = _of(entity)
    among = _among(conn, entity, uuids, slug, last)
    query = select(t.c[0], names.c.name.label(entity), *list(t.c)[1:]).join(names, names.c.uuid == t.c[0])
    query = query.where(t.c[0].in_(among)) if among is not None else query
    query = query.where(t.c.platform == platform) if platform else query
    query = query.where(t.c.date >= first) if first else query
    query = query.where(t.c.date <= last) if last else query
    return frame(conn, query.order_by(*(column for column in t.c if column.name not in ("value", "days", "daily"))))


def geography(
    conn: Connection, artists: Sequence[str] | None, *, slug: str | None, platform: str | None
) -> pd.DataFrame:
    """Places of the newest located day of each series, largest first."""
    t = v.artist_audience_geo_latest.table
    among = _among(conn, "artist", artists, slug, None)
    query = select(t.c[0], s.artists.c.name.label("artist"), *list(t.c)[1:])
    query = query.join(s.artists, s.artists.c.uuid == t.c[0])
    query = query.where(t.c[0].in_(among)) if among is not None else query
    query = query.where(t.c.platform == platform) if platform else query
    order = (t.c.artist_uuid, t.c.platform, t.c.metric, t.c.value.desc(), t.c.country_code, t.c.city_name)
    return frame(conn, query.order_by(*order))


def _of(entity: str) -> tuple[Any, Any]:
    if entity == "track":
        return v.track_audience_daily.table, s.tracks
    return v.artist_audience_daily.table, s.artists


def _among(conn: Connection, entity: str, uuids: Sequence[str] | None, slug: str | None, last: date | None) -> Among:
    if uuids is not None:
        return list(uuids)
    if slug is None:
        return None
    day = newest_day(conn, slug, last)
    return entities(ChartDays(slug, day, day), entity)

"""Audience series and their places as frames."""

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Select, select

from soundcharts_pipeline.analysis.archived import Series, newest_ranking
from soundcharts_pipeline.analysis.days import newest_day, stored_day
from soundcharts_pipeline.analysis.frames import filled, frame
from soundcharts_pipeline.analysis.growth import COUNT, MOST, TOTAL
from soundcharts_pipeline.analysis.trends import kind_of
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.storage.housekeeping.cold import Archive, Row
from soundcharts_pipeline.storage.queries.worklists import entities
from soundcharts_pipeline.storage.tables import audience as a
from soundcharts_pipeline.storage.tables import audience_views as v
from soundcharts_pipeline.storage.tables import schema as s

Among = Sequence[str] | Select[Any] | None
# UUIDs of one query.
MOST_NAMED = 10_000


def points(
    conn: Connection,
    archive: Archive,
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
    among = _among(conn, archive, entity, uuids, slug, last)
    query = select(t.c[0], names.c.name.label(entity), *list(t.c)[1:]).join(names, names.c.uuid == t.c[0])
    query = query.where(t.c[0].in_(among)) if among is not None else query
    series = Series(conn, archive, f"{entity}_audience", uuids=_listed(conn, among), platform=platform)
    if series.reach(last=last or date.max):
        return filled(list(query.selected_columns), _developed(conn, series, entity, first, last))
    query = query.where(t.c.platform == platform) if platform else query
    query = query.where(t.c.date >= first) if first else query
    query = query.where(t.c.date <= last) if last else query
    return frame(conn, query.order_by(*(column for column in t.c if column.name not in ("value", "days", "daily"))))


def _developed(
    conn: Connection, series: Series, entity: str, first: date | None, last: date | None
) -> list[tuple[Any, ...]]:
    """Rows of the frame of points, worked out as the view does: over points of the database and of the archive."""
    width, made = series.width, []
    rows = series.rows(first or date.min, last or date.max)
    keys = {row[:width] for row in rows if kind_of(entity, row[2]) != COUNT}
    before = series.before(first, keys) if first and keys else {}
    name = _names(conn, entity, {row[0] for row in rows})
    for key, of in groupby((row for row in rows if row[0] in name), key=lambda row: row[:width]):
        kind, at = kind_of(entity, key[2]), before.get(key)
        for row in of:
            day, value = row[width : width + 2]
            if kind == COUNT:
                days, daily = 1, value
            elif at is None:
                days, daily = None, None
            else:
                days, daily = (day - at[0]).days, _difference(kind, value, at[1])
            made.append((key[0], name[key[0]], *key[1:], day, value, days, daily))
            at = day, value
    return made


def _difference(kind: int, value: int, before: int) -> int | None:
    """None where a total fell, and where 64 bits do not hold it."""
    fell = kind == TOTAL and value < before
    return value - before if not fell and -MOST <= value - before < MOST else None


def _names(conn: Connection, entity: str, uuids: set[str]) -> dict[str, str]:
    _, names = _of(entity)
    every = select(names.c.uuid, names.c.name)
    # More than a query takes as variables are nearly all there are.
    rows = conn.execute(every.where(names.c.uuid.in_(uuids)) if len(uuids) <= MOST_NAMED else every)
    return {uuid: name for uuid, name in rows if uuid in uuids}


def geography(
    conn: Connection, archive: Archive, artists: Sequence[str] | None, *, slug: str | None, platform: str | None
) -> pd.DataFrame:
    """Places of the newest located day of each series, largest first."""
    t = v.artist_audience_geo_latest.table
    among = _among(conn, archive, "artist", artists, slug, None)
    query = select(t.c[0], s.artists.c.name.label("artist"), *list(t.c)[1:])
    query = query.join(s.artists, s.artists.c.uuid == t.c[0])
    query = query.where(t.c[0].in_(among)) if among is not None else query
    query = query.where(t.c.platform == platform) if platform else query
    order = (t.c.artist_uuid, t.c.platform, t.c.metric, t.c.value.desc(), t.c.country_code, t.c.city_name)
    stored = frame(conn, query.order_by(*order))
    series = Series(conn, archive, s.artist_audience_geo.name, uuids=_listed(conn, among), platform=platform)
    if not series.reach():
        return stored
    rows = _older_places(conn, series, stored)
    name = _names(conn, "artist", {row[0] for row in rows})
    older = filled(list(query.selected_columns), [(row[0], name[row[0]], *row[1:]) for row in rows if row[0] in name])
    by = ["artist_uuid", "platform", "metric", "value", "country_code", "city_name"]
    return pd.concat([stored, older]).sort_values(by, ascending=[name != "value" for name in by], ignore_index=True)


def _older_places(conn: Connection, series: Series, stored: pd.DataFrame) -> list[Row]:
    """Places of the newest located day of the series that have none in the database, or an older one."""
    here = zip(*(stored[name] for name in ("artist_uuid", "platform", "metric", "date")), strict=True)
    held = {(uuid, platform, metric): day.date() for uuid, platform, metric, day in here}
    c = a.series.c
    known = {tuple(row) for row in conn.execute(select(c.uuid, c.platform, c.metric).where(c.entity == "artist"))}
    newest = series.before(date.max, series.asked(known))
    days = {key: day for key, (day, _) in newest.items() if key not in held or day > held[key]}
    if not days:
        return []
    rows = series.rows(min(days.values()), max(days.values()))
    return [row for row in rows if days.get(row[: series.width]) == row[series.width]]


def _of(entity: str) -> tuple[Any, Any]:
    if entity == "track":
        return v.track_audience_daily.table, s.tracks
    return v.artist_audience_daily.table, s.artists


def _among(
    conn: Connection, archive: Archive, entity: str, uuids: Sequence[str] | None, slug: str | None, last: date | None
) -> Among:
    if uuids is not None:
        return list(uuids)
    if slug is None:
        return None
    day = stored_day(conn, slug, last)
    if found := newest_ranking(conn, archive, slug, day or date.min, last or date.max):
        tracks, of = sorted(found), s.track_artists.c
        return tracks if entity == "track" else select(of.artist_uuid).where(of.track_uuid.in_(tracks))
    day = day or newest_day(conn, slug, last)
    return entities(ChartDays(slug, day, day), entity)


def _listed(conn: Connection, among: Among) -> list[str] | None:
    return list(set(conn.scalars(among))) if isinstance(among, Select) else list(among) if among is not None else None

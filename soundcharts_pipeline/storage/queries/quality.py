"""What must hold of the data: each query counts, or names, what breaks one promise on a chart's days."""

from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Exists, Table, and_, exists, func, or_, select

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.storage.queries.worklists import METADATA, UNPROVEN, entities, ranked
from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s

A_YEAR = timedelta(days=366)


class Coverage(NamedTuple):
    """Entities of a chart's days, those whose series was answered (or is known to be missing), those with data."""

    total: int
    answered: int
    with_data: int


def broken_rankings(conn: Connection, days: ChartDays) -> list[date]:
    """Days whose positions do not lead from 1 to the last one without holes. After a position that several tracks
    share comes the next number (1, 2, 2, 3) or the one that counts them all (1, 2, 2, 4)."""
    t = s.chart_rankings
    shared = (
        select(t.c.rank_date, t.c.position, func.count().label("tracks"))
        .where(t.c.chart_slug == days.slug, t.c.rank_date.between(days.first, days.last))
        .group_by(t.c.rank_date, t.c.position)
        .subquery()
    )
    day, position = shared.c.rank_date, shared.c.position
    before = func.lag(position, 1, 0).over(partition_by=day, order_by=position)
    tracks_before = func.lag(shared.c.tracks, 1, 1).over(partition_by=day, order_by=position)
    steps = select(day, (position - before).label("step"), tracks_before.label("tracks_before")).subquery()
    query = select(steps.c.rank_date).distinct().where(steps.c.step != 1, steps.c.step != steps.c.tracks_before)
    return list(conn.scalars(query.order_by(steps.c.rank_date)))


def unknown_tracks(conn: Connection, days: ChartDays) -> int:
    """Ranked tracks that have no row in `tracks`."""
    uuids = ranked(days).subquery()
    return _count(conn, select(func.count()).select_from(uuids).where(~exists().where(s.tracks.c.uuid == uuids.c[0])))


def unknown_credits(conn: Connection, days: ChartDays) -> int:
    """Credits and genres of ranked tracks that point to no artist or genre."""
    ta, tg = s.track_artists, s.track_genres
    credits = select(func.count()).where(
        ta.c.track_uuid.in_(ranked(days)), ~exists().where(s.artists.c.uuid == ta.c.artist_uuid)
    )
    genres = select(func.count()).where(
        tg.c.track_uuid.in_(ranked(days)), ~exists().where(s.genres.c.id == tg.c.genre_id)
    )
    return _count(conn, credits) + _count(conn, genres)


def unknown_artist_genres(conn: Connection, days: ChartDays) -> int:
    """Genres of the chart's artists that point to no genre."""
    ag = s.artist_genres
    return _count(
        conn,
        select(func.count()).where(
            ag.c.artist_uuid.in_(entities(days, "artist")), ~exists().where(s.genres.c.id == ag.c.genre_id)
        ),
    )


def without_metadata(conn: Connection, days: ChartDays, entity: str, *, proven: bool = False) -> int:
    """Entities of the chart's days that have neither metadata nor a tombstone that says why; `proven`: nor one that
    stays, unlike that of a record that could not be read."""
    t, explained = (s.tracks if entity == "track" else s.artists), b.tombstones.c.reason != UNPROVEN
    query = select(func.count()).where(t.c.uuid.in_(entities(days, entity)), t.c.metadata_fetched_at.is_(None))
    return _count(conn, query.where(~_explained(t, entity, *([explained] if proven else []))))


def _explained(table: Table, entity: str, *how: ColumnElement[bool]) -> Exists:
    """Whether a tombstone says why the entity has no metadata."""
    t = b.tombstones.c
    return exists().where(t.entity == entity, t.uuid == table.c.uuid, t.scope == METADATA, *how)


def without_artists(conn: Connection, days: ChartDays) -> int:
    """Tracks of the chart's days of which it is not known who is credited, nor why: their metadata was not asked for
    yet, or while `auto_extract_artists` was false."""
    t = s.tracks
    query = select(func.count()).where(t.c.uuid.in_(entities(days, "track")), t.c.artists_extracted.is_(False))
    return _count(conn, query.where(~_explained(t, "track")))


def coverage(conn: Connection, days: ChartDays, entity: str, platform: str, metric: str) -> Coverage:
    """How much of a series is known for the entities ranked on the chart's days."""
    uuids, asks, tombstone = entities(days, entity).subquery(), b.audience_asks, b.tombstones
    uuid = uuids.c[0]
    series, points = audience.series, audience.points
    asked = exists().where(
        asks.c.entity == entity, asks.c.uuid == uuid, asks.c.platform == platform, asks.c.metric == metric
    )
    scopes = (METADATA, f"{platform}/{metric}")
    tombstones = exists().where(tombstone.c.entity == entity, tombstone.c.uuid == uuid, tombstone.c.scope.in_(scopes))
    of_series = (series.c.entity == entity, series.c.platform == platform, series.c.metric == metric)
    has_data = exists().where(series.c.uuid == uuid, *of_series, exists().where(points.c.series_id == series.c.id))
    everyone = select(func.count()).select_from(uuids)
    return Coverage(
        _count(conn, everyone),
        _count(conn, everyone.where(or_(asked, tombstones))),
        _count(conn, everyone.where(has_data)),
    )


def negative_values(conn: Connection, days: ChartDays, entity: str, platform: str) -> int:
    """Points below zero of the entities ranked on the chart's days, in the year before them: what is older was looked
    at when it came."""
    points = audience.POINTS[entity]
    owner = points.c[f"{entity}_uuid"]
    return _count(
        conn,
        select(func.count()).where(
            owner.in_(entities(days, entity)),
            points.c.platform == platform,
            points.c.date >= days.first - A_YEAR,
            points.c.value < 0,
        ),
    )


def _count(conn: Connection, query: Any) -> int:
    return int(conn.scalar(query) or 0)


def without_trend(conn: Connection, days: ChartDays) -> int:
    """Tracks and artists that are ranked on a day, have a point of the four weeks before, and no trend of that day."""
    t = s.audience_trends
    missing, recently = 0, timedelta(days=s.LATEST_WITHIN_DAYS)
    for day in conn.scalars(
        select(s.chart_rankings.c.rank_date)
        .distinct()
        .where(s.chart_rankings.c.chart_slug == days.slug, s.chart_rankings.c.rank_date.between(days.first, days.last))
    ).all():
        for entity, points in audience.POINTS.items():
            of_day = entities(ChartDays(days.slug, day, day), entity).subquery()
            uuid = of_day.c[0]
            recent = exists().where(points.c[f"{entity}_uuid"] == uuid, points.c.date.between(day - recently, day))
            told = exists().where(
                t.c.chart_slug == days.slug, t.c.rank_date == day, t.c.entity == entity, t.c.uuid == uuid
            )
            missing += _count(conn, select(func.count()).select_from(of_day).where(recent, ~told))
    return missing


def unranked_trends(conn: Connection, days: ChartDays) -> int:
    """Trends of tracks and artists that the ranking of their day does not have."""
    t, r, k = s.audience_trends, s.chart_rankings, s.track_artists
    same_day = and_(r.c.chart_slug == t.c.chart_slug, r.c.rank_date == t.c.rank_date)
    track = exists().where(same_day, r.c.track_uuid == t.c.uuid)
    artist = exists().where(same_day, k.c.track_uuid == r.c.track_uuid, k.c.artist_uuid == t.c.uuid)
    query = select(func.count()).where(
        t.c.chart_slug == days.slug,
        t.c.rank_date.between(days.first, days.last),
        or_(and_(t.c.entity == "track", ~track), and_(t.c.entity == "artist", ~artist)),
    )
    return _count(conn, query)

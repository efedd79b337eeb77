"""What must hold of the data: each query counts, or names, what breaks one promise on a chart's days."""

from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, exists, func, or_, select

from soundcharts_pipeline.storage import bookkeeping as b
from soundcharts_pipeline.storage import schema as s
from soundcharts_pipeline.storage.worklists import METADATA, ChartDays, entities, ranked


class Coverage(NamedTuple):
    """Entities of a chart's days, those whose series was answered (or is known to be missing), those with data."""

    total: int
    answered: int
    with_data: int


def broken_rankings(conn: Connection, days: ChartDays) -> list[date]:
    """Days whose positions are not 1..n without holes. (The key allows no doubles; a track may stand twice.)"""
    t = s.chart_rankings
    query = (
        select(t.c.rank_date)
        .where(t.c.chart_slug == days.slug, t.c.rank_date.between(days.first, days.last))
        .group_by(t.c.rank_date)
        .having(or_(func.min(t.c.position) != 1, func.max(t.c.position) != func.count()))
    )
    return list(conn.scalars(query.order_by(t.c.rank_date)))


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


def without_metadata(conn: Connection, days: ChartDays, entity: str) -> int:
    """Entities of the chart's days that have neither metadata nor a tombstone that says why."""
    t, grave = (s.tracks if entity == "track" else s.artists), b.tombstones
    buried = exists().where(grave.c.entity == entity, grave.c.uuid == t.c.uuid, grave.c.scope == METADATA)
    query = select(func.count()).where(t.c.uuid.in_(entities(days, entity)), t.c.metadata_fetched_at.is_(None), ~buried)
    return _count(conn, query)


def coverage(conn: Connection, days: ChartDays, entity: str, platform: str, metric: str) -> Coverage:
    """How much of a series is known for the entities ranked on the chart's days."""
    uuids, asks, grave = entities(days, entity).subquery(), b.audience_asks, b.tombstones
    uuid = uuids.c[0]
    points = _points(entity)
    asked = exists().where(
        asks.c.entity == entity, asks.c.uuid == uuid, asks.c.platform == platform, asks.c.metric == metric
    )
    scopes = (METADATA, f"{platform}/{metric}")
    buried = exists().where(grave.c.entity == entity, grave.c.uuid == uuid, grave.c.scope.in_(scopes))
    has_data = exists().where(
        and_(points.c[f"{entity}_uuid"] == uuid, points.c.platform == platform, points.c.metric == metric)
    )
    everyone = select(func.count()).select_from(uuids)
    return Coverage(
        _count(conn, everyone), _count(conn, everyone.where(or_(asked, buried))), _count(conn, everyone.where(has_data))
    )


def negative_values(conn: Connection, days: ChartDays, entity: str, platform: str) -> int:
    """Points below zero of the entities ranked on the chart's days."""
    points = _points(entity)
    owner = points.c[f"{entity}_uuid"]
    return _count(
        conn,
        select(func.count()).where(
            owner.in_(entities(days, entity)), points.c.platform == platform, points.c.value < 0
        ),
    )


def _points(entity: str) -> Any:
    return s.track_audience if entity == "track" else s.artist_audience


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
        for entity, points in (("track", s.track_audience), ("artist", s.artist_audience)):
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

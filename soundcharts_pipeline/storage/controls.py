"""Entities that are known to have something: asked again, they tell a refused entity from a refusing server."""

from datetime import date

from sqlalchemy import Connection, exists, func, select

from soundcharts_pipeline.storage.queries.worklists import METADATA
from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s


def answered_series(conn: Connection, entity: str, platform: str, metric: str, *, most: int) -> list[tuple[str, date]]:
    """Entities whose series was asked for last, of those that have points above zero, each with the last such day."""
    t, tombstone = b.audience_asks, b.tombstones
    points = audience.POINTS[entity]
    of_series = (
        points.c[f"{entity}_uuid"] == t.c.uuid,
        points.c.platform == platform,
        points.c.metric == metric,
        points.c.value > 0,
    )
    has_points = exists().where(*of_series)
    last_day = select(func.max(points.c.date)).where(*of_series).correlate(t).scalar_subquery()
    missing = exists().where(
        tombstone.c.entity == entity,
        tombstone.c.uuid == t.c.uuid,
        tombstone.c.scope.in_((METADATA, f"{platform}/{metric}")),
    )
    query = select(t.c.uuid, last_day.label("day")).where(
        t.c.entity == entity, t.c.platform == platform, t.c.metric == metric, has_points, ~missing
    )
    return [(row.uuid, row.day) for row in conn.execute(query.order_by(t.c.asked_at.desc()).limit(most))]


def with_metadata(conn: Connection, entity: str, *, most: int) -> list[str]:
    """Entities whose metadata came last."""
    t = s.tracks if entity == "track" else s.artists
    query = select(t.c.uuid).where(t.c.metadata_fetched_at.is_not(None))
    return list(conn.scalars(query.order_by(t.c.metadata_fetched_at.desc()).limit(most)))

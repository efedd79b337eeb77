"""What is noted as absent, and how it is forgotten: tombstones, series without a point, days without a ranking,
endpoints that refuse everything."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, select

from soundcharts_pipeline.storage.queries.worklists import METADATA
from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s


@dataclass(frozen=True, slots=True, kw_only=True)
class Absences:
    """Which notes are meant: those of an entity's metadata, or of its series (`platform`, `metric`; None: any); of all
    entities, or of those of one chart."""

    entity: str
    metadata: bool
    platform: str | None = None
    metric: str | None = None
    not_metric: str | None = None
    slug: str | None = None

    def tombstones(self) -> list[ColumnElement[bool]]:
        t = b.tombstones
        tests = [t.c.entity == self.entity, *self._of_chart(t.c.uuid)]
        if self.metadata:
            return [*tests, t.c.scope == METADATA]
        scope = f"{self.platform or '%'}/{self.metric or '%'}"
        tests += [t.c.scope.like(scope)]
        return [*tests, ~t.c.scope.like(f"%/{self.not_metric}")] if self.not_metric else tests

    def silent(self) -> list[ColumnElement[bool]]:
        """Answered windows of series that have not a single point."""
        t, points = b.audience_asks, audience.POINTS[self.entity]
        has_points = exists().where(
            points.c[f"{self.entity}_uuid"] == t.c.uuid,
            points.c.platform == t.c.platform,
            points.c.metric == t.c.metric,
        )
        tests = [t.c.entity == self.entity, ~has_points, *self._of_chart(t.c.uuid)]
        tests += [t.c.platform == self.platform] if self.platform else []
        tests += [t.c.metric == self.metric] if self.metric else []
        return [*tests, t.c.metric != self.not_metric] if self.not_metric else tests

    def scopes(self) -> ColumnElement[bool]:
        """Endpoint states; a chart has none of its own."""
        t = b.endpoint_states
        if self.metadata:
            return t.c.scope == f"{self.entity}/{METADATA}"
        like = t.c.scope.like(f"{self.entity}/{self.platform or '%'}/{self.metric or '%'}")
        return and_(like, ~t.c.scope.like(f"%/{self.not_metric}")) if self.not_metric else like

    def _of_chart(self, uuid: ColumnElement[str]) -> list[ColumnElement[bool]]:
        if self.slug is None:
            return []
        ranked = select(s.chart_rankings.c.track_uuid).where(s.chart_rankings.c.chart_slug == self.slug)
        if self.entity == "track":
            return [uuid.in_(ranked)]
        return [uuid.in_(select(s.track_artists.c.artist_uuid).where(s.track_artists.c.track_uuid.in_(ranked)))]


def count_absences(conn: Connection, absences: Absences) -> int:
    """Entities, or series of entities, that are noted as absent, and endpoints that refuse everything.

    Each is asked for again once it is forgotten.
    """
    t, asks = b.tombstones, b.audience_asks
    with_tombstone = select(t.c.uuid, t.c.scope).where(*absences.tombstones())
    states = select(func.count()).where(absences.scopes(), b.endpoint_states.c.refused_since.is_not(None))
    refusing = conn.scalar(states) or 0
    if absences.metadata:
        return refusing + (conn.scalar(select(func.count()).select_from(with_tombstone.subquery())) or 0)
    silent = select(asks.c.uuid, asks.c.platform + "/" + asks.c.metric).where(*absences.silent())
    return refusing + (conn.scalar(select(func.count()).select_from(with_tombstone.union(silent).subquery())) or 0)


def forget_absences(conn: Connection, absences: Absences) -> None:
    """All of it is asked for again by the next run that needs it."""
    conn.execute(delete(b.tombstones).where(*absences.tombstones()))
    if not absences.metadata:
        conn.execute(delete(b.audience_asks).where(*absences.silent()))
    conn.execute(delete(b.endpoint_states).where(absences.scopes()))


def count_absent_days(conn: Connection, slug: str | None) -> int:
    """Chart-days noted as without a ranking, of one chart or of all."""
    return conn.scalar(select(func.count()).where(*_absent_days(slug))) or 0


def forget_absent_days(conn: Connection, slug: str | None) -> None:
    """The list of rankings is asked for them again."""
    conn.execute(delete(s.ranking_days).where(*_absent_days(slug)))


def _absent_days(slug: str | None) -> list[ColumnElement[bool]]:
    t = s.ranking_days
    return [t.c.published_at.is_(None), *([t.c.chart_slug == slug] if slug else [])]

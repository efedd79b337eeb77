"""The read side of the cascade: what one chart needs on its days and the warehouse does not hold yet.

Every query is one chart and one span of days; none of them knows what a call is.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, Table, exists, func, or_, select

from soundcharts_pipeline.models import AnsweredWindow, Chart, ChartDays, is_later
from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s

# `tombstones.scope` of an entity's metadata; a series is noted as "platform/metric".
METADATA = "metadata"
GONE = "not found"
CLOSED = "not in the plan"
SILENT = "no data"
# A refusal that was never among answers, or a record that cannot be read: believed for a day.
UNPROVEN = "not proven"
UNPROVEN_FOR = timedelta(days=1)

# UUIDs, or a query that gives them.
Among = Collection[str] | Select[Any]


@dataclass(frozen=True, slots=True)
class RankingDay:
    """What is known of one chart on one day. No timestamp: it is confirmed that there is no ranking."""

    day: date
    published_at: str | None
    checked_at: datetime
    saved_at: datetime | None
    saved_version: str | None = None
    changed_at: datetime | None = None

    @property
    def is_published_again(self) -> bool:
        """Whether a later version is listed than the one that is stored. An earlier one is none: a list that gives the
        two in turn would have the day fetched for ever."""
        stored, listed = self.saved_version, self.published_at
        return self.saved_at is not None and bool(stored and listed and is_later(listed, stored))

    @property
    def lacks_places(self) -> bool:
        """Whether places of the stored ranking could not be read, and may still be: then no version is noted."""
        return self.saved_at is not None and self.published_at is not None and self.saved_version is None

    def is_due_again(self, now: datetime, *, refresh: bool) -> bool:
        """Whether a stored ranking is to be fetched once more: its places could not all be read a day ago or, with
        `refresh`, it is published again."""
        is_over = self.saved_at is not None and self.saved_at < now - UNPROVEN_FOR
        return (self.lacks_places and is_over) or (refresh and self.is_published_again)


_D = s.ranking_days.c
_OF_A_DAY = (_D.rank_date, _D.published_at, _D.checked_at, _D.saved_at, _D.saved_version, _D.changed_at)


def ranking_days(conn: Connection, days: ChartDays) -> dict[date, RankingDay]:
    """Known days of the chart in the span."""
    t = s.ranking_days
    rows = conn.execute(
        select(*_OF_A_DAY).where(t.c.chart_slug == days.slug, t.c.rank_date.between(days.first, days.last))
    )
    return {row.rank_date: RankingDay(*row) for row in rows}


def rankings_missing(conn: Connection, days: ChartDays) -> list[date]:
    """Days of the span whose ranking is not stored, less those that certainly have none.

    The list of rankings is read from its newest end, so a day between two known ones that was not on it has none: a
    weekly chart's other days need not be confirmed one by one.
    """
    t = s.ranking_days
    between = select(func.min(t.c.rank_date), func.max(t.c.rank_date)).where(
        t.c.chart_slug == days.slug, t.c.published_at.is_not(None)
    )
    first, last = conn.execute(between).one()
    known = ranking_days(conn, days)
    missing = []
    for number in range((days.last - days.first).days + 1):
        day = days.first + timedelta(days=number)
        if day in known:
            lacks = known[day].published_at is not None and known[day].saved_at is None
        else:
            lacks = first is None or not first < day < last
        missing += [day] if lacks else []
    return missing


def published_days(conn: Connection, slug: str) -> list[date]:
    """Every day on which the chart is known to be published, oldest first."""
    t = s.ranking_days
    query = select(t.c.rank_date).where(t.c.chart_slug == slug, t.c.published_at.is_not(None))
    return list(conn.scalars(query.order_by(t.c.rank_date)))


def listed_late(conn: Connection, slug: str) -> set[date]:
    """Days that were confirmed to have no ranking, and of which one is listed since that is not stored."""
    t = s.ranking_days
    late = (t.c.published_at.is_not(None), t.c.saved_at.is_(None), t.c.changed_at.is_not(None))
    return set(conn.scalars(select(t.c.rank_date).where(t.c.chart_slug == slug, *late)))


def due_again(conn: Connection, days: ChartDays, now: datetime, *, refresh: bool) -> list[date]:
    """Stored days of the span whose ranking is to be fetched once more, oldest first."""
    return sorted(day for day, known in ranking_days(conn, days).items() if known.is_due_again(now, refresh=refresh))


def newest_ranking(conn: Connection, slug: str) -> RankingDay | None:
    """The newest day on which the chart is known to be published."""
    t = s.ranking_days
    query = select(*_OF_A_DAY).where(t.c.chart_slug == slug, t.c.published_at.is_not(None))
    row = conn.execute(query.order_by(t.c.rank_date.desc()).limit(1)).first()
    return None if row is None else RankingDay(*row)


def tracks_due(
    conn: Connection,
    among: Among,
    *,
    stale_before: datetime,
    now: datetime,
    artists: bool,
    genres: bool,
    known_since: datetime | None = None,
) -> list[str]:
    """Those of the tracks whose metadata is missing, stale or from before `known_since`, or whose artists or genres are
    wanted and were not extracted."""
    t = s.tracks
    missing = [t.c.metadata_fetched_at.is_(None), t.c.metadata_fetched_at < stale_before]
    missing += [t.c.metadata_fetched_at < known_since] if known_since else []
    missing += [t.c.artists_extracted.is_(False)] if artists else []
    missing += [t.c.genres_extracted.is_(False)] if genres else []
    return _due(conn, t, "track", among, or_(*missing), stale_before, now)


def artists_due(
    conn: Connection, among: Among, *, stale_before: datetime, now: datetime, known_since: datetime | None = None
) -> list[str]:
    """Those of the artists whose metadata is missing, stale or from before `known_since`."""
    t = s.artists
    missing = [t.c.metadata_fetched_at.is_(None), t.c.metadata_fetched_at < stale_before]
    missing += [t.c.metadata_fetched_at < known_since] if known_since else []
    return _due(conn, t, "artist", among, or_(*missing), stale_before, now)


def ranked_tracks(conn: Connection, days: ChartDays, *, gone_after: datetime) -> Iterable[tuple[str, date]]:
    """Each track on each day it is ranked in the span, less those that were noted since that moment to be gone."""
    t = s.chart_rankings
    query = select(t.c.track_uuid, t.c.rank_date).where(
        t.c.chart_slug == days.slug,
        t.c.rank_date.between(days.first, days.last),
        ~_gone("track", t.c.track_uuid, gone_after),
    )
    return [(row[0], row[1]) for row in conn.execute(query.order_by(t.c.rank_date, t.c.position, t.c.track_uuid))]


def ranked_artists(conn: Connection, days: ChartDays, *, gone_after: datetime) -> Iterable[tuple[str, date]]:
    """Each artist on each day one of the artist's tracks is ranked in the span, less those that were noted since that
    moment to be gone."""
    t, ta = s.chart_rankings, s.track_artists
    query = (
        select(ta.c.artist_uuid, t.c.rank_date)
        .distinct()
        .select_from(t.join(ta, ta.c.track_uuid == t.c.track_uuid))
        .where(
            t.c.chart_slug == days.slug,
            t.c.rank_date.between(days.first, days.last),
            ~_gone("artist", ta.c.artist_uuid, gone_after),
        )
    )
    return [(row[0], row[1]) for row in conn.execute(query.order_by(t.c.rank_date, ta.c.artist_uuid))]


def release_dates(conn: Connection, days: ChartDays) -> dict[str, date]:
    """Release date of each track ranked in the span, where known."""
    t = s.tracks
    query = select(t.c.uuid, t.c.release_date).where(t.c.release_date.is_not(None), t.c.uuid.in_(ranked(days)))
    return {row[0]: row[1] for row in conn.execute(query)}


def asks_of(conn: Connection, entity: str, platform: str, metric: str, uuids: Among) -> dict[str, list[AnsweredWindow]]:
    """Answered windows of one series, by entity."""
    t = b.audience_asks
    query = select(t.c.uuid, t.c.start_date, t.c.end_date, t.c.settled_date, t.c.asked_at).where(
        t.c.entity == entity, t.c.platform == platform, t.c.metric == metric, t.c.uuid.in_(uuids)
    )
    found: dict[str, list[AnsweredWindow]] = {}
    for row in conn.execute(query):
        found.setdefault(row[0], []).append(AnsweredWindow(*row[1:]))
    return found


def tombstones_of(conn: Connection, uuids: Among, entity: str, scope: str, *, after: datetime) -> dict[str, str]:
    """Those of the entities that have a tombstone which is still young, and why."""
    t = b.tombstones
    query = select(t.c.uuid, t.c.reason).where(
        t.c.entity == entity, t.c.scope == scope, t.c.noted_at >= after, t.c.uuid.in_(uuids)
    )
    return {row.uuid: row.reason for row in conn.execute(query)}


def with_points(conn: Connection, entity: str, platform: str, metric: str, uuids: Collection[str]) -> set[str]:
    """Those of the entities that have a point of the series."""
    t, p = audience.series, audience.points
    of_series = (t.c.entity == entity, t.c.platform == platform, t.c.metric == metric, t.c.uuid.in_(uuids))
    return set(conn.scalars(select(t.c.uuid).where(*of_series, exists().where(p.c.series_id == t.c.id))))


def identifiers_since(
    conn: Connection, platform: str, metric: str, uuids: Collection[str], day: date
) -> dict[str, set[str]]:
    """The identifiers under which each of the tracks has a point of that day or a later one."""
    t, p = audience.series, audience.points
    query = select(t.c.uuid, t.c.identifier).where(
        t.c.entity == "track",
        t.c.platform == platform,
        t.c.metric == metric,
        t.c.uuid.in_(uuids),
        exists().where(p.c.series_id == t.c.id, p.c.day >= day),
    )
    found: dict[str, set[str]] = {}
    for uuid, identifier in conn.execute(query):
        found.setdefault(uuid, set()).add(identifier)
    return found


def progress_of(conn: Connection, run_id: str) -> dict[str, tuple[int, int]]:
    """(done, total) of every step of a run that has begun."""
    t = b.sync_progress
    rows = conn.execute(select(t.c.step, t.c.done, t.c.total).where(t.c.run_id == run_id))
    return {row.step: (row.done, row.total) for row in rows}


def fact(conn: Connection, name: str) -> str | None:
    """What was learnt once about the API."""
    return conn.scalar(select(b.facts.c.value).where(b.facts.c.name == name))


def chart_slugs(conn: Connection) -> list[str]:
    """Slugs of every chart met so far, in rankings or in the catalog."""
    return list(conn.scalars(select(s.charts.c.slug).order_by(s.charts.c.slug)))


def saved_charts(conn: Connection) -> list[Chart]:
    """Every chart met so far."""
    return [Chart(**row._mapping) for row in conn.execute(select(s.charts))]


def ranked(days: ChartDays) -> Select[Any]:
    """UUIDs of the tracks ranked in the span."""
    t = s.chart_rankings
    return (
        select(t.c.track_uuid)
        .distinct()
        .where(t.c.chart_slug == days.slug, t.c.rank_date.between(days.first, days.last))
    )


def entities(days: ChartDays, entity: str) -> Select[Any]:
    """UUIDs of the tracks ranked in the span, or of their artists."""
    if entity == "track":
        return ranked(days)
    return select(s.track_artists.c.artist_uuid).distinct().where(s.track_artists.c.track_uuid.in_(ranked(days)))


def _gone(entity: str, uuid: Any, after: datetime) -> Any:
    t = b.tombstones
    of_entity = (t.c.entity == entity, t.c.uuid == uuid, t.c.scope == METADATA)
    return exists().where(*of_entity, t.c.reason == GONE, t.c.noted_at >= after)


def _due(
    conn: Connection, table: Table, entity: str, among: Among, missing: Any, stale_before: datetime, now: datetime
) -> list[str]:
    t = b.tombstones
    believed = or_(t.c.reason != UNPROVEN, t.c.noted_at >= now - UNPROVEN_FOR)
    buried_ = exists().where(
        t.c.entity == entity, t.c.uuid == table.c.uuid, t.c.scope == METADATA, t.c.noted_at >= stale_before, believed
    )
    query = select(table.c.uuid).where(table.c.uuid.in_(among), missing, ~buried_)
    return list(conn.scalars(query.order_by(table.c.uuid)))

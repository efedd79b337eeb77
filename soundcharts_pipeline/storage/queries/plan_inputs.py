"""What a plan needs to know of the warehouse beyond the worklists: who is credited, how a chart moves, what is left.

Every query reads; none of them knows what a call is.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s

# So many of a chart's newest rankings tell how it moves.
RANKINGS_LOOKED_AT = 30


@dataclass(frozen=True, slots=True)
class Habits:
    """How a chart moves from one ranking to the next, on average: places that change hands, and those among them
    that go to a track which was never on the chart."""

    newcomers: float
    debuts: float


@dataclass(frozen=True, slots=True)
class Listing:
    """What the list of charts says of one: how often it appears and how many places it has, where known."""

    frequency: str | None
    places: int | None


def newest_saved(conn: Connection, slug: str) -> date | None:
    """The newest day of the chart whose ranking is stored, here or in the archive."""
    t = s.ranking_days
    newest: date | None = conn.scalar(
        select(func.max(t.c.rank_date)).where(t.c.chart_slug == slug, t.c.saved_at.is_not(None))
    )
    return newest


def nearest_saved(conn: Connection, slug: str, day: date) -> date | None:
    """The day, of all whose ranking was saved, that is nearest to this one; its rows may be in the archive."""
    t = s.ranking_days
    return _nearest(conn, t.c.rank_date, and_(t.c.chart_slug == slug, t.c.saved_at.is_not(None)), day)


def nearest_ranking(conn: Connection, slug: str, day: date) -> date | None:
    """The day nearest to this one whose ranking is here to be read. One in the archive is not."""
    t = s.chart_rankings
    return _nearest(conn, t.c.rank_date, t.c.chart_slug == slug, day)


def _nearest(conn: Connection, column: ColumnElement[date], which: ColumnElement[bool], day: date) -> date | None:
    """Of two that are equally near, the earlier."""
    before: date | None = conn.scalar(select(func.max(column)).where(which, column <= day))
    after: date | None = conn.scalar(select(func.min(column)).where(which, column >= day))
    if before is None or after is None:
        return before or after
    return before if day - before <= after - day else after


def ranking_of(conn: Connection, slug: str, day: date) -> list[str]:
    """The tracks of one stored ranking, from the first place down."""
    t = s.chart_rankings
    query = select(t.c.track_uuid).where(t.c.chart_slug == slug, t.c.rank_date == day)
    return list(dict.fromkeys(conn.scalars(query.order_by(t.c.position, t.c.track_uuid))))


def places_of(conn: Connection, slug: str, days: Collection[date]) -> dict[date, int]:
    """How many rows each of these stored rankings has."""
    t = s.chart_rankings
    query = select(t.c.rank_date, func.count()).where(t.c.chart_slug == slug, t.c.rank_date.in_(days))
    return {row[0]: row[1] for row in conn.execute(query.group_by(t.c.rank_date))}


def habits(conn: Connection, slug: str) -> Habits | None:
    """Read off the chart's newest stored rankings, which mark their new entries; None without any."""
    t = s.chart_rankings
    lately = select(t.c.rank_date).distinct().where(t.c.chart_slug == slug).order_by(t.c.rank_date.desc())
    days = list(conn.scalars(lately.limit(RANKINGS_LOOKED_AT)))
    if not days:
        return None
    new = and_(t.c.chart_slug == slug, t.c.rank_date.in_(days), t.c.old_position.is_(None))
    first_time = and_(new, or_(t.c.entry_date.is_(None), t.c.entry_date == t.c.rank_date))
    count = select(func.count()).select_from(t)
    newcomers, debuts = (int(conn.scalar(count.where(which)) or 0) for which in (new, first_time))
    return Habits(newcomers / len(days), debuts / len(days))


def listing(conn: Connection, slug: str) -> Listing:
    """The chart as the list of charts or a ranking described it."""
    t = s.charts
    row = conn.execute(select(t.c.frequency, t.c.max_results).where(t.c.slug == slug)).first()
    return Listing(None, None) if row is None else Listing(*row)


def credit_names(conn: Connection, days: ChartDays) -> dict[str, str]:
    """Credit name of each track ranked in the span whose artists are not known yet."""
    t, r = s.tracks, s.chart_rankings
    ranked = select(r.c.track_uuid).where(r.c.chart_slug == days.slug, r.c.rank_date.between(days.first, days.last))
    query = select(t.c.uuid, t.c.credit_name).where(t.c.uuid.in_(ranked), t.c.artists_extracted.is_(False))
    return {row[0]: row[1] or "" for row in conn.execute(query)}


def credits_of(conn: Connection, slug: str) -> dict[str, set[str]]:
    """Artists of each track of the chart, where known."""
    t, ta = s.chart_rankings, s.track_artists
    of_chart = select(t.c.track_uuid).where(t.c.chart_slug == slug)
    found: dict[str, set[str]] = {}
    query = select(ta.c.track_uuid, ta.c.artist_uuid).where(ta.c.track_uuid.in_(of_chart))
    for track, artist in conn.execute(query):
        found.setdefault(track, set()).add(artist)
    return found


def artist_names(conn: Connection) -> list[tuple[str, str]]:
    """(name, UUID) of every artist."""
    return [(row[0], row[1]) for row in conn.execute(select(s.artists.c.name, s.artists.c.uuid))]


def credited(conn: Connection) -> list[tuple[str, str, str]]:
    """(credit name, artist's name, artist's UUID) of every track whose artists are known."""
    t, a, ta = s.tracks, s.artists, s.track_artists
    joined = ta.join(t, t.c.uuid == ta.c.track_uuid).join(a, a.c.uuid == ta.c.artist_uuid)
    query = select(t.c.credit_name, a.c.name, a.c.uuid).select_from(joined).where(t.c.credit_name.is_not(None))
    return [(row[0], row[1], row[2]) for row in conn.execute(query)]


def known_since(conn: Connection, entity: str, stale_before: datetime) -> set[str]:
    """Tracks or artists whose metadata is neither missing nor stale."""
    t = s.tracks if entity == "track" else s.artists
    return set(conn.scalars(select(t.c.uuid).where(t.c.metadata_fetched_at >= stale_before)))


def tombstones_of(conn: Connection, entity: str, scope: str, *, after: datetime) -> set[str]:
    """Every entity with a tombstone that is still young."""
    t = b.tombstones
    return set(conn.scalars(select(t.c.uuid).where(t.c.entity == entity, t.c.scope == scope, t.c.noted_at >= after)))


def calls_per_station_list(conn: Connection) -> float:
    """Calls that the stations of one track and day took on average (one per 100 stations); 1 when not measured."""
    u, p = b.api_usage, audience.TRACK
    calls = conn.scalar(select(func.sum(u.c.calls)).where(u.c.endpoint == "track_broadcast_groups")) or 0
    days = conn.scalar(select(func.count()).select_from(p).where(p.c.platform == "airplay")) or 0
    return max(1.0, float(calls) / days) if days else 1.0


def quota_seen(conn: Connection, day: date) -> int | None:
    """Billed calls left, as last seen on that UTC day by any process."""
    t = b.api_usage
    left: int | None = conn.scalar(select(func.min(t.c.quota_remaining)).where(t.c.day == day))
    return left


def server_limit(conn: Connection) -> int | None:
    """Calls per minute, as the server last said. `conn` is one of `Warehouse.beside`."""
    limit: int | None = conn.scalar(select(b.rate_gate.c.server_limit))
    return limit

"""What the warehouse knows of one chart on one day, for a report: ranking, tracks, artists, their series and trends.

Every query is one chart-day.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.storage.queries.rankings import BY_PLACE, Move, Spot, moves_of
from soundcharts_pipeline.storage.queries.series_lists import list_series
from soundcharts_pipeline.storage.queries.summaries import archived_months
from soundcharts_pipeline.storage.queries.worklists import entities
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.wording import month_of


class StoredSeries(NamedTuple):
    """One series of the days that end on the chart's day; `identifier` is '' where the platform gives none."""

    entity: str
    uuid: str
    platform: str
    metric: str
    identifier: str
    values: Mapping[date, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartDay:
    """One chart on one day, with the series of the `days` that end on it, oldest first.

    `genres` and `credits` are by entity: genre names, and (role, artist's uuid, artist's name) in the order of the
    credit. `moves` are by position and track. `ranked_days` are those of the window of which a ranking with a track of
    this one is stored. `trends` are the rows of `audience_trends`. `archived` are months of the window whose rows are
    in the archive and not here.
    """

    slug: str
    day: date
    days: Sequence[date]
    chart: Row[Any] | None
    ranking: Sequence[Row[Any]]
    tracks: Sequence[Row[Any]]
    artists: Sequence[Row[Any]]
    genres: Mapping[str, Sequence[str]]
    credits: Mapping[str, Sequence[tuple[str, str, str]]]
    moves: Mapping[Spot, Move]
    ranked_days: Sequence[date]
    series: Sequence[StoredSeries]
    trends: Sequence[Row[Any]]
    archived: Sequence[str] = field(default=())


def read_chart_day(conn: Connection, slug: str, day: date, *, history_days: int) -> ChartDay:
    """Everything, from one state of the data."""
    days = [day - timedelta(days=ago) for ago in reversed(range(history_days))]
    of_day, window = ChartDays(slug, day, day), ChartDays(slug, days[0], day)
    return ChartDay(
        slug=slug,
        day=day,
        days=days,
        chart=conn.execute(select(s.charts).where(s.charts.c.slug == slug)).one_or_none(),
        ranking=_ranking(conn, of_day),
        tracks=_tracks(conn, of_day),
        artists=_artists(conn, of_day),
        genres={**_genres(conn, of_day, "track"), **_genres(conn, of_day, "artist")},
        credits=_credits(conn, of_day),
        moves=moves_of(conn, slug, day),
        ranked_days=_ranked_days(conn, window),
        series=[*_series(conn, of_day, "track", days[0]), *_series(conn, of_day, "artist", days[0])],
        trends=_trends(conn, slug, day),
        archived=[month_of(month) for month in archived_months(conn, days[0], day)],
    )


def _ranking(conn: Connection, day: ChartDays) -> Sequence[Row[Any]]:
    """Each track on its position, and the best one of the track in the rankings of this chart until then."""
    r, t = s.chart_rankings, s.tracks
    earlier = r.alias()
    known = (
        select(earlier.c.track_uuid, func.min(earlier.c.position).label("peak"))
        .where(earlier.c.chart_slug == day.slug, earlier.c.rank_date <= day.last)
        .where(earlier.c.track_uuid.in_(entities(day, "track")))
        .group_by(earlier.c.track_uuid)
        .subquery()
    )
    query = (
        select(r, t.c.name, t.c.credit_name, t.c.isrc, t.c.release_date, t.c.app_url, known.c.peak)
        .select_from(r.outerjoin(t, t.c.uuid == r.c.track_uuid).join(known, known.c.track_uuid == r.c.track_uuid))
        .where(r.c.chart_slug == day.slug, r.c.rank_date == day.last)
        .order_by(*BY_PLACE)
    )
    return conn.execute(query).all()


def _tracks(conn: Connection, day: ChartDays) -> Sequence[Row[Any]]:
    """Each ranked track once, by its best position."""
    r, t = s.chart_rankings, s.tracks
    best = (
        select(r.c.track_uuid, func.min(r.c.position).label("position"))
        .where(r.c.chart_slug == day.slug, r.c.rank_date == day.last)
        .group_by(r.c.track_uuid)
        .subquery()
    )
    query = select(best.c.position, t).select_from(best.join(t, t.c.uuid == best.c.track_uuid))
    return conn.execute(query.order_by(best.c.position, t.c.uuid)).all()


def _artists(conn: Connection, day: ChartDays) -> Sequence[Row[Any]]:
    """Each artist of a ranked track once, by the best position, with the number of ranked tracks."""
    r, ta, a = s.chart_rankings, s.track_artists, s.artists
    best = (
        select(
            ta.c.artist_uuid,
            func.min(r.c.position).label("position"),
            func.count(r.c.track_uuid.distinct()).label("tracks"),
        )
        .select_from(r.join(ta, ta.c.track_uuid == r.c.track_uuid))
        .where(r.c.chart_slug == day.slug, r.c.rank_date == day.last)
        .group_by(ta.c.artist_uuid)
        .subquery()
    )
    query = select(best.c.position, best.c.tracks, a).select_from(best.join(a, a.c.uuid == best.c.artist_uuid))
    return conn.execute(query.order_by(best.c.position, a.c.name, a.c.uuid)).all()


def _genres(conn: Connection, day: ChartDays, entity: str) -> dict[str, list[str]]:
    """Sub-genres, and roots of which no sub-genre is named."""
    links, g = s.track_genres if entity == "track" else s.artist_genres, s.genres
    owner = links.c[f"{entity}_uuid"]
    query = (
        select(owner, g.c.root, g.c.name)
        .select_from(links.join(g, g.c.id == links.c.genre_id))
        .where(owner.in_(entities(day, entity)))
        .order_by(owner, g.c.root, g.c.name)
    )
    found: dict[str, list[str]] = {}
    for uuid, rows in groupby(conn.execute(query), key=lambda row: str(row[0])):
        names = [(row.root, row.name) for row in rows]
        detailed = {root for root, name in names if name}
        found[uuid] = [name or root for root, name in names if name or root not in detailed]
    return found


def _credits(conn: Connection, day: ChartDays) -> dict[str, list[tuple[str, str, str]]]:
    ta, a = s.track_artists, s.artists
    query = (
        select(ta.c.track_uuid, ta.c.role, a.c.uuid, a.c.name)
        .select_from(ta.join(a, a.c.uuid == ta.c.artist_uuid))
        .where(ta.c.track_uuid.in_(entities(day, "track")))
        .order_by(ta.c.track_uuid, ta.c.role, ta.c.position)
    )
    found: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for row in conn.execute(query):
        found[row.track_uuid].append((row.role, row.uuid, row.name))
    return found


def _ranked_days(conn: Connection, window: ChartDays) -> list[date]:
    r = s.chart_rankings
    query = select(r.c.rank_date).distinct()
    query = query.where(r.c.chart_slug == window.slug, r.c.rank_date.between(window.first, window.last))
    today = ChartDays(window.slug, window.last, window.last)
    return list(conn.scalars(query.where(r.c.track_uuid.in_(entities(today, "track"))).order_by(r.c.rank_date)))


def _series(conn: Connection, day: ChartDays, entity: str, first: date) -> Iterator[StoredSeries]:
    names = [first + timedelta(days=later) for later in range((day.last - first).days + 1)]
    for one in list_series(conn, entity, first, day.last, entities(day, entity)):
        days, values = map(int, one.days.split(",")), map(int, one.values.split(","))
        by_day = {names[place]: value for place, value in sorted(zip(days, values, strict=True))}
        yield StoredSeries(entity, one.uuid, one.platform, one.metric, one.identifier, by_day)


def _trends(conn: Connection, slug: str, day: date) -> Sequence[Row[Any]]:
    t = s.audience_trends
    query = select(t).where(t.c.chart_slug == slug, t.c.rank_date == day)
    return conn.execute(query.order_by(t.c.platform, t.c.entity.desc(), t.c.metric, t.c.uuid)).all()

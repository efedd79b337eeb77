"""What a partition holds, for people: counts by day, and a few rows to look at."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Table, and_, exists, func, select

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.storage.queries import rankings
from soundcharts_pipeline.storage.queries.worklists import entities
from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s

PREVIEW_ROWS = 10
# Of a year of a chart there are a million points; so many are in memory.
ROWS_AT_ONCE = 10_000


class Preview(NamedTuple):
    """A small table."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def ranking_rows(conn: Connection, days: ChartDays) -> dict[date, int]:
    """Places by day."""
    t = s.chart_rankings
    return _by_day(conn, select(t.c.rank_date, func.count()).where(_in_span(days)).group_by(t.c.rank_date))


def track_rows(conn: Connection, days: ChartDays) -> dict[date, int]:
    """Ranked tracks with metadata, by day."""
    t = s.chart_rankings
    joined = t.join(s.tracks, s.tracks.c.uuid == t.c.track_uuid)
    query = select(t.c.rank_date, func.count(t.c.track_uuid.distinct())).select_from(joined)
    return _by_day(
        conn, query.where(_in_span(days), s.tracks.c.metadata_fetched_at.is_not(None)).group_by(t.c.rank_date)
    )


def artist_rows(conn: Connection, days: ChartDays) -> dict[date, int]:
    """Artists of ranked tracks with metadata, by day."""
    t, ta, a = s.chart_rankings, s.track_artists, s.artists
    joined = t.join(ta, ta.c.track_uuid == t.c.track_uuid).join(a, a.c.uuid == ta.c.artist_uuid)
    query = select(t.c.rank_date, func.count(a.c.uuid.distinct())).select_from(joined)
    return _by_day(conn, query.where(_in_span(days), a.c.metadata_fetched_at.is_not(None)).group_by(t.c.rank_date))


def audience_rows(conn: Connection, days: ChartDays, entity: str, platform: str, history_days: int) -> dict[date, int]:
    """Points by day: those of the entities ranked that day, over the history that ends on it.

    Each point is read once, entity by entity, and counted for all the days that need it: a join of days with their
    histories reads it once for each of them, which took a minute for a year of days.
    """
    longest = timedelta(days=history_days - 1)
    points = audience.POINTS[entity]
    owner = points.c[f"{entity}_uuid"]
    needed = (
        owner.in_(entities(days, entity)),
        points.c.platform == platform,
        points.c.date.between(days.first - longest, days.last),
    )
    if days.first == days.last:
        count = conn.scalar(select(func.count()).select_from(points).where(*needed))
        return {days.last: count} if count else {}
    ranked: dict[str, list[date]] = defaultdict(list)
    for row in conn.execute(_entity_days(days, entity)):
        ranked[row.uuid].append(row.rank_date)
    query = select(owner, points.c.date).where(*needed)
    streamed = conn.execution_options(yield_per=ROWS_AT_ONCE).execute(query.order_by(owner))
    counts: Counter[date] = Counter()
    for uuid, of_entity in groupby(streamed, key=itemgetter(0)):
        found = sorted(row[1] for row in of_entity)
        for day in ranked[uuid]:
            counts[day] += bisect_right(found, day) - bisect_left(found, day - longest)
    return counts


def trend_rows(conn: Connection, days: ChartDays) -> dict[date, int]:
    """Trends by day."""
    t = s.audience_trends
    query = select(t.c.rank_date, func.count()).where(
        t.c.chart_slug == days.slug, t.c.rank_date.between(days.first, days.last)
    )
    return _by_day(conn, query.group_by(t.c.rank_date))


def archived_months(conn: Connection, first: date, last: date) -> list[date]:
    """The first days of the months, from that of `first` to that of `last`, that are in the archive."""
    a = b.archived_months
    query = select(a.c.month).distinct().where(a.c.month.between(first.replace(day=1), last))
    return list(conn.scalars(query.order_by(a.c.month)))


def archived_days(conn: Connection, days: ChartDays) -> set[date]:
    """Days whose ranking was saved here and is in the archive now."""
    d, r, a = s.ranking_days, s.chart_rankings, b.archived_months
    months = set(conn.scalars(select(a.c.month).where(a.c.table_name == r.name)))
    if not months:
        return set()
    here = exists().where(r.c.chart_slug == d.c.chart_slug, r.c.rank_date == d.c.rank_date)
    of_chart = and_(d.c.chart_slug == days.slug, d.c.rank_date.between(days.first, days.last))
    saved = conn.scalars(select(d.c.rank_date).where(of_chart, d.c.saved_at.is_not(None), ~here))
    return {day for day in saved if day.replace(day=1) in months}


def archived_too_soon(conn: Connection, days: ChartDays) -> list[date]:
    """Days whose ranking went to the archive before all that the chart asks for of them was stored, oldest first."""
    d, archived = s.ranking_days.c, archived_days(conn, days)
    query = select(d.rank_date).where(d.chart_slug == days.slug, d.rank_date.in_(archived), d.completed_at.is_(None))
    return sorted(conn.scalars(query)) if archived else []


def ranking_preview(conn: Connection, slug: str, day: date) -> Preview:
    """The top of the ranking, with places gained (+) or lost (-)."""
    t, tr = s.chart_rankings, s.tracks
    query = (
        select(t.c.position, t.c.track_uuid, tr.c.name, tr.c.credit_name, t.c.metric)
        .select_from(t.join(tr, tr.c.uuid == t.c.track_uuid))
        .where(t.c.chart_slug == slug, t.c.rank_date == day)
        .order_by(*rankings.BY_PLACE)
        .limit(PREVIEW_ROWS)
    )
    moves = rankings.moves_of(conn, slug, day)
    rows = [
        (position, name, credit, _shown(moves[position, uuid]), metric)
        for position, uuid, name, credit, metric in conn.execute(query)
    ]
    return Preview(["position", "track", "credit name", "change", "metric"], rows)


def track_preview(conn: Connection, slug: str, day: date) -> Preview:
    """The top tracks' metadata."""
    t, tr = s.chart_rankings, s.tracks
    query = (
        select(t.c.position, tr.c.name, tr.c.credit_name, tr.c.isrc, tr.c.release_date, tr.c.duration_seconds)
        .select_from(t.join(tr, tr.c.uuid == t.c.track_uuid))
        .where(t.c.chart_slug == slug, t.c.rank_date == day)
        .order_by(*rankings.BY_PLACE)
    )
    return _preview(conn, ["position", "track", "credit name", "ISRC", "release date", "seconds"], query)


def artist_preview(conn: Connection, slug: str, day: date) -> Preview:
    """The artists with the best positions."""
    t, ta, a = s.chart_rankings, s.track_artists, s.artists
    best = func.min(t.c.position)
    query = (
        select(best, a.c.name, a.c.country_code, a.c.career_stage, a.c.growth_level)
        .select_from(t.join(ta, ta.c.track_uuid == t.c.track_uuid).join(a, a.c.uuid == ta.c.artist_uuid))
        .where(t.c.chart_slug == slug, t.c.rank_date == day)
        .group_by(a.c.uuid, a.c.name, a.c.country_code, a.c.career_stage, a.c.growth_level)
        .order_by(best, a.c.name, a.c.uuid)
    )
    return _preview(conn, ["best position", "artist", "country", "career stage", "growth"], query)


def audience_preview(conn: Connection, slug: str, day: date, entity: str, platform: str) -> Preview:
    """The latest value up to the day of the best ranked entities."""
    ranked = _entity_days(ChartDays(slug, day, day), entity).subquery()
    top = select(ranked).order_by(ranked.c.position, ranked.c.uuid).limit(PREVIEW_ROWS).subquery()
    names = s.tracks if entity == "track" else s.artists
    of, points, all_points = audience.series, audience.points, audience.points.alias()
    # Of each series by itself, so that its years are not read.
    newest = (
        select(func.max(all_points.c.day))
        .where(all_points.c.series_id == of.c.id, all_points.c.day <= day)
        .scalar_subquery()
    )
    query = (
        select(top.c.position, names.c.name, top.c.uuid, of.c.metric, points.c.day, points.c.value)
        .select_from(
            top.join(names, names.c.uuid == top.c.uuid)
            .join(of, and_(of.c.uuid == top.c.uuid, of.c.entity == entity, of.c.platform == platform))
            .join(points, and_(points.c.series_id == of.c.id, points.c.day == newest))
        )
        .order_by(top.c.position, names.c.name, top.c.uuid, of.c.metric)
    )
    rows = []
    for (position, name, _, metric), found in groupby(conn.execute(query), key=lambda row: tuple(row[:4])):
        values = [(row.day, row.value) for row in found]
        latest = max(on for on, _ in values)
        # Added up here: a sum of identifiers may be more than a number of the database.
        rows.append((position, name, metric, latest, sum(value for on, value in values if on == latest)))
    return Preview(["position", entity, "metric", "latest day", "value"], rows[:PREVIEW_ROWS])


def trend_preview(conn: Connection, slug: str, day: date) -> Preview:
    """Where the last week brought most, beside what was there before."""
    t = s.audience_trends
    name = func.coalesce(s.tracks.c.name, s.artists.c.name)
    joined = t.outerjoin(s.tracks, and_(t.c.entity == "track", s.tracks.c.uuid == t.c.uuid))
    joined = joined.outerjoin(s.artists, and_(t.c.entity == "artist", s.artists.c.uuid == t.c.uuid))
    query = (
        select(t.c.entity, name, t.c.platform, t.c.metric, t.c.value, t.c.difference_7, t.c.change_7, t.c.points)
        .select_from(joined)
        .where(t.c.chart_slug == slug, t.c.rank_date == day)
        .order_by(t.c.change_7.desc().nulls_last(), name, t.c.uuid, t.c.platform, t.c.metric)
    )
    found = _preview(conn, ["entity", "name", "platform", "metric", "value", "in 7 days", "%", "days known"], query)
    rows = [(*row[:6], None if row[6] is None else round(row[6] * 100), row[7]) for row in found.rows]
    return found._replace(rows=rows)


def _entity_days(days: ChartDays, entity: str) -> Select[Any]:
    """Each entity once on each day it is ranked, with its best position."""
    t, ta = s.chart_rankings, s.track_artists
    uuid = t.c.track_uuid if entity == "track" else ta.c.artist_uuid
    source = t if entity == "track" else t.join(ta, ta.c.track_uuid == t.c.track_uuid)
    query = select(t.c.rank_date, uuid.label("uuid"), func.min(t.c.position).label("position")).select_from(source)
    return query.where(_in_span(days)).group_by(t.c.rank_date, uuid)


def _in_span(days: ChartDays) -> Any:
    t: Table = s.chart_rankings
    return and_(t.c.chart_slug == days.slug, t.c.rank_date.between(days.first, days.last))


def _shown(move: rankings.Move) -> str:
    return move.kind if move.change is None else f"{move.change:+}" if move.change else "0"


def _by_day(conn: Connection, query: Select[Any]) -> dict[date, int]:
    return {row[0]: row[1] for row in conn.execute(query)}


def _preview(conn: Connection, columns: Sequence[str], query: Select[Any]) -> Preview:
    return Preview(columns, [tuple(row) for row in conn.execute(query.limit(PREVIEW_ROWS))])


def totals(conn: Connection) -> dict[str, int]:
    """What the whole warehouse holds, in the words of a summary."""
    r = s.chart_rankings
    counts = {
        "charts": select(func.count(r.c.chart_slug.distinct())),
        "rankings": select(func.count()).select_from(select(r.c.chart_slug, r.c.rank_date).distinct().subquery()),
        "ranking positions": select(func.count()).select_from(r),
        "tracks": select(func.count()).select_from(s.tracks),
        "artists": select(func.count()).select_from(s.artists),
    }
    found = {name: int(conn.scalar(query) or 0) for name, query in counts.items()}
    for noun, table in audience.POINTS.items():
        by_platform = select(table.c.platform, func.count()).group_by(table.c.platform).order_by(table.c.platform)
        for platform, count in conn.execute(by_platform):
            found[f"{noun} audience points, {platform}"] = count
    found["cities and countries"] = int(conn.scalar(select(func.count()).select_from(audience.LOCATED)) or 0)
    found["calls spent"] = int(conn.scalar(select(func.sum(b.api_usage.c.calls))) or 0)
    return found

"""A chart's ranking of a day as people look at it: its places, and how each came there.

Pages, pictures, frames and workbooks take moves from here. Each query reads one key or one index, and a part of it
that does not grow with the chart's past.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, exists, func, select

from soundcharts_pipeline.storage.tables import schema as s

# Of several roles of an artist on a track, the first of these is told.
_ROLES = {"main": 0, "featured": 1, "credited": 2}
# A ranking from its first place down. The order of tracks that share a position is the key's: it costs nothing, and is
# the same whenever somebody looks.
BY_PLACE = (s.chart_rankings.c.position, s.chart_rankings.c.track_uuid)
_PLACE_COLUMNS = ("position", "track_uuid", "name", "credit_name", "metric", "time_on_chart", "time_on_chart_unit")

MoveKind = Literal["new", "re-entry", "up", "down", "same"]
# A position and the track on it: tracks may share a position, and a track may stand on several.
Spot = tuple[int, str]


class Move(NamedTuple):
    """How a track came to its place: from `old_position` in the ranking before, None when it was not on it; `change`
    are the places gained (+) or lost (-)."""

    kind: MoveKind
    old_position: int | None
    change: int | None


class Credit(NamedTuple):
    """An artist of a track; `role` is main, featured or credited."""

    uuid: str
    name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One track on its position of a ranking; those that share a position stand in the order of their UUIDs."""

    position: int
    move: Move
    track_uuid: str
    name: str
    credit_name: str | None
    artists: tuple[Credit, ...]
    metric: int | None
    time_on_chart: int | None
    time_on_chart_unit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartRanking:
    """A ranking against the one published before it, on `day_before`. `left` counts the tracks that were on that one
    alone; None: it is not stored."""

    day: date
    day_before: date | None
    metric_type: str | None
    places: tuple[Place, ...]
    left: int | None

    def moved(self, kind: MoveKind) -> list[Place]:
        """The places that moved so, the largest moves first, else the best positions."""
        found = [place for place in self.places if place.move.kind == kind]
        return sorted(found, key=lambda place: largest_first(place.move, place.position))


def largest_first(move: Move, position: int) -> tuple[int, int]:
    """What the moves of one kind are ordered by."""
    return -abs(move.change or 0), position


def chart_ranking(conn: Connection, slug: str, day: date | None = None) -> ChartRanking | None:
    """The ranking of the day, or the newest stored one; None without it."""
    if day is None:
        day = next(iter(ranking_days(conn, slug, 1)), None)
    rows = conn.execute(_ranking(slug, day)).all() if day else []
    if not rows or day is None:
        return None
    last = day_before(conn, slug, day)
    before = _positions(conn, slug, last) if last else {}
    moves = moves_of(conn, slug, day)
    credits_ = credits_of(conn, select(s.chart_rankings.c.track_uuid).where(*_of_day(slug, day)))
    return ChartRanking(
        day=day,
        day_before=last,
        metric_type=rows[0].metric_type,
        places=tuple(
            Place(
                move=moves[row.position, row.track_uuid],
                artists=credits_.get(row.track_uuid, ()),
                **{name: row._mapping[name] for name in _PLACE_COLUMNS},
            )
            for row in rows
        ),
        left=len(before.keys() - {row.track_uuid for row in rows}) if before else None,
    )


def moves_of(conn: Connection, slug: str, day: date) -> dict[Spot, Move]:
    """By position and track. The old place is the one that Soundcharts tells, for the ranking before may not be stored;
    of a place of which it tells none, the one in the ranking published before. Who has none is back when Soundcharts
    counts a longer time on the chart, or an older ranking is stored that has the track; else new."""
    r = s.chart_rankings
    columns = (r.c.position, r.c.track_uuid, r.c.old_position, r.c.position_change, r.c.time_on_chart)
    rows = conn.execute(select(*columns).where(*_of_day(slug, day)).order_by(*BY_PLACE)).all()
    olds = {(place, track): _told(place, old, change) for place, track, old, change, _ in rows}
    untold = [row for row in rows if olds[row[:2]] is None]
    last = day_before(conn, slug, day) if untold else None
    if last:
        before = _positions(conn, slug, last)
        olds |= {row[:2]: before.get(row.track_uuid) for row in untold}
    entered = [row.track_uuid for row in untold if olds[row[:2]] is None and (row.time_on_chart or 0) <= 1]
    fresh = set(entered) - _seen_before(conn, slug, day, entered)
    return {(place, track): _move(place, old, is_new=track in fresh) for (place, track), old in olds.items()}


def _told(position: int, old: int | None, change: int | None) -> int | None:
    """The old place as the API has it: sometimes as the change alone."""
    return position + change if old is None and change is not None else old


def _move(position: int, old: int | None, *, is_new: bool) -> Move:
    if old is None:
        return Move("new" if is_new else "re-entry", None, None)
    change = old - position
    return Move("up" if change > 0 else "down" if change < 0 else "same", old, change)


def day_before(conn: Connection, slug: str, day: date) -> date | None:
    """The day of the ranking published before, whether or not that one is stored; what a ranking is compared with."""
    d = s.ranking_days
    published = (d.c.chart_slug == slug, d.c.published_at.is_not(None), d.c.rank_date < day)
    found: date | None = conn.scalar(select(func.max(d.c.rank_date)).where(*published))
    return found


def names_of(conn: Connection, slug: str, day: date) -> dict[int, dict[str, str]]:
    """Names of the tracks by position and UUID."""
    found: dict[int, dict[str, str]] = {}
    for row in conn.execute(_ranking(slug, day)):
        found.setdefault(row.position, {})[row.track_uuid] = row.name
    return found


def ranking_days(conn: Connection, slug: str, most: int, *, last: date | None = None) -> list[date]:
    """The newest days of the chart, up to `last`, whose ranking is here (and not in the archive), newest first."""
    d, r = s.ranking_days, s.chart_rankings
    here = exists().where(r.c.chart_slug == d.c.chart_slug, r.c.rank_date == d.c.rank_date)
    query = select(d.c.rank_date).where(d.c.chart_slug == slug, here)
    query = query.where(d.c.rank_date <= last) if last else query
    return list(conn.scalars(query.order_by(d.c.rank_date.desc()).limit(most)))


def credits_of(conn: Connection, tracks: Select[Any] | Sequence[str]) -> Mapping[str, tuple[Credit, ...]]:
    """Each artist of a track once, by track."""
    ta, a = s.track_artists, s.artists
    query = select(ta.c.track_uuid, ta.c.role, ta.c.position, a.c.uuid, a.c.name)
    rows = conn.execute(query.select_from(ta.join(a, a.c.uuid == ta.c.artist_uuid)).where(ta.c.track_uuid.in_(tracks)))
    found: dict[str, dict[str, Credit]] = {}
    for row in sorted(rows, key=lambda row: (_ROLES.get(row.role, len(_ROLES)), row.position)):
        found.setdefault(row.track_uuid, {}).setdefault(row.uuid, Credit(row.uuid, row.name, row.role))
    return {track: tuple(of_track.values()) for track, of_track in found.items()}


def _of_day(slug: str, day: date) -> Sequence[ColumnElement[bool]]:
    r = s.chart_rankings
    return r.c.chart_slug == slug, r.c.rank_date == day


def _ranking(slug: str, day: date) -> Select[Any]:
    r, t = s.chart_rankings, s.tracks
    named = func.coalesce(t.c.name, r.c.track_uuid).label("name")
    columns = (r.c.position, r.c.track_uuid, named, t.c.credit_name, r.c.metric, r.c.metric_type)
    source = r.outerjoin(t, t.c.uuid == r.c.track_uuid)
    query = select(*columns, r.c.time_on_chart, r.c.time_on_chart_unit).select_from(source)
    return query.where(*_of_day(slug, day)).order_by(*BY_PLACE)


def _positions(conn: Connection, slug: str, day: date) -> dict[str, int]:
    r = s.chart_rankings
    rows = conn.execute(select(r.c.track_uuid, r.c.position).where(*_of_day(slug, day)).order_by(r.c.position.desc()))
    return {row.track_uuid: row.position for row in rows}


def _seen_before(conn: Connection, slug: str, day: date, uuids: Sequence[str]) -> set[str]:
    """Those of the tracks that were on the chart before the day."""
    if not uuids:
        return set()
    r = s.chart_rankings
    # With the chart in the condition, SQLite reads all of its past instead of that of a few new tracks.
    older = select(r.c.track_uuid, r.c.chart_slug).where(r.c.track_uuid.in_(uuids), r.c.rank_date < day).distinct()
    return {row.track_uuid for row in conn.execute(older) if row.chart_slug == slug}

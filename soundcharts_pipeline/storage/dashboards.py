"""What a page shows of a chart: its newest ranking, the race of its tracks; and the search for names.

Each query of a chart reads one key or one index, and a part of it that does not grow with the chart's past; a search
reads all names, and returns few.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Table, case, exists, func, or_, select

from soundcharts_pipeline.storage import schema as s
from soundcharts_pipeline.storage.series import Points

RACE_RANKINGS = 30
RACE_TRACKS = 10
MOST_FOUND = 50
# Of several roles of an artist on a track, the first of these is told.
_ROLES = {"main": 0, "featured": 1, "credited": 2}
_PLACE_COLUMNS = ("position", "track_uuid", "name", "credit_name", "metric", "time_on_chart", "time_on_chart_unit")

Move = Literal["new", "re-entry", "up", "down", "same"]


class Credit(NamedTuple):
    """An artist of a track; `role` is main, featured or credited."""

    uuid: str
    name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One position of a ranking. `before` is the track's position in the ranking before; None: it was not on it, and
    `is_back` tells whether it had been on an older one."""

    position: int
    before: int | None
    is_back: bool
    track_uuid: str
    name: str
    credit_name: str | None
    artists: tuple[Credit, ...]
    metric: int | None
    time_on_chart: int | None
    time_on_chart_unit: str | None

    @property
    def change(self) -> int:
        """Places gained (+) or lost (-)."""
        return 0 if self.before is None else self.before - self.position

    @property
    def move(self) -> Move:
        if self.before is None:
            return "re-entry" if self.is_back else "new"
        return "up" if self.change > 0 else "down" if self.change < 0 else "same"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartRanking:
    """A ranking against the one published before it. `left` counts the tracks that were on that one alone; None: it is
    not stored, and moves are as Soundcharts tells them."""

    day: date
    day_before: date | None
    metric_type: str | None
    places: tuple[Place, ...]
    left: int | None

    def moved(self, move: Move) -> list[Place]:
        """The places that moved so, the largest moves first, else the best positions."""
        found = [place for place in self.places if place.move == move]
        return sorted(found, key=lambda place: (-abs(place.change), place.position))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartRun:
    """A track's positions on one chart, oldest first. `newest_ranking` is the day of the chart's newest one."""

    track_uuid: str
    track_name: str
    chart_slug: str
    chart_name: str
    newest_ranking: date | None
    points: Points

    @property
    def best(self) -> tuple[date, int]:
        """The best position, and the first day of it."""
        return min(self.points, key=lambda point: (point[1], point[0]))

    @property
    def is_on_it(self) -> bool:
        return self.points[-1][0] == self.newest_ranking


class Hit(NamedTuple):
    """Something that a search found; `detail` tells it from others of the same name."""

    uuid: str
    name: str
    detail: str | None


def newest_chart_ranking(conn: Connection, slug: str) -> ChartRanking | None:
    """The newest stored ranking of the chart, with what moved since the one published before it."""
    days = ranking_days(conn, slug, 1)
    if not days:
        return None
    (day,) = days
    d = s.ranking_days
    earlier = select(func.max(d.c.rank_date)).where(
        d.c.chart_slug == slug, d.c.published_at.is_not(None), d.c.rank_date < day
    )
    day_before = conn.scalar(earlier)
    before = _positions(conn, slug, day_before) if day_before else {}
    rows = conn.execute(_ranking(slug, day)).all()
    olds = {row.track_uuid: before.get(row.track_uuid) if before else row.old_position for row in rows}
    back = _seen_before(conn, slug, day, [uuid for uuid, old in olds.items() if old is None])
    credits_ = credits_of(conn, select(s.chart_rankings.c.track_uuid).where(*_of_day(slug, day)))
    return ChartRanking(
        day=day,
        day_before=day_before,
        metric_type=rows[0].metric_type,
        places=tuple(
            Place(
                before=olds[row.track_uuid],
                is_back=row.track_uuid in back,
                artists=credits_.get(row.track_uuid, ()),
                **{name: row._mapping[name] for name in _PLACE_COLUMNS},
            )
            for row in rows
        ),
        left=len(before.keys() - olds.keys()) if before else None,
    )


def ranking_days(conn: Connection, slug: str, most: int) -> list[date]:
    """The newest days of the chart whose ranking is here (and not in the archive), newest first."""
    d, r = s.ranking_days, s.chart_rankings
    here = exists().where(r.c.chart_slug == d.c.chart_slug, r.c.rank_date == d.c.rank_date)
    query = select(d.c.rank_date).where(d.c.chart_slug == slug, here)
    return list(conn.scalars(query.order_by(d.c.rank_date.desc()).limit(most)))


def rank_race(conn: Connection, slug: str, rankings: int = RACE_RANKINGS, tracks: int = RACE_TRACKS) -> list[ChartRun]:
    """The top tracks of the newest ranking over the last rankings, the first place first."""
    days = ranking_days(conn, slug, rankings)
    if not days:
        return []
    r = s.chart_rankings
    top = select(r.c.track_uuid).where(*_of_day(slug, days[0]), r.c.position <= tracks)
    found = chart_runs(conn, top, since=days[-1], slug=slug)
    return sorted(found, key=lambda run: run.points[-1][1])


def find_tracks(conn: Connection, text: str) -> list[Hit]:
    """Tracks whose name holds the text, those that begin with it first; at most `MOST_FOUND`."""
    return _find(conn, s.tracks, s.tracks.c.credit_name, text)


def find_artists(conn: Connection, text: str) -> list[Hit]:
    """Artists whose name holds the text, those that begin with it first; at most `MOST_FOUND`."""
    return _find(conn, s.artists, s.artists.c.country_code, text)


def _of_day(slug: str, day: date) -> Sequence[ColumnElement[bool]]:
    r = s.chart_rankings
    return r.c.chart_slug == slug, r.c.rank_date == day


def _ranking(slug: str, day: date) -> Select[Any]:
    r, t = s.chart_rankings, s.tracks
    named = func.coalesce(t.c.name, r.c.track_uuid).label("name")
    columns = (r.c.position, r.c.track_uuid, named, t.c.credit_name, r.c.old_position, r.c.metric, r.c.metric_type)
    source = r.outerjoin(t, t.c.uuid == r.c.track_uuid)
    query = select(*columns, r.c.time_on_chart, r.c.time_on_chart_unit).select_from(source)
    return query.where(*_of_day(slug, day)).order_by(r.c.position)


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


def credits_of(conn: Connection, tracks: Select[Any] | Sequence[str]) -> dict[str, tuple[Credit, ...]]:
    """Each artist of a track once, by track."""
    ta, a = s.track_artists, s.artists
    query = select(ta.c.track_uuid, ta.c.role, ta.c.position, a.c.uuid, a.c.name)
    rows = conn.execute(query.select_from(ta.join(a, a.c.uuid == ta.c.artist_uuid)).where(ta.c.track_uuid.in_(tracks)))
    found: dict[str, dict[str, Credit]] = {}
    for row in sorted(rows, key=lambda row: (_ROLES.get(row.role, len(_ROLES)), row.position)):
        found.setdefault(row.track_uuid, {}).setdefault(row.uuid, Credit(row.uuid, row.name, row.role))
    return {track: tuple(of_track.values()) for track, of_track in found.items()}


def chart_runs(
    conn: Connection, tracks: Select[Any] | Sequence[str], *, since: date, slug: str | None = None
) -> list[ChartRun]:
    r, c, t, d = s.chart_rankings, s.charts, s.tracks, s.ranking_days
    query = select(r.c.track_uuid, r.c.chart_slug, r.c.rank_date, r.c.position).where(
        r.c.track_uuid.in_(tracks), r.c.rank_date >= since
    )
    if slug is not None:
        query = query.where(r.c.chart_slug == slug)
    points: dict[tuple[str, str], dict[date, int]] = {}
    for uuid, of_chart, day, position in conn.execute(query.order_by(r.c.rank_date, r.c.position.desc())):
        points.setdefault((uuid, of_chart), {})[day] = position
    slugs, uuids = {key[1] for key in points}, {key[0] for key in points}
    names = {row.uuid: row.name for row in conn.execute(select(t.c.uuid, t.c.name).where(t.c.uuid.in_(uuids)))}
    saved = d.c.saved_at.is_not(None)
    newest = select(func.max(d.c.rank_date)).where(d.c.chart_slug == c.c.slug, saved).scalar_subquery()
    charts = {row[0]: row[1:] for row in conn.execute(select(c.c.slug, c.c.name, newest).where(c.c.slug.in_(slugs)))}
    return [
        ChartRun(
            track_uuid=uuid,
            track_name=names.get(uuid, uuid),
            chart_slug=of_chart,
            chart_name=charts[of_chart][0] if of_chart in charts else of_chart,
            newest_ranking=charts[of_chart][1] if of_chart in charts else None,
            points=tuple(by_day.items()),
        )
        for (uuid, of_chart), by_day in points.items()
    ]


def _find(conn: Connection, table: Table, detail: ColumnElement[Any], text: str) -> list[Hit]:
    # The databases fold the case of ASCII letters alone (SQLite always, PostgreSQL by its locale).
    spellings = dict.fromkeys([text, text.lower(), text.upper(), text.title()])
    name = table.c.name

    def any_of(test: Any) -> ColumnElement[bool]:
        return or_(*(test(spelling, autoescape=True) for spelling in spellings))

    closeness = case((any_of(name.istartswith), 0), else_=1)
    query = select(table.c.uuid, name, detail).where(any_of(name.icontains))
    rows = conn.execute(query.order_by(closeness, name, table.c.uuid).limit(MOST_FOUND))
    return [Hit(row[0], row[1], row[2]) for row in rows]

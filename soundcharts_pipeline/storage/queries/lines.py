"""What pictures of a chart-day show, of pages, materialisations and workbooks alike: a few lines of points each.

The tracks and artists are the best placed of the day. Each query is one chart-day.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby, pairwise
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from soundcharts_pipeline.clock import PUBLISHING_DELAY_DAYS
from soundcharts_pipeline.storage.queries.rankings import ranking_days
from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables import schema as s

RACE_TRACKS, RACE_RANKINGS = 10, 30
SERIES_DAYS = 90
# How many of the best placed are looked at: those of a table, and those among whom the ones with a value are drawn.
MOST = 20
LEVELS = ("followers", "monthly_listeners")

Points = list[tuple[date, int]]


class Shown(NamedTuple):
    """A track or artist by its best position of the day; those of one name are told apart."""

    position: int
    uuid: str
    name: str


class SeriesHistory(NamedTuple):
    """One metric's points by the UUID of whose they are. `unit` says what a value is: of totals it is what a day
    brought, for the totals themselves look like level lines."""

    platform: str
    metric: str
    unit: str
    points: Mapping[str, Points]


@dataclass(frozen=True, slots=True)
class AudienceLines:
    """The best placed tracks or artists of a chart-day, the first place first, and their series by platform and
    metric."""

    shown: Sequence[Shown]
    series: Sequence[SeriesHistory]

    def named(self, series: SeriesHistory, most: int) -> list[tuple[str, Points]]:
        """The lines of the best placed ones that have a value, each with its name."""
        return [(one.name, series.points[one.uuid]) for one in self.shown if one.uuid in series.points][:most]


def chart_name(conn: Connection, slug: str) -> str:
    """What people call the chart."""
    return conn.scalar(select(s.charts.c.name).where(s.charts.c.slug == slug)) or slug


def rank_lines(conn: Connection, slug: str, day: date, *, first: date | None = None) -> list[tuple[str, Points]]:
    """Positions of the day's top tracks with their names, best first: since the day `first`, or over the last
    rankings."""
    t, n = s.chart_rankings, s.tracks
    if first is None:
        first = min(ranking_days(conn, slug, RACE_RANKINGS, last=day), default=day)
    ranked = select(t.c.track_uuid).where(t.c.chart_slug == slug, t.c.rank_date == day).group_by(t.c.track_uuid)
    top = ranked.order_by(func.min(t.c.position), t.c.track_uuid).limit(RACE_TRACKS)
    query = (
        select(t.c.track_uuid, func.coalesce(n.c.name, t.c.track_uuid), t.c.rank_date, func.min(t.c.position))
        .select_from(t.outerjoin(n, n.c.uuid == t.c.track_uuid))
        .where(t.c.chart_slug == slug, t.c.rank_date.between(first, day), t.c.track_uuid.in_(top))
        .group_by(t.c.track_uuid, n.c.name, t.c.rank_date)
    )
    found: dict[tuple[str, str], Points] = defaultdict(list)
    for uuid, name, on, position in conn.execute(query.order_by(t.c.rank_date, t.c.track_uuid)):
        found[uuid, name].append((on, position))
    best_first = sorted(found, key=lambda track: (found[track][-1][1], track))
    names = told_apart([name for _, name in best_first])
    return [(name, found[track]) for name, track in zip(names, best_first, strict=True)]


def audience_lines(
    conn: Connection, slug: str, day: date, entity: str, *, platform: str | None = None, days: int = SERIES_DAYS
) -> AudienceLines:
    """The series of the platform, or of all, over the days that end on this one; all identifiers together."""
    shown = best_placed(conn, slug, day, entity)
    points = audience.POINTS[entity]
    owner, begin = points.c[f"{entity}_uuid"], day - timedelta(days=days)
    kinds = (points.c.platform, points.c.metric, owner, *([points.c.identifier] if entity == "track" else []))
    query = select(*kinds, points.c.date, points.c.value).where(owner.in_([one.uuid for one in shown]))
    query = query.where(points.c.date.between(begin, day))
    query = query.where(points.c.platform == platform) if platform else query
    found: dict[tuple[str, str], dict[str, list[Points]]] = defaultdict(lambda: defaultdict(list))
    for (on, metric, uuid, *_), rows in groupby(
        conn.execute(query.order_by(*kinds, points.c.date)), key=lambda row: tuple(row[: len(kinds)])
    ):
        found[on, metric][uuid].append([(row.date, row.value) for row in rows])
    series = []
    for (on, metric), of_entity in found.items():
        total = is_total(entity, metric)
        lines = {uuid: _gains(parts) if total else parts[0] for uuid, parts in of_entity.items()}
        # The day before the first one is there for what the first one brought.
        kept = {uuid: [point for point in line if point[0] > begin] for uuid, line in lines.items()}
        if any(kept.values()):
            unit = metric.replace("_", " ") if metric in LEVELS else f"{metric} a day"
            series.append(SeriesHistory(on, metric, unit, {uuid: line for uuid, line in kept.items() if line}))
    return AudienceLines(shown, series)


def best_placed(conn: Connection, slug: str, day: date, entity: str) -> list[Shown]:
    """The tracks with the best positions of the day, or the artists of such tracks."""
    t, k = s.chart_rankings, s.track_artists
    names = s.tracks if entity == "track" else s.artists
    source = t if entity == "track" else t.join(k, k.c.track_uuid == t.c.track_uuid)
    uuid = t.c.track_uuid if entity == "track" else k.c.artist_uuid
    best = func.min(t.c.position)
    query = select(best, uuid, names.c.name).select_from(source.join(names, names.c.uuid == uuid))
    query = query.where(t.c.chart_slug == slug, t.c.rank_date == day).group_by(uuid, names.c.name)
    found = conn.execute(query.order_by(best, uuid).limit(MOST)).all()
    unique = told_apart([row[2] for row in found])
    return [Shown(row[0], row[1], name) for row, name in zip(found, unique, strict=True)]


def is_total(entity: str, metric: str) -> bool:
    """Whether values count everything so far, each identifier by itself."""
    return entity == "track" and metric != "spins"


def week_change(points: Points) -> int | None:
    """The newest value less the one a week before; None where that day, and the two before it, have none."""
    return change_over([points], 7, total=False)


def change_over(identifiers: Sequence[Sequence[tuple[date, int]]], days: int, *, total: bool) -> int | None:
    """The newest value less the one so many days before, or on another of its `base_days`, of all identifiers together
    that have the newest one; None where one of them lacks each of these days, or where a total fell since. Every page,
    picture and preview takes it from here, and trends keep the same rule."""
    newest = max(line[-1][0] for line in identifiers)
    lines = [line for line in identifiers if line[-1][0] == newest]
    falls = [on for line in lines for (_, before), (on, value) in pairwise(line) if total and value < before]
    values = [dict(line) for line in lines]
    for base in (newest - timedelta(days=back) for back in s.base_days(days)):
        if base >= max(falls, default=base) and all(base in line for line in values):
            return sum(line[newest] - line[base] for line in values)
    return None


def _gains(identifiers: Sequence[Points]) -> Points:
    """What single days brought over all identifiers. A day on which the gain of one is not known is left out: one
    after a missing day, or on which the total fell. Up to its first day an identifier is not waited for, nor after its
    last one once that is longer ago than values may be late."""
    gains = [
        {
            on: value - last
            for (before, last), (on, value) in pairwise(line)
            if (on - before).days == 1 and value >= last
        }
        for line in identifiers
    ]
    newest = max(line[-1][0] for line in identifiers)
    late = newest - timedelta(days=PUBLISHING_DELAY_DAYS)
    spans = [(line[0][0], newest if line[-1][0] >= late else line[-1][0]) for line in identifiers]
    found = []
    for day in sorted(set().union(*gains)):
        awaited = [of for of, (first, last) in zip(gains, spans, strict=True) if first < day <= last]
        if all(day in of for of in awaited):
            found.append((day, sum(of[day] for of in awaited)))
    return found


def told_apart(names: Sequence[str]) -> list[str]:
    """The names, each once: those that are the same are numbered in their order. (Of UUIDs, whole families share
    their first and their last digits.)"""
    taken, numbers, found = set(names), Counter[str](), []
    for name in names:
        unique = name
        while names.count(name) > 1 and (unique == name or unique in taken):
            numbers[name] += 1
            unique = f"{name} ({numbers[name]})"
        taken.add(unique)
        found.append(unique)
    return found

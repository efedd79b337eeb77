"""The audience of one track or artist: its series by platform and metric, and how completely they were asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, FromClause, func, literal, select

from soundcharts_pipeline.models import TRACK_METRICS, AnsweredWindow, artist_metrics
from soundcharts_pipeline.storage.queries.lines import change_over, is_total
from soundcharts_pipeline.storage.queries.worklists import CLOSED
from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables import bookkeeping as b

# Of each series so many days are read, up to its newest one.
SERIES_DAYS = 400

Entity = Literal["track", "artist"]
Coverage = Literal["complete", "gaps", "no data", "not in the plan", "not asked"]
Points = tuple[tuple[date, int], ...]


class Line(NamedTuple):
    """The values of one of the platform's own identifiers ('' where there is none), oldest first."""

    identifier: str
    points: Points


class Asked(NamedTuple):
    """The first and last day asked for, and when that was done last."""

    first: date
    last: date
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSeries:
    """One metric on one platform.

    A track may have several identifiers on a platform. Their totals stay apart, for identifiers come and go and their
    sum would jump; the one with the largest value comes first. `days_without` counts days between the oldest and
    the newest value that were asked for and have none.
    """

    entity: Entity
    platform: str
    metric: str
    coverage: Coverage
    asked: Asked | None
    days_without: int
    lines: tuple[Line, ...]

    @property
    def latest(self) -> tuple[date, int] | None:
        """The newest day, and the sum of all identifiers that have a value on it."""
        if not self.lines:
            return None
        day = max(line.points[-1][0] for line in self.lines)
        return day, sum(line.points[-1][1] for line in self.lines if line.points[-1][0] == day)

    def change(self, days: int) -> int | None:
        """What the latest value gained in so many days (`change_over`)."""
        identifiers = [line.points for line in self.lines]
        return change_over(identifiers, days, total=is_total(self.entity, self.metric)) if identifiers else None


def audience_of(conn: Connection, entity: Entity, uuid: str, platforms: Sequence[str]) -> list[StoredSeries]:
    """Every series of the platforms, whether it was asked for or not, and every other one that is stored or asked."""
    asks, ends = _asks(conn, entity, uuid), _newest_days(conn, entity, uuid)
    keys = dict.fromkeys([*(key for platform in platforms for key in _keys(entity, platform)), *ends, *asks])
    return _series(conn, entity, uuid, list(keys), asks, ends)


def platform_audience(conn: Connection, entity: Entity, uuid: str, platform: str) -> list[StoredSeries]:
    """The series of one platform that hold a value."""
    asks, ends = _asks(conn, entity, uuid), _newest_days(conn, entity, uuid)
    keys = dict.fromkeys([*_keys(entity, platform), *ends])
    return _series(conn, entity, uuid, [key for key in keys if key in ends and key[0] == platform], asks, ends)


Key = tuple[str, str]


def _keys(entity: Entity, platform: str) -> list[Key]:
    """Platform and metric of each series that the platform has."""
    if entity == "artist":
        return [(platform, metric) for metric in artist_metrics(platform)]
    return [(platform, TRACK_METRICS[platform])] if platform in TRACK_METRICS else []


def _series(
    conn: Connection,
    entity: Entity,
    uuid: str,
    keys: Sequence[Key],
    asks: Mapping[Key, Sequence[AnsweredWindow]],
    ends: Mapping[Key, date],
) -> list[StoredSeries]:
    reasons = _tombstones(conn, entity, uuid)
    found = []
    for key in keys:
        lines = _lines(conn, entity, uuid, key, ends[key]) if key in ends else ()
        asked = asks.get(key, [])
        without = _days_without(asked, lines)
        found.append(
            StoredSeries(
                entity=entity,
                platform=key[0],
                metric=key[1],
                coverage=_coverage(lines, without, reasons.get("/".join(key)), bool(asked)),
                asked=_span(asked),
                days_without=without,
                lines=lines,
            )
        )
    return found


def _coverage(lines: Sequence[Line], days_without: int, reason: str | None, is_asked: bool) -> Coverage:
    if lines:
        return "gaps" if days_without else "complete"
    if reason == CLOSED:
        return "not in the plan"
    return "no data" if is_asked or reason else "not asked"


def _span(asked: Sequence[AnsweredWindow]) -> Asked | None:
    if not asked:
        return None
    return Asked(min(a.start for a in asked), max(a.end for a in asked), max(a.asked_at for a in asked))


def _days_without(asked: Sequence[AnsweredWindow], lines: Sequence[Line]) -> int:
    present = {day for line in lines for day, _ in line.points}
    if not present:
        return 0
    oldest, newest = min(present), max(present)
    days = set()
    for ask in asked:
        first, last = max(ask.start, oldest), min(ask.end, newest)
        days |= {first + timedelta(days=n) for n in range((last - first).days + 1)}
    return len(days - present)


def _points(entity: Entity) -> tuple[FromClause, ColumnElement[str]]:
    table = audience.POINTS[entity]
    return table, table.c[f"{entity}_uuid"]


def _newest_days(conn: Connection, entity: Entity, uuid: str) -> dict[Key, date]:
    table, owner = _points(entity)
    t = table.c
    query = select(t.platform, t.metric, func.max(t.date)).where(owner == uuid).group_by(t.platform, t.metric)
    return {(row[0], row[1]): row[2] for row in conn.execute(query.order_by(t.platform, t.metric))}


def _lines(conn: Connection, entity: Entity, uuid: str, key: Key, newest: date) -> tuple[Line, ...]:
    table, owner = _points(entity)
    t = table.c
    identifier = t.identifier if entity == "track" else literal("")
    query = select(identifier, t.date, t.value).where(
        owner == uuid, t.platform == key[0], t.metric == key[1], t.date > newest - timedelta(days=SERIES_DAYS)
    )
    found: dict[str, list[tuple[date, int]]] = {}
    for name, day, value in conn.execute(query.order_by(t.date)):
        found.setdefault(name, []).append((day, value))
    lines = [Line(name, tuple(points)) for name, points in found.items()]
    return tuple(sorted(lines, key=lambda line: (-line.points[-1][1], line.identifier)))


def _asks(conn: Connection, entity: Entity, uuid: str) -> dict[Key, list[AnsweredWindow]]:
    t = b.audience_asks
    query = select(t.c.platform, t.c.metric, t.c.start_date, t.c.end_date, t.c.settled_date, t.c.asked_at)
    found: dict[Key, list[AnsweredWindow]] = {}
    for row in conn.execute(query.where(t.c.entity == entity, t.c.uuid == uuid).order_by(t.c.platform, t.c.metric)):
        found.setdefault((row[0], row[1]), []).append(AnsweredWindow(*row[2:]))
    return found


def _tombstones(conn: Connection, entity: Entity, uuid: str) -> dict[str, str]:
    """Reasons by "platform/metric"."""
    t = b.tombstones
    rows = conn.execute(select(t.c.scope, t.c.reason).where(t.c.entity == entity, t.c.uuid == uuid))
    return {row.scope: row.reason for row in rows}

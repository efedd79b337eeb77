"""What pages show beside a ranking: the runs of tracks on charts, and the search for names.

Runs read the index of the tracks' positions; a search reads all names, and returns few.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Table, func, select

from soundcharts_pipeline.storage.queries.series import Points
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.wording import folded

MOST_FOUND = 50
# Names in memory while all are compared.
NAMES_AT_ONCE = 10_000


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


def find_tracks(conn: Connection, text: str) -> list[Hit]:
    """Tracks whose name holds the text, those that begin with it first; at most `MOST_FOUND`."""
    return _find(conn, s.tracks, s.tracks.c.credit_name, text)


def find_artists(conn: Connection, text: str) -> list[Hit]:
    """Artists whose name holds the text, those that begin with it first; at most `MOST_FOUND`."""
    return _find(conn, s.artists, s.artists.c.country_code, text)


def chart_runs(conn: Connection, tracks: Select[Any] | Sequence[str], *, since: date) -> list[ChartRun]:
    """The tracks' runs on every chart that they were on since the day."""
    r, c, t, d = s.chart_rankings, s.charts, s.tracks, s.ranking_days
    query = select(r.c.track_uuid, r.c.chart_slug, r.c.rank_date, r.c.position).where(
        r.c.track_uuid.in_(tracks), r.c.rank_date >= since
    )
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
    wanted = folded(text)
    # Compared here and not by the database: SQLite folds the case of ASCII letters alone, PostgreSQL by its locale, and
    # neither knows accents. Of 200,000 names it takes a third of a second.
    names = conn.execution_options(yield_per=NAMES_AT_ONCE).execute(select(table.c.uuid, table.c.name))
    plain = ((folded(name), uuid) for uuid, name in names)
    found = ((not name.startswith(wanted), name, uuid) for name, uuid in plain if wanted in name)
    best = [uuid for *_, uuid in heapq.nsmallest(MOST_FOUND, found)]
    rows = conn.execute(select(table.c.uuid, table.c.name, detail).where(table.c.uuid.in_(best)))
    hits = {row[0]: Hit(*row) for row in rows}
    return [hits[uuid] for uuid in best]

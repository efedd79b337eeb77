"""Series and rankings of which older rows are in the archive, beside those of the database."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Select, func, select

from soundcharts_pipeline.storage.housekeeping.archive import ARCHIVED
from soundcharts_pipeline.storage.housekeeping.cold import Among, Archive, Row
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.tables.months import after

ONE_DAY = timedelta(days=1)
# Day and value of a point, by the key of its series.
Before = dict[Row, tuple[date, int]]
RANKING = list(s.chart_rankings.columns.keys())


class Series:
    """The series of one of the promised views: of these UUIDs or all, of one platform or all."""

    def __init__(
        self,
        conn: Connection,
        archive: Archive,
        name: str,
        *,
        uuids: Collection[str] | None = None,
        platform: str | None = None,
    ) -> None:
        self._conn, self._archive, self._name, self._uuids, self._platform = conn, archive, name, uuids, platform
        self._table, self._source = ARCHIVED[name]
        names = list(self._table.columns.keys())
        self._owner = names[0]
        # A series is what stands before the day.
        self.width = names.index("date")

    def reach(self, first: date = date.min, last: date = date.max) -> bool:
        """Whether any days of the table from `first` to `last` are in the archive."""
        return bool(self._archive.parts(self._conn, self._name, first, last))

    def rows(self, first: date = date.min, last: date = date.max) -> list[Row]:
        """Whole rows of these days, of the database and the archive, in the order of their key."""
        columns = [self._source.c[column.name] for column in self._table.columns]
        query = self._chosen(select(*columns)).where(self._source.c["date"].between(first, last))
        files = self._archive.rows(self._conn, self._name, first=first, last=last, among=self._among(self._uuids))
        return self._archive.both(self._name, map(tuple, self._conn.execute(query)), files)

    def before(self, first: date, among: Collection[Row]) -> Before:
        """The newest point before the day: of the series `among`, as far as they have one."""
        c = self._source.c
        columns = list(c)[: self.width]
        newest = self._chosen(select(*columns, func.max(c["date"]).label("day"))).where(c["date"] < first)
        days = newest.group_by(*columns).subquery()
        same = [column == days.c[column.name] for column in columns]
        points = select(*columns, c["date"], c["value"]).where(*same, c["date"] == days.c["day"])
        found: Before = {tuple(row[:-2]): (row[-2], row[-1]) for row in self._conn.execute(points)}
        value = list(self._table.columns.keys()).index("value")
        if first == date.min:
            return found
        parts = reversed(self._archive.parts(self._conn, self._name, last=first - ONE_DAY))
        for month, of_month in groupby(parts, key=lambda part: part.first_day):
            end = after(month)
            wanted = {key for key in among if key not in found or found[key][0] < end}
            if not wanted:
                break
            owners = {key[0] for key in wanted}
            # Of a day in several files the first here, the newest file, is right.
            for part in of_month:
                newer: Before = {}
                for row in self._archive.of_part(
                    self._conn, part, first=date.min, last=first - ONE_DAY, among=self._among(owners)
                ):
                    key, day = row[: self.width], row[self.width]
                    if key not in newer or day > newer[key][0]:
                        newer[key] = (day, row[value])
                found |= {key: at for key, at in newer.items() if key not in found or at[0] > found[key][0]}
        return found

    def asked(self, keys: Collection[Row]) -> set[Row]:
        """Those of the keys that are asked for."""
        uuids = None if self._uuids is None else set(self._uuids)
        return {key for key in keys if (uuids is None or key[0] in uuids) and self._platform in (None, key[1])}

    def _among(self, uuids: Collection[str] | None) -> Among:
        owners: Among = {} if uuids is None else {self._owner: uuids}
        return owners if self._platform is None else {**owners, "platform": [self._platform]}

    def _chosen(self, query: Select[Any]) -> Select[Any]:
        c = self._source.c
        query = query if self._uuids is None else query.where(c[self._owner].in_(self._uuids))
        return query if self._platform is None else query.where(c["platform"] == self._platform)


def ranking_rows(conn: Connection, archive: Archive, slug: str, first: date, last: date) -> list[Row]:
    """Whole rows of `chart_rankings`: a chart's positions of these days, of the database and the archive."""
    r = s.chart_rankings
    stored = conn.execute(select(r).where(r.c.chart_slug == slug, r.c.rank_date.between(first, last)))
    files = archive.rows(conn, r.name, first=first, last=last, among={"chart_slug": [slug]})
    return archive.both(r.name, map(tuple, stored), files)


def newest_ranking(conn: Connection, archive: Archive, slug: str, since: date, last: date) -> set[str]:
    """The tracks of the chart's newest archived ranking after `since`, up to `last`; none where there is no such."""
    day, track = RANKING.index("rank_date"), RANKING.index("track_uuid")
    among = {"chart_slug": [slug]}
    parts = reversed(archive.parts(conn, s.chart_rankings.name, since, last))
    for _, of_month in groupby(parts, key=lambda part: part.first_day):
        found: dict[date, set[str]] = defaultdict(set)
        for part in of_month:
            for row in archive.of_part(conn, part, first=since, last=last, among=among):
                found[row[day]].add(row[track])
        found.pop(since, None)
        if found:
            return found[max(found)]
    return set()

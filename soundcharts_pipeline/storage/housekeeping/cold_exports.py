"""Exports over the database and the archive alike: group by group, the rows of the one beside those of the files.

A group is the track or artist of series and a month of a chart, so that memory holds few of them whatever is asked
for; rankings and trends of one track or artist are one group. Groups come in the order of the export; where the archive
has rows of a group, they are in the order of their key.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from itertools import chain, groupby
from typing import Any

from sqlalchemy import Connection, Select, Table, select

from soundcharts_pipeline.storage.housekeeping.archive import ARCHIVED, day_of
from soundcharts_pipeline.storage.housekeeping.cold import Among, Archive, Row
from soundcharts_pipeline.storage.queries.exports import BATCH, Scope, Source, batches, count_rows
from soundcharts_pipeline.storage.tables import schema as s

# Tracks or artists of which the files are asked at once.
ENTITIES = 100
# Its place in the order, rows of the database, rows of files.
Group = tuple[Any, list[Row], list[Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """These columns of the scope's rows, wherever they are. What is read raises FileDamaged where a file of the
    archive is missing or not as it was written."""

    source: Source
    scope: Scope
    columns: Sequence[str]
    archive: Archive

    def is_archived(self, conn: Connection) -> bool:
        """Whether files of the archive have to be read."""
        tables = {self.source.table.name, *([s.chart_rankings.name] if self.scope.slug else [])}
        return any(self.archive.parts(conn, name, self.scope.first, self.scope.last) for name in tables)

    def batches(self, conn: Connection) -> Iterator[Sequence[Sequence[Any]]]:
        """The rows, so many at a time."""
        scope = _widened(conn, self.archive, self.scope)
        name = self.source.table.name
        if name in ARCHIVED and self.archive.parts(conn, name, scope.first, scope.last):
            yield from _Both(conn, replace(self, scope=scope)).batches()
        else:
            yield from batches(conn, self.source.query(scope, self.columns))

    def count(self, conn: Connection) -> int:
        """How many rows there are; with archived ones, all of them are read for it."""
        if not self.is_archived(conn):
            return count_rows(conn, self.source.query(self.scope, self.columns))
        return sum(map(len, replace(self, archive=Archive(self.archive.folder)).batches(conn)))


def _widened(conn: Connection, archive: Archive, scope: Scope) -> Scope:
    """The scope with the tracks that the chart's archived rankings name."""
    if not scope.slug:
        return scope
    of_chart = {"chart_slug": [scope.slug]}
    found = archive.rows(conn, s.chart_rankings.name, first=scope.first, last=scope.last, among=of_chart)
    track = _names(s.chart_rankings).index("track_uuid")
    return replace(scope, archived_tracks=frozenset(row[track] for row in found))


class _Both:
    """One export while it is read. Rows are whole rows of the table, until they are shown."""

    def __init__(self, conn: Connection, wanted: Export) -> None:
        self._conn, self._archive, self._source, self._scope = conn, wanted.archive, wanted.source, wanted.scope
        self._table, self._wanted = wanted.source.table, wanted.columns
        self._columns = _names(self._table)
        self._found_names = self._names_by_owner()

    def batches(self) -> Iterator[list[Row]]:
        for _, of in groupby(self._groups(), key=_place):
            found = list(of)
            rows = list(chain.from_iterable(stored for _, stored, _ in found))
            if archived := list(chain.from_iterable(files for _, _, files in found)):
                rows = self._archive.both(self._table.name, rows, archived)
            shown = list(self._shown(rows))
            for start in range(0, len(shown), BATCH):
                yield shown[start : start + BATCH]

    def _groups(self) -> Iterator[Group]:
        scope, owner = self._scope, self._columns.index(self._source.owner)
        if self._table in s.AUDIENCE:
            (names,) = self._source.names
            order = list(
                self._conn.scalars(
                    select(names.c.uuid).where(names.c.uuid.in_(self._owners(names))).order_by(names.c.uuid)
                )
            )
            places = {uuid: place for place, uuid in enumerate(order)}
            return merge(self._stored(lambda row: places[row[owner]]), self._files_by_owner(order), key=_place)
        if scope.slug:
            day = self._columns.index(day_of(self._table).name)
            return merge(self._stored(lambda row: row[day].replace(day=1)), self._files_by_month(), key=_place)
        owners = set(self._conn.scalars(self._source.owners(scope)))
        return chain(self._stored(lambda _: 0), [(0, [], list(self._files({self._source.owner: owners})))])

    def _stored(self, place: Callable[[Row], Any]) -> Iterator[Group]:
        query = self._source.query(self._scope, self._columns)
        rows = map(tuple, chain.from_iterable(batches(self._conn, query)))
        for of, group in groupby(rows, key=place):
            yield of, list(group), []

    def _files_by_owner(self, order: Sequence[str]) -> Iterator[Group]:
        owner = self._columns.index(self._source.owner)
        for start in range(0, len(order), ENTITIES):
            some = order[start : start + ENTITIES]
            found: dict[str, list[Row]] = {uuid: [] for uuid in some}
            for row in self._files({self._source.owner: some}):
                found[row[owner]].append(row)
            for place, rows in enumerate(found.values(), start):
                yield place, [], rows

    def _files_by_month(self) -> Iterator[Group]:
        first, last = self._scope.first, self._scope.last
        among = {"chart_slug": [self._scope.slug or ""]}
        parts = self._archive.parts(self._conn, self._table.name, first, last)
        for month, of_month in groupby(parts, key=lambda part: part.first_day):
            read = (self._archive.of_part(self._conn, part, first=first, last=last, among=among) for part in of_month)
            yield month, [], list(chain.from_iterable(read))

    def _files(self, among: Among) -> Iterator[Row]:
        scope = self._scope
        return self._archive.rows(self._conn, self._table.name, first=scope.first, last=scope.last, among=among)

    def _owners(self, names: Table) -> Select[Any]:
        if not self._scope.slug:
            return self._source.owners(self._scope)
        return self._scope.tracks() if names is s.tracks else self._scope.artists()

    def _names_by_owner(self) -> dict[str, Row]:
        """The columns of other tables, by the UUID that has them."""
        found: dict[str, Row] = {}
        for names, columns in self._source.names.items():
            query = select(names.c.uuid, *columns.values()).where(names.c.uuid.in_(self._owners(names)))
            found |= {row[0]: tuple(row[1:]) for row in self._conn.execute(query)}
        return found

    def _shown(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The asked columns. Trends are there without a name too, all else by its name alone, as in a query."""
        named = list(next(iter(self._source.names.values())))
        nameless = (None,) * len(named) if len(self._source.names) > 1 else None
        columns, owner = [*self._columns, *named], self._columns.index(self._source.owner)
        places = [columns.index(name) for name in self._wanted]
        for row in rows:
            names = self._found_names.get(row[owner], nameless)
            if names is not None:
                yield tuple(map((*row, *names).__getitem__, places))


def _place(group: Group) -> Any:
    return group[0]


def _names(table: Table) -> list[str]:
    return list(table.columns.keys())

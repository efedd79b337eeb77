"""What can be exported: tables with names beside their UUIDs, of a chart's days, of a track or of an artist.

Rows come in batches, in the order of their key, so that memory stays flat whatever is asked for.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, Table, and_, func, literal, or_, select

from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables import schema as s

# Rows of a batch that fit into the processor's cache: with ten times as many, reading a million took twice as long.
BATCH = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose rows: those of a chart, of a track or of an artist (one of the three), on days from `first` to `last`.

    Of a chart, tracks and artists are those ranked on these days; of a track its artists, of an artist his tracks.
    `archived_tracks` are those that the chart's archived rankings of these days name.
    """

    slug: str | None = None
    track: str | None = None
    artist: str | None = None
    first: date = date.min
    last: date = date.max
    archived_tracks: Collection[str] = ()

    def days(self, column: ColumnElement[date]) -> ColumnElement[bool]:
        return column.between(self.first, self.last)

    def named(self) -> Select[Any]:
        """The UUID of the one track or artist, known or not."""
        return select(literal(self.track or self.artist))

    def tracks(self) -> Select[Any]:
        """UUIDs."""
        r, ta = s.chart_rankings, s.track_artists
        if self.track:
            return select(s.tracks.c.uuid).where(s.tracks.c.uuid == self.track)
        if self.artist:
            return select(ta.c.track_uuid).where(ta.c.artist_uuid == self.artist)
        ranked = select(r.c.track_uuid).where(r.c.chart_slug == self.slug, self.days(r.c.rank_date))
        if self.archived_tracks:
            either = or_(s.tracks.c.uuid.in_(ranked), s.tracks.c.uuid.in_(self.archived_tracks))
            return select(s.tracks.c.uuid).where(either)
        return ranked

    def artists(self) -> Select[Any]:
        """UUIDs."""
        if self.artist:
            return select(s.artists.c.uuid).where(s.artists.c.uuid == self.artist)
        return select(s.track_artists.c.artist_uuid).where(s.track_artists.c.track_uuid.in_(self.tracks()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One kind of export: its columns by name, and the rows of a scope. `table` is where the rows are stored; `names`
    are the columns that come from other tables, by whose `uuid` the column `owner` finds them. `owners` are the UUIDs
    of that column in the rows of a track or an artist."""

    table: Table
    columns: Mapping[str, ColumnElement[Any]]
    source: FromClause
    where: Callable[[Scope], ColumnElement[bool]]
    order: Sequence[ColumnElement[Any]]
    owner: str = "uuid"
    owners: Callable[[Scope], Select[Any]] = Scope.tracks
    names: Mapping[Table, Mapping[str, ColumnElement[Any]]] = field(default_factory=dict)

    def query(self, scope: Scope, columns: Sequence[str]) -> Select[Any]:
        """These columns of the scope's rows."""
        chosen = [self.columns[name].label(name) for name in columns]
        return select(*chosen).select_from(self.source).where(self.where(scope)).order_by(*self.order)


def _with_names(
    view: Table, points: FromClause, entity: str, names: Table, of: Callable[[Scope], Select[Any]]
) -> Source:
    """A promised view of series, read from its points, the name of the entity after its UUID; `of` are the entities of
    a scope."""
    uuid = points.c[f"{entity}_uuid"]
    rest = {column.name: points.c[column.name] for column in view.c if column.name != uuid.name}
    # Asked for by the entity's own row, SQLite reads its name once, and not again for each of its points.
    return Source(
        table=view,
        columns={uuid.name: uuid, entity: names.c.name, **rest},
        source=names.join(points, names.c.uuid == uuid),
        where=lambda scope: and_(names.c.uuid.in_(of(scope)), scope.days(points.c.date)),
        order=[names.c.uuid, *(rest[key.name] for key in view.primary_key if key.name in rest)],
        owner=uuid.name,
        owners=of,
        names={names: {entity: names.c.name}},
    )


def _rankings() -> Source:
    r, t = s.chart_rankings, s.tracks
    columns = {c.name: c for c in r.c}
    of_track = {"track": t.c.name, "credit_name": t.c.credit_name, "isrc": t.c.isrc}
    return Source(
        table=r,
        columns={
            **{name: columns.pop(name) for name in ("chart_slug", "rank_date", "position", "track_uuid")},
            **of_track,
            **columns,
        },
        source=r.join(t, t.c.uuid == r.c.track_uuid),
        where=lambda scope: and_(
            r.c.chart_slug == scope.slug if scope.slug else r.c.track_uuid.in_(scope.tracks()),
            scope.days(r.c.rank_date),
        ),
        order=list(r.primary_key),
        owner="track_uuid",
        names={t: of_track},
    )


def _trends() -> Source:
    a, t, names = s.audience_trends, s.tracks, s.artists
    columns = {c.name: c for c in a.c}
    name = func.coalesce(t.c.name, names.c.name)
    return Source(
        table=a,
        columns={
            **{key: columns.pop(key) for key in ("chart_slug", "rank_date", "entity", "uuid")},
            "name": name,
            **columns,
        },
        source=a.outerjoin(t, and_(a.c.entity == "track", t.c.uuid == a.c.uuid)).outerjoin(
            names, and_(a.c.entity == "artist", names.c.uuid == a.c.uuid)
        ),
        where=lambda scope: and_(
            a.c.chart_slug == scope.slug if scope.slug else a.c.uuid.in_(scope.named()),
            scope.days(a.c.rank_date),
        ),
        order=list(a.primary_key),
        owners=Scope.named,
        names={t: {"name": t.c.name}, names: {"name": names.c.name}},
    )


def _entities(table: Table, where: Callable[[Scope], ColumnElement[bool]]) -> Source:
    columns = {column.name: column for column in table.c}
    return Source(table=table, columns=columns, source=table, where=where, order=[table.c.uuid])


EXPORTS: Mapping[str, Source] = {
    "rankings": _rankings(),
    "tracks": _entities(s.tracks, lambda scope: s.tracks.c.uuid.in_(scope.tracks())),
    "artists": _entities(s.artists, lambda scope: s.artists.c.uuid.in_(scope.artists())),
    "track-audience": _with_names(s.track_audience, audience.TRACK, "track", s.tracks, Scope.tracks),
    "artist-audience": _with_names(s.artist_audience, audience.ARTIST, "artist", s.artists, Scope.artists),
    "geography": _with_names(s.artist_audience_geo, audience.LOCATED, "artist", s.artists, Scope.artists),
    "trends": _trends(),
}


def count_rows(conn: Connection, query: Select[Any]) -> int:
    """How many rows the query has."""
    return int(conn.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0)


def batches(conn: Connection, query: Select[Any]) -> Iterator[Sequence[Sequence[Any]]]:
    """Its rows, so many at a time, through a cursor of the server's."""
    yield from conn.execution_options(yield_per=BATCH).execute(query).partitions()


def stored_days(conn: Connection) -> dict[str, tuple[date, date]]:
    """The charts with a ranking here, and the first and the last day of each."""
    slug, day = s.chart_rankings.c.chart_slug, s.chart_rankings.c.rank_date
    query = select(slug, func.min(day), func.max(day)).group_by(slug).order_by(slug)
    return {chart: (first, last) for chart, first, last in conn.execute(query)}


def is_known(conn: Connection, scope: Scope) -> bool:
    """Whether the track or artist of the scope is here."""
    return conn.scalar((scope.tracks() if scope.track else scope.artists()).limit(1)) is not None

"""What is known of one track or one artist beside the audience: metadata, and the runs on charts.

Each query reads one key or one index. Days are those of the data: "the last 400 days" end on the newest ranking that
the track, or a track of the artist, is on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, Table, func, select

from soundcharts_pipeline.models import Artist, Genre, Track
from soundcharts_pipeline.storage.queries.chart_runs import ChartRun, chart_runs
from soundcharts_pipeline.storage.queries.rankings import Credit, credits_of
from soundcharts_pipeline.storage.queries.series import Entity
from soundcharts_pipeline.storage.queries.worklists import GONE, METADATA
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s

TRACK_DAYS = 400
# A star has thirty tracks on forty charts: in a year that would be four hundred thousand positions.
ARTIST_DAYS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPage:
    """`charts` covers `TRACK_DAYS`. `gone`: Soundcharts says that it has no such track."""

    track: Track
    artists: tuple[Credit, ...]
    metadata_fetched_at: datetime | None
    gone: bool
    charts: tuple[ChartRun, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtistPage:
    """`charts` are those of the artist's tracks over `ARTIST_DAYS`."""

    artist: Artist
    metadata_fetched_at: datetime | None
    gone: bool
    charts: tuple[ChartRun, ...]

    @property
    def tracks_on_charts(self) -> int:
        """How many tracks `charts` are of: each has a run on every chart that it was on."""
        return len({run.track_uuid for run in self.charts})


def track_page(conn: Connection, uuid: str) -> TrackPage | None:
    """All that is known of a track beside its audience."""
    row = conn.execute(select(s.tracks).where(s.tracks.c.uuid == uuid)).first()
    if row is None:
        return None
    lists = {name: row._mapping[name] or [] for name in ("labels", "composers", "producers", "iswcs")}
    kept = {f.name: row._mapping[f.name] for f in fields(Track) if f.name in s.tracks.c}
    track = Track(**{**kept, **lists}, genres=_genres(conn, s.track_genres, uuid))
    return TrackPage(
        track=track,
        artists=credits_of(conn, [uuid]).get(uuid, ()),
        metadata_fetched_at=row.metadata_fetched_at,
        gone=_is_gone(conn, "track", uuid),
        charts=_recent_runs(conn, [uuid], TRACK_DAYS),
    )


def artist_page(conn: Connection, uuid: str) -> ArtistPage | None:
    """All that is known of an artist beside the audience."""
    row = conn.execute(select(s.artists).where(s.artists.c.uuid == uuid)).first()
    if row is None:
        return None
    kept = {f.name: row._mapping[f.name] for f in fields(Artist) if f.name in s.artists.c}
    ta = s.track_artists
    return ArtistPage(
        artist=Artist(**kept, genres=_genres(conn, s.artist_genres, uuid)),
        metadata_fetched_at=row.metadata_fetched_at,
        gone=_is_gone(conn, "artist", uuid),
        charts=_recent_runs(conn, select(ta.c.track_uuid).where(ta.c.artist_uuid == uuid).distinct(), ARTIST_DAYS),
    )


def name_of(conn: Connection, entity: Entity, uuid: str) -> str | None:
    """The name of a stored track or artist."""
    table = s.tracks if entity == "track" else s.artists
    return conn.scalar(select(table.c.name).where(table.c.uuid == uuid))


def _recent_runs(conn: Connection, tracks: Select[Any] | Sequence[str], days: int) -> tuple[ChartRun, ...]:
    """The tracks' positions over the days that end on their newest one; who was on a chart last comes first."""
    r = s.chart_rankings
    newest = conn.scalar(select(func.max(r.c.rank_date)).where(r.c.track_uuid.in_(tracks)))
    if newest is None:
        return ()
    found = chart_runs(conn, tracks, since=newest - timedelta(days=days - 1))
    by_best = sorted(found, key=lambda run: (run.best[1], run.chart_slug, run.track_name))
    return tuple(sorted(by_best, key=lambda run: run.points[-1][0], reverse=True))


def _genres(conn: Connection, link: Table, uuid: str) -> tuple[Genre, ...]:
    owner, genre_id = link.columns
    query = select(s.genres.c.root, s.genres.c.name).select_from(link.join(s.genres, s.genres.c.id == genre_id))
    subs: dict[str, list[str]] = {}
    for root, name in conn.execute(query.where(owner == uuid).order_by(s.genres.c.root, s.genres.c.name)):
        subs.setdefault(root, []).extend([name] if name else [])
    return tuple(Genre(root=root, subs=tuple(names)) for root, names in subs.items())


def _is_gone(conn: Connection, entity: str, uuid: str) -> bool:
    t = b.tombstones
    noted = (t.c.entity == entity, t.c.uuid == uuid, t.c.scope == METADATA, t.c.reason == GONE)
    return conn.scalar(select(t.c.uuid).where(*noted)) is not None

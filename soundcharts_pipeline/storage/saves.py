"""The write side: records to rows. Each function runs inside its caller's transaction and owns its slice."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, func, select

from soundcharts_pipeline.models import (
    Artist,
    ArtistRef,
    Chart,
    Genre,
    PublishedRanking,
    Ranking,
    Series,
    Track,
    TrackRef,
)
from soundcharts_pipeline.storage import bookkeeping as b
from soundcharts_pipeline.storage import schema as s
from soundcharts_pipeline.storage.bulk import insert_missing, merge, replace_slice
from soundcharts_pipeline.storage.worklists import AskRow

CHART_COLUMNS = [column.name for column in s.charts.columns]
ENTRY_COLUMNS = [column.name for column in s.chart_rankings.columns]
# The bookkeeping columns of tracks and artists are not part of the record.
TRACK_FIELDS = [f.name for f in fields(Track) if f.name in s.tracks.c]
ARTIST_FIELDS = [*(f.name for f in fields(Artist) if f.name in s.artists.c), "display_name"]
# What references in rankings and credits say of a track or an artist.
BROUGHT = {"credit_name", "slug", "image_url", "app_url"}
DAY_COLUMNS = ["chart_slug", "rank_date", "published_at", "checked_at"]


@dataclass(frozen=True, slots=True)
class SeriesAnswer:
    """One answered window of one entity's series, and the asks that are known of it from now on."""

    uuid: str
    series: Series
    asks: Sequence[AskRow]


def save_charts(conn: Connection, charts: Iterable[Chart]) -> None:
    """One row a chart; what the API no longer says stays as it was said last."""
    merge(conn, s.charts, [tuple(getattr(chart, c) for c in CHART_COLUMNS) for chart in charts], columns=CHART_COLUMNS)


def save_published(conn: Connection, slug: str, published: Iterable[PublishedRanking], now: datetime) -> None:
    """The days on which a chart is published."""
    rows = [(slug, p.day, p.timestamp, now) for p in published]
    merge(conn, s.ranking_days, rows, columns=DAY_COLUMNS)


def save_unpublished(conn: Connection, slug: str, days: Iterable[date], now: datetime) -> None:
    """Days older than the newest ranking that have none."""
    merge(conn, s.ranking_days, [(slug, day, None, now) for day in days], columns=DAY_COLUMNS)


def save_ranking(conn: Connection, ranking: Ranking, published: PublishedRanking, now: datetime) -> int:
    """One chart-day, replaced as a whole; its tracks come into being. Returns the number of positions."""
    slug, day = ranking.chart.slug, ranking.day
    save_charts(conn, [ranking.chart])
    _save_track_stubs(conn, [e.track for e in ranking.entries], now)
    rows = [
        (
            *(slug, day, e.position, e.track.uuid, e.old_position, e.position_change, e.metric, ranking.metric_type),
            *(e.entry_state, e.entry_date, e.time_on_chart, e.time_on_chart_unit, now),
        )
        for e in ranking.entries
    ]
    of_day = and_(s.chart_rankings.c.chart_slug == slug, s.chart_rankings.c.rank_date == day)
    replace_slice(conn, s.chart_rankings, of_day, rows, columns=ENTRY_COLUMNS, ignore=["fetched_at"])
    merge(
        conn,
        s.ranking_days,
        [(slug, day, published.timestamp, now, now)],
        columns=[*DAY_COLUMNS, "saved_at"],
    )
    return len(rows)


def save_tracks(conn: Connection, tracks: Sequence[Track], *, artists: bool, genres: bool, now: datetime) -> None:
    """Metadata of tracks; with `artists` and `genres` what they say of those too, which comes into being."""
    flags = (["artists_extracted"] if artists else []) + (["genres_extracted"] if genres else [])
    _save_track_stubs(conn, tracks, now)
    _update(conn, s.tracks, TRACK_FIELDS, tracks, {"metadata_fetched_at": now, **dict.fromkeys(flags, True)})
    if artists:
        _save_credits(conn, tracks, now)
    if genres:
        _save_genres(conn, s.track_genres, {t.uuid: t.genres for t in tracks})


def save_artists(conn: Connection, artists: Sequence[Artist], *, genres: bool, now: datetime) -> None:
    """Metadata of artists."""
    _save_artist_stubs(conn, artists, now)
    _update(conn, s.artists, ARTIST_FIELDS, artists, {"metadata_fetched_at": now})
    if genres:
        _save_genres(conn, s.artist_genres, {a.uuid: a.genres for a in artists})


def bury(conn: Connection, entity: str, scope: str, reasons: Mapping[str, str], now: datetime) -> None:
    """Note what the API does not have, by UUID."""
    rows = [(entity, uuid, scope, reason, now) for uuid, reason in reasons.items()]
    merge(conn, b.tombstones, rows, columns=["entity", "uuid", "scope", "reason", "noted_at"])


def unbury(conn: Connection, entity: str, scope: str, uuids: Collection[str]) -> None:
    """What was noted as missing is there after all."""
    t = b.tombstones
    conn.execute(t.delete().where(t.c.entity == entity, t.c.scope == scope, t.c.uuid.in_(uuids)))


def save_series(
    conn: Connection, entity: str, platform: str, metric: str, answers: Sequence[SeriesAnswer], now: datetime
) -> int:
    """Points, places and asks of one series of several entities. Returns the number of points."""
    rows: list[tuple[Any, ...]]
    if entity == "track":
        rows = [(a.uuid, platform, metric, p.identifier, p.day, p.value, now) for a in answers for p in a.series.points]
        table = s.track_audience
    else:
        rows = [(a.uuid, platform, metric, p.day, p.value, now) for a in answers for p in a.series.points]
        table = s.artist_audience
        places = [(a.uuid, platform, metric, *g) for a in answers for g in a.series.geo]
        merge(conn, s.artist_audience_geo, places, columns=[c.name for c in s.artist_audience_geo.columns])
    merge(conn, table, rows, columns=[c.name for c in table.columns], ignore=["fetched_at"])
    t = b.audience_asks
    mine = and_(
        t.c.entity == entity,
        t.c.platform == platform,
        t.c.metric == metric,
        t.c.uuid.in_({a.uuid for a in answers}),
    )
    replace_slice(
        conn,
        t,
        mine,
        [
            (entity, a.uuid, platform, metric, ask.start, ask.end, ask.settled, ask.asked_at)
            for a in answers
            for ask in a.asks
        ],
        columns=[c.name for c in t.columns],
    )
    return len(rows)


def note_fact(conn: Connection, name: str, value: str, now: datetime) -> None:
    """Keep what was learnt about the API."""
    merge(conn, b.facts, [(name, value, now)], columns=["name", "value", "noted_at"])


def save_progress(conn: Connection, run_id: str, step: str, done: int, total: int, now: datetime) -> None:
    """How far a step is."""
    columns = ["run_id", "step", "done", "total", "updated_at"]
    merge(conn, b.sync_progress, [(run_id, step, done, total, now)], columns=columns)


def add_usage(conn: Connection, day: date, endpoint: str, counts: Mapping[str, int], quota: int | None) -> None:
    """Add calls to the day's count of an endpoint."""
    t = b.api_usage
    insert_missing(
        conn,
        t,
        [(day, endpoint, 0, 0, 0, 0)],
        columns=["day", "endpoint", "calls", "billed", "errors", "throttled"],
    )
    values: dict[str, Any] = {name: t.c[name] + count for name, count in counts.items()}
    if quota is not None:
        values["quota_remaining"] = quota
    conn.execute(t.update().where(t.c.day == day, t.c.endpoint == endpoint).values(values))


def _update(
    conn: Connection, table: Table, names: Sequence[str], records: Sequence[Any], also: Mapping[str, Any]
) -> None:
    """Set the record's fields and `also` on existing rows. What a reference brought and metadata lacks stays."""
    if records:
        rows = [{"key": r.uuid, **{n: getattr(r, n) for n in names if n != "uuid"}, **also} for r in records]
        kept: dict[str, Any] = {n: func.coalesce(bindparam(n), table.c[n]) for n in names if n in BROUGHT}
        conn.execute(table.update().where(table.c.uuid == bindparam("key")).values(kept), rows)


def _save_track_stubs(conn: Connection, tracks: Iterable[Track | TrackRef], now: datetime) -> None:
    rows = {t.uuid: (t.uuid, t.name, t.credit_name, t.image_url, now, False, False) for t in tracks}
    columns = ["uuid", "name", "credit_name", "image_url", "first_seen_at", "artists_extracted", "genres_extracted"]
    insert_missing(conn, s.tracks, list(rows.values()), columns=columns)


def _save_artist_stubs(conn: Connection, artists: Iterable[Artist | ArtistRef], now: datetime) -> None:
    rows = {a.uuid: (a.uuid, a.name, a.name, a.slug, a.image_url, a.app_url, now) for a in artists}
    columns = ["uuid", "name", "display_name", "slug", "image_url", "app_url", "first_seen_at"]
    insert_missing(conn, s.artists, list(rows.values()), columns=columns)


def _save_credits(conn: Connection, tracks: Sequence[Track], now: datetime) -> None:
    roles = [("credited", "artists"), ("main", "main_artists"), ("featured", "featured_artists")]
    refs = [ref for track in tracks for _, name in roles for ref in getattr(track, name)]
    _save_artist_stubs(conn, refs, now)
    rows = [
        (track.uuid, ref.uuid, role, position)
        for track in tracks
        for role, name in roles
        for position, ref in enumerate(getattr(track, name))
    ]
    of_tracks = s.track_artists.c.track_uuid.in_([track.uuid for track in tracks])
    replace_slice(conn, s.track_artists, of_tracks, rows, columns=["track_uuid", "artist_uuid", "role", "position"])


def _save_genres(conn: Connection, link: Table, genres: Mapping[str, Sequence[Genre]]) -> None:
    wanted = {uuid: {(g.root, name) for g in of_entity for name in ("", *g.subs)} for uuid, of_entity in genres.items()}
    names = sorted(set().union(*wanted.values()))
    t = s.genres
    found = _genre_ids(conn)
    new = [name for name in names if name not in found]
    if new:
        insert_missing(conn, t, new, columns=["root", "name"])
        found = _genre_ids(conn)
    owner = next(iter(link.columns)).name
    rows = [(uuid, found[name]) for uuid, of_entity in wanted.items() for name in of_entity]
    replace_slice(conn, link, link.c[owner].in_(list(wanted)), rows, columns=[owner, "genre_id"])


def _genre_ids(conn: Connection) -> dict[tuple[str, str], int]:
    t = s.genres
    return {(root, name): id_ for id_, root, name in conn.execute(select(t.c.id, t.c.root, t.c.name))}

"""The write side: records to rows. Each function runs inside its caller's transaction and owns its slice."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, func, select

from soundcharts_pipeline.clock import utc_now
from soundcharts_pipeline.models import (
    AnsweredWindow,
    Artist,
    ArtistRef,
    Chart,
    ChartDays,
    Genre,
    LocatedDay,
    PublishedRanking,
    Ranking,
    Series,
    Track,
    TrackRef,
    is_later,
)
from soundcharts_pipeline.storage import points
from soundcharts_pipeline.storage.bulk import insert, insert_missing, merge, remove_keys, replace_slice
from soundcharts_pipeline.storage.bulk_copy import Insert
from soundcharts_pipeline.storage.errors import RowsLost
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.wording import clean, cleaned

CHART_COLUMNS = [column.name for column in s.charts.columns]
ENTRY_COLUMNS = [column.name for column in s.chart_rankings.columns]
# The bookkeeping columns of tracks and artists are not part of the record.
TRACK_FIELDS = [f.name for f in fields(Track) if f.name in s.tracks.c]
ARTIST_FIELDS = [*(f.name for f in fields(Artist) if f.name in s.artists.c), "display_name"]
# What references in rankings and credits say of a track or an artist.
BROUGHT = {"credit_name", "slug", "image_url", "app_url"}
COUNTS = ("calls", "billed", "errors", "throttled")
DAY_COLUMNS = ["chart_slug", "rank_date", "published_at", "checked_at"]
Columns = tuple[list[int], list[date], list[int]]


@dataclass(frozen=True, slots=True)
class SeriesAnswer:
    """One answer for a series of an entity, the answered windows that are known of it from now on, and those that were
    until now, as read in this transaction."""

    uuid: str
    series: Series
    asks: Sequence[AnsweredWindow]
    known: Sequence[AnsweredWindow] = ()


def save_charts(conn: Connection, charts: Iterable[Chart]) -> None:
    """One row a chart, of one that is listed twice the last; what the API no longer says stays as it was said last."""
    rows = {chart.slug: tuple(getattr(chart, c) for c in CHART_COLUMNS) for chart in charts}
    merge(conn, s.charts, rows.values(), columns=CHART_COLUMNS)


def save_published(conn: Connection, slug: str, published: Iterable[PublishedRanking], now: datetime) -> None:
    """The days on which a chart is published. One that had been confirmed to have no ranking has changed."""
    rows = [(slug, p.day, p.timestamp, now) for p in published]
    d = s.ranking_days.c
    absent = (d.chart_slug == slug, d.rank_date.in_([row[1] for row in rows]), d.published_at.is_(None))
    # By the machine's clock, as where a ranking is saved.
    conn.execute(s.ranking_days.update().where(*absent).values(changed_at=utc_now()))
    merge(conn, s.ranking_days, rows, columns=DAY_COLUMNS)


def note_complete(conn: Connection, days: ChartDays, now: datetime) -> None:
    """All that the chart asks for of these days, as far as they have a ranking, is stored."""
    d = s.ranking_days.c
    of_chart = (d.chart_slug == days.slug, d.rank_date.between(days.first, days.last), d.saved_at.is_not(None))
    conn.execute(s.ranking_days.update().where(*of_chart, d.completed_at.is_(None)).values(completed_at=now))


def save_unpublished(conn: Connection, slug: str, days: Iterable[date], now: datetime) -> None:
    """Days older than the newest ranking that have none. A day that is stored was published, whatever a list says."""
    d, days = s.ranking_days.c, set(days)
    query = select(d.rank_date).where(d.chart_slug == slug, d.rank_date.in_(days), d.saved_at.is_not(None))
    absent = days - set(conn.scalars(query)) if days else days
    merge(conn, s.ranking_days, [(slug, day, None, now) for day in sorted(absent)], columns=DAY_COLUMNS)


def save_ranking(
    conn: Connection, ranking: Ranking, published: PublishedRanking, now: datetime, *, is_final: bool = True
) -> int:
    """One chart-day, replaced as a whole; its tracks come into being. Returns the number of places: an entry that comes
    twice is one. What is not final notes no version, so it is due again. `changed_at` goes by the machine's clock, for
    it is compared with Dagster's records. Raises RowsLost when fewer places are stored than the ranking has.
    """
    slug, day = ranking.chart.slug, ranking.day
    entries = list(dict.fromkeys(ranking.entries))
    save_charts(conn, [ranking.chart])
    _save_track_stubs(conn, [e.track for e in entries], now)
    rows = [
        (
            *(slug, day, e.position, e.track.uuid, e.old_position, e.position_change, e.metric, ranking.metric_type),
            *(e.entry_state, e.entry_date, e.time_on_chart, e.time_on_chart_unit, now),
        )
        for e in entries
    ]
    of_day = and_(s.chart_rankings.c.chart_slug == slug, s.chart_rankings.c.rank_date == day)
    d = s.ranking_days.c
    known = conn.execute(select(d.published_at, d.saved_at).where(d.chart_slug == slug, d.rank_date == day)).first()
    changed = replace_slice(conn, s.chart_rankings, of_day, rows, columns=ENTRY_COLUMNS, ignore=["fetched_at"])
    stored = conn.scalar(select(func.count()).select_from(s.chart_rankings).where(of_day)) or 0
    if stored < len(entries):
        raise RowsLost(f"the ranking of {slug} of {day} has {len(entries)} places, {stored} could be stored")
    saved: dict[str, Any] = {"saved_at": now, "saved_version": published.timestamp if is_final else None}
    saved |= {"changed_at": utc_now(), "completed_at": None} if known and known.saved_at and changed else {}
    listed = published.timestamp
    if known and known.published_at and is_later(known.published_at, listed):
        listed = known.published_at  # it came out while this one was fetched
    merge(conn, s.ranking_days, [(slug, day, listed, now, *saved.values())], columns=[*DAY_COLUMNS, *saved])
    return stored


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


def add_tombstones(conn: Connection, entity: str, scope: str, reasons: Mapping[str, str], now: datetime) -> None:
    """Note what the API does not have, by UUID."""
    rows = [(entity, uuid, scope, reason, now) for uuid, reason in reasons.items()]
    merge(conn, b.tombstones, rows, columns=["entity", "uuid", "scope", "reason", "noted_at"])


def remove_tombstones(conn: Connection, entity: str, scope: str, uuids: Collection[str]) -> None:
    """What was noted as missing is there after all."""
    t = b.tombstones
    conn.execute(t.delete().where(t.c.entity == entity, t.c.scope == scope, t.c.uuid.in_(uuids)))


def save_series(
    conn: Connection, entity: str, platform: str, metric: str, answers: Sequence[SeriesAnswer], now: datetime
) -> int:
    """Points, places and asks of one series of several entities. Returns the number of points.

    Where two answers tell of the same day of an entity, the later one of `answers` counts.
    """
    parts: list[tuple[Any, ...]] = [(a.uuid, *zip(*a.series.points, strict=True)) for a in answers if a.series.points]
    keys = {(uuid, of) for uuid, _, identifiers, _ in parts for of in set(identifiers)}
    keys |= {(a.uuid, "") for a in answers if a.series.located}
    ids = points.series_ids(conn, entity, platform, metric, keys)
    located = [(ids[a.uuid, ""], of_day) for a in answers for of_day in a.series.located]
    places = points.place_ids(conn, set().union(*(of_day.values for _, of_day in located)))
    columns = _columns(parts, ids)
    if len({a.uuid for a in answers}) < len(answers):
        columns, located = _last_of_each_day(columns, located)
    points.save_located(conn, located, places)
    points.save_points(conn, *columns, now)
    t = b.audience_asks
    asks = {(entity, a.uuid, platform, metric, k.start, k.end): k for a in answers for k in a.asks}
    known = {(entity, a.uuid, platform, metric, k.start, k.end): k for a in answers for k in a.known}
    remove_keys(conn, t, [key for key in known if key not in asks])
    new = [(*key, ask.settled, ask.asked_at) for key, ask in asks.items() if known.get(key) != ask]
    merge(conn, t, new, columns=t.columns.keys())
    return len(columns[0])


def note_fact(conn: Connection, name: str, value: str, now: datetime) -> None:
    """Keep what was learnt about the API."""
    merge(conn, b.facts, [(name, value, now)], columns=["name", "value", "noted_at"])


def forget_fact(conn: Connection, name: str) -> None:
    """It is learnt anew."""
    conn.execute(b.facts.delete().where(b.facts.c.name == name))


def save_progress(
    conn: Connection, run_id: str, step: str, done: int, total: int, now: datetime, *, calls: int = 0
) -> None:
    """How far a step is, in entities, and how many calls it has made."""
    columns = ["run_id", "step", "done", "total", "updated_at", "calls"]
    merge(conn, b.sync_progress, [(run_id, step, done, total, now, calls)], columns=columns)


def add_usage(conn: Connection, day: date, endpoint: str, counts: Mapping[str, int], quota: int | None) -> None:
    """Add calls to the day's count of an endpoint."""
    values = {"day": day, "endpoint": endpoint, "quota_remaining": quota, **counts}
    conn.execute(_add_or_begin(conn.dialect.name), values)


@lru_cache
def _add_or_begin(dialect: str) -> Insert:
    t, statement = b.api_usage, insert(dialect, b.api_usage)
    new = statement.excluded
    sums: dict[str, ColumnElement[Any]] = {name: t.c[name] + new[name] for name in COUNTS}
    last = func.coalesce(new.quota_remaining, t.c.quota_remaining)
    return statement.on_conflict_do_update(
        index_elements=[t.c.day, t.c.endpoint], set_={**sums, "quota_remaining": last}
    )


def _update(
    conn: Connection, table: Table, names: Sequence[str], records: Sequence[Any], also: Mapping[str, Any]
) -> None:
    """Set the record's fields and `also` on existing rows. What a reference brought and metadata lacks stays."""
    if records:
        rows = [{"key": r.uuid, **{n: cleaned(getattr(r, n)) for n in names if n != "uuid"}, **also} for r in records]
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


def _columns(parts: Iterable[tuple[Any, ...]], ids: Mapping[tuple[str, str], int]) -> Columns:
    """Series, days and values, of each answer's UUID, days, identifiers and values."""
    # By columns: of a hundred thousand points each step in Python counts.
    columns: Columns = ([], [], [])
    for uuid, days, identifiers, values in parts:
        numbers = {of: ids[uuid, of] for of in set(identifiers)}
        columns[0].extend(map(numbers.__getitem__, identifiers))
        columns[1].extend(days)
        columns[2].extend(values)
    return columns


def _last_of_each_day(
    columns: Columns, located: list[tuple[int, LocatedDay]]
) -> tuple[Columns, list[tuple[int, LocatedDay]]]:
    """Of several values of a series on a day the last, of several cities or countries of a day likewise."""
    of_kind = {
        (number, day, is_country): {place: value for place, value in values.items() if (not place[2]) == is_country}
        for number, (day, values) in located
        for is_country in {not place[2] for place in values}
    }
    series, days, values = columns
    last = dict(zip(zip(series, days, strict=True), values, strict=True))
    columns = [number for number, _ in last], [day for _, day in last], list(last.values())
    return columns, [(number, LocatedDay(day, values)) for (number, day, _), values in of_kind.items()]


def _save_credits(conn: Connection, tracks: Sequence[Track], now: datetime) -> None:
    roles = [("credited", "artists"), ("main", "main_artists"), ("featured", "featured_artists")]
    refs = [ref for track in tracks for _, name in roles for ref in getattr(track, name)]
    _save_artist_stubs(conn, refs, now)
    # An artist who is named twice in one role has the first place of the two.
    rows = {
        (track.uuid, ref.uuid, role): (track.uuid, ref.uuid, role, position)
        for track in tracks
        for role, name in roles
        for position, ref in reversed(list(enumerate(getattr(track, name))))
    }
    of_tracks = s.track_artists.c.track_uuid.in_([track.uuid for track in tracks])
    columns = ["track_uuid", "artist_uuid", "role", "position"]
    replace_slice(conn, s.track_artists, of_tracks, rows.values(), columns=columns)


def _save_genres(conn: Connection, link: Table, genres: Mapping[str, Sequence[Genre]]) -> None:
    wanted = {
        uuid: {(clean(g.root), clean(name)) for g in of_entity for name in ("", *g.subs)}
        for uuid, of_entity in genres.items()
    }
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

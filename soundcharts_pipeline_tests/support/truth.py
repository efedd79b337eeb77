"""What a warehouse must hold after some chart-days have been synced from nothing, computed from the simulator's
world without any of the pipeline's own arithmetic."""

import json
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import TRACK_METRICS, Artist, ArtistRef, Series, Track, TrackRef, artist_metrics
from soundcharts_pipeline.simulator import World
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

Rows = dict[str, set[tuple[Any, ...]]]

TRACK_FIELDS = [
    *("uuid", "name", "slug", "credit_name", "image_url", "isrc", "release_date", "duration_seconds", "explicit"),
    *("language_code", "copyright", "distributor", "app_url", "preview_url"),
]
ARTIST_FIELDS = [
    *("uuid", "name", "slug", "image_url", "app_url", "web_url", "country_code", "city_name", "biography"),
    *("career_stage", "growth_level", "gender", "type", "birth_date", "isni", "ipi"),
]
JSON_FIELDS = ["labels", "composers", "producers", "iswcs", "audio_features"]


def stored(warehouse: Warehouse) -> Rows:
    """Every promised table without its bookkeeping columns."""
    r, t, a = s.chart_rankings.c, s.tracks.c, s.artists.c
    ranking_columns = [c for c in s.chart_rankings.columns if c.name != "fetched_at"]
    queries = {
        "chart_rankings": select(*ranking_columns),
        "tracks": select(*(t[name] for name in [*TRACK_FIELDS, *JSON_FIELDS])).where(
            t.metadata_fetched_at.is_not(None)
        ),
        "tracks without metadata": select(t.uuid).where(t.metadata_fetched_at.is_(None)),
        "artists": select(*(a[name] for name in ARTIST_FIELDS)).where(a.metadata_fetched_at.is_not(None)),
        "track_artists": select(*s.track_artists.columns),
        "track_genres": select(s.track_genres.c.track_uuid, s.genres.c.root, s.genres.c.name).where(
            s.genres.c.id == s.track_genres.c.genre_id
        ),
        "artist_genres": select(s.artist_genres.c.artist_uuid, s.genres.c.root, s.genres.c.name).where(
            s.genres.c.id == s.artist_genres.c.genre_id
        ),
        "track_audience": select(*(c for c in s.track_audience.columns if c.name != "fetched_at")),
        "artist_audience": select(*(c for c in s.artist_audience.columns if c.name != "fetched_at")),
        "artist_audience_geo": select(*s.artist_audience_geo.columns),
        "ranked": select(r.chart_slug, r.rank_date).distinct(),
    }
    with warehouse.read() as conn:
        return {name: {_plain(row) for row in conn.execute(query)} for name, query in queries.items()}


def expected(world: World, chart: ChartSettings, days: Sequence[date]) -> Rows:
    """The same for a chart synced on these days alone."""
    published = {p.day for p in world.published_days(chart.slug)}
    rankings = [world.ranking(chart.slug, day) for day in days if day in published]
    ranked: dict[str, set[date]] = {}
    for ranking in rankings:
        for entry in ranking.entries:
            ranked.setdefault(entry.track.uuid, set()).add(ranking.day)
    tracks = {uuid: world.track(uuid) for uuid in ranked}
    known = [track for track in tracks.values() if track is not None]
    artist_days: dict[str, set[date]] = {}
    for track in known:
        for _, _, uuid, _ in _credits(track):
            artist_days.setdefault(uuid, set()).update(ranked[track.uuid])
    credits = {ref.uuid: ref for track in known for ref in track.artists}
    artists = [artist for uuid in artist_days if (artist := world.artist(uuid)) is not None]
    entries = {entry.track.uuid: entry.track for ranking in rankings for entry in ranking.entries}
    series_tracks = {uuid: ranked[uuid] for uuid, track in tracks.items() if track is not None}
    return {
        "chart_rankings": {_plain(row) for ranking in rankings for row in _ranking_rows(ranking)},
        "tracks": {_filled(t, entries[t.uuid], [*TRACK_FIELDS, *JSON_FIELDS]) for t in known},
        "tracks without metadata": {(uuid,) for uuid, track in tracks.items() if track is None},
        "artists": {_filled(a, credits[a.uuid], ARTIST_FIELDS) for a in artists},
        "track_artists": {(track, uuid, role, place) for t in known for track, role, uuid, place in _credits(t)},
        "track_genres": {row for t in known for row in _genres(t)},
        "artist_genres": {row for a in artists for row in _genres(a)},
        "track_audience": _track_audience(world, chart, days, series_tracks),
        "artist_audience": _artist_audience(world, chart, days, artist_days)[0],
        "artist_audience_geo": _artist_audience(world, chart, days, artist_days)[1],
        "ranked": {(chart.slug, ranking.day) for ranking in rankings},
    }


def _plain(values: Iterable[Any]) -> tuple[Any, ...]:
    """Hashable, JSON as text of its own."""
    return tuple(json.dumps(v, sort_keys=True) if isinstance(v, list | dict) else v for v in values)


def _filled(entity: Track | Artist, reference: TrackRef | ArtistRef, names: Sequence[str]) -> tuple[Any, ...]:
    """The entity's metadata, and what it lacks as the reference to it in a ranking or in credits says it."""
    brought = {name: getattr(reference, name, None) for name in names}
    return _plain(brought[name] if (value := getattr(entity, name)) is None else value for name in names)


def _ranking_rows(ranking: Any) -> Iterable[tuple[Any, ...]]:
    for e in ranking.entries:
        yield (
            *(ranking.chart.slug, ranking.day, e.position, e.track.uuid, e.old_position, e.position_change, e.metric),
            *(ranking.metric_type, e.entry_state, e.entry_date, e.time_on_chart, e.time_on_chart_unit),
        )


def _credits(track: Track) -> Iterable[tuple[str, str, str, int]]:
    for role, refs in (("credited", track.artists), ("main", track.main_artists), ("featured", track.featured_artists)):
        for place, ref in enumerate(refs):
            yield track.uuid, role, ref.uuid, place


def _genres(entity: Track | Artist) -> Iterable[tuple[str, str, str]]:
    for genre in entity.genres:
        for name in ("", *genre.subs):
            yield entity.uuid, genre.root, name


def _needed(ranked: set[date], days: Sequence[date], chart: ChartSettings, history_days: int) -> set[date]:
    """Days of a series that the chart-days promise, one by one."""
    needed = set()
    for day in days:
        if any(0 <= (day - on).days <= chart.follow_days for on in ranked):
            needed |= {day - timedelta(days=n) for n in range(history_days)}
    return needed


def _track_audience(
    world: World, chart: ChartSettings, days: Sequence[date], ranked: dict[str, set[date]]
) -> set[tuple[Any, ...]]:
    rows = set()
    for uuid, on in ranked.items():
        for platform in chart.track_audience_platforms:
            metric = TRACK_METRICS[platform]
            needed = _needed(on, days, chart, 1 if platform == "airplay" else chart.history_days)
            if platform == "airplay":
                counted = {day: world.spins(uuid, day) for day in needed}
                over = {day: spins for day, spins in counted.items() if spins is not None}
                rows |= {(uuid, platform, metric, "", day, spins) for day, spins in over.items()}
                continue
            points = world.track_series(uuid, platform, min(needed), max(needed)) or ()
            rows |= {(uuid, platform, metric, p.identifier, p.day, p.value) for p in points if p.day in needed}
    return rows


def _artist_audience(
    world: World, chart: ChartSettings, days: Sequence[date], ranked: dict[str, set[date]]
) -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
    rows, places = set(), set()
    for uuid, on in ranked.items():
        needed = _needed(on, days, chart, chart.history_days)
        for platform in chart.artist_audience_platforms:
            for metric in artist_metrics(platform):
                ask = world.artist_followers if metric == "followers" else world.artist_streaming
                series: Series = ask(uuid, platform, min(needed), max(needed)) or Series(())
                rows |= {(uuid, platform, metric, p.day, p.value) for p in series.points if p.day in needed}
                places |= {(uuid, platform, metric, *g) for g in series.geo if g.day in needed}
    return rows, places

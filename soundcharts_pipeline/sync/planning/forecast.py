"""What a run over some days would ask, counted before it is asked, without a call.

The worklists count what the warehouse knows. The rest is forecast: artists of tracks without metadata from their
credit names, rankings that are not stored from those that are.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from soundcharts_pipeline.api.client import BATCH_SIZE
from soundcharts_pipeline.api.pages import PAGE_LIMIT, WINDOW_DAYS
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import TRACK_METRICS, ChartDays, Window, artist_metrics
from soundcharts_pipeline.storage.endpoint_states import endpoint_state
from soundcharts_pipeline.storage.queries import plan_inputs as forecasts
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.sync.audience import artist_questions, track_questions
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.coverage import due_windows, targets_of
from soundcharts_pipeline.sync.metadata import due_artists, due_tracks
from soundcharts_pipeline.sync.planning.credit_names import artists_named, plain, unnamed_share
from soundcharts_pipeline.sync.planning.guessed_rankings import MOST_USUAL_PLACES, guessed_rankings, places_named
from soundcharts_pipeline.sync.radio_plays import TOTALS_FACT
from soundcharts_pipeline.sync.rankings import due_rankings, listed_ranking
from soundcharts_pipeline.sync.series_worklist import AIRPLAY, SeriesKey, days_followed

WEEK = timedelta(days=7)
Days = dict[str, set[date]]


@dataclass(frozen=True, slots=True)
class Count:
    """Calls of one asset over the days; an estimate when not all it depends on is stored. `basis`: calls for what."""

    calls: int
    estimate: bool
    basis: str


# What refuses everything is asked once.
LEFT_OUT = Count(1, estimate=False, basis="a try, for everything was refused before")


class Forecast:
    """One chart over the days of one run. `rankings` and `metadata`: whether the run fetches those of tracks too.

    A ranking that is stored and asked for again counts as if it came back as it is.
    """

    def __init__(
        self, ctx: SyncContext, chart: ChartSettings, days: Sequence[date], *, rankings: bool, metadata: bool
    ) -> None:
        self._ctx, self._chart, self._days = ctx, chart, days
        self._known_targets: dict[tuple[str, int, date], dict[str, list[Window]]] = {}
        self._fetches_artists = metadata and chart.auto_extract_artists
        self._span = ChartDays(chart.slug, days[0] - timedelta(days=chart.follow_days), days[-1])
        due = due_rankings(ctx, chart, days) if rankings else []
        with ctx.warehouse.read() as conn:
            known = worklists.ranking_days(conn, ChartDays(chart.slug, days[0], days[-1]))
            self._nearest = forecasts.nearest_ranking(conn, chart.slug, days[-1])
            self._in_step_with = forecasts.nearest_saved(conn, chart.slug, days[-1])
            self._listing = forecasts.listing(conn, chart.slug)
            self._on_chart = _by_entity(worklists.ranked_tracks(conn, self._span, gone_after=ctx.believed_since(chart)))
            self._again = forecasts.places_of(conn, chart.slug, due)
        self._republished = any(known[day].is_published_again or known[day].lacks_places for day in self._again)
        self._unlisted = [day for day in due if listed_ranking(ctx, known.get(day)) is None]
        # Asked again, a day that is known to have no ranking, or to have one, is taken to be so still.
        settled = set() if ctx.known_since is None else known.keys()
        self._unknown = [
            day
            for day in self._unlisted
            if day not in settled and (day not in known or known[day].published_at is None)
        ]
        listed = [day for day in due if day in known and known[day].published_at and day not in self._again]
        self.missing_rankings = sorted([*listed, *self._likely_published(self._unknown)])

    @property
    def assumed_places(self) -> int | None:
        """Places that a missing ranking is taken to have, as long as neither a ranking nor the catalog has told."""
        is_told = self._nearest is not None or self._listing.places
        return None if is_told or not self.missing_rankings else self._places

    def rankings(self) -> Count:
        pages = [*self._again.values(), *(self._places for _ in self.missing_rankings)]
        calls = sum(math.ceil(places / PAGE_LIMIT) for places in pages) + self._pages_of_list()
        basis = _counted(len(pages), "ranking") + (" and the list of them" if self._unlisted else "")
        return Count(calls, bool(self._unknown), basis)

    def track_metadata(self) -> Count:
        due = set(due_tracks(self._ctx, self._chart, self._days))
        more = {track for ranking in self._guessed.values() for track in ranking} - self._fresh("track")
        number = len(due | more)
        is_guess = bool(self._guessed) or self._republished
        return Count(math.ceil(number / BATCH_SIZE), is_guess, _counted(number, "track"))

    def track_audience(self, platform: str) -> Count:
        key = SeriesKey("track", platform, TRACK_METRICS[platform])
        questions = track_questions(self._ctx, self._chart, self._days, platform)
        guessed = self._windows(key, self._guessed_tracks)
        calls = sum(guessed.values()) + sum(q.uuid not in guessed for q in questions)
        if calls and self._is_left_out(key):
            return LEFT_OUT
        basis = _counted(calls, "day" if key.by_day else "window") + " of tracks"
        if platform == AIRPLAY:
            return self._airplay(calls, basis)
        return Count(calls, bool(guessed), basis)

    def artist_metadata(self) -> Count:
        due = set(due_artists(self._ctx, self._chart, self._days))
        number = len(due | (self._guessed_artists.keys() - self._fresh("artist")))
        number += round(len(self._named) * self._unnamed_share)
        return Count(math.ceil(number / BATCH_SIZE), bool(self._guessed_artists), _counted(number, "artist"))

    def artist_audience(self, platform: str) -> Count:
        questions = artist_questions(self._ctx, self._chart, self._days, platform)
        calls = sum(q.uuid not in self._guessed_artists for q in questions)
        unnamed = 0.0
        for metric in artist_metrics(platform):
            key = SeriesKey("artist", platform, metric)
            if self._is_left_out(key):
                calls -= sum(q.uuid not in self._guessed_artists for q in questions if q.key == key) - 1
                continue
            windows = self._windows(key, self._guessed_artists)
            calls += sum(windows.values())
            unnamed += self._unnamed_share * sum(windows[artist] for artist in self._named)
        calls += round(unnamed)
        return Count(calls, bool(self._guessed_artists), _counted(calls, "window") + " of artists")

    def _is_left_out(self, key: SeriesKey) -> bool:
        with self._ctx.warehouse.read() as conn:
            return endpoint_state(conn, key.whole_scope).is_left_out

    def _airplay(self, days: int, basis: str) -> Count:
        with self._ctx.warehouse.read() as conn:
            fact = worklists.fact(conn, TOTALS_FACT)
            per_day = forecasts.calls_per_station_list(conn)
        if self._chart.airplay_source == "broadcast-groups" or fact == "no":
            return Count(round(days * per_day), days > 0, f"{basis}, 1 per 100 stations")
        # Once per warehouse a total is compared with the stations behind it.
        check = int(fact is None and days > 0 and self._days[0] < self._ctx.clock().date())
        return Count(days + check, bool(self._guessed or check), basis)

    @cached_property
    def _places(self) -> int:
        if self._nearest is None:
            return self._listing.places or places_named(self._chart.name, self._chart.slug) or MOST_USUAL_PLACES
        with self._ctx.warehouse.read() as conn:
            return forecasts.places_of(conn, self._chart.slug, [self._nearest]).get(self._nearest, 0)

    def _likely_published(self, unknown: Sequence[date]) -> list[date]:
        """All of them, or one a week."""
        if self._listing.frequency != "weekly" or not unknown:
            return list(unknown)
        since = self._in_step_with or unknown[0]
        return [day for day in unknown if (day - since) % WEEK == timedelta()]

    def _pages_of_list(self) -> int:
        """The list of published days is newest first, and read until the oldest day in question."""
        if not self._unlisted:
            return 0
        every = WEEK.days if self._listing.frequency == "weekly" else 1
        newer = (self._ctx.clock().date() - self._unlisted[0]).days // every
        return math.ceil(max(newer + 1, 1) / PAGE_LIMIT)

    @cached_property
    def _guessed(self) -> dict[date, list[str]]:
        """Rankings that the run would fetch, by day."""
        slug = self._chart.slug
        with self._ctx.warehouse.read() as conn:
            days = {day for of_track in self._on_chart.values() for day in of_track}
            days |= {self._nearest} if self._nearest else set()
            stored = {day: forecasts.ranking_of(conn, slug, day) for day in days} if self.missing_rankings else {}
            habits = forecasts.habits(conn, slug)
        return guessed_rankings(stored, self.missing_rankings, places=self._places, habits=habits)

    @cached_property
    def _guessed_tracks(self) -> Days:
        """Every track of a guessed ranking, with all days on which it is ranked."""
        guessed = _by_entity((track, day) for day, ranking in self._guessed.items() for track in ranking)
        return {track: days | self._on_chart.get(track, set()) for track, days in guessed.items()}

    @cached_property
    def _artists_of(self) -> dict[str, list[str]]:
        """Artists of tracks whose metadata the run would fetch, as far as names tell, and of guessed tracks."""
        if not self._fetches_artists:
            return {}
        slug = self._chart.slug
        with self._ctx.warehouse.read() as conn:
            names = forecasts.credit_names(conn, ChartDays(slug, self._days[0], self._days[-1]))
            if self._guessed and self._nearest:
                names |= forecasts.credit_names(conn, ChartDays(slug, self._nearest, self._nearest))
            uuids = {plain(name): uuid for name, uuid in forecasts.artist_names(conn)} if names else {}
            credits_ = forecasts.credits_of(conn, slug) if self._guessed else {}
        due = {*due_tracks(self._ctx, self._chart, self._days), *self._guessed_tracks}
        found = {
            track: [uuids.get(artist, artist) for artist in artists_named(name, uuids)]
            for track, name in names.items()
            if track in due
        }
        found |= {track: list(credits_[track]) for track in self._guessed_tracks if track in credits_}
        return found | self._artists_of_new({artist for of_track in found.values() for artist in of_track}, len(found))

    def _artists_of_new(self, artists: set[str], tracks: int) -> dict[str, list[str]]:
        """A new track brings as many artists as the others did, for each of which there are `artists` / `tracks`."""
        per_track = len(artists) / tracks if tracks else 1.0
        new = [track for track in self._guessed_tracks if track.startswith("new track")]
        upto = [round(per_track * number) for number in range(len(new) + 1)]
        return {
            track: [f"new artist {number}" for number in range(upto[place], upto[place + 1])]
            for place, track in enumerate(new)
        }

    @cached_property
    def _named(self) -> set[str]:
        """Artists known by nothing but a credit name, or whose track is."""
        return {artist for of_track in self._artists_of.values() for artist in of_track}

    @cached_property
    def _guessed_artists(self) -> Days:
        """Those artists with all days on which a track of theirs is ranked."""
        found: Days = defaultdict(set)
        for track, artists in self._artists_of.items():
            for artist in artists:
                found[artist] |= self._on_chart.get(track, set()) | self._guessed_tracks.get(track, set())
        since = self._ctx.believed_since(self._chart)
        with self._ctx.warehouse.read() as conn:
            for artist, day in worklists.ranked_artists(conn, self._span, gone_after=since) if found else ():
                if artist in found:
                    found[artist].add(day)
        return dict(found)

    @cached_property
    def _unnamed_share(self) -> float:
        if not self._named:
            return 0.0
        with self._ctx.warehouse.read() as conn:
            return unnamed_share(forecasts.credited(conn))

    def _fresh(self, entity: str) -> set[str]:
        stale_before = self._ctx.believed_since(self._chart)
        stale_before = max(stale_before, self._ctx.known_since or stale_before)
        with self._ctx.warehouse.read() as conn:
            return forecasts.known_since(conn, entity, stale_before)

    def _windows(self, key: SeriesKey, ranked: Mapping[str, set[date]]) -> dict[str, int]:
        """Windows due for each of the entities, which are ranked on these days."""
        if not ranked:
            return {}
        chart, now = self._chart, self._ctx.clock()
        with self._ctx.warehouse.read() as conn:
            asks = worklists.asks_of(conn, key.entity, key.platform, key.metric, ranked.keys())
            after = self._ctx.believed_since(chart)
            tombstones = forecasts.tombstones_of(conn, key.entity, key.scope, after=after)
        recheck, longest = timedelta(hours=chart.recheck_hours), 1 if key.by_day else WINDOW_DAYS
        found = {}
        for entity, targets in self._targets(key, ranked).items():
            known = asks.get(entity, ())
            due = due_windows(
                targets, known, now=now, recheck=recheck, longest=longest, known_since=self._ctx.known_since
            )
            found[entity] = 0 if entity in tombstones else len(due)
        return found

    def _targets(self, key: SeriesKey, ranked: Mapping[str, set[date]]) -> dict[str, list[Window]]:
        """The days on which the series of each entity is wanted: the same for every platform."""
        last = key.last_day(self._ctx.clock().date())
        history_days = 1 if key.by_day else self._chart.history_days
        name = (key.entity, history_days, last)
        if name not in self._known_targets:
            self._known_targets[name] = {
                entity: targets_of(
                    days_followed(ranked_on, self._days, self._chart.follow_days), history_days, last=last
                )
                for entity, ranked_on in ranked.items()
            }
        return self._known_targets[name]


def _by_entity(ranked: Iterable[tuple[str, date]]) -> Days:
    found: Days = defaultdict(set)
    for uuid, day in ranked:
        found[uuid].add(day)
    return dict(found)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")

"""The door of the analysis: one connection, one frame per question.

Days are `datetime64`, whole numbers `Int64`, shares `Float64`; what is not known is missing, never 0. Where a day may
be left out, the chart's newest stored ranking is meant.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import TracebackType

import pandas as pd
from sqlalchemy import Connection

from soundcharts_pipeline.analysis import audience, charts, trends
from soundcharts_pipeline.analysis.asked import (
    Day,
    Uuids,
    day_of,
    days_of,
    folder_of,
    number_of_days,
    platform_of,
    slug_of,
    uuids_of,
)
from soundcharts_pipeline.analysis.days import chosen_day
from soundcharts_pipeline.analysis.frames import of_columns
from soundcharts_pipeline.clock import Clock
from soundcharts_pipeline.config.database_url import checked_url
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.storage.housekeeping.archive import FOLDER
from soundcharts_pipeline.storage.housekeeping.cold import Archive
from soundcharts_pipeline.storage.read_only import ExistingWarehouse


def connect(database_url: str | None = None, *, archive: Path | str | None = None) -> "Analysis":
    """Open the warehouse of this URL, by default that of the environment, to read it; archived months are read from
    this folder, by default from `archive` in the data directory.

    Raises SettingsError for what is no URL, StorageUnavailable when there is none, SchemaMismatch when its tables are
    not those of this version.
    """
    environment = read_environment(os.environ)
    url = environment.database_url if database_url is None else checked_url(database_url, Path.cwd())
    folder = environment.data_dir / FOLDER if archive is None else folder_of(archive)
    return Analysis(ExistingWarehouse(url), folder, environment.clock)


class Analysis:
    """Questions to one warehouse. Close it, or use it in a `with` block.

    Frames of series, places, rankings and trends hold archived rows too, and then say so in `attrs["archive"]`. They
    raise FileDamaged where a file of the archive that they need is missing or not as it was written.

    A day may be a text such as `2026-11-20`, one UUID a text. Raises BadUse for what is no chart, day, number of days
    or UUID and for a platform that there is not, NoRanking for a chart without a stored ranking.
    """

    def __init__(self, warehouse: ExistingWarehouse, archive: Path, clock: Clock) -> None:
        self._warehouse, self._archive, self._clock = warehouse, archive, clock

    def __enter__(self) -> "Analysis":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        self._warehouse.close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for SQL of one's own; it sees one state of the data and cannot write."""
        with self._warehouse.read() as conn:
            yield conn

    @contextmanager
    def _both(self) -> Iterator[tuple[Connection, Archive]]:
        """The same, and the archive beside it."""
        with self.read() as conn:
            yield conn, Archive(self._archive)

    def _day(self, conn: Connection, slug: str, day: Day | None) -> date:
        return chosen_day(conn, slug_of(slug), day_of(day), today=self._clock().date())

    def rankings(self, slug: str, first: Day | None = None, last: Day | None = None) -> pd.DataFrame:
        """One row is one position of one day: the columns of the view `chart_history`, by day and position."""
        begin, end = days_of(first, last)
        with self._both() as (conn, archive):
            return _told(charts.rankings(conn, archive, slug_of(slug), begin or date.min, end or date.max), archive)

    def track_audience(
        self,
        tracks: Uuids | None = None,
        *,
        slug: str | None = None,
        platform: str | None = None,
        first: Day | None = None,
        last: Day | None = None,
    ) -> pd.DataFrame:
        """One row is one track, platform, metric, identifier and day: `value`, and what was gained (`daily`, over
        `days`). Of these tracks, or of those of the newest ranking of the chart `slug` up to `last`, or of all."""
        return self._points("track", tracks, slug=slug, platform=platform, first=first, last=last)

    def artist_audience(
        self,
        artists: Uuids | None = None,
        *,
        slug: str | None = None,
        platform: str | None = None,
        first: Day | None = None,
        last: Day | None = None,
    ) -> pd.DataFrame:
        """One row is one artist, platform, metric and day: `value`, and its change (`daily`, over `days`)."""
        return self._points("artist", artists, slug=slug, platform=platform, first=first, last=last)

    def _points(
        self,
        entity: str,
        asked: Uuids | None,
        *,
        slug: str | None,
        platform: str | None,
        first: Day | None,
        last: Day | None,
    ) -> pd.DataFrame:
        uuids, (begin, end) = uuids_of(asked), days_of(first, last)
        slug = None if slug is None else slug_of(slug)
        with self._both() as (conn, archive):
            platform = platform_of(conn, platform, entity)
            found = audience.points(conn, archive, entity, uuids, slug=slug, platform=platform, first=begin, last=end)
            return _told(found, archive)

    def trends(self, slug: str, day: Day | None = None, *, days: int = trends.RANGE_DAYS) -> pd.DataFrame:
        """One row is one track or artist of the ranking, platform and metric: the columns of `audience_trends`, and
        names, computed now from what is stored. Average, peak and counts look back on `days` days."""
        with self._both() as (conn, archive):
            on, back = self._day(conn, slug, day), number_of_days(days)
            found = trends.chart_trends(conn, slug, on, days=back, archive=archive)
            return _told(of_columns(found, trends.TABLE), archive)

    def movers(self, slug: str, day: Day | None = None) -> pd.DataFrame:
        """One row is one position of the ranking, or one track that has just left it (no position): `movement` is new,
        re-entry, up, down, same or out; with places gained, peak and time on the chart. `previous_day` is that of the
        ranking published before, of which `out` are told if it is stored."""
        with self.read() as conn:
            return charts.movers(conn, slug, self._day(conn, slug, day))

    def presence(self, slug: str, day: Day | None = None) -> pd.DataFrame:
        """One row is one track of the ranking and one chart whose ranking nearest before that day has it too, on its
        best position there."""
        with self.read() as conn:
            return charts.presence(conn, slug, self._day(conn, slug, day))

    def artists(self, slug: str, day: Day | None = None) -> pd.DataFrame:
        """One row is one artist of the ranking: how many tracks, the best place, the sum of what the chart counts."""
        with self.read() as conn:
            return charts.artists(conn, slug, self._day(conn, slug, day))

    def genre_shares(self, slug: str, day: Day | None = None) -> pd.DataFrame:
        """One row is one root genre: its tracks and its share of the ranking. A track of two genres counts half for
        each; one without any is `None`."""
        with self.read() as conn:
            return charts.genre_shares(conn, slug, self._day(conn, slug, day))

    def country_shares(self, slug: str, day: Day | None = None) -> pd.DataFrame:
        """One row is one country of main artists: its tracks and its share of the ranking, counted as genres are."""
        with self.read() as conn:
            return charts.country_shares(conn, slug, self._day(conn, slug, day))

    def geography(
        self, artists: Uuids | None = None, *, slug: str | None = None, platform: str | None = None
    ) -> pd.DataFrame:
        """One row is one place of an artist's newest located day. A country is the sum of its listed cities alone."""
        with self._both() as (conn, archive):
            platform, slug = platform_of(conn, platform, "artist"), None if slug is None else slug_of(slug)
            found = audience.geography(conn, archive, uuids_of(artists), slug=slug, platform=platform)
            return _told(found, archive)


def _told(found: pd.DataFrame, archive: Archive) -> pd.DataFrame:
    """The frame, which says what of it came from the archive."""
    if said := archive.said():
        found.attrs["archive"] = said
    return found

"""What is synced: the charts file as frozen, typed settings, and the one place of every default.

`load_settings` turns a charts file into Settings or raises one SettingsError that lists every mistake of the
file with its line and its remedy. Reads no environment and knows no Dagster.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from functools import cached_property
from typing import Any

from soundcharts_pipeline.config import yaml_nodes
from soundcharts_pipeline.config.chart_keys import AirplaySource
from soundcharts_pipeline.errors import PipelineError
from soundcharts_pipeline.wording import write_nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Housekeeping:
    """What a charts file without `operations:` does. The schedules are off until somebody turns them on in the UI."""

    archive_after_days: int = 730
    keep_backups: int = 7
    archive_schedule: str = "0 4 1 * *"
    backup_schedule: str = "0 3 * * *"
    report_schedule: str = "0 5 * * *"
    catalog_schedule: str = "0 6 * * 1"
    timezone: str = "UTC"


class SettingsError(PipelineError):
    """Mistakes in the charts file or in a variable, one per line: where, what is wrong, what to write."""


class BadUse(SettingsError):
    """What a command was given, or needs, cannot be; the message ends with what to type instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartSettings:
    """How one chart is synced; a key that the charts file does not mention has the value below."""

    slug: str
    name: str
    active: bool = True
    schedule: str = "0 2 * * *"
    sync_history: bool = True
    timezone: str = "UTC"
    first_date: date = date(2026, 1, 1)
    fetch_track_metadata: bool = True
    auto_trigger_cascade: bool = True
    auto_extract_artists: bool = True
    auto_extract_genres: bool = True
    trigger_artist_metadata: bool = True
    trigger_audience_fetch: bool = True
    track_audience_platforms: tuple[str, ...] = ("spotify", "youtube", "shazam", "airplay")
    artist_audience_platforms: tuple[str, ...] = ("spotify", "youtube", "instagram", "tiktok")
    history_days: int = 90
    follow_days: int = 14
    recheck_hours: int = 12
    metadata_refresh_days: int = 30
    heal_days: int = 14
    refresh_rankings: bool = True
    airplay_source: AirplaySource = "broadcasts"
    report: bool = True


def default_of(key: str) -> Any:
    """What the key is when neither the chart nor `defaults` sets it."""
    return next(one.default for one in fields(ChartSettings) if one.name == key)


@dataclass(frozen=True)
class Settings:
    """Every chart of the file by slug, in the order of the file, and endpoint paths that replace the built-in ones.
    `version` names the content of the file, `file` is its path; "" for charts without one.

    `max_partitions_per_run` is the most days of a chart that one run takes; None: a range is one run, however long.
    """

    charts: Mapping[str, ChartSettings]
    endpoints: dict[str, str] = field(default_factory=dict)
    max_partitions_per_run: int | None = None
    operations: Housekeeping = field(default_factory=Housekeeping)
    version: str = ""
    file: str = field(default="", compare=False)

    @property
    def slugs(self) -> tuple[str, ...]:
        """The charts' slugs, in the order of the file."""
        return tuple(self.charts)

    def chart(self, slug: str) -> ChartSettings:
        """One chart's settings; raises SettingsError naming the nearest slug."""
        if slug not in self.charts:
            remedy = write_nearest(slug, self.slugs)
            raise SettingsError(
                f"no chart '{yaml_nodes.brief(slug)}' in the charts file; {remedy}, or add it to the file"
            )
        return self.charts[slug]

    # Every asset asks for them, of every chart.
    @cached_property
    def track_platforms(self) -> tuple[str, ...]:
        """Every track audience platform that any chart asks for, in the order first mentioned."""
        return _first_seen(chart.track_audience_platforms for chart in self.charts.values())

    @cached_property
    def artist_platforms(self) -> tuple[str, ...]:
        """Every artist audience platform that any chart asks for, in the order first mentioned."""
        return _first_seen(chart.artist_audience_platforms for chart in self.charts.values())


def _first_seen(lists: Iterator[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(platform for platforms in lists for platform in platforms))

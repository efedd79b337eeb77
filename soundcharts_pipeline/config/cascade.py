"""The cascade in names: which assets there are, and which of them a chart's settings allow."""

import itertools
import re
from collections.abc import Collection, Sequence

from soundcharts_pipeline.config.settings import ChartSettings, Settings

RANKINGS = "chart_rankings"
TRACK_METADATA = "track_metadata"
ARTIST_METADATA = "artist_metadata"
TRACK_AUDIENCE = "track_audience"
ARTIST_AUDIENCE = "artist_audience"
AUDIENCE_TRENDS = "audience_trends"
CHART_REPORT = "chart_report"

# Computed from what is stored, without a call: a chart-day whose data is all there is complete without them.
ANALYTICS = frozenset({AUDIENCE_TRENDS, CHART_REPORT})

# Beside the cascade, without partitions.
RANKING_ARCHIVE = "ranking_archive"
DATABASE_BACKUP = "database_backup"
STORAGE_REPORT = "storage_report"
CHART_CATALOG = "chart_catalog"


def track_audience_key(platform: str) -> str:
    return f"{TRACK_AUDIENCE}/{platform}"


def artist_audience_key(platform: str) -> str:
    return f"{ARTIST_AUDIENCE}/{platform}"


def all_keys(settings: Settings) -> list[str]:
    """Every chart x day asset, in the order of the cascade."""
    return [
        RANKINGS,
        TRACK_METADATA,
        *map(track_audience_key, settings.track_platforms),
        ARTIST_METADATA,
        *map(artist_audience_key, settings.artist_platforms),
        AUDIENCE_TRENDS,
        CHART_REPORT,
    ]


def exclusion(key: str, chart: ChartSettings) -> str | None:
    """Why the chart's settings leave this asset out; None when they do not."""
    room, _, platform = key.partition("/")
    rules = {
        RANKINGS: [],
        TRACK_METADATA: [(chart.fetch_track_metadata, "fetch_track_metadata is false")],
        TRACK_AUDIENCE: [
            (chart.trigger_audience_fetch, "trigger_audience_fetch is false"),
            (platform in chart.track_audience_platforms, f"{platform} is not in track_audience_platforms"),
        ],
        ARTIST_METADATA: [
            (chart.fetch_track_metadata, "fetch_track_metadata is false, so no artist is known"),
            (chart.auto_extract_artists, "auto_extract_artists is false"),
            (chart.trigger_artist_metadata, "trigger_artist_metadata is false"),
        ],
        ARTIST_AUDIENCE: [
            (chart.fetch_track_metadata, "fetch_track_metadata is false, so no artist is known"),
            (chart.auto_extract_artists, "auto_extract_artists is false"),
            (chart.trigger_audience_fetch, "trigger_audience_fetch is false"),
            (platform in chart.artist_audience_platforms, f"{platform} is not in artist_audience_platforms"),
        ],
        AUDIENCE_TRENDS: [
            (chart.trigger_audience_fetch, "trigger_audience_fetch is false"),
            (
                bool(chart.track_audience_platforms or chart.artist_audience_platforms),
                "the chart has no audience platform",
            ),
        ],
        CHART_REPORT: [(chart.report, "report is false")],
    }
    return next((reason for allowed, reason in rules[room] if not allowed), None)


def allowed_keys(settings: Settings, chart: ChartSettings) -> list[str]:
    """What a run of the whole cascade of a chart consists of."""
    return [key for key in all_keys(settings) if exclusion(key, chart) is None]


def with_others(missing: Collection[str], wanted: Sequence[str]) -> list[str]:
    """Those of the wanted assets to run where some are missing: with artists the metadata of tracks, which names them
    and may have been asked for without; with what is fetched all that is computed from it. That costs no call that is
    not needed."""
    keys = {*missing}
    if any(key == ARTIST_METADATA or key.startswith(f"{ARTIST_AUDIENCE}/") for key in keys):
        keys.add(TRACK_METADATA)
    if keys - ANALYTICS:
        keys |= ANALYTICS
    return [key for key in wanted if key in keys]


def scheduled_keys(settings: Settings, chart: ChartSettings) -> list[str]:
    """What the chart's schedule runs: all that is allowed, or the ranking and its tracks' metadata alone."""
    return [key for key in all_keys(settings) if is_scheduled(key, chart)]


def is_scheduled(key: str, chart: ChartSettings) -> bool:
    """Whether the chart's schedule runs this asset."""
    return (chart.auto_trigger_cascade or key in (RANKINGS, TRACK_METADATA)) and exclusion(key, chart) is None


# How the names of the charts' schedules begin, and of no others.
OF_A_CHART = "sync_"


def schedule_names(settings: Settings) -> dict[str, str]:
    """The name of each chart's schedule, by slug: of ASCII letters, for Dagster takes no others."""
    names: dict[str, str] = {}
    for slug in settings.slugs:
        name = base = OF_A_CHART + re.sub(r"[^A-Za-z0-9_]", "_", slug)
        # Two slugs may differ in nothing but what is replaced.
        for number in itertools.count(len(names)):
            if name not in names.values():
                break
            name = f"{base}_{number}"
        names[slug] = name
    return names

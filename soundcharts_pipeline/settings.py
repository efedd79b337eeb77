"""What is synced: the charts file as frozen, typed settings, and the one place of every default.

`load_settings` turns a charts file into Settings or raises one SettingsError that lists every mistake of the
file with its line and its remedy. Reads no environment and knows no Dagster.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from soundcharts_pipeline import yaml_nodes
from soundcharts_pipeline.housekeeping import Housekeeping, read_housekeeping
from soundcharts_pipeline.value_readers import Reader, as_schedule, as_timezone
from soundcharts_pipeline.yaml_nodes import Entry, Form, Mistake

# fmt: off
TRACK_AUDIENCE_PLATFORMS = (
    "spotify", "youtube", "shazam", "airplay", "tiktok", "instagram", "soundcloud", "audiomack",
    "jiosaavn", "anghami", "lastfm", "gaana", "melon", "genius", "line-music", "awa",
)
ARTIST_AUDIENCE_PLATFORMS = (
    "spotify", "youtube", "instagram", "tiktok", "facebook", "twitter", "soundcloud", "deezer",
    "bandsintown", "songkick", "boomplay", "audiomack", "tidal", "genius", "lastfm", "napster",
    "wikipedia", "pandora", "anghami", "jiosaavn", "gaana", "melon", "line-music", "yandex", "joox",
    "awa", "weibo", "mixcloud", "patreon", "triller", "kugou",
)
# fmt: on

AirplaySource = Literal["broadcasts", "broadcast-groups"]

_MOST_DAYS = 36_500
_ADD_CHART = "write '  - slug: global-28' under 'charts:'"
# Points may appear so long after their day.
_PUBLISHING_DELAY_DAYS = 15


class SettingsError(Exception):
    """Mistakes in the charts file or in a variable, one per line: where, what is wrong, what to write."""


class Refused(SettingsError):
    """What a command was given, or needs, cannot be; the message ends with what to type instead."""


class NoCharts(Mistake):
    """The file lists no chart, which is where a new file starts: the one mistake that adding a chart mends."""


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
    airplay_source: AirplaySource = "broadcasts"
    report: bool = True


@dataclass(frozen=True, slots=True)
class Settings:
    """Every chart of the file by slug, in the order of the file, and endpoint paths that replace the built-in ones.

    `max_partitions_per_run` is the most days of a chart that one run takes; None: a range is one run, however long.
    """

    charts: Mapping[str, ChartSettings]
    endpoints: dict[str, str] = field(default_factory=dict)
    max_partitions_per_run: int | None = None
    operations: Housekeeping = field(default_factory=Housekeeping)

    @property
    def slugs(self) -> tuple[str, ...]:
        """The charts' slugs, in the order of the file."""
        return tuple(self.charts)

    def chart(self, slug: str) -> ChartSettings:
        """One chart's settings; raises SettingsError naming the nearest slug."""
        if slug not in self.charts:
            remedy = yaml_nodes.write_nearest(slug, self.slugs)
            raise SettingsError(f"no chart '{slug}' in the charts file; {remedy}, or add it to the file")
        return self.charts[slug]

    @property
    def track_platforms(self) -> tuple[str, ...]:
        """Every track audience platform that any chart asks for, in the order first mentioned."""
        return _first_seen(chart.track_audience_platforms for chart in self.charts.values())

    @property
    def artist_platforms(self) -> tuple[str, ...]:
        """Every artist audience platform that any chart asks for, in the order first mentioned."""
        return _first_seen(chart.artist_audience_platforms for chart in self.charts.values())


def _first_seen(lists: Iterator[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(platform for platforms in lists for platform in platforms))


def load_settings(path: Path) -> Settings:
    """The settings in a charts file; raises SettingsError for everything that is wrong with it."""
    return parse_settings(read_charts_text(path), source=str(path))


def read_charts_text(path: Path) -> str:
    """The text of a charts file with its line ends as they are; raises SettingsError when it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        remedy = (
            "create it with the two lines 'charts:' and '  - slug: global-28', or set SOUNDCHARTS_CHARTS to its path"
        )
        raise SettingsError(f"{path}: there is no such file; {remedy}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from None
    except OSError as error:
        remedy = "make it a readable file, or set SOUNDCHARTS_CHARTS to one"
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None


def parse_settings(text: str, *, source: str) -> Settings:
    """The settings in the text of a charts file; `source` is what messages call the file."""
    settings, mistakes = examine(text)
    if mistakes:
        ordered = sorted(mistakes, key=lambda mistake: mistake.line or 0)
        raise SettingsError("\n".join(mistake.located(source) for mistake in ordered))
    return settings


def examine(text: str) -> tuple[Settings, list[Mistake]]:
    """The settings as far as they can be read, and every mistake found on the way."""
    mistakes: list[Mistake] = []
    try:
        root = yaml_nodes.compose(text)
    except Mistake as mistake:
        return Settings({}), [mistake]
    top: dict[str, Entry] = {}
    if root is not None:
        top = yaml_nodes.read_mapping(root, readers=_TOP_READERS, form=_TOP, mistakes=mistakes)
        if not isinstance(root, MappingNode):
            return Settings({}), mistakes
    values: dict[str, Any] = {}
    if (defaults := top.get("defaults")) and not yaml_nodes.is_nothing(defaults.node):
        values = yaml_nodes.read_mapping(defaults.node, readers=_KEYS, form=_DEFAULTS, mistakes=mistakes)
    charts = _charts(top.get("charts"), defaults=values, mistakes=mistakes)
    endpoints = _endpoints(top.get("endpoints"), mistakes=mistakes)
    most = _most_partitions(top.get("max_partitions_per_run"), mistakes=mistakes)
    operations = read_housekeeping(top.get("operations"), needed_days=_days_back(charts.values()), mistakes=mistakes)
    return Settings(charts, endpoints, most, operations), mistakes


def _days_back(charts: Iterable[ChartSettings]) -> int:
    """How far back runs of today's chart-days, or of those that are healed today, may still ask and read."""
    reach = (max(c.history_days, c.follow_days) + c.heal_days + _PUBLISHING_DELAY_DAYS for c in charts)
    return max(reach, default=0)


def _charts(entry: Entry | None, *, defaults: dict[str, Any], mistakes: list[Mistake]) -> dict[str, ChartSettings]:
    line = entry.line if entry else 1
    nodes = entry.node.value if entry and isinstance(entry.node, SequenceNode) else []
    if entry and not yaml_nodes.is_nothing(entry.node) and not isinstance(entry.node, SequenceNode):
        problem = f"charts is {yaml_nodes.describe(entry.node)}, not a list of charts"
        mistakes.append(Mistake(line, problem, _ADD_CHART))
    elif not nodes:
        mistakes.append(NoCharts(line, "there are no charts", _ADD_CHART))
    charts: dict[str, ChartSettings] = {}
    lines: dict[str, int] = {}
    for node in nodes:
        values = yaml_nodes.read_mapping(node, readers=_CHART_KEYS, form=_CHART, mistakes=mistakes)
        slug = values.get("slug")
        if slug in lines:
            problem = f"chart '{slug}' stands already in line {lines[slug]}"
            remedy = "remove one of the two, or write another slug"
            mistakes.append(Mistake(yaml_nodes.line_of(node), problem, remedy))
        elif slug:
            lines[slug] = yaml_nodes.line_of(node)
            charts[slug] = ChartSettings(**{"name": slug, **defaults, **values})
    return charts


def _endpoints(entry: Entry | None, *, mistakes: list[Mistake]) -> dict[str, str]:
    paths: dict[str, str] = {}
    if entry is None or yaml_nodes.is_nothing(entry.node):
        return paths
    for endpoint in yaml_nodes.entries(entry.node, form=_ENDPOINTS, mistakes=mistakes):
        path = endpoint.node.value if isinstance(endpoint.node, ScalarNode) else ""
        if path.startswith("/") and not re.search(r"\s", path):
            paths[endpoint.key] = path
        else:
            problem = f"endpoint {endpoint.key} is {yaml_nodes.describe(endpoint.node)}, not a path"
            remedy = f"write '{endpoint.key}: /api/...', the path alone, without the host"
            mistakes.append(Mistake(endpoint.line, problem, remedy))
    return paths


def _most_partitions(entry: Entry | None, *, mistakes: list[Mistake]) -> int | None:
    if entry is None or yaml_nodes.is_nothing(entry.node):
        return None
    try:
        return _days(least=1, example=90)(entry)
    except Mistake as mistake:
        mistakes.append(mistake)
        return None


def _entry(entry: Entry) -> Entry:
    return entry


def _slug(entry: Entry) -> str:
    """A slug is half of a partition key and part of file names and paths, hence the narrow alphabet."""
    slug = yaml_nodes.as_text(entry)
    if not re.fullmatch(r"\w[\w-]*(\.[\w-]+)*", slug):
        problem = f"slug {yaml_nodes.describe(entry.node)} holds more than letters, digits, '-', '_' and single dots"
        raise Mistake(entry.line, problem, "write the slug as Soundcharts prints it, such as 'global-28'")
    return slug


def _days(*, least: int, example: int) -> Callable[[Entry], int]:
    return partial(yaml_nodes.as_whole_number, least=least, most=_MOST_DAYS, example=example)


def _platforms(known: tuple[str, ...], entity: str) -> Reader:
    return partial(yaml_nodes.as_words, known=known, what=f"{entity} audience platform")


_KEYS: Mapping[str, Reader] = {
    "active": yaml_nodes.as_flag,
    "schedule": as_schedule,
    "sync_history": yaml_nodes.as_flag,
    "timezone": as_timezone,
    "first_date": yaml_nodes.as_date,
    "fetch_track_metadata": yaml_nodes.as_flag,
    "auto_trigger_cascade": yaml_nodes.as_flag,
    "auto_extract_artists": yaml_nodes.as_flag,
    "auto_extract_genres": yaml_nodes.as_flag,
    "trigger_artist_metadata": yaml_nodes.as_flag,
    "trigger_audience_fetch": yaml_nodes.as_flag,
    "track_audience_platforms": _platforms(TRACK_AUDIENCE_PLATFORMS, "track"),
    "artist_audience_platforms": _platforms(ARTIST_AUDIENCE_PLATFORMS, "artist"),
    "history_days": _days(least=1, example=90),
    "follow_days": _days(least=0, example=14),
    "recheck_hours": _days(least=0, example=12),
    "metadata_refresh_days": _days(least=1, example=30),
    "heal_days": _days(least=0, example=14),
    "airplay_source": partial(yaml_nodes.as_choice, choices=get_args(AirplaySource)),
    "report": yaml_nodes.as_flag,
}
_CHART_KEYS: Mapping[str, Reader] = {"slug": _slug, "name": yaml_nodes.as_text, **_KEYS}
_TOP_READERS: Mapping[str, Reader] = dict.fromkeys(
    ("defaults", "charts", "endpoints", "max_partitions_per_run", "operations"), _entry
)

_OF_THE_FILE = {"max_partitions_per_run": "write it at the top level of the file, for it holds for all charts"}
_CHART = Form(name="a chart", example="- slug: global-28", required=("slug",), elsewhere=_OF_THE_FILE)
_DEFAULTS = Form(
    name="defaults",
    example="active: true",
    elsewhere=dict.fromkeys(("slug", "name"), "write it on a chart, under 'charts:'") | _OF_THE_FILE,
)
_ENDPOINTS = Form(name="endpoints", example="ranking: /api/v2.14/chart/song/{slug}/ranking/{datetime}")
_TOP = Form(
    name="the charts file",
    example="charts:",
    elsewhere=dict.fromkeys(_CHART_KEYS, "write it on a chart, or under 'defaults:' for all charts"),
)

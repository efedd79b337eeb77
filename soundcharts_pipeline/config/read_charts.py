"""charts.yaml, read and checked: every mistake with its line and what to write instead."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from soundcharts_pipeline.clock import PUBLISHING_DELAY_DAYS, Clock, utc_now
from soundcharts_pipeline.config import yaml_nodes
from soundcharts_pipeline.config.chart_keys import KEYS, NAME, days, readers
from soundcharts_pipeline.config.settings import ChartSettings, Housekeeping, Settings, SettingsError
from soundcharts_pipeline.config.value_readers import Reader, as_schedule, as_timezone
from soundcharts_pipeline.config.yaml_nodes import Entry, Form, Mistake
from soundcharts_pipeline.wording import program

# A slug is a part of file names, which have at most 255 bytes.
_LONGEST_SLUG = 150
# Of a charts file: some fifty thousand charts.
_MOST_BYTES = 10_000_000

_ADD_CHART = "write '  - slug: global-28' under 'charts:'"


class NoCharts(Mistake):
    """The file lists no chart, which is where a new file starts: the one mistake that adding a chart mends."""


def load_settings(path: Path, clock: Clock = utc_now) -> Settings:
    """The settings in a charts file; raises SettingsError for everything that is wrong with it. `clock` is the
    calendar's: days that are still to come are mistakes."""
    settings = parse_settings(read_charts_text(path), source=str(path), clock=clock)
    return replace(settings, file=str(path.absolute()))


def read_charts_text(path: Path) -> str:
    """The text of a charts file with its line ends as they are; raises SettingsError when it cannot be read."""
    remedy = "make it a readable file, or set SOUNDCHARTS_CHARTS to one"
    try:
        if path.is_fifo():  # whoever opens it waits for somebody to write
            raise SettingsError(f"{path}: cannot be read (a named pipe); {remedy}")
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise SettingsError(
                f"{path}: larger than {_MOST_BYTES // 1_000_000} MB; set SOUNDCHARTS_CHARTS to a charts file"
            )
        return raw.decode("utf-8")
    except FileNotFoundError:
        new = f"make one with `{program()} init`, or set SOUNDCHARTS_CHARTS to its path"
        raise SettingsError(f"{path}: there is no such file; {new}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from None
    except OSError as error:
        raise SettingsError(f"{yaml_nodes.brief(str(path))}: cannot be read ({error.strerror}); {remedy}") from None


def parse_settings(text: str, *, source: str, clock: Clock = utc_now) -> Settings:
    """The settings in the text of a charts file; `source` is what messages call the file. Raises SettingsError."""
    settings, mistakes = examine(text, clock)
    if mistakes:
        raise SettingsError("\n".join(mistake.located(source) for mistake in mistakes))
    return settings


def examine(text: str, clock: Clock = utc_now) -> tuple[Settings, list[Mistake]]:
    """The settings as far as they can be read, and every mistake found on the way, from the first line to the last."""
    settings, mistakes = _read(text, readers(clock()))
    version = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:12]
    return replace(settings, version=version), sorted(mistakes, key=lambda mistake: mistake.line or 0)


def _read(text: str, keys: Mapping[str, Reader]) -> tuple[Settings, list[Mistake]]:
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
        values = yaml_nodes.read_mapping(defaults.node, readers=keys, form=_DEFAULTS, mistakes=mistakes)
    charts = _charts(top.get("charts"), keys=_of_a_chart(keys), defaults=values, mistakes=mistakes)
    endpoints = _endpoints(top.get("endpoints"), mistakes=mistakes)
    most = _most_partitions(top.get("max_partitions_per_run"), mistakes=mistakes)
    operations = read_housekeeping(top.get("operations"), needed_days=_days_back(charts.values()), mistakes=mistakes)
    settings = Settings(charts, endpoints=endpoints, max_partitions_per_run=most, operations=operations)
    return settings, mistakes


def _days_back(charts: Iterable[ChartSettings]) -> int:
    """How far back runs of today's chart-days, or of those that are healed today, may still ask and read."""
    reach = (max(c.history_days, c.follow_days) + c.heal_days + PUBLISHING_DELAY_DAYS for c in charts)
    return max(reach, default=0)


def _of_a_chart(keys: Mapping[str, Reader]) -> Mapping[str, Reader]:
    return {"slug": _slug, NAME.name: NAME.read, **keys}


def _charts(
    entry: Entry | None, *, keys: Mapping[str, Reader], defaults: dict[str, Any], mistakes: list[Mistake]
) -> dict[str, ChartSettings]:
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
        values = yaml_nodes.read_mapping(node, readers=keys, form=_CHART, mistakes=mistakes)
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
        return days(least=1, example=90)(entry)
    except Mistake as mistake:
        mistakes.append(mistake)
        return None


def _entry(entry: Entry) -> Entry:
    return entry


def _slug(entry: Entry) -> str:
    """A slug is half of a partition key and part of file names and paths, hence the narrow alphabet."""
    slug = yaml_nodes.as_text(entry)
    if len(slug) > _LONGEST_SLUG:
        problem = f"slug {yaml_nodes.describe(entry.node)} is longer than {_LONGEST_SLUG} characters"
        raise Mistake(entry.line, problem, "write the slug as Soundcharts prints it, such as 'global-28'")
    if not re.fullmatch(r"\w[\w-]*(\.[\w-]+)*", slug):
        problem = f"slug {yaml_nodes.describe(entry.node)} holds more than letters, digits, '-', '_' and single dots"
        raise Mistake(entry.line, problem, "write the slug as Soundcharts prints it, such as 'global-28'")
    return slug


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
    elsewhere=dict.fromkeys(
        ("slug", NAME.name, *(key.name for key in KEYS)), "write it on a chart, or under 'defaults:' for all charts"
    ),
)


def read_housekeeping(entry: Entry | None, *, needed_days: int, mistakes: list[Mistake]) -> Housekeeping:
    """The settings, with every mistake found on the way. `needed_days` is how far back the charts' own runs look."""
    default = max(Housekeeping().archive_after_days, needed_days)
    if entry is None or yaml_nodes.is_nothing(entry.node):
        return Housekeeping(archive_after_days=default)
    values: dict[str, Any] = yaml_nodes.read_mapping(entry.node, readers=_KEYS, form=_OPERATIONS, mistakes=mistakes)
    age = values.setdefault("archive_after_days", default)
    if age < needed_days:
        line = next((e.line for e in _entries(entry) if e.key == "archive_after_days"), entry.line)
        problem = f"archive_after_days is {age}, but runs look up to {needed_days} days back (history_days, heal_days)"
        mistakes.append(Mistake(line, problem, f"write {needed_days} or more"))
    return Housekeeping(**values)


def _entries(entry: Entry) -> list[Entry]:
    return list(yaml_nodes.entries(entry.node, form=_OPERATIONS, mistakes=[]))


_KEYS: Mapping[str, Reader] = {
    "archive_after_days": days(least=1, example=730),
    "keep_backups": partial(yaml_nodes.as_whole_number, least=1, most=10_000, example=7),
    "archive_schedule": as_schedule,
    "backup_schedule": as_schedule,
    "report_schedule": as_schedule,
    "catalog_schedule": as_schedule,
    "timezone": as_timezone,
}


_OPERATIONS = Form(name="operations", example="keep_backups: 7")

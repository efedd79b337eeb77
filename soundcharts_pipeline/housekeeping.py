"""The `operations:` part of the charts file: how old data, backups and reports are kept, and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from soundcharts_pipeline import yaml_nodes
from soundcharts_pipeline.value_readers import Reader, as_schedule, as_timezone
from soundcharts_pipeline.yaml_nodes import Entry, Form, Mistake

_MOST_DAYS = 36_500


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
    "archive_after_days": partial(yaml_nodes.as_whole_number, least=1, most=_MOST_DAYS, example=730),
    "keep_backups": partial(yaml_nodes.as_whole_number, least=1, most=10_000, example=7),
    "archive_schedule": as_schedule,
    "backup_schedule": as_schedule,
    "report_schedule": as_schedule,
    "catalog_schedule": as_schedule,
    "timezone": as_timezone,
}
_OPERATIONS = Form(name="operations", example="keep_backups: 7")

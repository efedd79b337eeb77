"""Values of the charts file that several of its parts take: schedules and time zones."""

from collections.abc import Callable
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from soundcharts_pipeline.config import yaml_nodes
from soundcharts_pipeline.config.cron import ACCEPTED, ScheduleError, cron_schedule
from soundcharts_pipeline.config.yaml_nodes import Entry, Mistake
from soundcharts_pipeline.wording import nearest

Reader = Callable[[Entry], object]


def as_schedule(entry: Entry) -> str:
    """A cron string, from that or from words. Raises Mistake."""
    try:
        return cron_schedule(yaml_nodes.as_text(entry))
    except ScheduleError as error:
        raise Mistake(
            entry.line, f"bad schedule {yaml_nodes.describe(entry.node)}: {error}", f"write {ACCEPTED}"
        ) from None


def as_timezone(entry: Entry) -> str:
    """The name of a time zone. Raises Mistake for one that this machine does not know."""
    name = yaml_nodes.as_text(entry)
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        match = nearest(name, timezone_names())
        remedy = f"write '{match or 'UTC'}'" + ("" if match else " or a name such as 'Europe/Paris'")
        raise Mistake(entry.line, f"unknown timezone {yaml_nodes.describe(entry.node)}", remedy) from None
    return name


@cache
def timezone_names() -> tuple[str, ...]:
    """Every name that there is on this machine."""
    return tuple(sorted(available_timezones()))

"""Values of the charts file that several of its parts take: schedules and time zones."""

from collections.abc import Callable
from zoneinfo import ZoneInfo, available_timezones

from soundcharts_pipeline import yaml_nodes
from soundcharts_pipeline.cron import ACCEPTED, ScheduleError, cron_schedule
from soundcharts_pipeline.yaml_nodes import Entry, Mistake

Reader = Callable[[Entry], object]


def as_schedule(entry: Entry) -> str:
    """A cron string, from that or from words."""
    try:
        return cron_schedule(yaml_nodes.as_text(entry))
    except ScheduleError as error:
        raise Mistake(
            entry.line, f"bad schedule {yaml_nodes.describe(entry.node)}: {error}", f"write {ACCEPTED}"
        ) from None


def as_timezone(entry: Entry) -> str:
    """The name of a time zone."""
    name = yaml_nodes.as_text(entry)
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        match = yaml_nodes.nearest(name, sorted(available_timezones()))
        remedy = f"write '{match or 'UTC'}'" + ("" if match else " or a name such as 'Europe/Paris'")
        raise Mistake(entry.line, f"unknown timezone {yaml_nodes.describe(entry.node)}", remedy) from None
    return name

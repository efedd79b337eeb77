"""Values of the charts file that several of its parts take: schedules and time zones."""

import re
from collections.abc import Callable
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from soundcharts_pipeline.config import yaml_nodes
from soundcharts_pipeline.config.cron import ACCEPTED, ScheduleError, cron_schedule
from soundcharts_pipeline.config.yaml_nodes import Entry, Mistake
from soundcharts_pipeline.wording import nearest

# `Z`, `UTC+2`, `GMT-05:00`, `+0200`.
_OFFSET = re.compile(r"Z|(?:UTC|GMT)?(?P<sign>[+-])(?P<hours>[0-9]{1,2})(?::?00)?")
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
        raise Mistake(entry.line, f"unknown timezone {yaml_nodes.describe(entry.node)}", _zone_meant(name)) from None
    return name


def _zone_meant(name: str) -> str:
    """What to write in its place. The name most like an offset is that of another one."""
    if offset := _OFFSET.fullmatch(name.strip().upper()):
        hours = int(offset["hours"] or 0)
        zone = f"Etc/GMT{'-' if offset['sign'] == '+' else '+'}{hours}" if hours else "UTC"
        turned = ", whose sign is the other way round," if hours else ""
        if zone in timezone_names():
            return f"write '{zone}'{turned} or a name such as 'Europe/Paris', which keeps its summer time"
    match = None if offset else nearest(name, timezone_names())
    return f"write '{match or 'UTC'}'" + ("" if match else " or a name such as 'Europe/Paris'")


@cache
def timezone_names() -> tuple[str, ...]:
    """Every name that there is on this machine."""
    return tuple(sorted(available_timezones()))

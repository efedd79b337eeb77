"""When a chart is due: a cron string, or a phrase such as "daily at 06:00", as a five-field cron string.

The grammar is a subset of the one Dagster accepts, checked here so that a mistake is found when the
charts file is read. Imports nothing of ours.
"""

import re
from datetime import timedelta
from typing import NamedTuple

ACCEPTED = (
    "a cron string such as '0 2 * * *', 'hourly', 'every 6 hours', 'daily at 06:00' or 'weekly on monday at 06:00'"
)

# A chart is late when nothing new was saved for so many times the gap between two ticks: one missed, two missed.
WARN_AFTER_GAPS, FAIL_AFTER_GAPS = 1.5, 2.5

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_EVERY = re.compile(r"every (?:(\d{1,3}) )?hours?")
_DAILY = re.compile(r"daily at (\d{1,2}):(\d{2})")
_WEEKLY = re.compile(r"weekly on ([a-z]+) at (\d{1,2}):(\d{2})")
_PART = re.compile(r"(?:\*|([0-9a-z]+)(?:-([0-9a-z]+))?)(?:/(\d{1,2}))?")


class ScheduleError(ValueError):
    """The text is no schedule; the message says which part of it is wrong."""


class _Field(NamedTuple):
    name: str
    lowest: int
    highest: int
    names: dict[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, {month: number for number, month in enumerate(_MONTHS, 1)}),
    _Field("day of week", 0, 7, {day[:3]: number for number, day in enumerate(_WEEKDAYS)}),
)


def cron_schedule(text: str) -> str:
    """The five-field cron string of a schedule as a user writes it; raises ScheduleError."""
    words = " ".join(text.lower().split())
    if words == "hourly":
        return "0 * * * *"
    if match := _EVERY.fullmatch(words):
        return _every(int(match[1] or 1))
    if match := _DAILY.fullmatch(words):
        return f"{_clock(match[1], match[2])} * * *"
    if match := _WEEKLY.fullmatch(words):
        return f"{_clock(match[2], match[3])} * * {_weekday(match[1])}"
    if re.match(r"(hourly|every|daily|weekly|monthly)\b", words):
        raise ScheduleError("the phrase is not understood")
    _check_cron(words)
    return words


def in_words(cron: str) -> str:
    """The phrase that stands for a cron string, where there is one; else the string itself."""
    if cron == "0 * * * *":
        return "hourly"
    if match := re.fullmatch(r"0 \*/(\d+) \* \* \*", cron):
        return f"every {match[1]} hours"
    if match := re.fullmatch(r"(\d+) (\d+) \* \* (\*|[0-7])", cron):
        at = f"{int(match[2]):02}:{int(match[1]):02}"
        return f"daily at {at}" if match[3] == "*" else f"weekly on {_WEEKDAYS[int(match[3]) % 7]} at {at}"
    return cron


def longest_gap(cron: str) -> timedelta:
    """The longest time between two ticks of a cron string, roughly: a month, a week or a day."""
    _, _, day_of_month, _, day_of_week = cron.split()
    if day_of_month != "*":
        return timedelta(days=31)
    return timedelta(days=1 if day_of_week in ("*", "1-5") else 7)


def _every(hours: int) -> str:
    """Counted from midnight, so the last interval of a day is shorter when 24 is not a multiple of `hours`."""
    if not 1 <= hours <= 24:
        raise ScheduleError(f"{hours} hours is not within 1 to 24")
    if hours == 24:
        return "0 0 * * *"
    return "0 * * * *" if hours == 1 else f"0 */{hours} * * *"


def _clock(hour: str, minute: str) -> str:
    if int(hour) > 23 or int(minute) > 59:
        raise ScheduleError(f"{hour}:{minute} is not a time of day")
    return f"{int(minute)} {int(hour)}"


def _weekday(word: str) -> int:
    for number, day in enumerate(_WEEKDAYS):
        if word in (day, day[:3]):
            return number
    raise ScheduleError(f"'{word}' is not a day of the week")


def _check_cron(words: str) -> None:
    texts = words.split()
    if len(texts) != len(_FIELDS):
        raise ScheduleError(
            f"a cron string has 5 fields (minute, hour, day of month, month, day of week), not {len(texts)}"
        )
    _, _, days, months, _ = (_values(text, field) for text, field in zip(texts, _FIELDS, strict=True))
    if texts[4] == "*" and not any(day <= _LONGEST_MONTHS[month - 1] for day in days for month in months):
        raise ScheduleError(f"no month it names has a day {min(days)}")


def _values(text: str, field: _Field) -> set[int]:
    """Every value that a field such as `1-5`, `*/2` or `mon,thu` stands for."""
    values: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ScheduleError(f"{field.name} '{text}' is not understood")
        first, last, step = match.groups()
        start = field.lowest if first is None else _number(first, field)
        end = _number(last, field) if last else field.highest if first is None or step else start
        if start > end:
            raise ScheduleError(f"{field.name} '{part}' runs backwards")
        if step is not None and not 1 <= int(step) <= field.highest - field.lowest:
            raise ScheduleError(f"{field.name} step '/{step}' is not within 1 to {field.highest - field.lowest}")
        values.update(range(start, end + 1, int(step or 1)))
    return values


def _number(word: str, field: _Field) -> int:
    number = int(word) if re.fullmatch(r"\d{1,2}", word) else field.names.get(word)
    if number is None or not field.lowest <= number <= field.highest:
        raise ScheduleError(f"{field.name} '{word}' is not within {field.lowest} to {field.highest}")
    return number

"""When a chart is due: a cron string, or a phrase such as "daily at 06:00", as a five-field cron string.

What a cron string means is Dagster's to say, for Dagster ticks. It is asked only about strings that are not right on
their face, and imported then: that takes a second, and most commands have no other use for it. Imports nothing of ours.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise, takewhile

ACCEPTED = (
    "a cron string such as '0 2 * * *', 'hourly', 'every 6 hours', 'daily at 06:00' or 'weekly on monday at 06:00'"
)

# A chart is late when nothing new was saved for so many times the gap between two ticks: one missed, two missed.
WARN_AFTER_GAPS, FAIL_AFTER_GAPS = 1.5, 2.5

_FIELDS = (
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of month", "1 to 31"),
    ("month", "1 to 12"),
    ("day of week", "0 to 7"),
)
_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")

_EVERY = re.compile(r"every (?:(\d{1,3}) )?hours?")
_DAILY = re.compile(r"daily at (\d{1,2}):(\d{2})")
_WEEKLY = re.compile(r"weekly on ([a-z]+) at (\d{1,2}):(\d{2})")
# One minute of some hours of some days that every month has, or of some weekdays: right on its face.
_HOUR, _DAY, _WEEKDAY = "(?:[01]?[0-9]|2[0-3])", "(?:0?[1-9]|1[0-9]|2[0-8])", "[0-6](?:-[0-6])?"
PLAIN = re.compile(
    rf"[0-5]?[0-9] (\*|\*/([1-9]|1[0-9]|2[0-3])|{_HOUR}(,{_HOUR})*) "
    rf"(\*|\*/([1-9]|1[0-9])|{_DAY}(,{_DAY})*) \* (\*|7|{_WEEKDAY}(,{_WEEKDAY})*)"
)

# Gaps are looked for over 400 days with ticks or 28 years, in which every weekday has met every date.
_FROM, _UNTIL = datetime(2024, 1, 1, tzinfo=UTC), datetime(2053, 1, 1, tzinfo=UTC)
_MOST_DAYS = 400


class ScheduleError(ValueError):
    """The text is no schedule; the message says which part of it is wrong."""


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


@lru_cache(maxsize=1024)
def longest_gap(cron: str, timezone: str = "UTC") -> timedelta:
    """The longest time between two ticks of a cron string in its time zone, leap years and changes of the clock between
    days included: 3 days for weekdays alone, 366 for the first of January, four years for 29 February."""
    minute, hour, *days = cron.split()
    end_of_day = _FROM + timedelta(days=1)
    of_a_day = list(takewhile(lambda tick: tick < end_of_day, _ticks(f"{minute} {hour} * * *", "UTC")))
    first, last = of_a_day[0], of_a_day[-1]
    minutes = timedelta(minutes=first.minute - last.minute)
    between_days = _longest_between_days(" ".join(days), first.hour, last.hour, timezone) + minutes
    return max([between_days] + [after - before for before, after in pairwise(of_a_day)])


@lru_cache(maxsize=1024)
def _longest_between_days(days: str, first_hour: int, last_hour: int, timezone: str) -> timedelta:
    """From the last hour of a day with ticks to the first one of the next. Hundreds of charts have minutes of their
    own, and a clock changes on the hour."""
    firsts = _ticks(f"0 {first_hour} {days}", timezone)
    starts = list(islice(takewhile(lambda tick: tick < _UNTIL, firsts), _MOST_DAYS))
    # Times of one zone are subtracted by the clock on the wall.
    return max(
        after.astimezone(UTC) - before.replace(hour=last_hour).astimezone(UTC) for before, after in pairwise(starts)
    )


def _ticks(cron: str, timezone: str) -> Iterator[datetime]:
    from dagster._utils.schedules import cron_string_iterator

    return cron_string_iterator(_FROM.timestamp(), cron, timezone)


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
    if PLAIN.fullmatch(words):
        return
    from dagster._utils.schedules import is_valid_cron_string
    from dagster._vendored.croniter.croniter import CroniterBadDateError

    for place, (text, (name, bounds)) in enumerate(zip(texts, _FIELDS, strict=True)):
        alone = ["*"] * place + [text] + ["*"] * (4 - place)
        # Dagster takes "r" for a number drawn by lot, another one in every process.
        if text.startswith("r") or not is_valid_cron_string(" ".join(alone)):
            wrong = f"is not within {bounds}" if text.isdigit() else f"is not understood; it is within {bounds}"
            raise ScheduleError(f"{name} '{text}' {wrong}")
    try:
        fires = is_valid_cron_string(words) and bool(next(_ticks(words, "UTC")))
    except CroniterBadDateError:
        fires = False
    if not fires:
        raise ScheduleError(f"it never fires: month '{texts[3]}' has no day '{texts[2]}'")

"""Where a scale has ticks, and what they say."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import count

from soundcharts_pipeline.reports.pictures.canvas import MINUS, UNITS

# Between two ticks of values. Fewer than five stand beside a panel.
STEPS, MOST_STEPS = (1, 2, 5), 4
DAYS, MONTHS = (1, 2, 4, 7, 14), (1, 2, 3, 6)


def value_ticks(low: int, high: int) -> list[int]:
    """At most five round numbers from `low` to `high`."""
    step = next(step for step in _steps() if (high - low) <= MOST_STEPS * step)
    return list(range(-(-low // step) * step, high + 1, step)) or [low]


def short_numbers(ticks: Sequence[int]) -> list[str]:
    """Evenly spaced numbers as `1.25M`, all in one unit and with as many decimals as tell them apart."""
    largest = max(map(abs, ticks), default=0)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else largest / 100
    for unit, name in UNITS:
        if unit <= largest < unit * 10_000 and step >= unit / 1000:
            decimals = next((n for n in range(4) if round(step / unit * 10**n, 6) % 1 == 0), 3)
            words = [f"{tick / unit:,.{decimals}f}{name}" if tick else "0" for tick in ticks]
            break
    else:
        words = [f"{tick:,}" for tick in ticks]
    return [word.replace("-", MINUS) for word in words]


def date_ticks(first: date, last: date, *, most: int) -> list[tuple[date, str]]:
    """Days (`Nov-19`; some weeks apart they are Mondays), months (`Nov`, a January as its year) or years: as many as
    there are at most `most` of."""
    days = last.toordinal() - first.toordinal()
    for step in (step for step in DAYS if days < step * most):
        begin = first.toordinal() + (1 - first.toordinal()) % step
        found = [date.fromordinal(day) for day in range(begin, last.toordinal() + 1, step)]
        return [(day, f"{day:%b}-{day:%d}") for day in found]
    months = range(first.year * 12 + first.month - (first.day == 1), last.year * 12 + last.month)
    for step in (step for step in MONTHS if len(months) <= step * most):
        found = [date(month // 12, month % 12 + 1, 1) for month in months if month % step == 0]
        return [(day, str(day.year) if day.month == 1 else f"{day:%b}") for day in found]
    years = range(first.year + (first > date(first.year, 1, 1)), last.year + 1)
    step = next(step for step in _steps() if len(years) <= step * most)
    return [(date(year, 1, 1), str(year)) for year in years if year % step == 0]


def _steps() -> Iterator[int]:
    """1, 2, 5, 10, 20 and so on."""
    return (step * 10**power for power in count() for step in STEPS)

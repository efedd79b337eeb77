"""Which points of an account the API shows for a window on a given date, with their irregular days and places.

A value depends on its day alone; the date of asking only decides whether it is out yet.
"""

from collections import defaultdict
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from soundcharts_pipeline.models import AudiencePoint, GeoPoint, LocatedDay, Series
from soundcharts_pipeline.simulator.world.accounts import Account
from soundcharts_pipeline.simulator.world.oddities import LONGEST_DELAY, Oddities, PlotsFate
from soundcharts_pipeline.simulator.world.places import CITIES, City
from soundcharts_pipeline.simulator.world.seeding import mix, unit


class Row(NamedTuple):
    """One item of a series as it is listed; `kept` is False for one that another of its day replaces."""

    day: int
    stamp: str
    values: tuple[int | None, ...]
    kept: bool
    located: bool


@lru_cache(maxsize=32_768)
def midnight(day: int) -> str:
    """A day as the API prints it."""
    return f"{date.fromordinal(day).isoformat()}T00:00:00+00:00"


@lru_cache(maxsize=32_768)
def _day_of_month(day: int) -> int:
    return date.fromordinal(day).day


def published(account: Account, oddities: Oddities, *, start: date, end: date, today: date) -> list[Row]:
    """The rows of a window, both ends inclusive, oldest day first."""
    now = today.toordinal()
    tidy = not oddities.on("untidy-series")
    rows: list[Row] = []
    for day in account.days(start.toordinal(), min(end.toordinal(), now - 1)):
        if day + LONGEST_DELAY > now and day + oddities.delay(account.seed, day) > now:
            continue
        if tidy:
            rows.append(Row(day, midnight(day), _values(account, day), True, _located(account, day)))
        else:
            rows += _untidy_rows(account, oddities, day)
    return rows


def _values(account: Account, day: int) -> tuple[int, ...]:
    value_at = account.curve.at
    if len(account.identifiers) == 1:
        return (value_at(day, 0),)
    return tuple([value_at(day, part) for part in range(len(account.identifiers))])


def _located(account: Account, day: int) -> bool:
    return account.locating != "never" and account.locates_on(day, _day_of_month(day))


def _untidy_rows(account: Account, oddities: Oddities, day: int) -> list[Row]:
    fate, stamp = oddities.day_fate(account.seed, day), midnight(day)
    if fate == "gap":
        return []
    if fate == "null":
        return [Row(day, stamp, (None,) * len(account.identifiers), True, False)]
    values = _values(account, day)
    if account.locating == "never":
        values = tuple(oddities.bent(account.seed, day, value) for value in values)
    row = Row(day, stamp, values, True, _located(account, day))
    if fate == "plain":
        return [row]
    stale = Row(day, stamp, tuple(value + value // 50 + 1 for value in values), False, False)
    if fate == "twice":
        return [stale, row]
    return [stale, row._replace(stamp=f"{stamp[:11]}{12 + day % 12:02}:30:00+00:00")]


def listed(rows: list[Row], newest_first: bool) -> list[Row]:
    """Rows in the order of the answer. Of two with the same timestamp the right one always comes last."""
    if not newest_first:
        return rows
    turned = rows[::-1]
    for place in range(len(turned) - 1):
        if turned[place].stamp == turned[place + 1].stamp:
            turned[place], turned[place + 1] = turned[place + 1], turned[place]
    return turned


def located_values(account: Account, row: Row, fate: PlotsFate) -> tuple[list[GeoPoint], list[GeoPoint]]:
    """The cities and countries of a located row; none when the oddity took them away."""
    value = row.values[0]
    if not row.located or value is None or fate in ("absent", "empty"):
        return [], []
    day = date.fromordinal(row.day)
    shares = _city_shares(account.seed)
    jitter = 0.95 + 0.1 * unit(account.seed, row.day)
    everywhere = [
        GeoPoint(day, city.country_code, city.region, city.name, int(value * share * jitter)) for city, share in shares
    ]
    weekly = account.locating == "weekly"
    cities = everywhere[: 50 if weekly else 8 + account.seed % 20]
    if fate == "no-region":
        cities = [city._replace(region="") for city in cities]
    totals: dict[str, int] = defaultdict(int)
    # Listeners per country are only the sum of the cities shown; followers are counted everywhere.
    for city in cities if weekly else everywhere:
        totals[city.country_code] += city.value
    ranked = sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))[:30]
    return cities, [GeoPoint(day, code, "", "", total) for code, total in ranked]


@lru_cache(maxsize=4_096)
def _city_shares(seed: int) -> tuple[tuple[City, float], ...]:
    """Cities with their share of the account's audience, largest first."""
    weights = [city.weight * (0.15 + unit(seed, 500 + number)) for number, city in enumerate(CITIES)]
    home = mix(seed, 499) % len(CITIES)
    weights[home] *= 3
    whole = sum(weights) * 1.6
    shares = [(city, weight / whole) for city, weight in zip(CITIES, weights, strict=True)]
    return tuple(sorted(shares, key=lambda pair: (-pair[1], pair[0].name)))


def points_of(account: Account, rows: list[Row]) -> tuple[AudiencePoint, ...]:
    """What a client should store of these rows: one value per day and identifier, oldest first."""
    return tuple(
        AudiencePoint(date.fromordinal(row.day), identifier, value)
        for row in rows
        if row.kept
        for identifier, value in zip(account.identifiers, row.values, strict=True)
        if value is not None
    )


def series_of(account: Account, oddities: Oddities, rows: list[Row]) -> Series:
    """The same with places."""
    days = []
    for row in rows:
        cities, countries = located_values(account, row, oddities.plots_fate(account.seed, row.day))
        if plots := cities + countries:
            days.append(LocatedDay(plots[0].day, {plot[1:4]: plot.value for plot in plots}))
    return Series(points_of(account, rows), tuple(days))

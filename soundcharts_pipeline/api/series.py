"""Audience answers to series. Read by hand: an artist's 90 days hold a thousand plots, and a model per plot took 9.5 ms
of the interpreter where this takes 1.5, while 32 calls are in flight on it.

Of several items of one day the later one counts. A null value is missing. What cannot be read is left out with a
remark; a required key that no item carries is a changed API: UnexpectedPayload.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from operator import itemgetter
from typing import Any

from soundcharts_pipeline.api.parsing import missing
from soundcharts_pipeline.api.remarks import ABSENT, LAST_COUNTS, LEFT_EMPTY, LEFT_OUT, UNNAMED, About
from soundcharts_pipeline.api.values import KEY_LENGTH, calendar_day, key_text, listed, whole_number
from soundcharts_pipeline.models import AudiencePoint, LocatedDay, Place, Series, Window

# What items and plots are documented to have. One may lack its value: so few of them, as a short window has, are no
# changed API for that.
KEYS = {"date", "value", "plots", "cityPlots", "countryPlots"}
KEYS |= {"identifier", "countryCode", "countryName", "region", "cityName"}
FEW = 16
CITIES, COUNTRIES = "cityPlots", "countryPlots"
SMALLEST, LARGEST = -(1 << 63), (1 << 63) - 1


def within(window: Window, items: Sequence[Any], about: About) -> list[Any]:
    """The items without those of days that were not asked for, which are remarked."""
    inside = []
    for item in items:
        timestamp = item.get("date") if isinstance(item, dict) else None
        try:
            is_inside = window.start <= calendar_day(timestamp) <= window.end
        except ValueError:
            is_inside = True  # whoever reads it says what is wrong with it
        if is_inside:
            inside.append(item)
        else:
            about.remark("date", timestamp, LEFT_OUT)
    return inside


def track_series(items: Sequence[Any], about: About) -> Series:
    """Plots by identifier."""
    points: dict[tuple[date, str], AudiencePoint] = {}
    dated = _oldest_first(items, about)
    for item, day in dated:
        plots = item.get("plots")
        if plots is None:
            continue
        of_item: dict[str, int] = {}
        for plot in plots if type(plots) is list else _listed(plots, "plots", about):
            value = plot.get("value") if type(plot) is dict else None
            identifier = plot.get("identifier") if type(plot) is dict else None
            if not (
                type(value) is int
                and 0 <= value <= LARGEST
                and type(identifier) is str
                and 0 < len(identifier) <= KEY_LENGTH
            ):
                read = _odd_plot(plot, about)
                if read is None:
                    continue
                identifier, value = read
            if of_item.get(identifier, value) != value:
                about.remark("plots.identifier", f"{identifier or 'null'} twice, {of_item[identifier]}", LAST_COUNTS)
            of_item[identifier] = value
            points[day, identifier] = AudiencePoint(day, identifier, value)
    _check_carried([item for item, _ in dated], "plots", "plots", about)
    for key in ("value", "identifier"):
        _check_carried(_plots_of(dated, "plots"), key, f"plots.{key}", about)
    return Series(tuple(points.values()))


def _odd_plot(plot: Any, about: About) -> tuple[str, int] | None:
    """Identifier and value of a plot that is not plain; None where there is no value, or nobody can tell whose."""
    if not isinstance(plot, dict):
        about.remark("plots", plot, LEFT_OUT)
        return None
    value = _number(plot.get("value"), "plots.value", about)
    identifier = plot.get("identifier")
    try:
        return None if value is None else (key_text(identifier) if identifier not in (None, "") else "", value)
    except ValueError:
        about.remark("plots.identifier", identifier, LEFT_OUT)
        return None


def artist_series(items: Sequence[Any], about: About) -> Series:
    """Values and their places. Plots of one item that name the same country, region and city are added up: a country's
    figure was recorded as the sum of its cities with both New Yorks. A later item's plots take the place of those that
    an earlier one of the day gave, cities and countries each for themselves."""
    points: dict[date, AudiencePoint] = {}
    places: dict[tuple[date, str], dict[Place, int]] = {}
    dated = _oldest_first(items, about)
    for item, day in dated:
        if (value := _number(item.get("value"), "value", about)) is not None:
            points[day] = AudiencePoint(day, "", value)
        for field in (CITIES, COUNTRIES):
            plots = item.get(field)
            if plots is not None and plots != [] and (found := _places(plots, field, about)):
                places[day, field] = found
    _check_carried([item for item, _ in dated], "value", "value", about)
    for field, name in ((CITIES, "cityName"), (COUNTRIES, "countryCode")):
        for key in ("value", name):
            _check_carried(_plots_of(dated, field), key, f"{field}.{key}", about)
    return Series(tuple(points.values()), tuple(LocatedDay(day, found) for (day, _), found in places.items()))


def _places(plots: Any, field: str, about: About) -> dict[Place, int]:
    """The value of each place of one item."""
    plots = plots if type(plots) is list else _listed(plots, field, about)
    found, odd = (_plain_cities if field == CITIES else _plain_countries)(plots)
    unnamed: list[tuple[Place, int]] = []
    for plot in odd:
        read = _odd_place(plot, field, about)
        if read is not None:
            place, value, is_named = read
            if is_named:
                found[place] = found.get(place, 0) + value
            else:
                unnamed.append((place, value))
    # A place that lacks a part of its name may be any: it stands for itself alone, and is added to nothing.
    for place, value in unnamed:
        if place in found:
            about.remark(field, f"another place named {', '.join(filter(None, place)) or 'nothing'}", LEFT_OUT)
        else:
            found[place] = value
    if found and (max(found.values()) > LARGEST or min(found.values()) < SMALLEST):
        about.remark(field, "a number that is too large", LEFT_OUT)
        found = {place: value for place, value in found.items() if SMALLEST <= value <= LARGEST}
    return found


def _plain_cities(plots: list[Any]) -> tuple[dict[Place, int], list[Any]]:
    """Places and values of the plots that are as documented, and the other plots. This is what the time goes into."""
    found: dict[Place, int] = {}
    odd = []
    for plot in plots:
        try:
            place = country, region, city = plot["countryCode"], plot["region"], plot["cityName"]
            value = plot["value"]
            # Texts alone can be added.
            if city and type(value) is int and len(country + region + city) <= KEY_LENGTH:
                found[place] = found[place] + value if place in found else value
                continue
        except (KeyError, TypeError):
            pass
        odd.append(plot)
    return found, odd


def _plain_countries(plots: list[Any]) -> tuple[dict[Place, int], list[Any]]:
    found: dict[Place, int] = {}
    odd = []
    for plot in plots:
        try:
            country, value = plot["countryCode"], plot["value"]
            if country and type(value) is int and len(country + "") <= KEY_LENGTH:
                place = country, "", ""
                found[place] = found[place] + value if place in found else value
                continue
        except (KeyError, TypeError):
            pass
        odd.append(plot)
    return found, odd


def _odd_place(plot: Any, field: str, about: About) -> tuple[Place, int, bool] | None:
    """Place and value of a plot that is not plain, and whether its name is whole. None where there is no value, or for
    a city without its name, which must not pass for its country."""
    if not isinstance(plot, dict):
        about.remark(field, plot, LEFT_OUT)
        return None
    value = _number(plot.get("value"), f"{field}.value", about)
    if value is None:
        return None
    country, has_country = _part(plot, "countryCode", field, about)
    if field == COUNTRIES:
        if not country and has_country:
            about.remark(f"{field}.countryCode", plot.get("countryCode", ABSENT), UNNAMED)
        return (country, "", ""), value, bool(country)
    region, has_region = _part(plot, "region", field, about)
    try:
        return (country, region, key_text(plot.get("cityName"))), value, has_country and has_region
    except ValueError:
        about.remark(f"{field}.cityName", plot.get("cityName", ABSENT), LEFT_OUT)
        return None


def _part(plot: dict[str, Any], key: str, field: str, about: About) -> tuple[str, bool]:
    """A part of a place's name, '' where it is missing; and whether it is what the answer says."""
    part = plot.get(key)
    if part is None or part == "":
        return "", True
    try:
        return key_text(part), True
    except ValueError:
        about.remark(f"{field}.{key}", part, UNNAMED)
        return "", False


def _oldest_first(items: Sequence[Any], about: About) -> list[tuple[dict[str, Any], date]]:
    """Items with their day. Order is not guaranteed; the sort is stable: of two equal timestamps the one that came
    last counts."""
    dated = []
    for item in items:
        timestamp = item.get("date", ABSENT) if isinstance(item, dict) else ABSENT
        try:
            dated.append((item, timestamp, calendar_day(timestamp)))
        except ValueError:
            about.remark("date", timestamp if isinstance(item, dict) else item, LEFT_OUT)
    if items and not dated:
        raise missing(about.endpoint, "date")
    dated.sort(key=itemgetter(1))
    return [(item, day) for item, _, day in dated]


def _number(value: Any, field: str, about: About) -> int | None:
    if type(value) is int and SMALLEST <= value <= LARGEST:
        return value
    try:
        return whole_number(value)
    except ValueError:
        about.remark(field, value, LEFT_EMPTY)
        return None


def _listed(value: Any, field: str, about: About) -> list[Any]:
    try:
        return listed(value)
    except ValueError:
        about.remark(field, value, LEFT_EMPTY)
        return []


def _plots_of(dated: Iterable[tuple[dict[str, Any], date]], field: str) -> Iterator[Any]:
    for item, _ in dated:
        plots = item.get(field)
        yield from plots if isinstance(plots, list) else ()


def _check_carried(rows: Iterable[Any], key: str, where: str, about: About) -> None:
    """Raise UnexpectedPayload when no row has the key, and there are many or some have one that nobody knows: it has
    another name now."""
    is_renamed, lacking = False, 0
    for row in rows:
        if isinstance(row, dict):
            if key in row:
                return
            is_renamed |= not row.keys() <= KEYS
        lacking += 1
    if is_renamed or lacking > FEW:
        raise missing(about.endpoint, where, "no item carries it")

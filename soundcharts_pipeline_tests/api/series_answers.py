"""Audience series and plays: what their JSON tells of, and what the database holds once it is saved."""

from collections.abc import Callable
from datetime import date
from typing import Any

from sqlalchemy import Connection, select

from soundcharts_pipeline.models import Series
from soundcharts_pipeline.storage import saves
from soundcharts_pipeline.storage.saves import SeriesAnswer
from soundcharts_pipeline.storage.tables import schema as s

from .calling import BAD_GUY, BILLIE
from .plain_reading import EMPTY, NOW, WINDOW, ChangedApi, Reading, Row, carried, required


def _dated(body: Any, reading: Reading) -> list[tuple[date, Any]]:
    found: list[tuple[str, date, Any]] = []
    for item in body["items"]:
        stamp: Any = item.get("date") if isinstance(item, dict) else None
        is_date = isinstance(stamp, str) and stamp != "" and not stamp.startswith("0000")
        day = reading.day(stamp) if is_date else None
        if day is None:
            reading.odd = True
        else:
            found.append((stamp, day, item))
    if body["items"] and not found:
        raise ChangedApi
    first, last = WINDOW.start, WINDOW.end
    reading.odd |= not all(first <= day <= last for _, day, _ in found)
    return [(day, item) for _, day, item in sorted(found, key=lambda one: one[0]) if first <= day <= last]


def _related(body: Any, reading: Reading, asked: str) -> None:
    related = body.get("related")
    if isinstance(related, dict):
        inner = next((related[key] for key in ("artist", "song") if isinstance(related.get(key), dict)), related)
        reading.odd |= inner.get("uuid") not in (None, asked)


def _plain_list(value: Any, reading: Reading) -> list[Any] | None:
    """The plots of an item; None where it is a matter of taste what they are."""
    if value is None or value == "":
        return []
    if isinstance(value, list):
        return [plot for plot in value if plot is not None and plot != ""]
    if isinstance(value, bool | int | float):
        reading.odd = True
        return []
    return None


KNOWN = {"date", "value", "plots", "cityPlots", "countryPlots"}
KNOWN |= {"identifier", "countryCode", "countryName", "region", "cityName"}


def _is_changed(rows: list[Any], key: str) -> bool:
    """A key that no row has, of many rows or beside another that is not documented."""
    is_known = all(row.keys() <= KNOWN for row in rows if isinstance(row, dict))
    return not carried(rows, key) and (len(rows) > 16 or not is_known)


def track_series_rows(body: Any, reading: Reading) -> list[Row] | None:
    _related(body, reading, BAD_GUY)
    dated = _dated(body, reading)
    if _is_changed([item for _, item in dated], "plots"):
        raise ChangedApi
    lists = [(day, _plain_list(item.get("plots"), reading)) for day, item in dated]
    plots = [plot for _, item in dated if isinstance(item.get("plots"), list) for plot in item["plots"]]
    if any(_is_changed(plots, key) for key in ("value", "identifier")):
        raise ChangedApi
    rows: dict[tuple[date, str], int] = {}
    for day, of_item in lists:
        seen: dict[str, int] = {}
        if of_item is None:
            return None
        for plot in of_item:
            if not isinstance(plot, dict):
                reading.odd = True
                continue
            value = reading.whole(plot.get("value") if plot.get("value") != [] else True, 64)
            if value is None:
                continue
            identifier = plot.get("identifier")
            name = "" if identifier is None or identifier == "" else reading.key(identifier)
            if name is not None:
                reading.odd |= seen.get(name, value) != value
                rows[day, name] = seen[name] = value
    return [(day, name, value) for (day, name), value in rows.items()]


def artist_series_rows(body: Any, reading: Reading) -> list[Row] | None:
    _related(body, reading, BILLIE)
    dated = _dated(body, reading)
    if _is_changed([item for _, item in dated], "value"):
        raise ChangedApi
    values: dict[date, int] = {}
    places: dict[tuple[date, str], dict[Row, int]] = {}
    for day, item in dated:
        value = reading.whole(item.get("value") if item.get("value") != [] else True, 64)
        if value is not None:
            values[day] = value
    for kind, name in (("cityPlots", "cityName"), ("countryPlots", "countryCode")):
        plots = [plot for _, item in dated if isinstance(item.get(kind), list) for plot in item[kind]]
        if any(_is_changed(plots, key) for key in ("value", name)):
            raise ChangedApi
        for day, item in dated:
            found = _places(item.get(kind), kind, reading)
            if found is None:
                return None
            if found:
                places[day, kind] = found
    geo = [(day, *place, value) for (day, _), of_day in places.items() for place, value in of_day.items()]
    return [*values.items(), *geo]


def _places(given: Any, kind: str, reading: Reading) -> dict[Row, int] | None:
    """Sums by place; None as soon as a part of a name is odd, which has its own tests."""
    found: dict[Row, int] = {}
    plots = _plain_list(given, reading)
    for plot in plots or ():
        if not isinstance(plot, dict):
            reading.odd = True
            continue
        value = reading.whole(plot.get("value") if plot.get("value") != [] else True, 64)
        if value is None:
            continue
        parts = [plot.get(key) for key in ("countryCode", "region", "cityName")]
        if kind == "countryPlots":
            parts[1:] = ["", ""]
        if any(part is not None and not (isinstance(part, str) and len(part) <= 200) for part in parts):
            return None
        place = tuple(part or "" for part in parts)
        if not place[0 if kind == "countryPlots" else 2]:
            reading.odd = True
            if kind == "countryPlots":
                return None
            continue
        found[place] = found.get(place, 0) + value
        if abs(found[place]) > 2**62:
            return None
    return None if plots is None else found


def save_series(entity: str, uuid: str) -> Callable[[Connection, Series], list[Row]]:
    def save(conn: Connection, found: Series) -> list[Row]:
        saves.save_series(conn, entity, "spotify", "streams", [SeriesAnswer(uuid, found, [])], NOW)
        if entity == "track":
            t = s.track_audience.c
            return [tuple(row) for row in conn.execute(select(t.date, t.identifier, t.value))]
        a, g = s.artist_audience.c, s.artist_audience_geo.c
        values = [tuple(row) for row in conn.execute(select(a.date, a.value))]
        return values + [
            tuple(row) for row in conn.execute(select(g.date, g.country_code, g.region, g.city_name, g.value))
        ]

    return save


def plays_rows(body: Any, reading: Reading) -> list[Row] | None:
    counts: dict[Any, int] = {}
    for number, item in enumerate(body["items"]):
        count = required(item, "playCount", reading.whole, reading)
        if count is None or count < 0:
            reading.odd = True
            continue
        radio = item.get("radio")
        slug = reading.text(radio.get("slug") if isinstance(radio, dict) else None)
        reading.odd |= radio not in EMPTY and not isinstance(radio, dict)
        reading.odd |= counts.get(slug, count) != count
        counts[number if slug is None else slug] = count
    if body["items"] and not counts:
        raise ChangedApi
    return [(sum(counts.values()),)]


def as_is(_: Connection, found: Any) -> list[Row]:
    return [(one,) for one in (found if isinstance(found, list) else [found])]

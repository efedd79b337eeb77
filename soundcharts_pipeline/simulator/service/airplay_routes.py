"""Radio plays as the API prints them: one item per play, or one per station."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from soundcharts_pipeline.simulator.service.answers import (
    DEFAULT_WINDOW,
    Question,
    Refusal,
    collection,
    envelope,
    page_span,
    window,
)
from soundcharts_pipeline.simulator.service.chart_routes import track_ref_object
from soundcharts_pipeline.simulator.world.airplay import Play, Station, stations
from soundcharts_pipeline.simulator.world.catalog import country_name
from soundcharts_pipeline.simulator.world.world import World

WINDOW_DAYS = 90
"""The longest span of one call."""

Payload = dict[str, Any]
_LAST_SECOND = 86_399


def track_broadcasts(world: World, question: Question) -> Payload:
    """Plays of a track, oldest first; `page.total` is the number of plays in the span."""
    index = _track_index(world, question)
    start, end = _span(question, world.today)
    offset, limit = page_span(question)
    shown: list[Payload] = []
    total = 0
    day = start.date()
    while day <= end.date():
        first, last = _bounds(world, index, day, start=start, end=end)
        begin, stop = first + max(0, offset - total), min(last, first + offset + limit - total)
        if begin < stop:
            count = world.plays_so_far(question.parts["uuid"], day)
            plays = world.airplay.plays(index, day, count=count, start=begin, stop=stop)
            shown += [_play_item(day, play) for play in plays]
        total += last - first
        day += timedelta(days=1)
    related = track_ref_object(world.track_ref(index))
    return envelope(question, shown, total=total, offset=offset, limit=limit, related=related)


def track_broadcast_groups(world: World, question: Question) -> Payload:
    """Plays of a track per station, over the whole window. Raises Refusal (400) for one that is too long."""
    index = _track_index(world, question)
    start, end = window(question, world.today)
    if (end - start).days > WINDOW_DAYS:
        raise Refusal(400, f"The date range must not exceed {WINDOW_DAYS} days.")
    plays: Counter[int] = Counter()
    for number in range((end - start).days + 1):
        day = start + timedelta(days=number)
        plays.update(world.airplay.by_station(index, world.plays_so_far(question.parts["uuid"], day)))
    country, slugs = question.query.get("countryCode"), question.query.get("radioSlugs")
    ranked = sorted(plays.items(), key=lambda pair: (-pair[1], pair[0]))
    items = [
        {"playCount": count, "radio": _radio(stations()[number])}
        for number, count in ranked
        if (not country or stations()[number].country_code == country)
        and (not slugs or stations()[number].slug in slugs.split(","))
    ]
    return collection(question, items, related=track_ref_object(world.track_ref(index)))


def _track_index(world: World, question: Question) -> int:
    index = world.catalog.track_index.get(question.parts["uuid"])
    if index is None:
        raise Refusal(404, "Song not found.")
    return index


def _span(question: Question, today: date) -> tuple[datetime, datetime]:
    """The moments asked for, both included; a bare day means all of it."""
    end = _moment(question, "endDate", time(23, 59, 59)) or datetime.combine(today, time(23, 59, 59), UTC)
    start = _moment(question, "startDate", time()) or datetime.combine(end.date() - DEFAULT_WINDOW, time(), UTC)
    if start > end:
        raise Refusal(400, "Parameter startDate must not be after endDate.")
    if (end - start).days > WINDOW_DAYS:
        raise Refusal(400, f"The date range must not exceed {WINDOW_DAYS} days.")
    return start, end


def _moment(question: Question, name: str, of_day: time) -> datetime | None:
    text = question.query.get(name)
    if not text:
        return None
    try:
        if len(text) == len("2026-11-20"):
            return datetime.combine(date.fromisoformat(text), of_day, UTC)
        # In a query a plus sign that was not encoded arrives as a blank.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refusal(400, f"Parameter {name} is not a valid date.")
    return moment.astimezone(UTC)


def _bounds(world: World, index: int, day: date, *, start: datetime, end: datetime) -> tuple[int, int]:
    """Numbers of the first play and one past the last of that day inside the span."""
    count = world.plays_so_far(world.catalog.tracks[index].uuid, day)
    begin = _second(start) if day == start.date() else 0
    stop = (_second(end) if day == end.date() else _LAST_SECOND) + 1
    aired = world.airplay.aired_before
    return min(count, aired(index, day, begin)), min(count, aired(index, day, stop))


def _second(moment: datetime) -> int:
    return moment.hour * 3_600 + moment.minute * 60 + moment.second


def _play_item(day: date, play: Play) -> Payload:
    aired = datetime.combine(day, time(), UTC) + timedelta(seconds=play.second)
    return {"airedAt": aired.isoformat(), "duration": play.duration, "radio": _radio(stations()[play.station])}


def _radio(station: Station) -> Payload:
    return {
        "name": station.name,
        "slug": station.slug,
        "countryCode": station.country_code,
        "countryName": country_name(station.country_code),
        "cityName": station.city_name,
        "timeZone": station.time_zone,
    }

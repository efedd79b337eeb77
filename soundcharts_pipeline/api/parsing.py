"""JSON items (`payloads`) to records. A missing required field raises UnexpectedPayload with endpoint and key."""

from collections.abc import Iterable
from datetime import date
from operator import itemgetter
from typing import Any, TypeVar

from pydantic import ValidationError

from soundcharts_pipeline import models
from soundcharts_pipeline.api import payloads
from soundcharts_pipeline.api.errors import UnexpectedPayload

ItemT = TypeVar("ItemT", bound=payloads.Item)


def _parse(kind: type[ItemT], item: Any, endpoint: str) -> ItemT:
    try:
        return kind.model_validate(item)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the item"
        raise _missing(endpoint, key, first["msg"].lower()) from None


def _missing(endpoint: str, key: str, what: str = "missing, or of another type") -> UnexpectedPayload:
    return UnexpectedPayload(
        f"{endpoint}: {key}: {what}; nothing of this answer was saved. If Soundcharts changed the endpoint, set its "
        "path under `endpoints:` in charts.yaml or update soundcharts-pipeline",
        endpoint=endpoint,
    )


def platform(item: Any, endpoint: str) -> str:
    """The code of one chart platform."""
    return _parse(payloads.NamedPlatformItem, item, endpoint).code


def chart(item: Any, endpoint: str) -> models.Chart:
    """One chart of the catalogue, or of an answer's `related`."""
    return _chart(_parse(payloads.ChartItem, item, endpoint))


def _chart(c: payloads.ChartItem) -> models.Chart:
    return models.Chart(
        **c.model_dump(include=set(models.Chart.__slots__) - {"max_results"}), max_results=c.max_results_count
    )


def published(timestamp: Any, endpoint: str) -> models.PublishedRanking:
    """One bare timestamp of the list of rankings."""
    day = _timestamp_day(timestamp, endpoint)
    return models.PublishedRanking(day, timestamp)


def _timestamp_day(timestamp: Any, endpoint: str) -> date:
    try:
        return date.fromisoformat(timestamp[:10])
    except (TypeError, ValueError, KeyError):
        raise UnexpectedPayload(f"{endpoint}: {timestamp!r} is no timestamp", endpoint=endpoint) from None


def newest(related: Any, endpoint: str) -> tuple[models.Chart, models.PublishedRanking]:
    """A ranking's `related`: its chart and its date."""
    parsed = _parse(payloads.RankingRelatedItem, related, endpoint)
    return _chart(parsed.chart), published(parsed.date, endpoint)


def ranking(pages: list[dict[str, Any]], endpoint: str) -> models.Ranking:
    """All pages of one ranking. Position 0 (has left the chart) is not an entry."""
    related = _parse(payloads.RankingRelatedItem, pages[0].get("related"), endpoint)
    entries = {
        entry.position: _entry(entry)
        for page in pages
        for entry in (_parse(payloads.EntryItem, item, endpoint) for item in page["items"])
        if entry.position > 0
    }
    return models.Ranking(
        chart=_chart(related.chart),
        day=_timestamp_day(related.date, endpoint),
        metric_type=related.chart.metric.type if related.chart.metric else None,
        entries=tuple(entries[position] for position in sorted(entries)),
    )


def _entry(e: payloads.EntryItem) -> models.RankingEntry:
    # A new entry's old position and change were recorded as 0 and documented as null: both mean none.
    old = e.old_position or None
    change = e.position_evolution if old is not None else e.position_evolution or None
    return models.RankingEntry(
        position=e.position,
        track=models.TrackRef(**e.song.model_dump()),
        old_position=old,
        position_change=change,
        metric=e.metric,
        entry_state=e.entry_state,
        entry_date=e.entry_date,
        time_on_chart=e.time_on_chart,
        time_on_chart_unit=e.time_on_chart_unit,
    )


def _artist_refs(refs: Iterable[payloads.ArtistRefItem]) -> tuple[models.ArtistRef, ...]:
    return tuple(models.ArtistRef(**ref.model_dump()) for ref in refs)


def _genres(genres: Iterable[payloads.GenreItem]) -> tuple[models.Genre, ...]:
    return tuple(models.Genre(root=genre.root, subs=tuple(genre.sub)) for genre in genres)


def track(item: Any, endpoint: str) -> models.Track:
    """Track metadata."""
    t = _parse(payloads.TrackItem, item, endpoint)
    rest = {"duration", "audio", "artists", "main_artists", "featured_artists", "genres"}
    return models.Track(
        **t.model_dump(exclude=rest),
        duration_seconds=t.duration,
        audio_features=t.audio,
        artists=_artist_refs(t.artists),
        main_artists=_artist_refs(t.main_artists),
        featured_artists=_artist_refs(t.featured_artists),
        genres=_genres(t.genres),
    )


def artist(item: Any, endpoint: str) -> models.Artist:
    """Artist metadata."""
    a = _parse(payloads.ArtistItem, item, endpoint)
    return models.Artist(**a.model_dump(exclude={"genres"}), genres=_genres(a.genres))


# Series are read by hand: an artist's 90 days hold a thousand plots, and a model per plot took 9.5 ms of the
# interpreter where this takes 1.5, while 32 calls are in flight on it.


def track_series(items: Iterable[Any], endpoint: str) -> models.Series:
    """Plots by identifier; of several points of one day the latest counts, a null value is missing."""
    points: dict[tuple[date, str], models.AudiencePoint] = {}
    for item, day in _oldest_first(items, endpoint):
        if not isinstance(item.get("plots"), list):
            raise _missing(endpoint, "plots")
        for plot in item["plots"]:
            if (value := _value(plot, endpoint, "plots")) is not None:
                identifier = str(plot.get("identifier") or "")
                points[day, identifier] = models.AudiencePoint(day, identifier, value)
    return models.Series(tuple(points.values()))


def artist_series(items: Iterable[Any], endpoint: str) -> models.Series:
    """Values and their places; of several points of one day the latest counts, a null value is missing."""
    points: dict[date, models.AudiencePoint] = {}
    places: dict[tuple[date, str, str, str], int] = {}
    for item, day in _oldest_first(items, endpoint):
        if (value := _value(item, endpoint, "items")) is not None:
            points[day] = models.AudiencePoint(day, "", value)
        for plots in ("cityPlots", "countryPlots"):
            located = item.get(plots) or ()
            if not isinstance(located, list | tuple):
                raise _missing(endpoint, plots)
            for place in located:
                if (value := _value(place, endpoint, plots)) is not None:
                    country, region = place.get("countryCode") or "", place.get("region") or ""
                    places[day, country, region, place.get("cityName") or ""] = value
    return models.Series(tuple(points.values()), tuple([models.GeoPoint(*where, n) for where, n in places.items()]))


def _oldest_first(items: Iterable[Any], endpoint: str) -> list[tuple[dict[str, Any], date]]:
    """Items with their day. Order is not guaranteed; the sort is stable: of two equal timestamps the one that came
    last counts."""
    dated = [(item, _item_date(item, endpoint)) for item in items]
    dated.sort(key=itemgetter(1))
    return [(item, _timestamp_day(timestamp, endpoint)) for item, timestamp in dated]


def _item_date(item: Any, endpoint: str) -> str:
    timestamp = item.get("date") if isinstance(item, dict) else None
    if not isinstance(timestamp, str):
        raise _missing(endpoint, "date")
    return timestamp


def _value(item: Any, endpoint: str, where: str) -> int | None:
    """A whole number, or None where it is missing; numbers in text or with `.0` are read too."""
    if not isinstance(item, dict):
        raise _missing(endpoint, where)
    value = item.get("value")
    if type(value) is int:
        return value
    if value is None or value == "":
        return None
    try:
        whole = int(value)
    except (TypeError, ValueError, OverflowError):
        raise _missing(endpoint, f"{where}.value") from None
    if isinstance(value, float) and whole != value:
        raise _missing(endpoint, f"{where}.value")
    return whole


def plays(items: Iterable[Any], endpoint: str) -> int:
    """The plays of all stations of a broadcast-groups answer; a station that several pages list counts once."""
    stations = [_parse(payloads.StationItem, item, endpoint) for item in items]
    by_slug = {s.radio.slug: s.play_count for s in stations if s.radio and s.radio.slug}
    return sum(by_slug.values()) + sum(s.play_count for s in stations if not s.radio or not s.radio.slug)

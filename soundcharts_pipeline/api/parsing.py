"""JSON items (`payloads`) to records.

A record that lacks a required field raises UnreadableRecord with endpoint and key, or is left out with a remark where
it is one of several; an answer of which no record can be read raises UnexpectedPayload. Series are in `series`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from soundcharts_pipeline import models
from soundcharts_pipeline.api import payloads
from soundcharts_pipeline.api.errors import UnexpectedPayload, UnreadableRecord
from soundcharts_pipeline.api.remarks import FIRST_COUNTS, LAST_COUNTS, LEFT_OUT, STAND_IN, About, Remarks
from soundcharts_pipeline.api.values import calendar_day, uuid_text, whole_number

CHANGED = (
    "If Soundcharts changed the endpoint, set its path under `endpoints:` in charts.yaml or update soundcharts-pipeline"
)

ItemT = TypeVar("ItemT", bound=payloads.Item)
T = TypeVar("T")


def missing(endpoint: str, key: str, what: str = "missing, or of another type") -> UnexpectedPayload:
    """The error for an answer that lacks a required key."""
    return UnexpectedPayload(
        f"{endpoint}: {key}: {what}; nothing of this answer was saved. {CHANGED}", endpoint=endpoint
    )


def _parse(kind: type[ItemT], item: Any, about: About) -> ItemT:
    try:
        return kind.model_validate(item, context=about)
    except ValidationError as error:
        field, found, what = payloads.odd_part(error)
        field = field or "the item"
        message = f"{about.endpoint}: {field}: {what}; this record was not saved. {CHANGED}"
        raise UnreadableRecord(message, endpoint=about.endpoint, field=field, found=found) from None


def readable(items: Iterable[Any], read: Callable[[Any], T], remarks: Remarks) -> list[T]:
    """What `read` makes of each item, less those that cannot be read. Raises UnexpectedPayload when none can."""
    found: list[T] = []
    odd: list[tuple[Any, UnreadableRecord]] = []
    for item in items:
        try:
            found.append(read(item))
        except UnreadableRecord as error:
            odd.append((item, error))
    if odd and not found:
        raise missing(odd[0][1].endpoint, odd[0][1].field, "missing, or of another type, in every record")
    for item, why in odd:
        remarks.add(why.endpoint, named(item), why.field, why.found, LEFT_OUT)
    return found


def named(item: Any) -> str:
    """What a record calls itself, as far as that can be read."""
    names = (item.get(key) for key in ("uuid", "slug", "code", "name")) if isinstance(item, dict) else ()
    song = item.get("song") if isinstance(item, dict) else None
    return next((name for name in names if isinstance(name, str) and name), "") or (named(song) if song else "")


def platforms(items: Iterable[Any], remarks: Remarks) -> list[str]:
    """The codes of chart platforms."""
    about = remarks.about("chart_platforms")
    return readable(items, lambda item: _parse(payloads.NamedPlatformItem, item, about).code, remarks)


def charts(items: Iterable[Any], remarks: Remarks) -> list[models.Chart]:
    """Charts of the catalog."""

    def read(item: Any) -> models.Chart:
        return _chart(_parse(payloads.ChartItem, item, remarks.about("charts", named(item))))

    return readable(items, read, remarks)


def _chart(c: payloads.ChartItem) -> models.Chart:
    return models.Chart(
        **c.model_dump(include=set(models.Chart.__slots__) - {"max_results"}), max_results=c.max_results_count
    )


def published(timestamps: Sequence[Any], remarks: Remarks) -> list[models.PublishedRanking | None]:
    """The bare timestamps of one page of the list of rankings; None for one that cannot be read. Raises
    UnexpectedPayload for an entry without a timestamp."""
    found: list[models.PublishedRanking | None] = []
    for timestamp in timestamps:
        try:
            found.append(models.PublishedRanking(calendar_day(timestamp), timestamp))
        except ValueError:
            remarks.add("available_rankings", "", "items", timestamp, LEFT_OUT)
            found.append(None)
    if found and not any(found):
        raise missing("available_rankings", "items", f"{remarks.shown(timestamps[0])} is no timestamp")
    return found


def _related(related: Any, about: About) -> tuple[payloads.RankingRelatedItem, models.PublishedRanking]:
    # Part of the envelope: without it nothing of the answer can be used.
    try:
        parsed = _parse(payloads.RankingRelatedItem, related, about)
    except UnreadableRecord as error:
        raise missing(about.endpoint, error.field) from None
    try:
        return parsed, models.PublishedRanking(calendar_day(parsed.date), parsed.date)
    except ValueError:
        raise missing(about.endpoint, "date", f"{about.remarks.shown(parsed.date)} is no timestamp") from None


def newest(related: Any, remarks: Remarks) -> tuple[models.Chart, models.PublishedRanking]:
    """A ranking's `related`: its chart and its date."""
    parsed, ranking_day = _related(related, remarks.about("ranking"))
    return _chart(parsed.chart), ranking_day


def ranking_identity(page: dict[str, Any]) -> Any:
    """Which chart and day a page of a ranking tells of."""
    related = page.get("related")
    chart = related.get("chart") if isinstance(related, dict) else None
    return (related.get("date"), chart.get("slug")) if isinstance(related, dict) and isinstance(chart, dict) else None


def ranking_row(item: Any) -> tuple[int, str] | None:
    """What a row of a ranking is known by: its place and its track. None where that cannot be read."""
    song = item.get("song") if isinstance(item, dict) else None
    try:
        position = whole_number(item["position"]) if isinstance(song, dict) else None
        return None if position is None else (position, uuid_text(song.get("uuid") if song else None))
    except (KeyError, ValueError):
        return None


def ranked_track(item: Any) -> str | None:
    """The track of a row of a ranking. None where the row cannot be read."""
    row = ranking_row(item)
    return row[1] if row else None


def chart_row(item: Any) -> str | None:
    """What a row of the list of charts is known by."""
    slug = item.get("slug") if isinstance(item, dict) else None
    return slug if isinstance(slug, str) and slug else None


def station_row(item: Any) -> str | None:
    """What a row of a list of stations is known by."""
    return chart_row(item.get("radio")) if isinstance(item, dict) else None


def related_uuid(related: Any) -> Any:
    """The UUID of the track or artist that a series says it tells of, where it says so."""
    if not isinstance(related, dict):
        return None
    inner = next((related[key] for key in ("artist", "song") if isinstance(related.get(key), dict)), related)
    try:
        return uuid_text(inner.get("uuid"))
    except ValueError:
        return inner.get("uuid")


def ranking(pages: list[dict[str, Any]], remarks: Remarks) -> models.Ranking:
    """All pages of one ranking, from the first place down; tracks that share a position stay in the answer's order.

    An entry that pages repeat is one; of two that put a track on the same position and differ the first one counts.
    Position 0 (has left the chart) is not an entry, one below zero is left out.
    Raises UnexpectedPayload when most places lack what they must have: so few are no ranking.
    """
    related, of_day = _related(pages[0].get("related"), remarks.about("ranking"))
    whose = f"{related.chart.slug} {of_day.day}"

    def read(item: Any) -> payloads.EntryItem:
        return _parse(payloads.EntryItem, item, remarks.about("ranking", named(item) or whose))

    rows = [item for page in pages for item in page["items"]]
    items = readable(rows, read, remarks)
    unreadable = len(rows) - len(items)
    if unreadable > len(items):
        raise missing("ranking", "items", f"{unreadable} of {len(rows)} cannot be read")
    if len(items) > 1 and all(item.song.name is None for item in items):
        raise missing("ranking", "song.name", "no track has one")
    entries: dict[tuple[int, str], models.RankingEntry] = {}
    for item in items:
        entry, spot = _entry(item, remarks), (item.position, item.song.uuid)
        if item.position < 0:
            remarks.add("ranking", item.song.uuid, "position", item.position, LEFT_OUT)
        elif item.position > 0 and entries.setdefault(spot, entry) != entry:
            twice = f"{item.position} twice, with other values"
            remarks.add("ranking", item.song.uuid, "position", twice, FIRST_COUNTS)
    return models.Ranking(
        chart=_chart(related.chart),
        day=of_day.day,
        metric_type=related.chart.metric.type if related.chart.metric else None,
        entries=tuple(sorted(entries.values(), key=lambda entry: entry.position)),
        unreadable=unreadable,
    )


def _entry(e: payloads.EntryItem, remarks: Remarks) -> models.RankingEntry:
    # A new entry's old position and change were recorded as 0 and documented as null: both mean none.
    old = e.old_position or None
    change = e.position_evolution if old is not None else e.position_evolution or None
    name = _name(e.song.name, [e.song.uuid], remarks.about("ranking", e.song.uuid, "song"))
    return models.RankingEntry(
        position=e.position,
        track=models.TrackRef(**e.song.model_dump(exclude={"name"}), name=name),
        old_position=old,
        position_change=change,
        metric=e.metric,
        entry_state=e.entry_state,
        entry_date=e.entry_date,
        time_on_chart=e.time_on_chart,
        time_on_chart_unit=e.time_on_chart_unit,
    )


def _name(name: str | None, others: Sequence[str | None], about: About) -> str:
    """A reference's name. Without one another text stands in for it, until metadata brings the name."""
    if name is None:
        stand_in = next(other for other in others if other)
        about.remark("name", f"none, {stand_in}", STAND_IN)
        return stand_in
    return name


def _artist_refs(refs: Iterable[payloads.ArtistRefItem], remarks: Remarks) -> tuple[models.ArtistRef, ...]:
    return tuple(
        models.ArtistRef(
            **ref.model_dump(exclude={"name"}),
            name=_name(ref.name, [ref.slug, ref.uuid], remarks.about("track", ref.uuid, "artists")),
        )
        for ref in refs
    )


def _genres(genres: Iterable[payloads.GenreItem]) -> tuple[models.Genre, ...]:
    return tuple(models.Genre(root=genre.root, subs=tuple(genre.sub)) for genre in genres)


def track(item: Any, remarks: Remarks) -> models.Track:
    """Track metadata."""
    t = _parse(payloads.TrackItem, item, remarks.about("track", named(item)))
    rest = {"duration", "audio", "artists", "main_artists", "featured_artists", "genres"}
    return models.Track(
        **t.model_dump(exclude=rest),
        duration_seconds=t.duration,
        audio_features=t.audio,
        artists=_artist_refs(t.artists, remarks),
        main_artists=_artist_refs(t.main_artists, remarks),
        featured_artists=_artist_refs(t.featured_artists, remarks),
        genres=_genres(t.genres),
    )


def artist(item: Any, remarks: Remarks) -> models.Artist:
    """Artist metadata."""
    a = _parse(payloads.ArtistItem, item, remarks.about("artist", named(item)))
    return models.Artist(**a.model_dump(exclude={"genres"}), genres=_genres(a.genres))


def plays(items: Iterable[Any], remarks: Remarks) -> int:
    """The plays of all stations of a broadcast-groups answer; a station that several pages list counts once, and one
    whose count cannot be read is left out."""
    endpoint = "track_broadcast_groups"
    about = remarks.about(endpoint)
    stations = readable(items, lambda item: _parse(payloads.StationItem, item, about), remarks)
    by_slug: dict[str, int] = {}
    unnamed = 0
    for station in stations:
        slug = station.radio.slug if station.radio else None
        if slug is None:
            unnamed += station.play_count
        else:
            if by_slug.get(slug, station.play_count) != station.play_count:
                remarks.add(endpoint, slug, "playCount", by_slug[slug], LAST_COUNTS)
            by_slug[slug] = station.play_count
    return sum(by_slug.values()) + unnamed

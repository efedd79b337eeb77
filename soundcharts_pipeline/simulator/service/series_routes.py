"""Audience series as the API prints them: totals, located series and their silent truncation."""

from collections.abc import Callable, Iterable
from typing import Any

from soundcharts_pipeline.models import GeoPoint
from soundcharts_pipeline.simulator.service.answers import Question, Refusal, envelope, page_span, window
from soundcharts_pipeline.simulator.service.chart_routes import track_ref_object
from soundcharts_pipeline.simulator.service.entity_routes import artist_ref_object
from soundcharts_pipeline.simulator.world.accounts import LOCATED_STREAMING, SOCIAL, STREAMING, TRACK_METRICS, Account
from soundcharts_pipeline.simulator.world.oddities import Absence
from soundcharts_pipeline.simulator.world.places import COUNTRIES
from soundcharts_pipeline.simulator.world.publication import Row, listed, located_values, midnight
from soundcharts_pipeline.simulator.world.world import World

WINDOW_DAYS = 90
"""The longest span that the located endpoints answer in full."""

_TRUNCATED_TO = 15
_OVERLAP = 4

Payload = dict[str, Any]
Print = Callable[[Account, Row], Payload]


def track_audience(world: World, question: Question) -> Payload:
    """Cumulative totals of a track, one plot per identifier, newest day first."""
    _supported(question, TRACK_METRICS)
    index = _track_index(world, question)
    account = world.track_account(question.parts["uuid"], question.parts["platform"])
    wanted = question.query.get("identifier")

    def item(account: Account, row: Row) -> Payload:
        plots = [
            {"identifier": identifier, "value": value}
            for identifier, value in zip(account.identifiers, row.values, strict=True)
            if wanted is None or identifier == wanted
        ]
        if row.values[0] is None and row.day % 2:
            plots = []
        return {"date": row.stamp, "plots": plots}

    related = track_ref_object(world.track_ref(index))
    return _plain(world, question, account, related=related, item=item, newest_first=True)


def track_streaming(world: World, question: Question) -> Payload:
    """YouTube views of a track with places."""
    _supported(question, ("youtube",))
    index = _track_index(world, question)
    account = world.track_views_account(question.parts["uuid"])
    return _located(world, question, account, related=track_ref_object(world.track_ref(index)))


def artist_streaming(world: World, question: Question) -> Payload:
    """Listeners or views of an artist with places."""
    _supported(question, LOCATED_STREAMING)
    related = _artist_related(world, question)
    account = world.streaming_account(question.parts["uuid"], question.parts["platform"])
    return _located(world, question, account, related=related)


def artist_listening(world: World, question: Question) -> Payload:
    """The same, totals only."""
    _supported(question, STREAMING)
    related = _artist_related(world, question)
    account = world.streaming_account(question.parts["uuid"], question.parts["platform"])
    return _plain(world, question, account, related=related, item=_listening_item)


def artist_followers(world: World, question: Question) -> Payload:
    """Followers of an artist with places."""
    _supported(question, SOCIAL)
    related = _artist_related(world, question)
    account = world.followers_account(question.parts["uuid"], question.parts["platform"])
    return _located(world, question, account, related=related)


def artist_audience(world: World, question: Question) -> Payload:
    """Followers of an artist, totals only, with the other counts that a platform has. Raises Refusal (400) for a sort
    that there is not."""
    _supported(question, SOCIAL)
    related = _artist_related(world, question)
    platform, order = question.parts["platform"], question.query.get("sort", "asc")
    if order not in ("asc", "desc"):
        raise Refusal(400, "Parameter sort must be asc or desc.")
    account = world.followers_account(question.parts["uuid"], platform)
    return _plain(
        world,
        question,
        account,
        related=related,
        item=lambda _account, row: _audience_item(platform, row),
        newest_first=order == "desc",
    )


def _plain(
    world: World,
    question: Question,
    found: Account | Absence,
    *,
    related: Payload,
    item: Print,
    newest_first: bool = False,
) -> Payload:
    start, end = window(question, world.today)
    offset, limit = page_span(question)
    account = _readable(found, related)
    if account is None:
        return envelope(question, [], total=0, offset=offset, limit=limit, related=related)
    turned = newest_first != world.oddities.newest_first(account.seed)
    rows = listed(world.rows(account, start, end), turned)
    shown = [item(account, row) for row in rows[offset : offset + limit]]
    return envelope(question, shown, total=len(rows), offset=offset, limit=limit, related=related)


def _located(world: World, question: Question, found: Account | Absence, *, related: Payload) -> Payload:
    start, end = window(question, world.today)
    offset, limit = page_span(question)
    account = _readable(found, related)
    if account is None:
        return envelope(question, [], total=0, offset=offset, limit=limit, related=related)
    rows = world.rows(account, start, end)
    total = len(rows)
    if (end - start).days > WINDOW_DAYS:
        # Observed: the newest few, the real total, no next page; further offsets repeat rows already given.
        rows = listed(rows, True)[max(0, offset - _OVERLAP) :][: min(limit, _TRUNCATED_TO)]
        shown = [_located_item(world, account, row) for row in rows]
        cut = envelope(question, shown, total=total, offset=offset, limit=limit, related=related)
        cut["page"]["next"] = None
        return cut
    rows = listed(rows, world.oddities.newest_first(account.seed))[offset : offset + limit]
    shown = [_located_item(world, account, row) for row in rows]
    return envelope(question, shown, total=total, offset=offset, limit=limit, related=related)


def _readable(account: Account | Absence, related: Payload) -> Account | None:
    """The account; None where the answer is an empty list, and a refusal where it is an error."""
    match account:
        case Absence.NO_ACCOUNT:
            name = related.get("artist", related)["name"]
            raise Refusal(404, f"No social account found for artist {name}.")
        case Absence.FORBIDDEN:
            raise Refusal(403, "Your plan does not give access to this data.")
        case Absence.NO_DATA:
            return None
        case Account():
            return account


def _supported(question: Question, names: Iterable[str]) -> None:
    platform = question.parts["platform"]
    if platform not in names:
        raise Refusal(400, f"Platform {platform} is not supported. Supported platforms: {', '.join(names)}.")


def _track_index(world: World, question: Question) -> int:
    index = world.catalog.track_index.get(question.parts["uuid"])
    if index is None:
        raise Refusal(404, "Song not found.")
    return index


def _artist_related(world: World, question: Question) -> Payload:
    index = world.catalog.artist_index.get(question.parts["uuid"])
    if index is None:
        raise Refusal(404, "Artist not found.")
    return {
        "artist": artist_ref_object(world.catalog.artist(index)),
        "platform": question.parts["platform"],
        "lastCrawlDate": midnight(world.today.toordinal()),
    }


def _listening_item(_account: Account, row: Row) -> Payload:
    return {"date": row.stamp, "value": row.values[0]}


def _located_item(world: World, account: Account, row: Row) -> Payload:
    item: Payload = {"date": row.stamp, "value": row.values[0]}
    fate = world.oddities.plots_fate(account.seed, row.day)
    if fate == "absent":
        return item
    if not row.located:
        return item | {"cityPlots": [], "countryPlots": []}
    cities, countries = located_values(account, row, fate)
    item["cityPlots"] = [_city_plot(point, row.stamp) for point in cities]
    item["countryPlots"] = [_country_plot(point, row.stamp) for point in countries]
    return item


def _city_plot(point: GeoPoint, stamp: str) -> Payload:
    return {
        "date": stamp,
        "value": point.value,
        "countryName": COUNTRIES[point.country_code],
        "countryCode": point.country_code,
        "region": point.region,
        "cityName": point.city_name,
    }


def _country_plot(point: GeoPoint, stamp: str) -> Payload:
    return {
        "date": stamp,
        "value": point.value,
        "countryName": COUNTRIES[point.country_code],
        "countryCode": point.country_code,
    }


_EXTRA_COUNTS: dict[str, tuple[str, ...]] = {
    "instagram": ("followingCount", "postCount"),
    "soundcloud": ("followingCount", "postCount", "likeCount"),
    "tiktok": ("followingCount", "postCount", "likeCount"),
    "youtube": ("postCount", "viewCount"),
    "twitter": ("followingCount", "postCount", "likeCount"),
    "weibo": ("followingCount", "postCount", "likeCount"),
}
_SIZE = {"likeCount": 9.0, "followingCount": 1e-5, "postCount": 1e-4, "viewCount": 140.0}


def _audience_item(platform: str, row: Row) -> Payload:
    followers = row.values[0]
    item: Payload = {"date": row.stamp, "likeCount": None, "followerCount": followers}
    item |= {"followingCount": None, "postCount": None, "viewCount": None}
    for name in _EXTRA_COUNTS.get(platform, ()):
        item[name] = None if followers is None else int(followers * _SIZE[name]) + 1
    return item

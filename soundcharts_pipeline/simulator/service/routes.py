"""Every path the simulator knows, once. Each endpoint has its own version; any other version is a 404."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from soundcharts_pipeline.simulator.service import airplay_routes, chart_routes, entity_routes, series_routes
from soundcharts_pipeline.simulator.service.answers import Question
from soundcharts_pipeline.simulator.world.world import World

Handler = Callable[[World, Question], dict[str, Any]]

USAGE = "usage"
"""The free endpoint; its answer is about the account, not the world, so `gate` gives it."""


class Route(NamedTuple):
    """One endpoint: the name used by counters and scripts, its path, and what answers it."""

    name: str
    pattern: re.Pattern[str]
    handler: Handler | None


def _route(name: str, path: str, handler: Handler | None) -> Route:
    return Route(name, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)), handler)


ROUTES: tuple[Route, ...] = (
    _route("track_audience", "/api/v2/song/{uuid}/audience/{platform}", series_routes.track_audience),
    _route("artist_streaming", "/api/v2/artist/{uuid}/streaming/{platform}", series_routes.artist_streaming),
    _route(
        "artist_followers",
        "/api/v2.37/artist/{uuid}/social/{platform}/followers/",
        series_routes.artist_followers,
    ),
    _route("track_broadcasts", "/api/v2/song/{uuid}/broadcasts", airplay_routes.track_broadcasts),
    _route("track_broadcast_groups", "/api/v2/song/{uuid}/broadcast-groups", airplay_routes.track_broadcast_groups),
    _route("track", "/api/v2.25/song/{uuids}", entity_routes.track),
    _route("artist", "/api/v2.9/artist/{uuids}", entity_routes.artist),
    _route("ranking", "/api/v2.14/chart/song/{slug}/ranking/{datetime}", chart_routes.ranking),
    _route("available_rankings", "/api/v2/chart/song/{slug}/available-rankings", chart_routes.available_rankings),
    _route("charts", "/api/v2/chart/song/by-platform/{platform}", chart_routes.charts),
    _route("chart_platforms", "/api/v2/chart/song/platforms", chart_routes.chart_platforms),
    _route(
        "artist_listening",
        "/api/v2/artist/{uuid}/streaming/{platform}/listening",
        series_routes.artist_listening,
    ),
    _route("artist_audience", "/api/v2/artist/{uuid}/audience/{platform}", series_routes.artist_audience),
    _route("track_streaming", "/api/v2/song/{uuid}/streaming/{platform}", series_routes.track_streaming),
    _route("artist_search", "/api/v2/artist/search/{term}", entity_routes.artist_search),
    _route("track_search", "/api/v2/song/search/{term}", entity_routes.track_search),
    _route("platforms", "/api/v2/referential/platforms(?P<kind>/social|/streaming)?", entity_routes.platforms),
    _route(USAGE, "/api/v2/team/usage", None),
)

ENDPOINTS = tuple(route.name for route in ROUTES)


def find(path: str) -> tuple[Route | None, dict[str, str]]:
    """The endpoint of a path and the path's parameters."""
    for route in ROUTES:
        match = route.pattern.fullmatch(path)
        if match:
            return route, match.groupdict()
    return None, {}

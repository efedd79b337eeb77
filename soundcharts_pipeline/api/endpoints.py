"""Every path once. Soundcharts versions each endpoint on its own, so a user may override one at a time
(`endpoints:` in charts.yaml)."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from soundcharts_pipeline.api.errors import BadRequest

PATHS: Mapping[str, str] = {
    "chart_platforms": "/api/v2/chart/song/platforms",
    "charts": "/api/v2/chart/song/by-platform/{platform}",
    "available_rankings": "/api/v2/chart/song/{slug}/available-rankings",
    "ranking": "/api/v2.14/chart/song/{slug}/ranking/{datetime}",
    "track": "/api/v2.25/song/{uuid}",
    "artist": "/api/v2.9/artist/{uuid}",
    "track_audience": "/api/v2/song/{uuid}/audience/{platform}",
    "track_broadcasts": "/api/v2/song/{uuid}/broadcasts",
    "track_broadcast_groups": "/api/v2/song/{uuid}/broadcast-groups",
    "artist_streaming": "/api/v2/artist/{uuid}/streaming/{platform}",
    # The trailing slash is part of the path: without it the endpoint is another one, or none.
    "artist_followers": "/api/v2.37/artist/{uuid}/social/{platform}/followers/",
    "usage": "/api/v2/team/usage",
}

# Calls that Soundcharts does not bill.
FREE = frozenset({"usage"})


def _parts(path: str) -> list[str]:
    return sorted(re.findall(r"\{.*?\}|[{}]", path))


class Endpoints:
    """The path table with a user's overrides. An unknown name is refused with the known ones."""

    def __init__(self, overrides: Mapping[str, str] | None = None) -> None:
        unknown = sorted(set(overrides or {}) - set(PATHS))
        if unknown:
            raise BadRequest(
                f"unknown endpoint {unknown[0]!r} in charts.yaml `endpoints:`; known ones: {', '.join(PATHS)}"
            )
        for name, path in (overrides or {}).items():
            if not path.startswith("/") or _parts(path) != _parts(PATHS[name]):
                raise BadRequest(
                    f"endpoint {name!r} in charts.yaml `endpoints:` is {path!r}; write a path that starts with '/' and "
                    f"names the same parts as {PATHS[name]}"
                )
        self._paths = {**PATHS, **(overrides or {})}

    def path(self, name: str, **parts: str) -> str:
        """The path of an endpoint; commas stay readable (batches), everything else is URL-encoded."""
        return self._paths[name].format(**{key: quote(value, safe=",") for key, value in parts.items()})

"""One path per endpoint, which a user may move."""

import pytest

from soundcharts_pipeline.api.endpoints import Endpoints
from soundcharts_pipeline.api.errors import BadRequest

from .calling import BAD_GUY, BILLIE


def test_an_endpoint_moves_alone() -> None:
    endpoints = Endpoints({"artist": "/api/v2.37/artist/{uuid}"})

    assert endpoints.path("artist", uuid=BILLIE) == f"/api/v2.37/artist/{BILLIE}"
    assert endpoints.path("track", uuid=BAD_GUY) == f"/api/v2.25/song/{BAD_GUY}"


def test_nothing_in_a_part_can_leave_its_place_in_the_path() -> None:
    path = Endpoints().path("track_audience", uuid="../a?b#c", platform="d e/%2F{uuid}")

    assert path == "/api/v2/song/..%2Fa%3Fb%23c/audience/d%20e%2F%252F%7Buuid%7D"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"song": "/api/v2/song/{uuid}"}, "unknown endpoint 'song' .*known ones: .*track, artist"),
        ({"track": "api/v2/song/{uuid}"}, "endpoint 'track' .*starts with '/'.*/api/v2.25/song/{uuid}"),
        ({"track": "/api/v2/song/{id}"}, "endpoint 'track' .*same parts as /api/v2.25/song/{uuid}"),
        ({"track": "/api/v2/song/"}, "endpoint 'track' .*same parts"),
        ({"usage": "/api/v2/team/{usage"}, "endpoint 'usage' .*same parts"),
        ({"usage": "/api/v2/team/{}"}, "endpoint 'usage' .*same parts"),
    ],
)
def test_an_endpoint_that_could_not_work_is_refused_at_once(override: dict[str, str], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        Endpoints(override)

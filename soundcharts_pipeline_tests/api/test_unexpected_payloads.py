"""A required key that is missing, or a field of another shape, is an error with endpoint and key."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from soundcharts_pipeline.api import parsing
from soundcharts_pipeline.api.errors import UnexpectedPayload
from soundcharts_pipeline.models import AudiencePoint

from .recorded import payload

Parse = Callable[[Any], object]
Path = tuple[str | int, ...]


def _ranking(body: Any) -> object:
    return parsing.ranking([body], "ranking")


def _newest(body: Any) -> object:
    return parsing.newest(body.get("related"), "ranking")


def _each(parse: Callable[[Any, str], object]) -> Callable[[str], Parse]:
    return lambda endpoint: lambda body: [parse(item, endpoint) for item in body["items"]]


def _object(parse: Callable[[Any, str], object]) -> Callable[[str], Parse]:
    return lambda endpoint: lambda body: parse(body.get("object"), endpoint)


def _items(parse: Callable[[Any, str], object]) -> Callable[[str], Parse]:
    return lambda endpoint: lambda body: parse(body["items"], endpoint)


REQUIRED: list[tuple[str, str, Parse, Path]] = [
    *[("chart_platforms", "chart_platforms", _each(parsing.platform)("chart_platforms"), ("items", 0, key))
      for key in ("code",)],
    *[("charts", "charts", _each(parsing.chart)("charts"), ("items", 1, key)) for key in ("slug", "name", "platform")],
    ("ranking", "ranking", _ranking, ("related", "date")),
    ("ranking", "ranking", _ranking, ("related", "chart")),
    *[("ranking", "ranking", _ranking, ("related", "chart", key)) for key in ("slug", "name", "platform")],
    *[("ranking", "ranking", _ranking, ("items", 1, key)) for key in ("song", "position")],
    *[("ranking", "ranking", _ranking, ("items", 1, "song", key)) for key in ("uuid", "name")],
    ("ranking_recorded", "ranking", _newest, ("related", "date")),
    *[("ranking_recorded", "ranking", _newest, ("related", "chart", key)) for key in ("slug", "name", "platform")],
    *[("track", "track", _object(parsing.track)("track"), ("object", key)) for key in ("uuid", "name")],
    *[("track", "track", _object(parsing.track)("track"), ("object", "artists", 0, key)) for key in ("uuid", "name")],
    ("track", "track", _object(parsing.track)("track"), ("object", "genres", 0, "root")),
    *[("artist", "artist", _object(parsing.artist)("artist"), ("object", key)) for key in ("uuid", "name")],
    *[("track_audience", "track_audience", _items(parsing.track_series)("track_audience"), ("items", 1, key))
      for key in ("date", "plots")],
    ("artist_streaming", "artist_streaming", _items(parsing.artist_series)("artist_streaming"), ("items", 1, "date")),
    (
        "track_broadcast_groups",
        "track_broadcast_groups",
        _items(parsing.plays)("track_broadcast_groups"),
        ("items", 1, "playCount"),
    ),
]  # fmt: skip


@pytest.mark.parametrize("missing", [lambda where, key: where.pop(key), lambda where, key: where.update({key: None})])
@pytest.mark.parametrize(("name", "endpoint", "parse", "path"), REQUIRED)
def test_a_required_key_that_is_missing_or_null_is_named_with_its_endpoint(
    name: str, endpoint: str, parse: Parse, path: Path, missing: Callable[[Any, str | int], None]
) -> None:
    body = payload(name)
    assert parse(body)
    where = body
    for step in path[:-1]:
        where = where[step]
    missing(where, path[-1])

    with pytest.raises(UnexpectedPayload, match=rf"^{endpoint}: .*\b{path[-1]}\b.*charts\.yaml") as raised:
        parse(body)
    assert raised.value.endpoint == endpoint


@pytest.mark.parametrize(
    ("name", "path", "nonsense"),
    [
        ("track", ("object", "duration"), "three minutes"),
        ("track", ("object", "artists"), "Billie Eilish"),
        ("track", ("object", "releaseDate"), "last spring"),
        ("track", ("object", "audio"), 7),
        ("track_audience", ("items", 0, "date"), "yesterday"),
        ("track_audience", ("items", 0, "date"), 20260529),
        ("track_audience", ("items", 0, "plots"), 7),
        ("track_audience", ("items", 0, "plots", 0), 7),
        ("track_audience", ("items", 0, "plots", 0, "value"), "many"),
        ("track_audience", ("items", 0, "plots", 0, "value"), 1.5),
        ("track_audience", ("items", 0, "plots", 0, "value"), float("inf")),
        ("track_audience", ("items", 0, "plots", 0, "value"), float("nan")),
        ("artist_streaming", ("items", 0), None),
        ("artist_streaming", ("items", 0, "value"), []),
        ("artist_streaming", ("items", 0, "cityPlots"), 7),
        ("artist_streaming", ("items", 0, "cityPlots"), "London"),
        ("artist_streaming", ("items", 0, "cityPlots", 0), ["London"]),
        ("artist_streaming", ("items", 0, "countryPlots", 0, "value"), {"value": 3}),
        ("available_rankings", ("items", 0), {"date": "2026-05-29T12:00:00+00:00"}),
        ("available_rankings", ("items", 0), 20260529),
        ("available_rankings", ("items", 0), None),
    ],
)
def test_a_field_of_another_shape_is_an_error_and_never_a_silent_null(name: str, path: Path, nonsense: object) -> None:
    parse = {
        "track": _object(parsing.track)(name),
        "track_audience": _items(parsing.track_series)(name),
        "artist_streaming": _items(parsing.artist_series)(name),
        "available_rankings": _each(parsing.published)(name),
    }[name]
    body = payload(name)
    where = body
    for step in path[:-1]:
        where = where[step]
    where[path[-1]] = nonsense

    with pytest.raises(UnexpectedPayload, match=f"^{name}: ") as raised:
        parse(body)
    assert raised.value.endpoint == name


@pytest.mark.parametrize("value", [7, 7.0, "7"])
def test_a_whole_number_is_read_however_it_is_written(value: object) -> None:
    item = {"date": "2026-05-29T00:00:00+00:00", "value": value}

    assert parsing.artist_series([item], "artist_streaming").points == (AudiencePoint(date(2026, 5, 29), "", 7),)


def test_platform_codes_and_texts_may_be_numbers_but_never_lists() -> None:
    chart = payload("charts")["items"][0]

    assert parsing.chart({**chart, "name": 1979}, "charts").name == "1979"
    with pytest.raises(UnexpectedPayload, match=r"charts: name: "):
        parsing.chart({**chart, "name": ["1979"]}, "charts")

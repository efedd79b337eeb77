"""Strict about the envelope and about keys that no record carries; lenient about one odd record, or field, of many."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from soundcharts_pipeline.api import parsing, series
from soundcharts_pipeline.api.errors import UnexpectedPayload, UnreadableRecord
from soundcharts_pipeline.api.remarks import Remarks
from soundcharts_pipeline.models import ArtistRef, Genre, Series

from .recorded import payload

Parse = Callable[[Any, Remarks], Any]
Path = tuple[str | int, ...]

PARSERS: dict[str, Parse] = {
    "chart_platforms": lambda body, r: parsing.platforms(body["items"], r),
    "charts": lambda body, r: parsing.charts(body["items"], r),
    "available_rankings": lambda body, r: parsing.published(body["items"], r),
    "ranking": lambda body, r: parsing.ranking([body], r),
    "newest": lambda body, r: parsing.newest(body.get("related"), r),
    "track": lambda body, r: parsing.track(body.get("object"), r),
    "artist": lambda body, r: parsing.artist(body.get("object"), r),
    "track_audience": lambda body, r: series.track_series(body["items"], r.about("track_audience")),
    "artist_streaming": lambda body, r: series.artist_series(body["items"], r.about("artist_streaming")),
    "track_broadcast_groups": lambda body, r: parsing.plays(body["items"], r),
}


def _set(body: Any, path: Path, value: Any) -> Any:
    """The body with another value at the path."""
    where = body
    for step in path[:-1]:
        where = where[step]
    where[path[-1]] = value
    return body


REQUIRED: list[tuple[str, Path]] = [
    ("ranking", ("related", "date")),
    ("ranking", ("related", "chart")),
    *[("ranking", ("related", "chart", key)) for key in ("slug", "name", "platform")],
    ("newest", ("related", "date")),
    *[("newest", ("related", "chart", key)) for key in ("slug", "name", "platform")],
    *[("track", ("object", key)) for key in ("uuid", "name")],
    *[("artist", ("object", key)) for key in ("uuid", "name")],
]  # fmt: skip


@pytest.mark.parametrize("missing", [lambda where, key: where.pop(key), lambda where, key: where.update({key: None})])
@pytest.mark.parametrize(("name", "path"), REQUIRED)
def test_what_the_envelope_or_a_lone_record_lacks_is_named_with_its_endpoint(
    name: str, path: Path, missing: Callable[[Any, str | int], None]
) -> None:
    body = payload("ranking_recorded" if name == "newest" else name)
    assert PARSERS[name](body, Remarks())
    where = body
    for step in path[:-1]:
        where = where[step]
    missing(where, path[-1])

    endpoint = "ranking" if name == "newest" else name
    with pytest.raises(UnexpectedPayload, match=rf"^{endpoint}: .*\b{path[-1]}\b.*charts\.yaml") as raised:
        PARSERS[name](body, Remarks())
    assert raised.value.endpoint == endpoint


def _items(name: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = payload(name)["items"]
    return items


CARRIED: list[tuple[str, str | None, str]] = [
    ("chart_platforms", None, "code"),
    *[("charts", None, key) for key in ("slug", "name", "platform")],
    *[("ranking", None, key) for key in ("song", "position")],
    *[("ranking", "song", key) for key in ("uuid", "name")],
    *[("track_audience", None, key) for key in ("date", "plots")],
    *[("track_audience", "plots", key) for key in ("identifier", "value")],
    *[("artist_streaming", None, key) for key in ("date", "value")],
    *[("artist_streaming", "cityPlots", key) for key in ("cityName", "value")],
    *[("artist_streaming", "countryPlots", key) for key in ("countryCode", "value")],
    ("track_broadcast_groups", None, "playCount"),
]  # fmt: skip


def _holders(body: Any, inside: str | None) -> list[dict[str, Any]]:
    if inside is None:
        return list(body["items"])
    found = [item[inside] for item in body["items"] if item.get(inside)]
    return [one for part in found for one in (part if isinstance(part, list) else [part])]


@pytest.mark.parametrize(("name", "inside", "key"), CARRIED)
def test_a_key_that_no_record_carries_is_a_changed_api(name: str, inside: str | None, key: str) -> None:
    body = payload(name)
    for holder in _holders(body, inside):
        holder[f"new_{key}"] = holder.pop(key, None)

    with pytest.raises(UnexpectedPayload, match=rf"^{name}: .*\b{key}\b.*charts\.yaml") as raised:
        PARSERS[name](body, Remarks())
    assert type(raised.value) is UnexpectedPayload
    assert raised.value.endpoint == name


@pytest.mark.parametrize("key", ["value", "plots"])
def test_a_day_among_others_without_the_key_is_a_day_without_values(key: str, unremarked: Remarks) -> None:
    name = "track_audience" if key == "plots" else "artist_streaming"
    body = payload(name)
    whole = PARSERS[name](body, unremarked)
    del body["items"][0][key]

    found = PARSERS[name](body, unremarked)
    assert len(found.points) < len(whole.points)
    assert set(found.points) < set(whole.points)


def test_null_in_every_item_is_a_missing_value_and_no_changed_api(unremarked: Remarks) -> None:
    items = _items("artist_streaming")
    for item in items:
        item["value"] = None
        for plot in [*item["cityPlots"], *item["countryPlots"]]:
            plot["value"] = None

    assert series.artist_series(items, unremarked.about("artist_streaming")) == Series(())


# One odd record costs itself alone.


@pytest.mark.parametrize(
    ("name", "path", "odd", "field"),
    [
        ("chart_platforms", (0, "code"), None, "code"),
        ("chart_platforms", (0,), "spotify", "the item"),
        ("charts", (0, "slug"), "", "slug"),
        ("charts", (0, "name"), ["Global"], "name"),
        ("charts", (0,), None, "the item"),
        ("available_rankings", (0,), None, "items"),
        ("available_rankings", (0,), 20260529, "items"),
        ("available_rankings", (0,), {"date": "2026-05-29T12:00:00+00:00"}, "items"),
        ("available_rankings", (0,), "2026-W22-5T12:00:00+00:00", "items"),
        ("ranking", (0, "song"), None, "song"),
        ("ranking", (0, "song", "uuid"), None, "song.uuid"),
        ("ranking", (0, "song", "uuid"), "u" * 3000, "song.uuid"),
        ("ranking", (0, "position"), "first", "position"),
        ("ranking", (0, "position"), True, "position"),
        ("ranking", (0, "position"), 1 << 31, "position"),
        ("ranking", (0,), [], "the item"),
        ("track_audience", (0, "date"), "yesterday", "date"),
        ("track_audience", (0, "date"), 20260529, "date"),
        ("track_audience", (0,), "2026-05-29T00:00:00+00:00", "date"),
        ("artist_streaming", (0,), None, "date"),
        ("track_broadcast_groups", (0, "playCount"), True, "playCount"),
        ("track_broadcast_groups", (0, "playCount"), -3, "playCount"),
        ("track_broadcast_groups", (0, "playCount"), None, "playCount"),
    ],
)
def test_a_record_that_cannot_be_read_is_left_out_with_a_remark_and_the_others_stay(
    name: str, path: Path, odd: object, field: str
) -> None:
    body, remarks = payload(name), Remarks()
    alone = payload(name)
    if name == "track_audience":  # in the order of the answer
        body["items"].sort(key=lambda item: item["date"])
        alone["items"].sort(key=lambda item: item["date"])
    del alone["items"][0]

    found = PARSERS[name](_set(body, ("items", *path), odd), remarks)

    rest = [day for day in found if day] if name == "available_rankings" else found
    if name == "ranking":
        assert found.unreadable == 1
        rest = replace(found, unreadable=0)
    assert rest == PARSERS[name](alone, Remarks())
    assert [(r.endpoint, r.field, r.done, r.count) for r in remarks.drain()] == [(name, field, "left out", 1)]


def test_the_second_of_two_records_cannot_be_read_either_and_the_answer_is_refused() -> None:
    body = payload("ranking")
    body["items"][0]["song"] = body["items"][1]["position"] = None

    with pytest.raises(UnexpectedPayload, match=r"ranking: song: .* in every record"):
        PARSERS["ranking"](body, Remarks())


# One odd field is null.

TRACK_FIELDS: list[tuple[str, object, dict[str, object]]] = [
    ("duration", 215.4, {"duration_seconds": None}),
    ("duration", "three minutes", {"duration_seconds": None}),
    ("duration", True, {"duration_seconds": None}),
    ("duration", 1 << 31, {"duration_seconds": None}),
    ("duration", 10**30, {"duration_seconds": None}),
    ("duration", float("inf"), {"duration_seconds": None}),
    ("releaseDate", "1975", {"release_date": None}),
    ("releaseDate", "1975-06", {"release_date": None}),
    ("releaseDate", "1975-06-31", {"release_date": None}),
    ("releaseDate", 1975, {"release_date": None}),
    ("releaseDate", 0, {"release_date": None}),
    ("releaseDate", "last spring", {"release_date": None}),
    ("explicit", "unknown", {"explicit": None}),
    ("explicit", 7, {"explicit": None}),
    ("copyright", ["(P) 2019"], {"copyright": None}),
    ("copyright", False, {"copyright": None}),
    ("isrc", {"value": ["USUM71900764"]}, {"isrc": None}),
    ("isrc", 7.5, {"isrc": "7.5"}),
    ("labels", 7, {"labels": []}),
    ("labels", [["Some Label"]], {"labels": []}),
    ("composers", [{"name": "A. Writer"}, "B. Writer"], {"composers": ["B. Writer"]}),
    ("audio", 7, {"audio_features": None}),
    ("audio", {"energy": float("inf")}, {"audio_features": None}),
    ("audio", {"energy": [[[[[[1]]]]]]}, {"audio_features": None}),
    ("artists", 7, {"artists": ()}),
    ("artists", "Billie Eilish", {"artists": ()}),
    ("artists", [{"name": "Nobody"}], {"artists": ()}),
    ("genres", [{"root": None, "sub": ["x"]}, {"root": "pop"}], {"genres": (Genre(root="pop"),)}),
    ("genres", [{"root": "g" * 201}, "pop"], {"genres": (Genre(root="pop"),)}),
    ("genres", [{"root": "pop", "sub": [["x"], "indie"]}], {"genres": (Genre(root="pop", subs=("indie",)),)}),
    ("genres", [7, None, "pop"], {"genres": (Genre(root="pop"),)}),
]


@pytest.mark.parametrize(("key", "odd", "expected"), TRACK_FIELDS)
def test_an_odd_field_of_a_track_is_empty_and_all_others_stay(
    key: str, odd: object, expected: dict[str, object]
) -> None:
    remarks, body = Remarks(), payload("track")
    plain = PARSERS["track"](body, Remarks())

    found = PARSERS["track"](_set(body, ("object", key), odd), remarks)

    assert found == replace(plain, **expected)
    noted = remarks.drain()
    if "7.5" not in expected.values():  # a number is a text, too
        assert [(r.endpoint, r.field.partition(".")[0]) for r in noted] == [("track", key)]
        assert noted[0].examples[0][0] == plain.uuid


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("duration", 215.0, {"duration_seconds": 215}),
        ("duration", "215", {"duration_seconds": 215}),
        ("duration", "215.0", {"duration_seconds": 215}),
        ("labels", "Some Label", {"labels": [{"name": "Some Label"}]}),
        ("labels", {"name": "Some Label"}, {"labels": [{"name": "Some Label"}]}),
        ("labels", {"1": {"name": "Some Label"}}, {"labels": [{"name": "Some Label"}]}),
        ("composers", "A. Writer", {"composers": ["A. Writer"]}),
        ("genres", "pop", {"genres": (Genre(root="pop"),)}),
        ("genres", {"root": "pop", "sub": "indie"}, {"genres": (Genre(root="pop", subs=("indie",)),)}),
        ("explicit", "", {"explicit": None}),
        ("releaseDate", "0000-00-00", {"release_date": None}),
        ("releaseDate", "1975-06-30", {"release_date": date(1975, 6, 30)}),
        ("audio", [], {"audio_features": None}),
    ],
)
def test_another_way_to_say_the_same_is_read_without_a_remark(
    key: str, value: object, expected: dict[str, object], unremarked: Remarks
) -> None:
    body = payload("track")
    plain = PARSERS["track"](body, unremarked)

    assert PARSERS["track"](_set(body, ("object", key), value), unremarked) == replace(plain, **expected)


@pytest.mark.parametrize(
    ("ref", "name"),
    [({"uuid": "u", "slug": "tones-and-i", "name": None}, "tones-and-i"), ({"uuid": "u", "name": ["x"]}, "u")],
)
def test_a_credited_artist_without_a_name_keeps_the_uuid_and_another_name_stands_in(
    ref: dict[str, object], name: str
) -> None:
    remarks, body = Remarks(), _set(payload("track"), ("object", "artists"), [ref])

    artists = PARSERS["track"](body, remarks).artists

    assert artists == (ArtistRef(uuid="u", name=name, slug=ref.get("slug")),)  # type: ignore[arg-type]
    assert "which stands in" in {r.done for r in remarks.drain()}


def test_a_ranked_track_without_a_name_is_ranked() -> None:
    remarks, body = Remarks(), _set(payload("ranking"), ("items", 0, "song", "name"), None)

    first = PARSERS["ranking"](body, remarks).entries[0]

    assert first.track.name == first.track.uuid
    assert [(r.field, r.done) for r in remarks.drain()] == [("song.name", "which stands in")]


def test_a_lone_record_that_cannot_be_read_says_what_it_lacks() -> None:
    with pytest.raises(UnreadableRecord) as raised:
        parsing.track({"uuid": "u", "name": True}, Remarks())
    assert (raised.value.endpoint, raised.value.field, raised.value.found) == ("track", "name", True)

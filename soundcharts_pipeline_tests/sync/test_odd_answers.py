"""A Soundcharts that answers oddly, from the first byte to the stored rows, on both databases."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from soundcharts_pipeline.api.errors import UnexpectedPayload
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.audience import sync_artist_audience, sync_track_audience
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.metadata import sync_artist_metadata, sync_track_metadata
from soundcharts_pipeline.sync.rankings import sync_rankings
from soundcharts_pipeline.sync.report import SyncIncomplete
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.helpers import last_days, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.truth import Rows, expected, stored

# What changes a body, by a part of the path that it is the answer to.
Changes = dict[str, Callable[[Any], None]]

TRACK, ARTIST = "/api/v2.25/song/", "/api/v2.9/artist/"
TRACK_SERIES, STREAMING, FOLLOWERS = "/audience/", "/streaming/", "/social/"


def _chart(**changes: object) -> ChartSettings:
    return small_chart(**{"history_days": 14, "track_audience_platforms": ("spotify", "airplay"), **changes})  # type: ignore[arg-type]


def _sync(
    simulator: Simulator, warehouse: Warehouse, changes: Changes, *, later: timedelta = timedelta()
) -> SyncContext:
    """One day of a small chart through the whole cascade, with answers changed on their way."""

    def change(path: str, status: int, body: Any) -> tuple[int, Any]:
        for part, alter in changes.items():
            if part in path and status == 200:
                alter(body)
        return status, body

    ctx = new_context(simulator, warehouse)
    moment = ctx.clock() + later
    with altered(simulator.url, change) as url:
        ctx = new_context(simulator, warehouse, url=url, now=moment)
        run_cascade(ctx, _chart(), last_days(simulator, _chart().slug, 1))
    return ctx


def _expected(simulator: Simulator) -> Rows:
    return expected(simulator.world, _chart(), last_days(simulator, _chart().slug, 1))


def _remarks(ctx: SyncContext) -> set[tuple[str, str, str]]:
    return {(r.endpoint, r.field, r.done) for r in ctx.client.remarks.drain()}


def _records(body: Any) -> Iterator[dict[str, Any]]:
    """The records of a metadata answer, of one or of several."""
    for item in body["items"] if "items" in body else [body["object"]]:
        yield item.get("object", item)


# Text.

ODD, CLEANED = "\0\ud83d", "�"
# Names by which answers are matched, and what the pipeline reads as something else than a text.
NO_TEXT = {"uuid", "slug", "code", "platform", "next", "previous", "date", "releaseDate", "birthDate", "entryDate"}


def _mark(found: Any, key: str = "") -> Any:
    if isinstance(found, dict):
        return {inner: _mark(value, inner) for inner, value in found.items()}
    if isinstance(found, list):
        return [_mark(item, key) for item in found]
    is_text = isinstance(found, str) and found and key not in NO_TEXT and found[:2] != "20"
    return found + ODD if is_text else found


def test_text_that_no_database_holds_is_cleaned_wherever_it_stands(simulator: Simulator, warehouse: Warehouse) -> None:
    def mark(body: Any) -> None:
        body.update(_mark(body))

    _sync(simulator, warehouse, {"/api/": mark})

    found = stored(warehouse)
    marked = json.dumps(sorted(map(str, found.values())), ensure_ascii=False)
    assert marked.count(CLEANED) > 1000
    assert {name: {_unmarked(row) for row in rows} for name, rows in found.items()} == _expected(simulator)


def _unmarked(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(v.replace(CLEANED, "").replace("\\ufffd", "") if isinstance(v, str) else v for v in row)


# Places.


def test_two_cities_of_one_name_are_added_up(simulator: Simulator, warehouse: Warehouse) -> None:
    def double(body: Any) -> None:
        for item in body["items"]:
            for plot in list(item.get("cityPlots") or ())[:1]:
                item["cityPlots"].append({**plot, "value": 1000})

    ctx = _sync(simulator, warehouse, {STREAMING: double})

    found, truth = stored(warehouse)["artist_audience_geo"], _expected(simulator)["artist_audience_geo"]
    assert {row[:-1] for row in found} == {row[:-1] for row in truth}
    values = dict(zip([row[:-1] for row in truth], [row[-1] for row in truth], strict=True))
    more = [row[-1] - values[row[:-1]] for row in found if row[-1] != values[row[:-1]]]
    assert more
    assert set(more) == {1000}
    assert _remarks(ctx) == set()


@pytest.mark.parametrize("part", ["countryCode", "region"])
def test_a_place_of_an_unforeseen_form_costs_nothing_else(
    simulator: Simulator, sqlite_warehouse: Warehouse, part: str
) -> None:
    seen = 0

    def nest(body: Any) -> None:
        nonlocal seen
        for item in body["items"]:
            for plot in (item.get("cityPlots") or ())[:1]:
                seen += 1
                plot[part] = [plot[part]]

    ctx = _sync(simulator, sqlite_warehouse, {STREAMING: nest})

    assert seen
    found, truth = stored(sqlite_warehouse), _expected(simulator)
    assert len(found["artist_audience_geo"]) == len(truth["artist_audience_geo"])
    assert {**found, "artist_audience_geo": ()} == {**truth, "artist_audience_geo": ()}
    assert _remarks(ctx) == {("artist_streaming", f"cityPlots.{part}", "kept without that name")}
    assert simulator.counters.repeats == 0


# Series.


@pytest.mark.parametrize(
    ("part", "renamed", "platform"), [(FOLLOWERS, "value", "instagram"), (TRACK_SERIES, "plots", "spotify")]
)
def test_a_key_that_is_gone_from_all_items_fails_and_is_asked_again_when_mended(
    simulator: Simulator, warehouse: Warehouse, part: str, renamed: str, platform: str
) -> None:
    def rename(body: Any) -> None:
        for item in body["items"]:
            item["followerCount"] = item.pop(renamed, None)

    with pytest.raises(SyncIncomplete, match=renamed) as raised:
        _sync(simulator, warehouse, {part: rename})
    assert isinstance(raised.value.cause, UnexpectedPayload)
    with warehouse.read() as conn:
        t = b.audience_asks.c
        renamed_ones = (t.platform == platform, t.metric == ("followers" if part == FOLLOWERS else "streams"))
        assert conn.scalar(select(func.count()).where(*renamed_ones)) == 0

    _sync(simulator, warehouse, {})
    assert stored(warehouse) == _expected(simulator)


def test_a_day_of_a_track_without_plots_is_a_day_without_values(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    lost: set[tuple[str, str]] = set()

    def bare(body: Any) -> None:
        if len(body["items"]) > 1:
            del body["items"][1]["plots"]
            lost.add((body["related"]["uuid"], body["items"][1]["date"][:10]))

    ctx = _sync(simulator, sqlite_warehouse, {TRACK_SERIES: bare})

    assert lost
    truth = _expected(simulator)["track_audience"]
    whole = {row for row in truth if row[1] != "spotify" or (row[0], str(row[4])) not in lost}
    assert stored(sqlite_warehouse)["track_audience"] == whole != truth
    assert _remarks(ctx) == set()


@pytest.mark.parametrize("total", [True, -3])
def test_a_count_of_plays_that_is_none_is_refused_and_nothing_of_it_saved(
    simulator: Simulator, sqlite_warehouse: Warehouse, total: object
) -> None:
    chart, days = _chart(), last_days(simulator, _chart().slug, 1)
    run_cascade(new_context(simulator, sqlite_warehouse), _chart(track_audience_platforms=()), days)

    def change(_: str, status: int, body: Any) -> tuple[int, Any]:
        body["page"]["total"] = total
        return status, body

    with altered(simulator.url, change) as url, pytest.raises(SyncIncomplete, match=r"page\.total") as raised:
        sync_track_audience(new_context(simulator, sqlite_warehouse, url=url), chart, days, "airplay")
    assert isinstance(raised.value.cause, UnexpectedPayload)
    assert stored(sqlite_warehouse)["track_audience"] == set()


# Records.

ODD_FIELDS: list[tuple[str, object]] = [
    *[("duration", 215.4), ("releaseDate", "1975"), ("releaseDate", "1975-06"), ("explicit", "unknown")],
    *[("genres", [{"root": None, "sub": []}]), ("labels", [7]), ("artists", [{"slug": "x"}]), ("audio", 7)],
]


def test_odd_fields_of_some_tracks_cost_those_fields_alone(simulator: Simulator, warehouse: Warehouse) -> None:
    odd = dict[str, tuple[str, object]]()

    def change(body: Any) -> None:
        for record in _records(body):
            if len(odd) < len(ODD_FIELDS) and "isrc" in record:
                key, value = odd.setdefault(record["uuid"], ODD_FIELDS[len(odd)])
                record[key] = value

    ctx = _sync(simulator, warehouse, {TRACK: change})

    found, truth = stored(warehouse), _expected(simulator)
    assert {row for row in found["tracks"] if row[0] not in odd} == {r for r in truth["tracks"] if r[0] not in odd}
    assert len(found["tracks"]) == len(truth["tracks"])
    assert found["track_audience"] == truth["track_audience"]
    keys = {field.partition(".")[0] for endpoint, field, _ in _remarks(ctx) if endpoint == "track"}
    assert keys == {key for key, _ in ODD_FIELDS}
    assert simulator.counters.repeats == 0


def _odd_name(uuids: list[str]) -> Callable[[Any], None]:
    def change(body: Any) -> None:
        for record in _records(body):
            if "uuid" in record and (not uuids or record["uuid"] in uuids):
                uuids.append(record["uuid"])
                record["name"] = None
                return

    return change


@pytest.mark.parametrize("entity", ["track", "artist"])
def test_a_record_without_its_name_is_lost_alone_and_not_paid_for_again_that_day(
    simulator: Simulator, warehouse: Warehouse, entity: str
) -> None:
    """All below goes on without it, and a day later it is asked for again."""
    uuids: list[str] = []
    part = TRACK if entity == "track" else ARTIST

    ctx = _sync(simulator, warehouse, {part: _odd_name(uuids)})
    found, truth = stored(warehouse), _expected(simulator)
    (uuid,) = set(uuids)
    assert {row[0] for row in truth[f"{entity}s"]} - {row[0] for row in found[f"{entity}s"]} == {uuid}
    assert found[f"{entity}_audience"] == truth[f"{entity}_audience"]
    assert (entity, "name", "left out") in _remarks(ctx)
    assert simulator.counters.repeats == 0, "not in a batch and alone"

    calls = simulator.counters.total
    _sync(simulator, warehouse, {})
    assert simulator.counters.total == calls, "not on the same day"

    _sync(simulator, warehouse, {}, later=timedelta(hours=25))
    assert {row[0] for row in stored(warehouse)[f"{entity}s"]} >= {uuid}


def test_a_whole_batch_that_cannot_be_read_is_a_changed_api(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    chart, days = _chart(), last_days(simulator, _chart().slug, 1)
    sync_rankings(new_context(simulator, sqlite_warehouse), chart, days)

    def change(_: str, status: int, body: Any) -> tuple[int, Any]:
        for record in _records(body):
            record["title"] = record.pop("name", None)
        return status, body

    with altered(simulator.url, change) as url, pytest.raises(SyncIncomplete, match=r"track: name: .*every record"):
        sync_track_metadata(new_context(simulator, sqlite_warehouse, url=url), chart, days)
    with sqlite_warehouse.read() as conn:
        assert conn.scalar(select(func.count()).select_from(b.tombstones)) == 0
    assert simulator.counters.calls["track"] <= 5


@pytest.mark.parametrize("items", [7, None])
def test_a_batch_whose_items_are_no_list_is_refused_by_name(
    simulator: Simulator, sqlite_warehouse: Warehouse, items: object
) -> None:
    chart, days = _chart(), last_days(simulator, _chart().slug, 1)
    sync_rankings(new_context(simulator, sqlite_warehouse), chart, days)
    with (
        altered(simulator.url, lambda _, status, body: (status, {**body, "items": items})) as url,
        pytest.raises(SyncIncomplete, match="track: the answer has no items"),
    ):
        sync_track_metadata(new_context(simulator, sqlite_warehouse, url=url), chart, days)


NO_NAMES = [None, "", "\0", "   "]


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_credited_artist_without_a_name_is_followed_and_gets_its_name_from_its_own_record(
    simulator: Simulator, sqlite_warehouse: Warehouse, name: str | None
) -> None:
    def nameless(body: Any) -> None:
        for record in _records(body):
            for ref in record.get("artists") or ():
                ref["name"] = name

    _sync(simulator, sqlite_warehouse, {TRACK: nameless})
    assert stored(sqlite_warehouse) == _expected(simulator)


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_ranked_track_without_a_name_gets_it_from_its_own_record(
    simulator: Simulator, sqlite_warehouse: Warehouse, name: str | None
) -> None:
    def nameless(body: Any) -> None:
        body["items"][0]["song"]["name"] = name

    ctx = _sync(simulator, sqlite_warehouse, {"/ranking/": nameless})
    assert stored(sqlite_warehouse) == _expected(simulator)
    assert _remarks(ctx) == {("ranking", "song.name", "which stands in")}


def test_a_list_of_rankings_with_an_unreadable_day_confirms_no_day_as_missing(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    """The unreadable one may be any day: what is not found is refused, not kept as not published."""
    days = last_days(simulator, _chart().slug, 3)

    def blur(path: str, status: int, body: Any) -> tuple[int, Any]:
        if "available-rankings" in path:
            body["items"][1] = None
        return status, body

    unknown = f"not known whether {_chart().slug} has a ranking for {days[1]}: .* cannot be read"
    with altered(simulator.url, blur) as url, pytest.raises(SyncIncomplete, match=unknown):
        sync_rankings(new_context(simulator, sqlite_warehouse, url=url), _chart(), days)
    assert {day for _, day in stored(sqlite_warehouse)["ranked"]} == {days[0], days[2]}
    sync_rankings(new_context(simulator, sqlite_warehouse), _chart(), days)
    assert {day for _, day in stored(sqlite_warehouse)["ranked"]} == set(days)


def test_an_answer_of_another_track_or_artist_is_kept_under_the_one_asked_for(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    def other(body: Any) -> None:
        related = body["related"]
        related.get("artist", related)["uuid"] = "00000000-0000-4000-8000-000000000000"

    ctx = _sync(simulator, sqlite_warehouse, {TRACK_SERIES: other, STREAMING: other, FOLLOWERS: other})
    assert stored(sqlite_warehouse) == _expected(simulator)
    kept = "kept under the one asked for"
    assert _remarks(ctx) == {
        (endpoint, "related.uuid", kept) for endpoint in ("track_audience", "artist_streaming", "artist_followers")
    }


def test_a_city_name_of_thousands_of_letters_stops_no_database(simulator: Simulator, warehouse: Warehouse) -> None:
    chart, days = _chart(), last_days(simulator, _chart().slug, 1)
    for step in (sync_rankings, sync_track_metadata, sync_artist_metadata):
        step(new_context(simulator, warehouse), chart, days)
    # Text that does not shrink: an index would have to hold all of it.
    long = "".join(chr(0x4E00 + n * 7919 % 20000) for n in range(4000))

    def stretch(_: str, status: int, body: Any) -> tuple[int, Any]:
        for item in body.get("items", ()):
            for plot in (item.get("cityPlots") or ())[:1]:
                plot["cityName"] = long
        return status, body

    with altered(simulator.url, stretch) as url:
        sync_artist_audience(new_context(simulator, warehouse, url=url), chart, days, "spotify")
    with warehouse.read() as conn:
        assert conn.scalar(select(func.count()).select_from(s.artist_audience_geo))

"""What stops a sync, what it keeps, and what the next one still has to pay for."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from soundcharts_pipeline.api.errors import AuthenticationError, QuotaExhausted, ServerError
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.queries.chart_states import usage_of
from soundcharts_pipeline.storage.queries.worklists import GONE
from soundcharts_pipeline.storage.saves import save_published
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.audience import sync_track_audience
from soundcharts_pipeline.sync.metadata import sync_track_metadata
from soundcharts_pipeline.sync.preconditions import SourceMismatch, inside_source
from soundcharts_pipeline.sync.radio_plays import TOTALS_FACT
from soundcharts_pipeline.sync.ranking_list import NotListed, RankingRefused, UnknownChart
from soundcharts_pipeline.sync.rankings import NotPublished, sync_rankings
from soundcharts_pipeline.sync.report import SyncIncomplete
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.today import TODAY
from soundcharts_pipeline_tests.support.truth import expected, stored


def test_a_day_not_yet_published_names_the_newest_one_and_keeps_the_others(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    newest = last_days(simulator, SLUG, 1)[0]
    days = [newest - timedelta(days=1), newest, newest + timedelta(days=1)]
    with pytest.raises(SyncIncomplete, match=f"newest published day is {newest}") as raised:
        sync_rankings(new_context(simulator, sqlite_warehouse), small_chart(), days)
    assert isinstance(raised.value.cause, NotPublished)
    assert {day for _, day in stored(sqlite_warehouse)["ranked"]} == set(days[:2])


def test_an_unknown_slug_names_the_nearest_charts(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    days = last_days(simulator, SLUG, 1)
    with pytest.raises(UnknownChart, match="did you mean viral-50-global"):
        sync_rankings(new_context(simulator, sqlite_warehouse), small_chart("viral-50-globl"), days)


def test_a_known_chart_whose_list_of_rankings_is_not_found_is_not_called_unknown(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    newest, chart = last_days(simulator, SLUG, 1)[0], small_chart()

    def hide(path: str, status: int, body: Any) -> tuple[int, Any]:
        hidden = "available-rankings" in path
        return (404, {"errors": [{"code": 404, "message": "Not found."}]}) if hidden else (status, body)

    with (
        altered(simulator.url, hide) as url,
        pytest.raises(RankingRefused, match=f"list of rankings of '{SLUG}', a chart that is known.*try again later"),
    ):
        sync_rankings(new_context(simulator, sqlite_warehouse, url=url), chart, [newest])


def test_a_track_that_cannot_be_fetched_leaves_the_others_saved_and_is_asked_for_alone(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    chart, days = small_chart(), last_days(simulator, SLUG, 1)
    sync_rankings(new_context(simulator, sqlite_warehouse), chart, days)
    sync_track_metadata(new_context(simulator, sqlite_warehouse), chart, days)
    simulator.script("track_audience", ["500"] * 5)
    with pytest.raises(SyncIncomplete, match="1 of 50 audience windows are still to do") as raised:
        sync_track_audience(new_context(simulator, sqlite_warehouse, max_in_flight=1), chart, days, "spotify")
    assert isinstance(raised.value.cause, ServerError)
    simulator.reset()
    sync_track_audience(new_context(simulator, sqlite_warehouse), chart, days, "spotify")
    assert simulator.counters.calls == {"track_audience": 1}
    spotify = {row for row in expected(simulator.world, chart, days)["track_audience"] if row[1] == "spotify"}
    assert stored(sqlite_warehouse)["track_audience"] == spotify


def test_a_server_that_is_down_is_not_asked_for_every_entity(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    chart, days = small_chart(), last_days(simulator, SLUG, 1)
    sync_rankings(new_context(simulator, sqlite_warehouse), chart, days)
    simulator.script("track_audience", ["503"] * 1000)
    with pytest.raises(SyncIncomplete, match="50 of 50"):
        sync_track_audience(new_context(simulator, sqlite_warehouse, max_in_flight=1), chart, days, "spotify")
    assert simulator.counters.calls["track_audience"] == 10 * 5, "ten entities in a row, five tries each"


def test_an_exhausted_quota_keeps_what_was_saved_and_a_later_run_resumes(
    simulator: Simulator, warehouse: Warehouse
) -> None:
    chart, days = small_chart(), last_days(simulator, SLUG, 1)
    simulator.set(quota=90)
    with pytest.raises(SyncIncomplete, match="still to do") as raised:
        run_cascade(new_context(simulator, warehouse), chart, days)
    assert isinstance(raised.value.cause, QuotaExhausted)
    assert raised.value.report.remaining > 0
    assert simulator.counters.billed <= 90
    simulator.set(quota=10_000)
    run_cascade(new_context(simulator, warehouse), chart, days)
    assert simulator.counters.repeats == 0, "nothing was paid for twice"
    assert stored(warehouse) == expected(simulator.world, chart, days)


def test_refused_credentials_stop_at_the_first_call(sqlite_warehouse: Warehouse) -> None:
    with Simulator(today=TODAY, app=("somebody", "else")) as simulator:
        with pytest.raises(AuthenticationError, match="SOUNDCHARTS_APP_ID"):
            sync_rankings(new_context(simulator, sqlite_warehouse), small_chart(), last_days(simulator, SLUG, 1))
        assert simulator.counters.total == 1


def test_what_the_api_does_not_have_is_not_asked_for_daily(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    simulator.set(oddities=["no-data", "refusals"])
    chart = small_chart(history_days=30)
    yesterday, today = last_days(simulator, SLUG, 2, before=20)
    run_cascade(new_context(simulator, sqlite_warehouse), chart, [yesterday])
    with sqlite_warehouse.read() as conn:
        tombstones = conn.scalar(select(func.count()).select_from(b.tombstones))
    assert tombstones
    asked = simulator.counters.total
    simulator.reset()
    now = new_context(simulator, sqlite_warehouse).clock()
    run_cascade(new_context(simulator, sqlite_warehouse, now=now + timedelta(days=31)), chart, [yesterday])
    again = simulator.counters.total
    assert 0 < again < asked, "tombstones are asked again after metadata_refresh_days, settled series never"
    simulator.reset()
    run_cascade(new_context(simulator, sqlite_warehouse, now=now + timedelta(days=32)), chart, [yesterday, today])
    with sqlite_warehouse.read() as conn:
        gone = set(conn.scalars(select(b.tombstones.c.uuid).where(b.tombstones.c.scope == "metadata")))
    assert gone
    assert simulator.counters.repeats == 0


def test_metadata_is_asked_again_when_a_chart_wants_more_of_it(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    days = last_days(simulator, SLUG, 1)
    bare = small_chart(auto_extract_artists=False, auto_extract_genres=False)
    run_cascade(new_context(simulator, sqlite_warehouse), bare, days)
    rows = stored(sqlite_warehouse)
    assert rows["tracks"]
    assert not rows["track_artists"] | rows["artists"] | rows["track_genres"] | rows["artist_audience"]
    run_cascade(new_context(simulator, sqlite_warehouse), small_chart(), days)
    assert stored(sqlite_warehouse) == expected(simulator.world, small_chart(), days)


@pytest.mark.parametrize("source", ["broadcasts", "broadcast-groups"])
def test_radio_plays_are_the_same_from_either_source(
    simulator: Simulator, sqlite_warehouse: Warehouse, source: str
) -> None:
    chart = small_chart(airplay_source=source, track_audience_platforms=("airplay",), artist_audience_platforms=())
    days = last_days(simulator, SLUG, 2)
    run_cascade(new_context(simulator, sqlite_warehouse), chart, days)
    assert stored(sqlite_warehouse)["track_audience"] == expected(simulator.world, chart, days)["track_audience"]
    other = {"broadcasts": "track_broadcast_groups", "broadcast-groups": "track_broadcasts"}[source]
    checks = simulator.counters.calls.get(other, 0)
    assert checks < 10, "the other source is asked for one track at most"


def test_where_the_total_was_found_wrong_the_stations_are_counted(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    chart = small_chart(track_audience_platforms=("airplay",), artist_audience_platforms=())
    with sqlite_warehouse.write() as conn:
        conn.execute(
            b.facts.insert().values(
                name=TOTALS_FACT, value="no", noted_at=new_context(simulator, sqlite_warehouse).clock()
            )
        )
    run_cascade(new_context(simulator, sqlite_warehouse), chart, last_days(simulator, SLUG, 1))
    assert "track_broadcasts" not in simulator.counters.calls
    assert simulator.counters.calls["track_broadcast_groups"] >= 50


def test_a_plan_without_the_stations_is_asked_for_them_once(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    chart, days = small_chart(track_audience_platforms=(), artist_audience_platforms=()), last_days(simulator, SLUG, 1)

    def refusal(path: str, status: int, body: Any) -> tuple[int, Any]:
        if path.partition("?")[0].endswith("/broadcast-groups"):
            return 403, {"errors": [{"key": "access", "code": 403, "message": "Not in your plan."}]}
        return status, body

    with altered(simulator.url, refusal) as url:
        ctx = new_context(simulator, sqlite_warehouse, url=url)
        run_cascade(ctx, chart, days)
        sync_track_audience(ctx, chart, days, "airplay")
    assert simulator.counters.repeats == 0
    assert simulator.counters.calls["track_broadcast_groups"] == 1
    assert simulator.counters.calls["track_broadcasts"] == 50


def test_made_up_and_real_data_never_mix(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    ctx = new_context(simulator, sqlite_warehouse)
    elsewhere, days = "customer.api.soundcharts.com", last_days(simulator, SLUG, 1)
    with inside_source(ctx, elsewhere):
        assert not simulator.counters.total  # who has not answered is not remembered
    with inside_source(ctx, "local"):
        sync_rankings(ctx, small_chart(), days)
    with pytest.raises(SourceMismatch, match="SOUNDCHARTS_DATA_DIR"), inside_source(ctx, elsewhere):
        sync_rankings(ctx, small_chart(), days)
    with inside_source(ctx, "local"):
        sync_rankings(ctx, small_chart(), days)


def test_calls_are_counted_as_the_server_counts_them(simulator: Simulator, warehouse: Warehouse) -> None:
    simulator.script("track", ["500", "429-reset"])
    run_cascade(new_context(simulator, warehouse), small_chart(), last_days(simulator, SLUG, 1))
    with warehouse.read() as conn:
        rows = conn.execute(select(b.api_usage)).mappings().all()
    assert {row["endpoint"]: row["calls"] for row in rows} == simulator.counters.calls
    assert sum(row["billed"] for row in rows) == simulator.counters.billed
    track = next(row for row in rows if row["endpoint"] == "track")
    assert (track["errors"], track["throttled"]) == (2, 1)
    # Accounts that do not exist are told beside the errors, not as errors.
    with warehouse.read() as conn:
        gone = conn.scalar(select(func.count()).where(b.tombstones.c.reason == GONE))
        assert usage_of(conn, simulator.world.today).not_found == gone
    assert gone
    assert sum(row["errors"] for row in rows) == 2


def test_a_listed_ranking_without_places_is_no_ranking(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    days = last_days(simulator, SLUG, 1)

    def empty(path: str, status: int, body: Any) -> tuple[int, Any]:
        if "/ranking/" in path:
            body |= {"items": [], "page": body["page"] | {"total": 0, "next": None}}
        return status, body

    with altered(simulator.url, empty) as url, pytest.raises(SyncIncomplete, match="is listed, but has no places"):
        sync_rankings(new_context(simulator, sqlite_warehouse, url=url), small_chart(), days)
    assert sync_rankings(new_context(simulator, sqlite_warehouse), small_chart(), days).rows == 50


def test_a_list_that_lost_most_of_its_days_says_nothing_of_others(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    *known, newest = last_days(simulator, SLUG, 6)
    unknown = known[0] - timedelta(days=200)
    with sqlite_warehouse.write() as conn:
        of_days = [p for p in simulator.world.published_days(SLUG) if p.day in known]
        save_published(conn, SLUG, of_days, new_context(simulator, sqlite_warehouse).clock())

    def cut(path: str, status: int, body: Any) -> tuple[int, Any]:
        if path.partition("?")[0].endswith("/available-rankings"):
            body |= {"items": body["items"][:1], "page": body["page"] | {"total": 1, "next": None}}
        return status, body

    said = f"not known whether {SLUG} has a ranking for {unknown}: .*the newest published day is {newest}"
    with altered(simulator.url, cut) as url, pytest.raises(SyncIncomplete, match=said) as raised:
        sync_rankings(new_context(simulator, sqlite_warehouse, url=url), small_chart(), [unknown])
    assert isinstance(raised.value.cause, NotListed)
    assert sync_rankings(new_context(simulator, sqlite_warehouse), small_chart(), [unknown]).rows == 50


@pytest.mark.parametrize(("status", "listed"), [(403, 0), (403, 2), (404, 2), (410, 2), (400, 2)])
def test_days_before_a_refusal_of_the_list_are_kept_and_the_others_are_not_called_unpublished(
    simulator: Simulator, sqlite_warehouse: Warehouse, status: int, listed: int
) -> None:
    """A list that is refused as a whole still leaves the newest ranking."""
    days = last_days(simulator, SLUG, 5)

    def refuse(path: str, true_status: int, body: Any) -> tuple[int, Any]:
        if not path.partition("?")[0].endswith("/available-rankings"):
            return true_status, body
        if listed and "offset=0" in path:
            return 200, {**body, "items": body["items"][:listed]}
        return status, {"errors": [{"key": "access", "code": status, "message": "Refused."}]}

    kept = days[-(listed or 1) :]
    said = f"not known whether {SLUG} has a ranking for {days[0]} to {kept[0] - timedelta(days=1)}: .*{status} Refused"
    with altered(simulator.url, refuse) as url, pytest.raises(SyncIncomplete, match=said) as raised:
        sync_rankings(new_context(simulator, sqlite_warehouse, url=url), small_chart(), days)
    assert isinstance(raised.value.cause, NotListed)
    assert {day for _, day in stored(sqlite_warehouse)["ranked"]} == set(kept)
    sync_rankings(new_context(simulator, sqlite_warehouse), small_chart(), days)
    assert {day for _, day in stored(sqlite_warehouse)["ranked"]} == set(days), "of the others nothing was noted"


def test_a_day_after_the_newest_one_of_a_refused_list_is_not_out_yet(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    newest = last_days(simulator, SLUG, 1)[0]

    def refuse(path: str, status: int, body: Any) -> tuple[int, Any]:
        hidden = path.partition("?")[0].endswith("/available-rankings")
        return (403, {"errors": [{"code": 403, "message": "Refused."}]}) if hidden else (status, body)

    days = [newest, newest + timedelta(days=1)]
    with altered(simulator.url, refuse) as url, pytest.raises(SyncIncomplete, match=f"is {newest}") as raised:
        sync_rankings(new_context(simulator, sqlite_warehouse, url=url), small_chart(), days)
    assert isinstance(raised.value.cause, NotPublished)

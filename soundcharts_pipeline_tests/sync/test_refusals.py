"""A refusal among answers is an answer; the same refusal to everybody is none, costs few calls and leaves nothing."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from soundcharts_pipeline.api.errors import EndpointRefuses, WrongPlatform
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.endpoint_states import EndpointState, endpoint_state, refusing_endpoints
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.audience import sync_artist_audience, sync_track_audience
from soundcharts_pipeline.sync.evidence import FEW_NOT_FOUND, FEW_REFUSALS
from soundcharts_pipeline.sync.report import SyncIncomplete, SyncReport
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade
from soundcharts_pipeline_tests.support.truth import expected, stored
from soundcharts_pipeline_tests.sync.refusing import CHART, REFUSALS, STEPS, notes, refusing, until


@pytest.mark.parametrize(("status", "message"), REFUSALS)
@pytest.mark.parametrize("part", STEPS)
def test_what_refuses_everybody_fails_by_name_for_few_calls_and_the_next_run_is_complete(
    simulator: Simulator, sqlite_warehouse: Warehouse, part: str, status: int, message: str
) -> None:
    chart = replace(CHART, track_audience_platforms=("spotify", "airplay"))
    days = last_days(simulator, SLUG, 1)
    until(part, new_context(simulator, sqlite_warehouse), days)
    before = notes(sqlite_warehouse)
    refused: list[str] = []
    with altered(simulator.url, refusing(part, status, message, refused)) as url:
        ctx = new_context(simulator, sqlite_warehouse, url=url)
        with pytest.raises(SyncIncomplete, match=r"everything asked of (track|artist)/") as raised:
            STEPS[part](ctx, chart, days)
    assert isinstance(raised.value.cause, EndpointRefuses)
    # A refused batch of metadata is asked for one by one.
    few = 11 if "/api/v2." in part else FEW_REFUSALS if status == 403 else FEW_NOT_FOUND
    assert len(refused) <= few + (part == "/broadcasts")
    if part != "/streaming/spotify":  # the followers of the same step are answered
        assert notes(sqlite_warehouse) == before
    with sqlite_warehouse.read() as conn:
        (state,) = refusing_endpoints(conn)
    assert (state.status, state.refused_runs) == (status, 1)
    run_cascade(new_context(simulator, sqlite_warehouse), chart, days)
    assert stored(sqlite_warehouse) == expected(simulator.world, chart, days)
    with sqlite_warehouse.read() as conn:
        assert refusing_endpoints(conn) == []


def test_refusals_of_some_are_answers(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    days = last_days(simulator, SLUG, 1)
    until("/audience/spotify", new_context(simulator, sqlite_warehouse), days)
    gone = {entry.track.uuid for entry in simulator.world.ranking(SLUG, days[0]).entries[::2]}

    def change(path: str, status: int, body: Any) -> tuple[int, Any]:
        if "/audience/" in path and any(uuid in path for uuid in gone):
            return refusing("/audience/", 404, "Not found.")(path, status, body)
        return status, body

    with altered(simulator.url, change) as url:
        report = sync_track_audience(new_context(simulator, sqlite_warehouse, url=url), CHART, days, "spotify")
        assert report.not_found == 25
        again = new_context(simulator, sqlite_warehouse, url=url)
        assert sync_track_audience(again, CHART, days, "spotify").calls == 0
    with sqlite_warehouse.read() as conn:
        noted = {row.uuid for row in conn.execute(select(b.tombstones))}
    # One that came out lately may get its account yet: it counts as asked.
    assert noted <= gone
    assert len(noted) > 20


def test_many_refusals_in_a_row_are_believed_where_somebody_known_is_answered(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    days = last_days(simulator, SLUG, 1)
    until("/audience/spotify", new_context(simulator, sqlite_warehouse), days)
    uuids = [entry.track.uuid for entry in simulator.world.ranking(SLUG, days[0]).entries]
    there = set(uuids[:3])

    def change(path: str, status: int, body: Any) -> tuple[int, Any]:
        if "/audience/" in path and not any(uuid in path for uuid in there):
            return refusing("/audience/", 404, "Not found.")(path, status, body)
        return status, body

    with altered(simulator.url, change) as url:
        few = replace(new_context(simulator, sqlite_warehouse, url=url, max_in_flight=2))
        report = sync_track_audience(few, CHART, days, "spotify")
    assert report.not_found == 47
    assert report.calls <= 50 + 5, "few controls"


def test_a_few_refusals_without_an_answer_are_asked_again_soon(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    days = last_days(simulator, SLUG, 1)
    run_cascade(new_context(simulator, sqlite_warehouse), CHART, days)
    lost = simulator.world.ranking(SLUG, days[0]).entries[0].track.uuid
    with sqlite_warehouse.write() as conn:
        for table, column in ((b.audience_asks, "uuid"), (b.tombstones, "uuid")):
            conn.execute(table.delete().where(table.c[column] == lost))
    with altered(simulator.url, refusing("/audience/", 404, "Not found.")) as url:
        ctx = new_context(simulator, sqlite_warehouse, url=url)
        sync_track_audience(ctx, CHART, days, "spotify")
        assert ctx.client.usage.calls == 1
        assert sync_track_audience(ctx, CHART, days, "spotify").calls == 0, "not in the same hours"
    settled = select(b.audience_asks.c.settled_date).where(b.audience_asks.c.uuid == lost)
    with sqlite_warehouse.read() as conn:
        assert conn.scalars(settled).all() == [None]
    tomorrow = new_context(simulator, sqlite_warehouse, now=ctx.clock() + timedelta(days=1))
    sync_track_audience(tomorrow, CHART, days, "spotify")
    with sqlite_warehouse.read() as conn:
        assert None not in conn.scalars(settled).all()


def test_a_platform_that_the_plan_lacks_fails_once_and_is_left_out_then(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    days = last_days(simulator, SLUG, 1)
    until("/social/instagram", new_context(simulator, sqlite_warehouse), days)
    start = new_context(simulator, sqlite_warehouse).clock()

    def run(hours: float, *, automatic: bool) -> SyncReport:
        ctx = new_context(simulator, sqlite_warehouse, url=url, now=start + timedelta(hours=hours))
        return sync_artist_audience(replace(ctx, automatic=automatic), CHART, days, "instagram")

    with altered(simulator.url, refusing("/social/instagram", 403, "Not in your plan.")) as url:
        with pytest.raises(SyncIncomplete):
            run(0, automatic=True)
        calls = [run(hours, automatic=automatic).calls for hours, automatic in [(0.5, True), (0.6, False), (3, True)]]
        assert calls == [0, 1, 0], "within the pause only a person asks, and by that makes it longer"
        asked = [run(hours, automatic=True).calls for hours in range(5, 24 * 28, 12)]
        assert 3 <= sum(asked) <= 8, "ever more rarely in four weeks"
        report = run(24 * 28, automatic=False)
    assert list(report.left_out) == ["artist/instagram/followers"]
    assert "Not in your plan" in report.left_out["artist/instagram/followers"]
    run_cascade(new_context(simulator, sqlite_warehouse), CHART, days)
    assert stored(sqlite_warehouse) == expected(simulator.world, CHART, days)


@pytest.mark.parametrize(
    "text", ["instagram is not a social platform", "Platform not found", "Not a streaming platform"]
)
def test_a_platform_that_an_endpoint_does_not_know_is_the_settings_fault(
    simulator: Simulator, sqlite_warehouse: Warehouse, text: str
) -> None:
    days = last_days(simulator, SLUG, 1)
    until("/social/instagram", new_context(simulator, sqlite_warehouse), days)
    with altered(simulator.url, refusing("/social/instagram", 404, text)) as url:
        ctx = new_context(simulator, sqlite_warehouse, url=url)
        with pytest.raises(SyncIncomplete, match=r"take the platform out of charts\.yaml") as raised:
            sync_artist_audience(ctx, CHART, days, "instagram")
        assert isinstance(raised.value.cause, WrongPlatform)
        assert ctx.client.usage.calls <= FEW_REFUSALS
        assert sync_artist_audience(ctx, CHART, days, "instagram").left_out
    assert notes(sqlite_warehouse) == (0, 0)


def test_one_endpoint_of_a_platform_may_refuse_while_the_other_answers(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    days = last_days(simulator, SLUG, 1)
    until("/streaming/spotify", new_context(simulator, sqlite_warehouse), days)
    with altered(simulator.url, refusing("/streaming/spotify", 403, "Not in your plan.")) as url:
        with pytest.raises(SyncIncomplete, match="artist/spotify/monthly_listeners"):
            sync_artist_audience(new_context(simulator, sqlite_warehouse, url=url), CHART, days, "spotify")
        again = sync_artist_audience(new_context(simulator, sqlite_warehouse, url=url), CHART, days, "spotify")
    assert list(again.left_out) == ["artist/spotify/monthly_listeners"]
    truth = expected(simulator.world, CHART, days)["artist_audience"]
    assert stored(sqlite_warehouse)["artist_audience"] == {row for row in truth if row[1:3] == ("spotify", "followers")}


def test_what_is_known_of_an_endpoint_is_kept_on_both_databases(warehouse: Warehouse) -> None:
    assert endpoint_state_of(warehouse) == EndpointState(scope="artist/spotify/followers")


def endpoint_state_of(warehouse: Warehouse) -> EndpointState:
    with warehouse.read() as conn:
        return endpoint_state(conn, "artist/spotify/followers")


@pytest.mark.parametrize("part", ["/api/v2.25/song/", "/audience/spotify", "/social/instagram"])
def test_a_question_that_is_refused_as_such_costs_few_calls_and_is_left_out_then(
    simulator: Simulator, sqlite_warehouse: Warehouse, part: str
) -> None:
    days = last_days(simulator, SLUG, 1)
    until(part, new_context(simulator, sqlite_warehouse), days)
    refused: list[str] = []
    with altered(simulator.url, refusing(part, 400, "Invalid request.", refused)) as url:
        with pytest.raises(SyncIncomplete, match="everything asked of"):
            STEPS[part](new_context(simulator, sqlite_warehouse, url=url), CHART, days)
        assert len(refused) <= (11 if "/api/v2." in part else FEW_REFUSALS)
        report = STEPS[part](new_context(simulator, sqlite_warehouse, url=url), CHART, days)
        assert report.left_out
    run_cascade(new_context(simulator, sqlite_warehouse), CHART, days)
    assert stored(sqlite_warehouse) == expected(simulator.world, CHART, days)

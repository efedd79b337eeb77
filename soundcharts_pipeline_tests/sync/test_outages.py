"""An outage leaves no trace, whenever it begins: what was refused or empty meanwhile is asked again."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from threading import Event
from typing import Any

import pytest

from soundcharts_pipeline.api.errors import EndpointRefuses
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.audience import sync_artist_audience, sync_track_audience
from soundcharts_pipeline.sync.evidence import FEW_NOT_FOUND, FEW_REFUSALS
from soundcharts_pipeline.sync.rankings import sync_rankings
from soundcharts_pipeline.sync.report import SyncIncomplete
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade
from soundcharts_pipeline_tests.support.truth import expected, stored
from soundcharts_pipeline_tests.sync.refusing import CHART, STEPS, empty, notes, refusing, until


def test_silence_of_everybody_settles_nothing(simulator: Simulator, warehouse: Warehouse) -> None:
    days = last_days(simulator, SLUG, 1)
    chart = replace(CHART, track_audience_platforms=("spotify", "airplay"))
    with altered(simulator.url, empty) as url:
        ctx = new_context(simulator, warehouse, url=url)
        run_cascade(ctx, chart, days)
    assert notes(warehouse)[0] == 0, "accounts that do not exist among them: nobody has anything"
    tomorrow = new_context(simulator, warehouse, now=ctx.clock() + timedelta(days=1))
    run_cascade(tomorrow, chart, days)
    assert stored(warehouse) == expected(simulator.world, chart, days)


def test_silence_that_lasts_is_believed(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    asked = []
    with altered(simulator.url, empty) as url:
        for day in last_days(simulator, SLUG, 7):
            now = datetime.combine(day + timedelta(days=1), time(12), UTC)
            ctx = new_context(simulator, sqlite_warehouse, url=url, now=now)
            until("/social/instagram", ctx, [day])
            asked.append(sync_artist_audience(ctx, CHART, [day], "instagram").calls)
    assert min(asked[:4]) >= asked[0] > 40, "each is asked again"
    assert max(asked[4:]) < 20, "those alone who are new on the chart"


@pytest.mark.parametrize("what", ["404", "403", "empty"])
@pytest.mark.parametrize(
    ("part", "from_call"), [("/audience/spotify", 20), ("/broadcasts", 12), ("/social/instagram", 9)]
)
def test_an_outage_that_begins_in_the_middle_of_a_run_leaves_no_trace(
    simulator: Simulator, sqlite_warehouse: Warehouse, part: str, from_call: int, what: str
) -> None:
    chart, days = replace(CHART, track_audience_platforms=("spotify", "airplay")), last_days(simulator, SLUG, 1)
    until(part, new_context(simulator, sqlite_warehouse), days)
    calls = itertools.count()

    def change(path: str, status: int, body: Any) -> tuple[int, Any]:
        if part not in path or next(calls) < from_call:
            return status, body
        return empty(path, status, body) if what == "empty" else refusing(part, int(what), "Not found.")(path, 0, 0)

    step = next(step for name, step in STEPS.items() if name.startswith(part))
    with altered(simulator.url, change) as url, pytest.raises(SyncIncomplete) as raised:
        step(new_context(simulator, sqlite_warehouse, url=url, max_in_flight=4), chart, days)
    assert isinstance(raised.value.cause, EndpointRefuses)
    run_cascade(new_context(simulator, sqlite_warehouse), chart, days)
    # The one or two that chance explains are believed.
    lost = missing_entities(sqlite_warehouse, expected(simulator.world, chart, days))
    assert len(lost) <= 2, lost


@pytest.mark.parametrize("what", ["404", "empty"])
def test_a_good_answer_that_left_before_an_outage_and_came_after_it_began_is_no_evidence(
    simulator: Simulator, sqlite_warehouse: Warehouse, what: str
) -> None:
    days, calls, refused, many = last_days(simulator, SLUG, 1), itertools.count(), itertools.count(1), Event()
    until("/audience/spotify", new_context(simulator, sqlite_warehouse), days)

    def change(path: str, status: int, body: Any) -> tuple[int, Any]:
        number = next(calls) if "/audience/spotify" in path else 0
        if number < 20:
            # The last good ones are slow, and refusals quick.
            assert number < 12 or many.wait(60)
            return status, body
        if next(refused) == 2:
            many.set()
        return empty(path, status, body) if what == "empty" else refusing("", 404, "Not found.")(path, 0, 0)

    with altered(simulator.url, change) as url, pytest.raises(SyncIncomplete) as raised:
        sync_track_audience(new_context(simulator, sqlite_warehouse, url=url, max_in_flight=16), CHART, days, "spotify")
    assert isinstance(raised.value.cause, EndpointRefuses)
    assert notes(sqlite_warehouse) == (0, 20), "what was refused or empty is noted of nobody"


def missing_entities(warehouse: Warehouse, truth: Any) -> set[str]:
    rows = stored(warehouse)
    return {row[0] for table in ("track_audience", "artist_audience") for row in truth[table] - rows[table]}


@pytest.mark.parametrize("places", [2, 4])
def test_a_few_that_are_all_refused_are_no_complete_day(
    simulator: Simulator, sqlite_warehouse: Warehouse, places: int
) -> None:
    days = last_days(simulator, SLUG, 1)
    until("/social/instagram", new_context(simulator, sqlite_warehouse), days)
    ranked = {entry.track.uuid for entry in simulator.world.ranking(SLUG, days[0]).entries[:places]}
    with sqlite_warehouse.write() as conn:
        conn.execute(s.chart_rankings.delete().where(s.chart_rankings.c.track_uuid.not_in(ranked)))
    with altered(simulator.url, refusing("/audience/spotify", 404, "Not found.")) as url:
        ctx = new_context(simulator, sqlite_warehouse, url=url)
        with pytest.raises(SyncIncomplete, match=f"{places} of {places} audience windows"):
            sync_track_audience(ctx, CHART, days, "spotify")
    assert ctx.client.usage.calls == places


def test_two_runs_at_once_do_not_pay_for_the_same_doubt(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    days = last_days(simulator, SLUG, 1)
    until("/audience/spotify", new_context(simulator, sqlite_warehouse), days)
    refused: list[str] = []
    with altered(simulator.url, refusing("/audience/spotify", 404, "Not found.", refused)) as url:

        def run(_: int) -> None:
            with pytest.raises(SyncIncomplete):
                sync_track_audience(new_context(simulator, sqlite_warehouse, url=url), CHART, days, "spotify")

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(run, range(2)))
    assert len(set(refused)) == len(refused) or len(refused) <= FEW_NOT_FOUND + FEW_REFUSALS


def test_an_outage_in_the_middle_of_life_leaves_no_trace(simulator: Simulator, warehouse: Warehouse) -> None:
    first, second = ([day] for day in last_days(simulator, SLUG, 2))
    run_cascade(new_context(simulator, warehouse), CHART, first)
    before = stored(warehouse)
    with altered(simulator.url, refusing("/song/", 404, "Not found.")) as url:
        ctx = new_context(simulator, warehouse, url=url)
        sync_rankings(new_context(simulator, warehouse), CHART, second)
        with pytest.raises(SyncIncomplete, match="everything asked of track/spotify/streams was refused"):
            sync_track_audience(ctx, CHART, second, "spotify")
    # Two controls after those that were under way.
    assert ctx.client.usage.calls <= ctx.max_in_flight + FEW_NOT_FOUND + 2
    run_cascade(new_context(simulator, warehouse), CHART, second)
    after = stored(warehouse)
    assert all(before[table] <= after[table] for table in ("track_audience", "artist_audience", "tracks"))
    truth = expected(simulator.world, CHART, second)
    assert truth["track_audience"] <= after["track_audience"]
    assert truth["tracks"] <= after["tracks"]

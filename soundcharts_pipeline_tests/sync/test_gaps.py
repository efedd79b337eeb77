"""Days of a series that were not asked for when the days beside them were, and what was noted as gone and came back."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from soundcharts_pipeline.api.pages import WINDOW_DAYS
from soundcharts_pipeline.clock import PUBLISHING_DELAY_DAYS
from soundcharts_pipeline.models import ONE_DAY, AnsweredWindow
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.queries.worklists import GONE, METADATA
from soundcharts_pipeline.storage.saves import add_tombstones
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.coverage import answered, due_windows, reaching_back, targets_of
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.helpers import last_days, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.today import TODAY, noon
from soundcharts_pipeline_tests.support.truth import expected, stored

RECHECK = timedelta(hours=12)
# Metadata, and what was noted as gone, is asked again after so long.
REFRESH = timedelta(days=2)
SHORT = 5


@given(
    pauses=st.lists(st.integers(1, WINDOW_DAYS - PUBLISHING_DELAY_DAYS - SHORT), min_size=1, max_size=8),
    history=st.integers(1, SHORT),
    ahead=st.integers(0, 4),
    publishes=st.booleans(),
)
def test_whatever_the_pauses_every_day_since_the_first_is_asked_for_and_no_call_more(
    pauses: list[int], history: int, ahead: int, publishes: bool
) -> None:
    asks: list[AnsweredWindow] = []
    today, seen, first = TODAY, set[date](), TODAY
    for pause in [0, *pauses]:
        today += timedelta(days=pause)
        now = noon(today)
        targets = targets_of([today + timedelta(days=ahead)], history, last=today)
        needed = due_windows(targets, asks, now=now, recheck=RECHECK, longest=WINDOW_DAYS)
        windows = reaching_back(needed, asks, longest=WINDOW_DAYS)
        assert len(windows) == len(needed)
        for window in windows:
            days = [window.start + timedelta(days=n) for n in range((window.end - window.start).days + 1)]
            assert len(days) <= WINDOW_DAYS
            present = days if publishes else ()
            asks = answered(asks, window, present, now=now, delay_days=PUBLISHING_DELAY_DAYS)
            first = min(first, window.start) if seen else window.start
            seen |= {*days}
    if seen:
        assert seen == {first + n * ONE_DAY for n in range((max(seen) - first).days + 1)}


def test_a_series_that_was_not_asked_for_some_weeks_has_no_gap(simulator: Simulator, warehouse: Warehouse) -> None:
    chart = small_chart(history_days=SHORT, track_audience_platforms=("spotify",))
    pause = 20
    day = last_days(simulator, chart.slug, 1)[0]
    run_cascade(new_context(simulator, warehouse), chart, [day])
    known = {row[0] for table in ("track_audience", "artist_audience") for row in stored(warehouse)[table]}
    simulator.set(today=TODAY + timedelta(days=pause))
    asked = simulator.counters.total
    day += timedelta(days=pause)
    run_cascade(new_context(simulator, warehouse), chart, [day])
    calls = simulator.counters.total - asked
    longer = small_chart(history_days=SHORT + pause, track_audience_platforms=("spotify",))
    whole = expected(simulator.world, longer, [day])
    for table in ("track_audience", "artist_audience"):
        lasting = {row for row in whole[table] if row[0] in known}
        assert lasting
        assert lasting <= stored(warehouse)[table]
    run_cascade(new_context(simulator, warehouse), chart, [day])
    assert simulator.counters.total - asked == calls, "nothing is asked twice for it"


@pytest.mark.parametrize("entity", ["track", "artist"])
def test_what_was_gone_once_and_has_metadata_again_is_followed_again(
    simulator: Simulator, warehouse: Warehouse, entity: str
) -> None:
    chart = small_chart(metadata_refresh_days=REFRESH.days, track_audience_platforms=("spotify",))
    series, table = ("song" if entity == "track" else "artist"), f"{entity}_audience"
    runs = [TODAY + n * (REFRESH + ONE_DAY) for n in range(3)]
    lost, is_lost = _lasting(simulator, entity, chart.slug, runs), False

    def hide(path: str, status: int, body: Any) -> tuple[int, Any]:
        """The metadata of one is not found, and all others' is."""
        asked = path.partition("?")[0].rpartition(f"/{series}/")[2]
        if is_lost and asked == lost:
            return 404, {"errors": [{"code": 404, "message": "Not found."}]}
        if is_lost and "," in asked:
            body["items"] = [item for item in body["items"] if lost not in json.dumps(item["uuid"])]
        return status, body

    with altered(simulator.url, hide) as url:
        for number, today in enumerate(runs):
            is_lost = number == 1
            simulator.set(today=today)
            run_cascade(new_context(simulator, warehouse, url=url), chart, last_days(simulator, chart.slug, 1))
            assert (lost in _noted_as_gone(warehouse, entity)) is is_lost
    last = last_days(simulator, chart.slug, 1)
    truth = {row for row in expected(simulator.world, chart, last)[table] if row[0] == lost}
    assert truth
    assert truth <= stored(warehouse)[table]


@pytest.mark.parametrize("entity", ["track", "artist"])
def test_what_was_gone_long_ago_is_asked_for_though_nobody_asks_for_its_metadata(
    simulator: Simulator, warehouse: Warehouse, entity: str
) -> None:
    chart, days = small_chart(track_audience_platforms=("spotify",)), last_days(simulator, "viral-50-global", 1)
    ctx = new_context(simulator, warehouse)
    run_cascade(ctx, chart, days)
    table = f"{entity}_audience"
    rows = stored(warehouse)[table]
    known = {row[0] for row in rows}
    long_ago = ctx.believed_since(chart) - ONE_DAY
    with warehouse.write() as conn:
        add_tombstones(conn, entity, METADATA, dict.fromkeys(known, GONE), long_ago)
    simulator.set(today=TODAY + ONE_DAY)
    run_cascade(new_context(simulator, warehouse), chart, last_days(simulator, chart.slug, 1))
    assert max(row[-2] for row in stored(warehouse)[table] if row[0] in known) > max(row[-2] for row in rows)


def _lasting(simulator: Simulator, entity: str, slug: str, todays: list[date]) -> str:
    """A track, or an artist of one, that the chart has on each of those mornings, and which has points."""
    found: list[set[str]] = []
    for today in todays:
        simulator.set(today=today)
        day = last_days(simulator, slug, 1)
        chart = small_chart(track_audience_platforms=("spotify",))
        found.append({row[0] for row in expected(simulator.world, chart, day)[f"{entity}_audience"]})
    return min(set.intersection(*found))


def _noted_as_gone(warehouse: Warehouse, entity: str) -> set[str]:
    t = b.tombstones.c
    with warehouse.read() as conn:
        return set(conn.scalars(select(t.uuid).where(t.entity == entity, t.scope == METADATA, t.reason == GONE)))

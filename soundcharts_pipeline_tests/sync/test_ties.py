"""Tracks that share a position: every row that an answer holds is stored, and shown."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.queries import quality
from soundcharts_pipeline.storage.queries.rankings import chart_ranking
from soundcharts_pipeline.storage.queries.summaries import ranking_preview, ranking_rows
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.rankings import sync_rankings
from soundcharts_pipeline_tests.support.altered import Change, altered
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, small_chart

Edit = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def edited(edit: Edit) -> Change:
    """The rows of every ranking as `edit` makes them, announced in their number."""

    def change(path: str, status: int, body: Any) -> tuple[int, Any]:
        if "/ranking/" in path and status == 200:
            body["items"] = edit(body["items"])
            body["page"]["total"] = len(body["items"])
        return status, body

    return change


def at(*positions: int) -> Edit:
    """The first tracks at these positions, and no others."""
    return lambda items: [item | {"position": place} for item, place in zip(items, positions, strict=False)]


def synced(simulator: Simulator, warehouse: Warehouse, edit: Edit) -> date:
    """One day, answered so."""
    day = last_days(simulator, SLUG, 1)[0]
    with altered(simulator.url, edited(edit)) as url:
        sync_rankings(new_context(simulator, warehouse, url=url), small_chart(), [day])
    return day


def places(warehouse: Warehouse) -> list[tuple[int, str]]:
    r = s.chart_rankings.c
    with warehouse.read() as conn:
        return [(row[0], row[1]) for row in conn.execute(select(r.position, r.track_uuid).order_by(*r))]


@pytest.mark.parametrize(
    "positions", [(1, 2, 2, 4, 5), (1, 2, 2, 3, 4), (1, 1, 1, 1, 1), (1, 2, 3, 4, 4), (1, 1, 3, 3, 5)], ids=str
)
def test_tracks_that_share_a_position_are_all_rows_and_no_hole(
    simulator: Simulator, warehouse: Warehouse, positions: Sequence[int]
) -> None:
    day = synced(simulator, warehouse, at(*positions))
    truth = [entry.track.uuid for entry in simulator.world.ranking(SLUG, day).entries]
    assert places(warehouse) == sorted(zip(positions, truth, strict=False))
    with warehouse.read() as conn:
        span = ChartDays(SLUG, day, day)
        assert ranking_rows(conn, span) == {day: 5}
        assert quality.broken_rankings(conn, span) == []
        ranking = chart_ranking(conn, SLUG, day)
        assert ranking is not None
        assert [(place.position, place.track_uuid) for place in ranking.places] == places(warehouse)
        assert [row[0] for row in ranking_preview(conn, SLUG, day).rows] == list(positions)


@pytest.mark.parametrize("positions", [(1, 2, 2, 5, 6), (1, 3, 4), (2, 3, 4), (1, 1, 1, 3), (1, 2, 2, 4, 6)], ids=str)
def test_a_hole_is_one_beside_a_shared_position_too(
    simulator: Simulator, warehouse: Warehouse, positions: Sequence[int]
) -> None:
    day = synced(simulator, warehouse, at(*positions))
    with warehouse.read() as conn:
        assert quality.broken_rankings(conn, ChartDays(SLUG, day, day)) == [day]


def test_a_row_that_comes_twice_is_one_place_and_a_track_may_have_several(
    simulator: Simulator, warehouse: Warehouse
) -> None:
    day = synced(simulator, warehouse, lambda items: [*items[:3], items[2], items[0] | {"position": 4}])
    first, second, third, *_ = (entry.track.uuid for entry in simulator.world.ranking(SLUG, day).entries)
    assert places(warehouse) == [(1, first), (2, second), (3, third), (4, first)]


def test_a_track_that_has_left_is_no_place(simulator: Simulator, warehouse: Warehouse) -> None:
    synced(simulator, warehouse, at(1, 2, 0, 3))
    assert [place for place, _ in places(warehouse)] == [1, 2, 3]


def test_of_two_rows_that_say_different_things_of_one_place_the_first_counts_and_that_is_remarked(
    simulator: Simulator, warehouse: Warehouse
) -> None:
    day = last_days(simulator, SLUG, 1)[0]
    change = edited(lambda items: [*items[:3], items[2] | {"metric": 7}])
    with altered(simulator.url, change) as url:
        ctx = new_context(simulator, warehouse, url=url)
        sync_rankings(ctx, small_chart(), [day])
    third = simulator.world.ranking(SLUG, day).entries[2].track.uuid
    assert [str(remark) for remark in ctx.client.remarks.drain()] == [
        f"ranking items: 1 of 4 rows came twice on a page of {SLUG}, taken as they are: asked again, the answer was "
        "the same",
        f"ranking position: 3 twice, with other values of {third}, the first one counts",
    ]
    r = s.chart_rankings.c
    with warehouse.read() as conn:
        first = simulator.world.ranking(SLUG, day).entries[2].metric
        assert conn.scalars(select(r.metric).where(r.position == 3)).all() == [first]


def test_a_position_below_zero_is_left_out_and_remarked(simulator: Simulator, warehouse: Warehouse) -> None:
    day = last_days(simulator, SLUG, 1)[0]
    with altered(simulator.url, edited(at(1, 2, -3, 3))) as url:
        ctx = new_context(simulator, warehouse, url=url)
        sync_rankings(ctx, small_chart(), [day])
    assert [place for place, _ in places(warehouse)] == [1, 2, 3]
    (remark,) = ctx.client.remarks.drain()
    assert (remark.field, remark.done, remark.count) == ("position", "left out", 1)

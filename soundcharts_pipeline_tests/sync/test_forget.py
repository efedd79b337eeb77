"""What was noted as absent can be forgotten, by endpoint, platform and chart, and its price is told first."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.queries.worklists import GONE, METADATA, SILENT
from soundcharts_pipeline.storage.saves import add_tombstones, note_fact, save_unpublished
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.forget import ENDPOINTS, forget, price
from soundcharts_pipeline.sync.radio_plays import TOTALS_FACT
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.truth import expected, stored

OTHER = "top-100-global"
CHART = small_chart(track_audience_platforms=("spotify",), artist_audience_platforms=("spotify", "instagram"))


@pytest.fixture
def noted(simulator: Simulator, warehouse: Warehouse) -> tuple[Warehouse, list[date]]:
    """A chart-day whose series all were lost: tombstones, or answered with nothing."""
    days = last_days(simulator, SLUG, 1)
    ctx = new_context(simulator, warehouse)
    run_cascade(ctx, CHART, days)
    with warehouse.write() as conn:
        tracks = [row[0] for row in stored(warehouse)["tracks"]]
        gone = set(conn.scalars(select(b.tombstones.c.uuid)))
        artists = [row[0] for row in stored(warehouse)["artists"] if row[0] not in gone]
        for table in ("points", "located_points"):
            conn.exec_driver_sql(f"DELETE FROM {table}")
        add_tombstones(conn, "track", "spotify/streams", dict.fromkeys(tracks[:20], GONE), ctx.clock())
        add_tombstones(conn, "track", METADATA, dict.fromkeys(tracks[:3], GONE), ctx.clock())
        add_tombstones(conn, "artist", "instagram/followers", dict.fromkeys(artists[:7], SILENT), ctx.clock())
        add_tombstones(conn, "artist", "instagram/followers", {"11111111-of-another-chart": GONE}, ctx.clock())
        save_unpublished(conn, SLUG, [date(2026, 1, 2)], ctx.clock())
        save_unpublished(conn, OTHER, [date(2026, 1, 2), date(2026, 1, 3)], ctx.clock())
        note_fact(conn, TOTALS_FACT, "no", ctx.clock())
    return warehouse, days


def counts(warehouse: Warehouse, platform: str | None = None, slug: str | None = None) -> dict[str, tuple[int, int]]:
    return {f.endpoint: (f.noted, f.calls) for f in price(warehouse, list(ENDPOINTS), platform, slug) if f.noted}


def test_the_price_is_that_of_what_is_forgotten(noted: tuple[Warehouse, list[date]]) -> None:
    warehouse, _ = noted
    artists = len(stored(warehouse)["artists"])
    everything = counts(warehouse)
    assert everything["available_rankings"] == (3, 3)
    assert everything["track"] == (3, 1)
    assert everything["track_audience"] == (50, 50)
    assert everything["artist_streaming"] == (artists, artists)
    of_chart = counts(warehouse, slug=SLUG)
    assert of_chart["available_rankings"] == (1, 1)
    assert of_chart["artist_followers"][0] == everything["artist_followers"][0] - 1
    assert counts(warehouse, platform="instagram")["artist_followers"][0] < everything["artist_followers"][0]
    assert counts(warehouse, platform="tiktok", slug=SLUG).keys() <= {"available_rankings", "track", "artist"}


def test_forgotten_it_is_asked_for_again_and_costs_what_was_told(
    noted: tuple[Warehouse, list[date]], simulator: Simulator
) -> None:
    warehouse, days = noted
    prices = counts(warehouse, slug=SLUG)
    told = sum(calls for endpoint, (_, calls) in prices.items() if endpoint != "available_rankings")
    ctx = new_context(simulator, warehouse)
    run_cascade(ctx, CHART, days)
    assert ctx.client.usage.calls == 0, "all of it counts as known"
    forget(warehouse, list(ENDPOINTS), None, SLUG)
    ctx = new_context(simulator, warehouse)
    run_cascade(ctx, CHART, days)
    # The three tracks have their metadata: a tombstone of it would only be asked about if they had not.
    assert ctx.client.usage.calls == told - 1
    assert stored(warehouse) == expected(simulator.world, CHART, days)
    with warehouse.read() as conn:
        assert conn.scalar(select(func.count()).select_from(b.facts).where(b.facts.c.name == TOTALS_FACT)) == 0
        left = set(conn.scalars(select(b.tombstones.c.uuid).where(b.tombstones.c.uuid.like("1111%"))))
    assert left, "another chart's notes stay"


def test_one_platform_is_forgotten_alone(noted: tuple[Warehouse, list[date]], simulator: Simulator) -> None:
    warehouse, days = noted
    forget(warehouse, ["artist_followers"], "instagram", None)
    ctx = new_context(simulator, warehouse)
    run_cascade(ctx, CHART, days)
    truth: Any = expected(simulator.world, CHART, days)["artist_audience"]
    assert stored(warehouse)["artist_audience"] == {row for row in truth if row[1] == "instagram"}

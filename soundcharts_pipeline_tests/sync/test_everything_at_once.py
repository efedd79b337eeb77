"""All that can go wrong, in one run: what is missing is said, and once all is well the database equals the truth."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from soundcharts_pipeline.simulator import ODDITIES, Simulator
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.audience import sync_artist_audience, sync_track_audience
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.metadata import sync_artist_metadata, sync_track_metadata
from soundcharts_pipeline.sync.rankings import sync_rankings
from soundcharts_pipeline.sync.report import SyncIncomplete, SyncReport
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.today import TODAY
from soundcharts_pipeline_tests.support.truth import expected, stored

CHART = small_chart()
# What answers are turned into, by a part of their path: for all, or from so many calls on.
TROUBLE = {
    "/audience/spotify": (0, 404, "Not found."),
    "/streaming/spotify": (30, 503, "Busy."),
    "/social/spotify": (0, 403, "Not in your plan."),
    "/api/v2.9/artist/": (2, 500, "Broken."),
}


def test_whatever_happens_in_one_run_the_next_one_ends_with_the_truth(warehouse: Warehouse) -> None:
    calls = {part: itertools.count() for part in TROUBLE}

    def change(path: str, status: int, body: Any) -> tuple[int, Any]:
        for part, (since, code, message) in TROUBLE.items():
            if part in path and next(calls[part]) >= since:
                return code, {"errors": [{"key": "access", "code": code, "message": message}]}
        return status, odd(body) if "/broadcasts" in path else body

    with Simulator(slow=0.05, today=TODAY, oddities=ODDITIES) as simulator:
        days = last_days(simulator, SLUG, 2)
        with altered(simulator.url, change) as url:
            said = "\n".join(failures(simulator, warehouse, url, days))
        for words in ("track/spotify/streams was refused", "the server answered 500", "the server answered 503"):
            assert words in said, said
        simulator.reset()
        later = new_context(simulator, warehouse).clock() + timedelta(hours=13)
        run_cascade(new_context(simulator, warehouse, now=later), CHART, days)
        assert stored(warehouse) == expected(simulator.world, CHART, days)
        # A row of refusals is doubted by the order in which answers come in; then two known songs are asked at most.
        assert simulator.counters.repeats <= 2, simulator.counters.repeated
        again = new_context(simulator, warehouse, now=later)
        run_cascade(again, CHART, days)
        assert again.client.usage.calls == 0


def failures(simulator: Simulator, warehouse: Warehouse, url: str, days: Any) -> list[str]:
    """Every step of the cascade, as Dagster runs them: one that fails does not keep those beside it from running."""
    said = []
    steps: tuple[Callable[[SyncContext], SyncReport], ...] = (
        lambda ctx: sync_rankings(ctx, CHART, days),
        lambda ctx: sync_track_metadata(ctx, CHART, days),
        lambda ctx: sync_track_audience(ctx, CHART, days, "spotify"),
        lambda ctx: sync_track_audience(ctx, CHART, days, "airplay"),
        lambda ctx: sync_artist_metadata(ctx, CHART, days),
        lambda ctx: sync_artist_audience(ctx, CHART, days, "spotify"),
        lambda ctx: sync_artist_audience(ctx, CHART, days, "instagram"),
    )
    for step in steps:
        try:
            step(new_context(simulator, warehouse, url=url))
        except SyncIncomplete as error:
            said.append(str(error))
    return said


def odd(body: Any) -> Any:
    """Ornaments that nobody asked for."""
    return {**body, "note": "\ud83d\x00", "page": {**body["page"], "next": "None"}} if "page" in body else body

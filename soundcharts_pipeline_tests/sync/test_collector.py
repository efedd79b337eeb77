"""What a step keeps from the collector is given back at its end, however it ends."""

import gc

import pytest

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.audience import frozen_heap, sync_track_audience
from soundcharts_pipeline.sync.metadata import sync_track_metadata
from soundcharts_pipeline.sync.rankings import sync_rankings
from soundcharts_pipeline.sync.report import SyncIncomplete
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, small_chart


def test_what_lives_is_left_alone_until_the_end() -> None:
    with frozen_heap():
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0


def test_a_step_that_fails_gives_back_what_it_froze(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    ctx, chart, days = new_context(simulator, sqlite_warehouse), small_chart(), last_days(simulator, SLUG, 1)
    sync_rankings(ctx, chart, days)
    sync_track_metadata(ctx, chart, days)
    simulator.set(quota=0)
    with pytest.raises(SyncIncomplete):
        sync_track_audience(ctx, chart, days, "spotify")
    assert gc.get_freeze_count() == 0

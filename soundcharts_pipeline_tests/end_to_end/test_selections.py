"""Any selection of charts and days in Dagster's UI: Dagster cuts it into runs, and what comes of it is one run per
chart and stretch of days, each with the calls that it would cost alone."""

from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from itertools import product
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.partitions.subset import DefaultPartitionsSubset
from hypothesis import given
from hypothesis import strategies as st

from soundcharts_pipeline.admin.state.dagster_client import Dagster
from soundcharts_pipeline.config.cascade import allowed_keys
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.assets.by_chart import runs_for
from soundcharts_pipeline.orchestration.jobs import FULL_SYNC
from soundcharts_pipeline.orchestration.partitions import (
    RANGE_END_TAG,
    RANGE_START_TAG,
    chart_days,
    keys_of,
    partition_key,
    spans_of,
    spans_of_tags,
)
from soundcharts_pipeline.orchestration.run_requests import CUT_TAG
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.end_to_end.test_backfills import _backfill
from soundcharts_pipeline_tests.support.command_line import user_environ
from soundcharts_pipeline_tests.support.dagster_site import Site, check_truth, daemon, open_site, wait_until, web_server
from soundcharts_pipeline_tests.support.helpers import new_context, run_cascade
from soundcharts_pipeline_tests.support.today import TODAY

SLUGS = ["a", "b", "c", "d", "e"]
DAYS = [date(2026, 2, 26) + timedelta(days=n) for n in range(5)]
GRID = [partition_key(slug, day) for slug, day in product(SLUGS, DAYS)]


@given(st.sets(st.sampled_from(GRID), min_size=1))
def test_the_runs_that_dagster_makes_of_a_selection_hold_it_and_nothing_else(selected: set[str]) -> None:
    days = chart_days(
        Settings(charts={slug: ChartSettings(slug=slug, name=slug, first_date=DAYS[0]) for slug in SLUGS})
    )
    cut = [
        spans_of_tags({RANGE_START_TAG: one.start, RANGE_END_TAG: one.end}, SLUGS)
        for one in DefaultPartitionsSubset(selected).get_partition_key_ranges(days)
    ]
    held = [key for of_run in cut for span in of_run for key in keys_of(span)]
    assert sorted(held) == sorted(selected)
    # Whichever of them comes first starts these in their place.
    assert [key for span in runs_for(selected, None) for key in keys_of(span)] == [
        k for s in spans_of(selected) for k in keys_of(s)
    ]
    assert all(len(span.days) <= 2 for span in runs_for(selected, 2))


CHARTS = """
defaults:
  active: false
  auto_trigger_cascade: false
  first_date: 2026-01-01
  history_days: 7
  follow_days: 0
  track_audience_platforms: [spotify]
  artist_audience_platforms: []
  report: false
charts:
  - slug: viral-50-global
  - slug: viral-50-in
  - slug: viral-50-us
"""
GLOBAL, INDIA, STATES = CHARTS_OF = ["viral-50-global", "viral-50-in", "viral-50-us"]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with (
        Simulator(today=TODAY) as simulator,
        open_site(simulator, user_environ(simulator, tmp_path), tmp_path, CHARTS) as site,
    ):
        yield site


def test_a_selection_of_the_ui_is_one_run_per_chart_and_costs_no_call_more(site: Site, tmp_path: Path) -> None:
    newest = site.simulator.world.newest_day(GLOBAL)
    assert newest is not None
    square = [_span(slug, newest, days=3) for slug in CHARTS_OF]
    one_late = [_span(slug, newest - timedelta(days=5)) for slug in CHARTS_OF]
    late = _span(INDIA, newest + timedelta(days=1))
    single_run = [_span(slug, newest - timedelta(days=8)) for slug in CHARTS_OF]
    with web_server(site) as url:
        _backfill(url, site, *square)
        _backfill(url, site, *one_late, late)
        _launch_range(url, site, keys_of(single_run[0])[0], keys_of(single_run[-1])[0])
        with daemon(site):
            wait_until(site, "the end of ten runs", lambda: len(_over(site)) == 10)
    over = _over(site)
    assert {span for run in over for span in spans_of_tags(run.tags, ())} == {*square, *one_late, late, *single_run}
    failed = [run for run in over if run.status == dg.DagsterRunStatus.FAILURE]
    assert [spans_of_tags(run.tags, ()) for run in failed] == [[late]], "the others do not wait for what is not out"
    done = [*square, *one_late, *single_run]
    check_truth(site, {slug: sorted(day for s in done if s.slug == slug for day in s.days) for slug in CHARTS_OF})

    spent = site.simulator.counters
    assert spent.repeats == 0
    site.simulator.reset()
    with closing(Warehouse(f"sqlite:///{tmp_path}/alone.db")) as alone:
        for span in done:
            run_cascade(new_context(site.simulator, alone), site.chart(span.slug), span.days)
    # (Newest days first cost less.)
    assert spent.total <= site.simulator.counters.total


def _span(slug: str, last: date, *, days: int = 1) -> ChartDays:
    return ChartDays(slug, last - timedelta(days=days - 1), last)


def _launch_range(url: str, site: Site, first: str, last: str) -> None:
    """One run of everything between two chart-days, as a script asks for it."""
    found = Dagster(url)
    repository = found.deployment().repository
    assert repository is not None
    tags = {RANGE_START_TAG: first, RANGE_END_TAG: last}
    found.launch(FULL_SYNC, tags=tags, keys=allowed_keys(site.settings, site.chart(GLOBAL)), repository=repository)


def _over(site: Site) -> list[dg.DagsterRun]:
    """Runs that have ended, less those that only made others."""
    return [run for run in site.instance.get_runs() if run.is_finished and CUT_TAG not in run.tags]

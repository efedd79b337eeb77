"""Days that are stored and of which no run is known, for it was pruned or is not among those that are read. Whether
they are complete is told by the warehouse, and by Dagster's record of the asset that comes last."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date

import dagster as dg

from soundcharts_pipeline.config.cascade import ANALYTICS, AUDIENCE_TRENDS, scheduled_keys
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.monitoring.health import RunState
from soundcharts_pipeline.orchestration.run_requests import materialized_days
from soundcharts_pipeline.storage.queries.chart_states import ChartState

# By asset, by chart.
Unseen = dict[str, dict[str, set[date]]]


def asset_to_ask(settings: Settings, chart: ChartSettings) -> str:
    """The trends, which come last; of a chart without them the last asset that its schedule runs."""
    keys = scheduled_keys(settings, chart)
    return AUDIENCE_TRENDS if AUDIENCE_TRENDS in keys else [key for key in keys if key not in ANALYTICS][-1]


def unseen_days(
    settings: Settings, states: Mapping[str, ChartState], covered: Mapping[str, Collection[date]]
) -> Unseen:
    """Those of the days of some charts; `covered`: the days that have a run which is known, of each of these charts."""
    found: Unseen = {}
    for slug, days in covered.items():
        state = states.get(slug)
        left = state.saved.difference(days) if state else None
        if state and left:
            asset = asset_to_ask(settings, settings.chart(slug))
            whole = left - state.incomplete if asset == AUDIENCE_TRENDS else left
            if whole:
                found.setdefault(asset, {})[slug] = {*whole}
    return found


def days_of(runs: Iterable[RunState], since: date) -> set[date]:
    """The days of these runs from then on."""
    return {day for run in runs for day in run.days_within(since, run.last)}


def read_made(instance: dg.DagsterInstance, unseen: Unseen) -> dict[str, frozenset[date]]:
    """Those of them on which the asset is materialised, by chart."""
    return {
        slug: frozenset(days)
        for asset, wanted in unseen.items()
        for slug, days in materialized_days(instance, asset, wanted).items()
    }

"""Which chart-days are there: what schedules, the healing sensor and `backfill` leave alone."""

from collections.abc import Collection, Mapping
from datetime import date

import dagster as dg

from soundcharts_pipeline.config.cascade import AUDIENCE_TRENDS, RANKINGS
from soundcharts_pipeline.orchestration.run_requests import materialized_days
from soundcharts_pipeline.storage.queries.held_days import HeldDays, held_days
from soundcharts_pipeline.storage.warehouse import Warehouse

# By asset, by chart.
DaysThere = Mapping[str, Mapping[str, Collection[date]]]


def days_there(
    instance: dg.DagsterInstance,
    warehouse: Warehouse,
    keys: Mapping[str, Collection[str]],
    wanted: Mapping[str, Collection[date]],
) -> DaysThere:
    """Those of the wanted days on which each of a chart's assets (`keys`, by chart) is materialised, and the warehouse
    still holds what it stored: the ranking; below it, where the chart has trends, all of the day. Nothing but the
    trends, which come last, notes that a day is complete, so without them it is the ranking that counts.

    Raises PipelineError when the warehouse cannot be read.
    """
    every = dict.fromkeys(key for of_chart in keys.values() for key in of_chart)
    # First, for a step stores before it records: what ends meanwhile is not taken for lost.
    made = {
        key: materialized_days(instance, key, {slug: days for slug, days in wanted.items() if key in keys[slug]})
        for key in every
    }
    with warehouse.read() as conn:
        held = held_days(conn, wanted)
    return {
        key: {
            slug: made[key][slug].intersection(_needed(held, key, of_chart).get(slug, ()))
            for slug, of_chart in keys.items()
        }
        for key in every
    }


def _needed(held: HeldDays, key: str, of_chart: Collection[str]) -> Mapping[str, Collection[date]]:
    return held.whole if key != RANKINGS and AUDIENCE_TRENDS in of_chart else held.ranked

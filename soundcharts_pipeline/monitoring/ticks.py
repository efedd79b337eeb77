"""The ticks of the charts' schedules, as Dagster records them: the next one, and the last where it failed. Nothing else
tells of credentials that are refused before there is a run."""

from collections.abc import Collection
from datetime import UTC, datetime

import dagster as dg

from soundcharts_pipeline.config.cascade import schedule_names
from soundcharts_pipeline.config.settings import Settings
from soundcharts_pipeline.models import RunError
from soundcharts_pipeline.monitoring.health import FailedTick
from soundcharts_pipeline.orchestration.dagster_internals import InstigatorType, TickStatus, cron_string_iterator
from soundcharts_pipeline.orchestration.run_events import cause_of, chain_of

ENDED_TICKS = [TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE]


def next_ticks(instance: dg.DagsterInstance, settings: Settings, now: datetime) -> dict[str, datetime]:
    """When each schedule that is on ticks next, by chart."""
    states = {
        state.instigator_name: state.status.value
        for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
    }
    ticks = {}
    for slug, name in schedule_names(settings).items():
        chart = settings.charts[slug]
        # One that nobody turned on or off is as charts.yaml says.
        status = states.get(name, "DECLARED_IN_CODE")
        if status == "RUNNING" or (status == "DECLARED_IN_CODE" and chart.active):
            ticks[slug] = next(cron_string_iterator(now.timestamp(), chart.schedule, chart.timezone)).astimezone(UTC)
    return ticks


def failed_ticks(instance: dg.DagsterInstance, settings: Settings, slugs: Collection[str]) -> dict[str, FailedTick]:
    """The last tick of the schedule of each of these charts, where it failed."""
    charts = {name: slug for slug, name in schedule_names(settings).items() if slug in slugs}
    found = {}
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        if (slug := charts.get(state.instigator_name)) is None:
            continue
        for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1, statuses=ENDED_TICKS):
            if tick.status == TickStatus.FAILURE:
                at = datetime.fromtimestamp(tick.timestamp, UTC)
                found[slug] = FailedTick(at, RunError("", *cause_of(chain_of(tick.error))))
    return found

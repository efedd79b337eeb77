"""What health needs to know of a chart beside its runs, from charts.yaml and the warehouse."""

from datetime import datetime, timedelta

from soundcharts_pipeline.cascade import ANALYTICS, scheduled_keys
from soundcharts_pipeline.cron import WARN_AFTER_GAPS, longest_gap
from soundcharts_pipeline.health import ChartFacts
from soundcharts_pipeline.settings import ChartSettings, Settings
from soundcharts_pipeline.storage.chart_states import ChartState


def chart_facts(settings: Settings, chart: ChartSettings, state: ChartState, next_run: datetime | None) -> ChartFacts:
    """`next_run`: when the chart's schedule ticks next, None when it is off."""
    followed = {day for day in state.published if day >= chart.first_date}
    if not chart.sync_history:
        followed = {max(followed)} if followed else set()
    return ChartFacts(
        slug=chart.slug,
        name=chart.name,
        platform=state.platform,
        schedule=chart.schedule,
        active=chart.active,
        keys=frozenset(scheduled_keys(settings, chart)) - ANALYTICS,
        heal_days=chart.heal_days,
        freshness=WARN_AFTER_GAPS * _gap(chart, state),
        next_run=next_run,
        published=frozenset(followed),
        saved=state.saved,
        newest_saved_at=state.saved_at,
    )


def _gap(chart: ChartSettings, state: ChartState) -> timedelta:
    """The longest time between two rankings: a weekly chart may well be asked for every day."""
    published = timedelta(days=7 if state.frequency == "weekly" else 1)
    return max(longest_gap(chart.schedule), published)

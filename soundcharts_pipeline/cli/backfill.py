"""A range of days of a chart from a terminal: what is missing of it, in runs as long as the charts file allows."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from soundcharts_pipeline.api.errors import AuthenticationError, BudgetSpent, NetworkError, QuotaExhausted
from soundcharts_pipeline.cli.chart_choice import choose_chart
from soundcharts_pipeline.cli.console import counted
from soundcharts_pipeline.clock import last_ranking_day
from soundcharts_pipeline.config.environment import Environment
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.account import open_context
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.ranking_list import list_published
from soundcharts_pipeline.sync.rankings import NotPublished, changed_days, late_days, newest_day, unlisted_days

if TYPE_CHECKING:
    from soundcharts_pipeline.cli.run_in_process import Outcome

# After these the next run would fare no better.
HOPELESS = {error.__name__ for error in (AuthenticationError, BudgetSpent, NetworkError, QuotaExhausted)}


def backfill_chart(slug: str, first: date, last: date | None, *, everything: bool, console: Console) -> "list[Outcome]":
    """One run after the other, oldest days first, for the days that are not materialised yet (`everything`: for
    all), until a run fails for a reason that holds for the next one too. Without `last` up to the newest published
    day. The list of rankings is read once, whatever the number of runs. Returns the outcome of each run. Raises
    NotPublished when there is nothing to do because nothing is out yet."""
    environment, settings, chart = choose_chart(slug, first, last or first)
    with open_context(settings) as ctx:
        whole = ChartDays(slug, first, last or max(first, last_ranking_day(ctx.clock())))
        left = _left(environment, settings, ctx.warehouse, whole, changed_days(ctx, whole), everything=everything)
        last = _list_days(ctx, settings, chart, sorted(left), last)
        if last < first:
            raise NotPublished(f"the newest ranking of {slug} is of {last}; begin with that day, or try again later")
        asked = ctx.client.usage.calls
        days = ChartDays(slug, first, last).days
        late = late_days(ctx, chart)
        missing = [day for day in days if day in left or day in late]
        spans = _spans(settings, slug, missing)
        console.print(
            f"[bold]{escape(chart.name)}[/bold], {first} to {last}: "
            f"{counted(len(missing), 'day')} in {counted(len(spans), 'run')}"
            + (f", {counted(len(days) - len(missing), 'day')} already complete" if len(missing) < len(days) else ""),
            soft_wrap=True,
        )
        outcomes = list(_run(ctx.warehouse, settings, spans, console))
    if all(outcome.succeeded for outcome in outcomes):
        calls = asked + sum(outcome.calls for outcome in outcomes)
        console.print(f"complete, with {counted(calls, 'call')}", soft_wrap=True)
    return outcomes


def _list_days(
    ctx: SyncContext, settings: Settings, chart: ChartSettings, left: Sequence[date], last: date | None
) -> date:
    """The last day of the range. The list of rankings is read here, for all runs: each would read it anew for the days
    that it does not know, and a weekly chart has as many runs as weeks. Of a single run that is its own affair."""
    unlisted = unlisted_days(ctx, chart, left)
    if last is None:
        return newest_day(ctx, chart, wanted=unlisted)
    readers = [span for span in _spans(settings, chart.slug, left) if not set(unlisted).isdisjoint(span.days)]
    if len(readers) > 1:
        list_published(ctx, chart.slug, wanted=unlisted)
        ctx.client.rest()
    return last


def _left(
    environment: Environment,
    settings: Settings,
    warehouse: Warehouse,
    whole: ChartDays,
    changed: Mapping[date, datetime],
    *,
    everything: bool,
) -> set[date]:
    """Days of the range on which not every asset of the chart is there, or not since the ranking `changed`; with
    `everything` all."""
    from soundcharts_pipeline.config.cascade import allowed_keys
    from soundcharts_pipeline.orchestration.complete_days import days_there
    from soundcharts_pipeline.orchestration.dagster_home import open_instance, prepare_home
    from soundcharts_pipeline.orchestration.run_requests import not_materialized_since

    prepare_home(environment)
    if everything:
        return set(whole.days)
    slug, keys = whole.slug, allowed_keys(settings, settings.chart(whole.slug))
    with open_instance() as instance:
        there = days_there(instance, warehouse, {slug: keys}, {slug: whole.days})
        complete = [set(there[key][slug]) - not_materialized_since(instance, key, slug, changed) for key in keys]
    return {day for day in whole.days if any(day not in days for days in complete)}


def _spans(settings: Settings, slug: str, days: Sequence[date]) -> list[ChartDays]:
    """The days as runs."""
    from soundcharts_pipeline.orchestration.partitions import spans_over

    return [part for span in spans_over(slug, days) for part in span.split(settings.max_partitions_per_run)]


def _run(
    warehouse: Warehouse, settings: Settings, spans: "Sequence[ChartDays]", console: Console
) -> "Iterator[Outcome]":
    from soundcharts_pipeline.cli.run_in_process import run_span
    from soundcharts_pipeline.config.cascade import allowed_keys
    from soundcharts_pipeline.embedding.build import build_definitions

    definitions = build_definitions(settings)
    for number, span in enumerate(spans, 1):
        if len(spans) > 1:
            console.print(f"run {number} of {len(spans)}: {span.first} to {span.last}", soft_wrap=True)
        outcome = run_span(definitions, warehouse, span, allowed_keys(settings, settings.chart(span.slug)), console)
        yield outcome
        if HOPELESS & {failure.kind for failure in outcome.failures}:
            left = sum(len(later.days) for later in spans[number:])
            if left:
                console.print(
                    f"{counted(left, 'day')} not tried: the next run would end in the same way", soft_wrap=True
                )
            return

"""`plan`: what a sync would cost, as a table or as JSON."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from enum import Enum, auto
from typing import Any

from rich.console import Console
from rich.markup import escape

from soundcharts_pipeline.cli.chart_choice import choose_chart
from soundcharts_pipeline.cli.console import counted, open_console, print_table
from soundcharts_pipeline.clock import A_MOMENT
from soundcharts_pipeline.config.cascade import RANKINGS, TRACK_METADATA, allowed_keys
from soundcharts_pipeline.config.settings import BadUse, ChartSettings
from soundcharts_pipeline.storage.queries import plan_inputs as forecasts
from soundcharts_pipeline.sync.account import open_context
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.metadata import sync_track_metadata
from soundcharts_pipeline.sync.planning.plan import Allowance, Plan, allowance_of, days_that_fit, plan_cascade
from soundcharts_pipeline.sync.planning.sentences import HEADINGS, rows_of, sentences_of, told
from soundcharts_pipeline.sync.ranking_list import NotListed
from soundcharts_pipeline.sync.rankings import NotPublished, sync_rankings
from soundcharts_pipeline.sync.report import SyncIncomplete
from soundcharts_pipeline.wording import program


class Fetch(Enum):
    """What is stored, for billed calls, before the plan is made."""

    NOTHING = auto()
    RANKINGS = auto()
    METADATA = auto()


def show_plan(slug: str, first: date | None, last: date | None, *, fetch: Fetch, refresh: bool, as_json: bool) -> None:
    """Print the plan of the chart's cascade over the days, by default the newest day whose ranking is stored; of one
    that asks again for what is known with `refresh`."""
    environment, settings, chart = choose_chart(slug, first, last)
    with open_context(settings) as opened:
        ctx = replace(opened, known_since=opened.clock() + A_MOMENT) if refresh else opened
        if first is None or last is None:
            first = last = _newest_stored(ctx, chart)
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        keys = allowed_keys(settings, chart)
        if fetch is not Fetch.NOTHING:
            # Beside a JSON object nothing else may be printed.
            _store(ctx, chart, days, metadata=fetch is Fetch.METADATA, console=open_console(stderr=as_json))
        plan = plan_cascade(ctx, chart, days, keys)
        allowance = allowance_of(ctx, environment)
        fit = len(days) if not allowance.lacking(plan.calls) else days_that_fit(ctx, chart, days, keys, allowance)
    if as_json:
        open_console().print_json(json.dumps(_as_json(plan, allowance, fit)))
    else:
        _print(plan, chart, allowance, fit, open_console())


def _newest_stored(ctx: SyncContext, chart: ChartSettings) -> date:
    with ctx.warehouse.read() as conn:
        newest = forecasts.newest_saved(conn, chart.slug)
    if newest is None or newest < chart.first_date:
        raise BadUse(
            f"no ranking of {chart.slug} is stored since {chart.first_date}; name the days: "
            f"`{program()} plan {chart.slug} --date YYYY-MM-DD`, or --from and --to"
        )
    return newest


def _store(ctx: SyncContext, chart: ChartSettings, days: Sequence[date], *, metadata: bool, console: Console) -> None:
    keys = [RANKINGS, *([TRACK_METADATA] if metadata and chart.fetch_track_metadata else [])]
    before = plan_cascade(ctx, chart, days, keys)
    console.print(f"Fetching first: {told(before.calls, estimate=before.estimate)} billed calls", soft_wrap=True)
    billed = ctx.client.usage.answered
    try:
        sync_rankings(ctx, chart, days)
    except SyncIncomplete as error:
        if not isinstance(error.cause, NotPublished | NotListed):
            raise
        console.print(escape(str(error)), soft_wrap=True)
    if TRACK_METADATA in keys:
        sync_track_metadata(ctx, chart, days)
    console.print(f"{counted(ctx.client.usage.answered - billed, 'billed call')} made", soft_wrap=True)


def _print(plan: Plan, chart: ChartSettings, allowance: Allowance, fit: int, console: Console) -> None:
    span = f"{plan.days[0]}" + (f" to {plan.days[-1]}" if len(plan.days) > 1 else "")
    console.print(f"[bold]{escape(chart.name)}[/bold], {span}: what `sync` would ask now", soft_wrap=True)
    print_table(console, HEADINGS, rows_of(plan))
    for sentence in sentences_of(plan, allowance, days_that_fit=fit):
        console.print(escape(sentence), soft_wrap=True, style="yellow" if sentence.startswith("WARNING") else None)


def _as_json(plan: Plan, allowance: Allowance, fit: int) -> dict[str, Any]:
    return {
        "chart": plan.slug,
        "first": str(plan.days[0]),
        "last": str(plan.days[-1]),
        "calls": plan.calls,
        "estimate": plan.estimate,
        "assets": [
            {"asset": key, "calls": count.calls, "estimate": count.estimate, "for": count.basis}
            for key, count in plan.counts.items()
        ],
        "missing_rankings": [str(day) for day in plan.missing_rankings],
        "assumed_places": plan.assumed_places,
        "quota_left": allowance.quota_left,
        "quota_reserve": allowance.reserve,
        "calls_short": allowance.lacking(plan.calls),
        "days_that_fit": fit,
        "calls_per_minute": allowance.per_minute,
        "minutes": allowance.minutes(plan.calls),
    }

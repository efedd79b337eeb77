"""A dry run: the plan of what a run would ask, in its log and on its first asset, and nothing materialised."""

from collections.abc import Iterator, Sequence

import dagster as dg

from soundcharts_pipeline.config.cascade import all_keys, allowed_keys
from soundcharts_pipeline.config.environment import Environment
from soundcharts_pipeline.config.settings import Settings
from soundcharts_pipeline.errors import PipelineError
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.assets.by_chart import no_results
from soundcharts_pipeline.orchestration.assets.table_metadata import as_markdown
from soundcharts_pipeline.orchestration.failures import failure_of
from soundcharts_pipeline.orchestration.partitions import spans_of
from soundcharts_pipeline.storage.queries.summaries import Preview
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.planning.plan import Allowance, allowance_of, days_that_fit, plan_cascade
from soundcharts_pipeline.sync.planning.sentences import HEADINGS, rows_of, sentences_of


def dry_run(
    context: dg.AssetExecutionContext, settings: Settings, ctx: SyncContext, environment: Environment
) -> Iterator[dg.Output[None]]:
    """The step of an asset in a dry run. The run's first asset plans for all; those below any are skipped. Raises
    dagster.Failure for a PipelineError."""
    selected = {key.to_user_string() for key in context.job_def.asset_layer.selected_asset_keys}
    keys = [key for key in all_keys(settings) if key in selected]
    if context.asset_key.to_user_string() == keys[0]:
        try:
            allowance = allowance_of(ctx, environment)
            for span in spans_of(context.partition_keys):
                _tell(context, settings, ctx, span, keys, allowance)
        except PipelineError as error:
            raise failure_of(error) from None
    else:
        context.log.info(f"dry run: nothing is asked; the plan of the whole run is in the step of {keys[0]}")
    yield from no_results(context)


def _tell(
    context: dg.AssetExecutionContext,
    settings: Settings,
    ctx: SyncContext,
    span: ChartDays,
    selected: Sequence[str],
    allowance: Allowance,
) -> None:
    chart = settings.chart(span.slug)
    keys = [key for key in allowed_keys(settings, chart) if key in selected]
    plan = plan_cascade(ctx, chart, span.days, keys)
    fit = len(span.days) if not allowance.lacking(plan.calls) else days_that_fit(ctx, chart, span.days, keys, allowance)
    rows, sentences = rows_of(plan), list(sentences_of(plan, allowance, days_that_fit=fit))
    lines = [f"{span}: what this run would ask", *(f"{calls:>14}  {key}: {basis}" for key, basis, calls in rows)]
    context.log.info("\n".join([*lines, *sentences]))
    context.log_event(
        dg.AssetObservation(
            asset_key=context.asset_key,
            description="\n".join([f"dry run of {span}: {rows[-1][-1]} calls", *sentences]),
            metadata={
                "planned_calls": plan.calls,
                "estimate": plan.estimate,
                "plan": as_markdown(Preview(HEADINGS, rows)),
            },
        )
    )

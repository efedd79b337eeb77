"""One run holds one chart. What is selected in Dagster's UI is cut by Dagster, into runs of several charts on one day
when there are no more days than charts: such a run starts one run per chart in its place, and ends."""

from collections.abc import Collection, Iterator, Mapping

import dagster as dg

from soundcharts_pipeline.config.settings import BadUse, Settings, SettingsError
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.dagster_internals import BACKFILL_ID_TAG
from soundcharts_pipeline.orchestration.dead_runs import HOST_TAG, PID_TAG
from soundcharts_pipeline.orchestration.failures import failure_of
from soundcharts_pipeline.orchestration.partitions import (
    PARTITION_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    first_day,
    is_chart_day,
    keys_of,
    parse_key,
    partition_key,
    range_tags,
    spans_of,
    spans_of_tags,
)
from soundcharts_pipeline.orchestration.run_requests import CHART_TAG, CUT_INTO, CUT_TAG, keys_of_backfill
from soundcharts_pipeline.storage.processes import host_name
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.shared_worklist import claimed

_HOW_TO_NAME = (
    f"choose partitions in the launchpad, or set the tag {PARTITION_TAG} to SLUG|YYYY-MM-DD, or both {RANGE_START_TAG} "
    f"and {RANGE_END_TAG}"
)
# Tags of the run itself, and not of what it is to do.
_ITS_OWN = {RANGE_START_TAG, RANGE_END_TAG, PARTITION_TAG, HOST_TAG, PID_TAG}


def is_handed_over(context: dg.AssetExecutionContext, settings: Settings, warehouse: Warehouse) -> bool:
    """Start one run per chart (and stretch of days) in place of this one, unless this is such a run; then there is
    nothing to do here. A run that no daemon looks after (`dg launch`) works on its charts itself."""
    run = context.run
    _require(run.tags, settings)
    _require_days(context)
    if CHART_TAG in run.tags or run.remote_job_origin is None:
        return False
    own = spans_of(context.partition_keys)
    # Together with the other runs of its backfill: of three charts on two days Dagster makes two runs.
    selected = _keys_of_backfill(context) or context.partition_keys
    if len(own) == 1 and own[0] in runs_for(selected, settings.max_partitions_per_run):
        return False
    with claimed(warehouse, f"cut/{run.tags.get(BACKFILL_ID_TAG, run.run_id)}"):
        context.instance.add_run_tags(run.run_id, {CUT_TAG: CUT_INTO})
        for span in _not_begun(context, settings, selected):
            context.log.info(f"{span}: run {_start(context, span).run_id} is queued in place of this one")
    charts = ", ".join(span.slug for span in own)
    context.log.info(
        f"One run is one chart: this run is replaced by one for each of {charts}, and materialises nothing"
    )
    return True


def _require(tags: Mapping[str, str], settings: Settings) -> None:
    """Fail by name when charts.yaml has lost the chart or the day since the run was asked for."""
    first, file = first_day(settings), f"{settings.file or 'the charts of the project'} on {host_name()}"
    for span in spans_of_tags(tags, settings.slugs):
        if span.slug not in settings.charts:
            gone = f"{span.slug} is not in {file}; add it there, or leave the run"
        elif span.first < first:
            gone = f"{file} has no day before {first}; set an earlier first_date there for {span}"
        else:
            continue
        why = "It was changed after this run was asked for, or whoever asked for it goes by another file"
        raise failure_of(SettingsError(f"{gone}. {why}; no call was made"))


def _require_days(context: dg.AssetExecutionContext) -> None:
    """Fail by name when there is nothing to do: a step without partitions would be recorded as done, of nothing."""
    tags = context.run.tags
    start, end = tags.get(RANGE_START_TAG, ""), tags.get(RANGE_END_TAG, "")
    if not (context.has_partition_key or context.has_partition_key_range):
        raise failure_of(BadUse(f"this run names no chart and day: {_HOW_TO_NAME}. No call was made"))
    if is_chart_day(start) and is_chart_day(end) and not context.partition_keys:
        (slug, first), (last_slug, last) = parse_key(start), parse_key(end)
        right = [partition_key(one(slug, last_slug), one(first, last)) for one in (min, max)]
        raise failure_of(
            BadUse(
                f"the range {start}...{end} holds no partition, for it ends before it begins: a range goes from the "
                f"first slug, in alphabetical order, and the earliest day to the last ones, as {'...'.join(right)}. "
                "No call was made"
            )
        )


def no_results(context: dg.AssetExecutionContext) -> Iterator[dg.Output[None]]:
    """The outputs of a step that materialises nothing: what is below it is skipped. Its checks have to yield one, which
    holds no result."""
    for output in context.op_execution_context.op_def.output_defs:
        if output.is_required:
            yield dg.Output(None, output.name)


def runs_for(keys: Collection[str], most: int | None) -> list[ChartDays]:
    """These chart-days as runs of one chart, of consecutive days and at most so many."""
    return [part for span in spans_of(keys) for part in span.split(most)]


def _keys_of_backfill(context: dg.AssetExecutionContext) -> set[str]:
    """Partitions of this asset that its backfill is for; none without a backfill."""
    backfill = context.instance.get_backfill(context.run.tags.get(BACKFILL_ID_TAG, ""))
    return set() if backfill is None else keys_of_backfill(backfill, context.asset_key)


def _not_begun(context: dg.AssetExecutionContext, settings: Settings, keys: Collection[str]) -> list[ChartDays]:
    """The runs to start, less those that another run of the backfill has started or is, and days that were canceled."""
    backfill = context.run.tags.get(BACKFILL_ID_TAG)
    found = context.instance.get_runs(dg.RunsFilter(tags={BACKFILL_ID_TAG: backfill})) if backfill else []
    same = [run for run in found if run.asset_selection == context.run.asset_selection]
    spans = [(run, spans_of_tags(run.tags, settings.slugs)) for run in same if run.run_id != context.run.run_id]
    begun = {of_run[0] for run, of_run in spans if len(of_run) == 1}
    canceled = [span for run, of_run in spans if run.status == dg.DagsterRunStatus.CANCELED for span in of_run]
    left = set(keys) - {key for span in canceled for key in keys_of(span)}
    return [span for span in runs_for(left, settings.max_partitions_per_run) if span not in begun]


def _start(context: dg.AssetExecutionContext, span: ChartDays) -> dg.DagsterRun:
    """Queue a run like this one for the span."""
    run, instance = context.run, context.instance
    tags = {name: value for name, value in run.tags.items() if name not in _ITS_OWN}
    created: dg.DagsterRun = instance.create_run_for_job(
        context.repository_def.get_job(run.job_name),
        run_config=run.run_config,
        tags={**tags, **range_tags(span), CHART_TAG: span.slug},
        asset_selection=set(run.asset_selection) if run.asset_selection else None,
        remote_job_origin=run.remote_job_origin,
        job_code_origin=run.job_code_origin,
    )
    instance.report_dagster_event(dg.DagsterEvent.job_enqueue(created), run_id=created.run_id)
    return created

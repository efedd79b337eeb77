"""One schedule per chart, in the chart's own time zone: it asks what is published and requests what is missing.
One per housekeeping asset, off until somebody turns it on."""

from collections.abc import Collection
from datetime import date

import dagster as dg

from soundcharts_pipeline.config.cascade import (
    CHART_CATALOG,
    DATABASE_BACKUP,
    RANKING_ARCHIVE,
    RANKINGS,
    STORAGE_REPORT,
    schedule_names,
    scheduled_keys,
)
from soundcharts_pipeline.config.settings import ChartSettings, Housekeeping, Settings
from soundcharts_pipeline.errors import PipelineError
from soundcharts_pipeline.orchestration.complete_days import days_there
from soundcharts_pipeline.orchestration.failures import failure_of
from soundcharts_pipeline.orchestration.freshness import still_newest
from soundcharts_pipeline.orchestration.jobs import FULL_SYNC, OPERATIONS
from soundcharts_pipeline.orchestration.partitions import spans_over
from soundcharts_pipeline.orchestration.resources import SoundchartsResource, WarehouseResource
from soundcharts_pipeline.orchestration.run_requests import any_overlap, request_run, spans_in_flight
from soundcharts_pipeline.orchestration.stops import canceled_note, stopped_days
from soundcharts_pipeline.remedies import Subject
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.preconditions import inside_source
from soundcharts_pipeline.sync.rankings import days_due_again, find_published


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """A schedule for every chart, where that of an inactive one is off, and those of the housekeeping."""
    names = schedule_names(settings)
    of_charts = [_schedule(settings, chart, names[chart.slug]) for chart in settings.charts.values()]
    return [*of_charts, *_operations(settings.operations)]


def _operations(operations: Housekeeping) -> list[dg.ScheduleDefinition]:
    crons = {
        RANKING_ARCHIVE: operations.archive_schedule,
        DATABASE_BACKUP: operations.backup_schedule,
        STORAGE_REPORT: operations.report_schedule,
        CHART_CATALOG: operations.catalog_schedule,
    }
    return [
        dg.ScheduleDefinition(
            name=f"{asset}_schedule",
            job_name=OPERATIONS[asset],
            cron_schedule=cron,
            execution_timezone=operations.timezone,
            default_status=dg.DefaultScheduleStatus.STOPPED,
            description=f"Materialises `{asset}`. Off until you turn it on.",
        )
        for asset, cron in crons.items()
    ]


def _schedule(settings: Settings, chart: ChartSettings, name: str) -> dg.ScheduleDefinition:
    keys = scheduled_keys(settings, chart)

    @dg.schedule(
        name=name,
        cron_schedule=chart.schedule,
        execution_timezone=chart.timezone,
        job_name=FULL_SYNC,
        default_status=dg.DefaultScheduleStatus.RUNNING if chart.active else dg.DefaultScheduleStatus.STOPPED,
        description=f"{chart.name}: requests the published days since {chart.first_date} that are not materialised, "
        "as one run (of at most max_partitions_per_run days), and days of which a later ranking is listed than the "
        "stored one. Costs one call a tick.",
        tags={"soundcharts/chart": chart.slug},
    )
    def tick(
        context: dg.ScheduleEvaluationContext, soundcharts: SoundchartsResource, database: WarehouseResource
    ) -> list[dg.RunRequest] | dg.SkipReason:
        ctx = SyncContext(
            client=soundcharts.client, warehouse=database.warehouse, max_in_flight=1, clock=soundcharts.clock
        )
        try:
            with inside_source(ctx, soundcharts.source):
                published, again = find_published(ctx, chart), days_due_again(ctx, chart)
            fresh = still_newest(ctx, chart)
            wanted = {chart.slug: published}
            there = days_there(context.instance, ctx.warehouse, {chart.slug: [RANKINGS]}, wanted)[RANKINGS][chart.slug]
        except PipelineError as error:
            raise failure_of(error, about=Subject(chart.slug)) from error
        if fresh is not None:
            context.instance.report_runless_asset_event(fresh)
        return _requests(context.instance, settings, chart, keys, published, there, again)

    return tick


def _requests(
    instance: dg.DagsterInstance,
    settings: Settings,
    chart: ChartSettings,
    keys: list[str],
    published: list[date],
    there: Collection[date],
    again: list[date],
) -> list[dg.RunRequest] | dg.SkipReason:
    """`there`: days that are materialised and whose ranking is stored; `again`: those of them of which it is to
    be fetched once more."""
    if not published:
        return dg.SkipReason(f"{chart.slug} has no published ranking since {chart.first_date}")
    missing = sorted(set(published).difference(there))
    stopped = stopped_days(instance, settings.slugs, {chart.slug: {*missing, *again}}).get(chart.slug, set())
    # One range, also over days that are there: they cost no call.
    spans = spans_over(chart.slug, set(missing) - stopped, stopped)
    others = [day for day in set(again) - stopped if not any(span.first <= day <= span.last for span in spans)]
    spans += spans_over(chart.slug, others, [*published, *missing])
    if not spans:
        canceled = f"; {canceled_note(chart.slug, stopped)}" if stopped else ""
        return dg.SkipReason(f"{chart.slug}: nothing new, the newest published day is {published[-1]}{canceled}")
    busy = spans_in_flight(instance, settings.slugs)
    free = [span for span in spans if not any_overlap(span, busy)]
    if not free:
        return dg.SkipReason("; ".join(f"{span} is already queued or running" for span in spans))
    # Of several requests of one tick Dagster wants each to be named. The names count within the tick alone.
    parts = [part for span in free for part in span.split(settings.max_partitions_per_run)]
    return [request_run(FULL_SYNC, part, keys, "schedule", run_key=str(part)) for part in parts]

"""One schedule per chart, in the chart's own time zone: it asks what is published and requests what is missing.
One per housekeeping asset, off until somebody turns it on."""

from datetime import date

import dagster as dg

from soundcharts_pipeline.cascade import (
    CHART_CATALOG,
    DATABASE_BACKUP,
    RANKING_ARCHIVE,
    RANKINGS,
    STORAGE_REPORT,
    schedule_names,
    scheduled_keys,
)
from soundcharts_pipeline.failures import USER_ERRORS, failure_of
from soundcharts_pipeline.housekeeping import Housekeeping
from soundcharts_pipeline.jobs import FULL_SYNC, OPERATIONS
from soundcharts_pipeline.partitions import ChartSpan
from soundcharts_pipeline.resources import SoundchartsResource, WarehouseResource
from soundcharts_pipeline.run_requests import any_overlap, materialized_days, request_run, spans_in_flight
from soundcharts_pipeline.settings import ChartSettings, Settings
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.rankings import find_published
from soundcharts_pipeline.sync.source import check_source, note_source


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
        "as one run (of at most max_partitions_per_run days). Costs one call a tick.",
        tags={"soundcharts/chart": chart.slug},
    )
    def tick(
        context: dg.ScheduleEvaluationContext, soundcharts: SoundchartsResource, database: WarehouseResource
    ) -> list[dg.RunRequest] | dg.SkipReason:
        ctx = SyncContext(client=soundcharts.client, warehouse=database.warehouse, max_in_flight=1)
        try:
            check_source(ctx, soundcharts.source)
            published = find_published(ctx, chart)
            with ctx.warehouse.write() as conn:
                note_source(ctx, conn, soundcharts.source)
        except USER_ERRORS as error:
            raise failure_of(error) from error
        return _requests(context.instance, chart, keys, published, settings.max_partitions_per_run)

    return tick


def _requests(
    instance: dg.DagsterInstance, chart: ChartSettings, keys: list[str], published: list[date], most: int | None
) -> list[dg.RunRequest] | dg.SkipReason:
    if not published:
        return dg.SkipReason(f"{chart.slug} has no published ranking since {chart.first_date}")
    missing = sorted(set(published) - materialized_days(instance, RANKINGS)[chart.slug])
    if not missing:
        return dg.SkipReason(f"{chart.slug}: nothing new, the newest published day is {published[-1]}")
    span = ChartSpan(chart.slug, missing[0], missing[-1])
    if any_overlap(span, spans_in_flight(instance)):
        return dg.SkipReason(f"{span} is already queued or running")
    # Of several requests of one tick Dagster wants each to be named. The names count within the tick alone.
    return [request_run(FULL_SYNC, part, keys, "schedule", run_key=str(part)) for part in span.split(most)]

"""A run that asks again: what was known before it began does not count."""

from datetime import UTC, datetime

import dagster as dg

from soundcharts_pipeline.clock import A_MOMENT, Clock, utc_now


def begin_of(context: dg.AssetExecutionContext, calendar: Clock) -> datetime:
    """When the run began, or the one that it goes on from: what that one has asked again is known. By a calendar that
    stands still everything was known at this moment, so that each step asks for all of it."""
    if calendar is not utc_now:
        return calendar() + A_MOMENT
    run = context.run
    record = context.instance.get_run_record_by_id(run.root_run_id or run.run_id)
    if record is None or record.start_time is None:
        record = context.instance.get_run_record_by_id(run.run_id)
    return datetime.fromtimestamp(record.start_time, UTC) if record and record.start_time else utc_now()

"""What Dagster's records of runs and ticks say went wrong or well, by the cause that people would call the same.

A cause is a chart, a step and a kind of error; one that every chart shares has the account for its subject.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from soundcharts_pipeline.config.cascade import OF_A_CHART
from soundcharts_pipeline.orchestration.dagster_internals import (
    InstigatorState,
    InstigatorTick,
    InstigatorType,
    TickStatus,
)
from soundcharts_pipeline.orchestration.partitions import spans_of_tags
from soundcharts_pipeline.orchestration.run_events import (
    CALLS,
    asset_of,
    cause_of,
    chain_of,
    failed_as_a_whole,
    said_of_run,
    step_failure,
)
from soundcharts_pipeline.storage.alerts import Failure
from soundcharts_pipeline.troubleshooting import CHECK_FAILED, UNKNOWN, trouble_of

# Subject of causes that every chart shares.
ACCOUNT = ""

_OF_A_RUN = {
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.ENGINE_EVENT,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
}


@dataclass(frozen=True, slots=True)
class Recovery:
    """All was well with the subject at that time."""

    subject: str
    at: datetime


News = Failure | Recovery


def news_of_run(
    instance: dg.DagsterInstance, run: dg.DagsterRun, ended: datetime, *, about_account: bool
) -> Iterator[News]:
    """Every step and check of a run that is over; `about_account`: also whether it proves the account to be well."""
    spans = spans_of_tags(run.tags, ())
    chart, what = (spans[0].slug, ", ".join(map(str, spans))) if spans else (run.job_name, run.job_name)
    entries = instance.all_logs(run.run_id, of_type=_OF_A_RUN)
    events = [entry.dagster_event for entry in entries if entry.dagster_event]
    failed = False
    for event in events:
        asset = asset_of(event)
        if event.is_step_failure:
            failed = True
            error = step_failure(event)
            yield _failure(error.kind, chart, asset, f"{what}, {asset}", error.message, run, ended)
        elif event.is_step_success:
            yield Recovery(f"{chart}/{asset}", ended)
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            yield from _news_of_check(event, chart, what, run, ended)
    if run.status == dg.DagsterRunStatus.SUCCESS:
        yield Recovery(f"{chart}/", ended)
        if about_account and _made_calls(instance, run.run_id):
            yield Recovery(ACCOUNT, ended)
    elif not failed and run.status != dg.DagsterRunStatus.CANCELED:
        whole = failed_as_a_whole(
            [said_of_run(event) for event in events if event.is_run_failure or event.is_engine_event]
        )
        yield _failure(whole.kind, chart, "", what, whole.message, run, ended)


def _failure(
    kind: str, chart: str, asset: str, what: str, message: str, run: dg.DagsterRun, ended: datetime
) -> Failure:
    subject = ACCOUNT if trouble_of(kind).shared else f"{chart}/{asset}"
    return Failure(
        subject=subject, kind=kind or UNKNOWN, what=what, message=message, link=f"runs/{run.run_id}", at=ended
    )


def _news_of_check(
    event: dg.DagsterEvent, chart: str, what: str, run: dg.DagsterRun, ended: datetime
) -> Iterator[News]:
    check = event.asset_check_evaluation_data
    name = f"{check.asset_key.to_user_string()}: {check.check_name}"
    if check.passed:
        yield Recovery(f"{chart}/{name}", ended)
    elif check.severity == dg.AssetCheckSeverity.ERROR:
        facts = ", ".join(f"{key} {value.value}" for key, value in check.metadata.items())
        text = check.description or facts or "it did not pass"
        yield _failure(CHECK_FAILED, chart, name, f"{what}, check {name}", text, run, ended)


def _made_calls(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether Soundcharts answered the run: one that had nothing to ask proves nothing about the account."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        made = entry.asset_materialization
        facts: Mapping[str, dg.MetadataValue] = made.metadata if made else {}
        if any(name.startswith(CALLS) and value.value for name, value in facts.items()):
            return True
    return False


def news_of_tick(state: InstigatorState, tick: InstigatorTick) -> Iterator[News]:
    """Of a tick that is over."""
    at = datetime.fromtimestamp(tick.timestamp, UTC)
    name = state.instigator_name
    if tick.status != TickStatus.FAILURE:
        yield Recovery(name, at)
        if state.instigator_type == InstigatorType.SCHEDULE and name.startswith(OF_A_CHART):
            # Every tick of a chart's schedule asks for the list of rankings; those of the housekeeping ask nothing.
            yield Recovery(ACCOUNT, at)
        return
    kind, message = cause_of(chain_of(tick.error))
    subject = ACCOUNT if trouble_of(kind).shared else name
    what = f"{state.instigator_type.value.lower()} {name}"
    yield Failure(subject=subject, kind=kind, what=what, message=message, link="automation", at=at)

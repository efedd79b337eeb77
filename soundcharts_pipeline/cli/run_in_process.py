"""Run chart-days through Dagster from a terminal: in this process, recorded like any other run, with a progress bar."""

import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from typing import Any, TextIO, cast

import dagster as dg
from rich.console import Console

from soundcharts_pipeline.api.errors import NotInPlan
from soundcharts_pipeline.cli.progress_bars import shown_progress
from soundcharts_pipeline.config.cascade import CHART_REPORT
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.dagster_home import open_instance
from soundcharts_pipeline.orchestration.dagster_internals import DagsterExecutionInterruptedError, RunFailureReason
from soundcharts_pipeline.orchestration.failures import (
    LEFT_OUT,
    NOT_FOUND_MEANS,
    REMARKS_IN_SHORT,
    REMEDY,
    WITHOUT_DATA,
)
from soundcharts_pipeline.orchestration.jobs import FULL_SYNC, OPERATIONS
from soundcharts_pipeline.orchestration.partitions import parse_key, range_tags
from soundcharts_pipeline.orchestration.run_events import (
    StepFailure,
    asset_of,
    calls_by_step,
    check_recorded,
    step_failure,
)
from soundcharts_pipeline.orchestration.run_requests import CHART_TAG, TRIGGER_TAG, asset_key
from soundcharts_pipeline.remedies import Subject
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.versions import PUBLISHED_AGAIN
from soundcharts_pipeline.troubleshooting import trouble_of

# Dagster's own log goes to its storage, where the UI shows it; the terminal has the progress bars.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
# How Dagster begins what it writes of an event that it could not note.
UNNOTED = "Exception while writing logger call to event log"
# In that of a day, what came of it, and how it is introduced.
TOLD = {PUBLISHED_AGAIN: "", LEFT_OUT: "left out, "}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended, and the calls of its steps. `not_run` are assets left out because one above them failed, `notes`
    what is worth knowing though nothing failed."""

    run_id: str
    succeeded: bool
    failures: Sequence[StepFailure]
    calls: int
    not_run: Sequence[str] = ()
    notes: Sequence[str] = ()


def run_span(
    definitions: dg.Definitions,
    warehouse: Warehouse,
    span: ChartDays,
    keys: Sequence[str],
    console: Console,
    *,
    refresh: bool = False,
) -> Outcome:
    """One run of the given assets over the span, which asks again for what is known with `refresh`; returns when it has
    ended, raises KeyboardInterrupt after Ctrl-C."""
    run_id = str(uuid.uuid4())
    config = {"resources": {"soundcharts": {"config": {"refresh": True}}}} if refresh else {}
    with shown_progress(warehouse, run_id, keys, console):
        result = _execute(definitions, FULL_SYNC, run_id, keys, {**range_tags(span), CHART_TAG: span.slug}, config)
    return _outcome(result, keys)


def run_operation(definitions: dg.Definitions, asset: str) -> tuple[Outcome, dict[str, str]]:
    """One run of a housekeeping asset, and what it recorded, less what is a table or a picture."""
    result = _execute(definitions, OPERATIONS[asset], str(uuid.uuid4()), [asset], {})
    facts: dict[str, str] = {}
    for event in result.all_events:
        if event.is_step_materialization:
            recorded = event.step_materialization_data.materialization.metadata
            plain = {n: v for n, v in recorded.items() if not isinstance(v, dg.MarkdownMetadataValue)}
            facts |= {n: f"{v.value:,}" if isinstance(v.value, int) else str(v.value) for n, v in plain.items()}
    return _outcome(result, [asset]), facts


def _execute(
    definitions: dg.Definitions,
    job: str,
    run_id: str,
    keys: Sequence[str],
    tags: Mapping[str, str],
    config: Mapping[str, Any] | None = None,
) -> dg.ExecuteInProcessResult:
    with open_instance() as instance, _without_statements():
        try:
            result = definitions.resolve_job_def(job).execute_in_process(
                run_config={**QUIET, **(config or {})},
                instance=instance,
                asset_selection=[asset_key(key) for key in keys],
                tags={**tags, TRIGGER_TAG: "cli"},
                raise_on_error=False,
                run_id=run_id,
            )
            if any(_is_interruption(event) for event in result.all_events):
                raise KeyboardInterrupt
            check_recorded(result.all_events)
        except (KeyboardInterrupt, DagsterExecutionInterruptedError):
            # Also of a run that Dagster has recorded as failed: somebody has ended it, and nothing starts it again.
            if run := instance.get_run_by_id(run_id):
                instance.report_run_canceled(run, "The run was interrupted in its terminal.")
            raise KeyboardInterrupt from None
    return result


class _Quieter:
    """A stream without what Dagster writes there, statement and all, of an event that it could not note: the same error
    ends the run."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if text.startswith(UNNOTED) else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _without_statements() -> Iterator[None]:
    with redirect_stderr(cast("TextIO", _Quieter(sys.stderr))):
        yield


def _outcome(result: dg.ExecuteInProcessResult, keys: Sequence[str]) -> Outcome:
    events = result.all_events
    failures = [step_failure(event) for event in events if event.is_step_failure]
    begun = {asset_of(event) for event in events if event.is_step_start}
    not_run = [key for key in keys if key not in begun] if failures else []
    return Outcome(
        result.run_id, result.success, failures, sum(calls_by_step(events).values()), not_run, _notes(events)
    )


def _is_interruption(event: dg.DagsterEvent) -> bool:
    """Dagster caught Ctrl-C, and has recorded the run as failed."""
    return event.is_job_failure and event.job_failure_data.failure_reason == RunFailureReason.UNEXPECTED_TERMINATION


def _notes(events: Sequence[dg.DagsterEvent]) -> list[str]:
    """What Soundcharts does not have, does not give or gave in an unforeseen form, by asset, with what it means."""
    notes: dict[str, None] = {}  # every day of a range tells the same
    for event in events:
        asset = asset_of(event)
        if event.is_step_materialization:
            facts = event.step_materialization_data.materialization.metadata
            counts = {name.partition("_of_")[0]: value.value for name, value in facts.items()}
            if NOT_FOUND_MEANS in facts:
                notes[f"{asset}: {counts['not_found']} not found. {facts[NOT_FOUND_MEANS].value}"] = None
            if asset != CHART_REPORT:  # workbooks of older days are left out of a range on purpose
                notes |= {f"{asset}: {how}{facts[name].value}": None for name, how in TOLD.items() if name in facts}
            if refused := counts.get("not_in_plan"):
                is_some = int(str(counts["calls"])) > int(str(refused))
                advice = _OTHERS_ANSWERED if is_some else _not_in_plan(event)
                notes[f"{asset}: {refused} refused: not in the plan. {advice}"] = None
            notes |= _remarks(asset, facts)
        elif event.is_step_failure and (user := event.step_failure_data.user_failure_data):
            notes |= _remarks(asset, user.metadata)
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if REMEDY in check.metadata:
                notes[f"{asset}: no data at all. {check.metadata[REMEDY].value}"] = None
            elif WITHOUT_DATA in check.metadata:
                notes[f"{asset}: no {check.metadata[WITHOUT_DATA].value} at all"] = None
    return list(notes)


# Of some alone: the plan has the endpoint.
_OTHERS_ANSWERED = "Others were answered: nothing has to be done."


def _not_in_plan(event: dg.DagsterEvent) -> str:
    chart = parse_key(event.partition)[0] if event.partition else ""
    return trouble_of(NotInPlan.__name__).advice(Subject(chart, asset=asset_of(event)))


def _remarks(asset: str, facts: Mapping[str, dg.MetadataValue]) -> dict[str, None]:
    lines = str(facts[REMARKS_IN_SHORT].value).splitlines() if REMARKS_IN_SHORT in facts else []
    sent = "Soundcharts sent "
    # The last line says how many kinds were left out: "and 3 more kinds of remarks".
    return {f"{asset}: {'' if line.startswith('and ') else sent}{line}": None for line in lines}

"""What the events of a run say: the asset of a step, what it cost, why it failed."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from soundcharts_pipeline.models import RunError
from soundcharts_pipeline.orchestration.dagster_internals import SerializableErrorInfo
from soundcharts_pipeline.orchestration.dagster_state import lost
from soundcharts_pipeline.orchestration.failures import CAUSE, KIND, REMEDY
from soundcharts_pipeline.troubleshooting import RUN_FAILED, TROUBLES, UNKNOWN

# The classes of errors that Dagster's storages raise.
DATABASE_ERRORS = {"DBAPIError", "DatabaseError", "InterfaceError", "InternalError", "OperationalError", "TimeoutError"}
# In the metadata of a step: what it cost, `calls` or, of a range, `calls_of_30_days`.
CALLS = "calls"
# What Dagster says of a run that somebody else reported as failed; an engine event says what happened.
_FROM_OUTSIDE = "This run has been marked as failed from outside"
# Of a run that was queued with an asset that the code no longer has: whoever loads it refuses all of it.
_GONE = re.compile(r"(?:.*DagsterInvalidSubsetError: )?AssetKey\(s\) \[(.*?)\] were selected, but no AssetsDefinition")
UNEXPLAINED = "the run ended without saying why; its log in Dagster's UI holds all that is known"


@dataclass(frozen=True, slots=True)
class StepFailure(RunError):
    """Why a step failed; `cause` is the part of the message that other steps may have in common."""

    cause: str = ""


def calls_by_step(events: Sequence[dg.DagsterEvent]) -> dict[str, int]:
    """By step; every partition of a step carries the calls of the whole step."""
    calls: dict[str, int] = {}
    for event in events:
        metadata: Mapping[str, dg.MetadataValue] = {}
        if event.is_step_materialization:
            metadata = event.step_materialization_data.materialization.metadata
        elif event.is_step_failure and event.step_failure_data.user_failure_data:
            metadata = event.step_failure_data.user_failure_data.metadata
        spent = next((value for name, value in metadata.items() if name.startswith(CALLS)), None)
        if event.step_key and spent and isinstance(spent.value, int):
            calls[event.step_key] = spent.value
    return calls


def asset_of(event: dg.DagsterEvent) -> str:
    """The asset of a step's event: `track_audience__line_music` is the step of `track_audience/line-music`, for Dagster
    writes `_` for `-`, which no platform has in its code."""
    stage, of, platform = (event.step_key or "").partition("__")
    return f"{stage}/{platform.replace('_', '-')}" if of else stage


def step_failure(event: dg.DagsterEvent) -> StepFailure:
    """What a failed step left in Dagster's records."""
    data = event.step_failure_data
    asset = asset_of(event)
    user = data.user_failure_data
    if user is None:
        cause = data.error.cause if data.error and data.error.cause else data.error
        return StepFailure(asset, "", cause.message.strip() if cause else "unknown error")
    kind, cause_told, remedy = (_text_of(user.metadata, name) for name in (KIND, CAUSE, REMEDY))
    return StepFailure(asset, kind, user.description or "", remedy, cause_told)


@dataclass(frozen=True, slots=True)
class SaidOfRun:
    """What Dagster says of a run as a whole. `errors`: class and message of an exception that came with it, and of what
    it was raised from."""

    message: str
    errors: Sequence[tuple[str, str]] = ()


def said_of_run(event: dg.DagsterEvent) -> SaidOfRun:
    """What an engine event, or the failure of a run, says."""
    data = event.engine_event_data if event.is_engine_event else event.job_failure_data
    return SaidOfRun(event.message or "", chain_of(data.error if data else None))


def chain_of(error: SerializableErrorInfo | None) -> list[tuple[str, str]]:
    """Class and message of an error, and of what it was raised from."""
    chain = []
    while error is not None:
        chain.append((error.cls_name or "", error.message))
        error = error.cause
    return chain


def cause_of(errors: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Kind and message of the error of ours in the chain; of the innermost when there is none."""
    kind, message = UNKNOWN, "it ended without a word"
    for name, told in errors:
        text = told.strip()
        if name in TROUBLES:
            return name, text.partition(": ")[2]
        if gone := _GONE.match(text):
            keys = gone[1].replace("'", "")
            return "SettingsError", f"charts.yaml was changed after this was requested, and asks for {keys} no more"
        message = text
    return kind, message


def failed_as_a_whole(said: Sequence[SaidOfRun]) -> RunError:
    """The error of a run in which no step failed: what came with an error tells more than what Dagster says last, such
    as that its process has ended."""
    with_errors = [one for one in said if one.errors]
    if with_errors:
        kind, message = cause_of(with_errors[-1].errors)
        if kind != UNKNOWN:
            return RunError("", kind, message)
        return RunError("", RUN_FAILED, f"{with_errors[-1].message} {message}".strip())
    told = [one.message for one in said if one.message and not one.message.startswith(_FROM_OUTSIDE)]
    return RunError("", RUN_FAILED, told[-1] if told else UNEXPLAINED)


def check_recorded(events: Iterable[dg.DagsterEvent]) -> None:
    """Raises StateUnavailable for a run that Dagster has ended because it could not note what a step did. What the step
    itself met is then noted nowhere."""
    for event in events:
        error = event.job_failure_data.error if event.is_job_failure else None
        if error and error.cls_name in DATABASE_ERRORS:
            first = error.message.partition("\n")[0]
            raise lost(Path(os.environ["DAGSTER_HOME"]), first.rpartition(") ")[2])


def _text_of(metadata: Mapping[str, dg.MetadataValue], name: str) -> str:
    found = metadata.get(name)
    return "" if found is None else str(found.value)


def key_of_step(step: str) -> str:
    """`track_audience__spotify` is the step of `track_audience/spotify`."""
    return step.replace("__", "/")


def moment(seconds: float | None) -> datetime | None:
    """A time of Dagster's records."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

"""What failed, as events and ticks in Dagster's GraphQL tell it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from soundcharts_pipeline.models import RunError
from soundcharts_pipeline.orchestration.failures import KIND
from soundcharts_pipeline.orchestration.run_events import SaidOfRun, cause_of, key_of_step

# When a tick was due, and why it failed, if it did.
EndedTick = tuple[datetime, RunError | None]


def said_of_run(event: Mapping[str, Any]) -> SaidOfRun:
    """What an engine event, or the failure of a run, says."""
    error = event["error"]
    errors = [error, *error["causes"]] if error else []
    return SaidOfRun(event["message"], [(one["className"] or "", one["message"]) for one in errors])


def ended_tick(tick: Mapping[str, Any]) -> EndedTick:
    """A tick that is over."""
    error = tick["error"] or {"className": "", "message": "", "causes": []}
    chain = [(one["className"] or "", one["message"]) for one in (error, *error["causes"])]
    failed = RunError("", *cause_of(chain)) if tick["status"] == "FAILURE" else None
    return datetime.fromtimestamp(tick["timestamp"], UTC), failed


def step_failure(event: Mapping[str, Any]) -> RunError:
    """What a failed step left behind."""
    asset = key_of_step(event["stepKey"] or "")
    ours = event["failureMetadata"]
    if ours:
        kinds = [entry.get("text") for entry in ours["metadataEntries"] if entry["label"] == KIND]
        return RunError(asset, next(iter(kinds), None) or "", ours["description"] or "")
    error = event["error"] or {}
    cause = error.get("cause") or error
    return RunError(asset, cause.get("className") or "", (cause.get("message") or "unknown error").strip())

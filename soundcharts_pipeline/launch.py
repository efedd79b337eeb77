"""Run chart-days through Dagster from a terminal: in this process, recorded like any other run, with a progress bar."""

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import RunFailureReason
from rich.console import Console

from soundcharts_pipeline.api.errors import NotInPlan
from soundcharts_pipeline.environment import Environment, project_folder
from soundcharts_pipeline.failures import CAUSE, KIND, NOT_FOUND_MEANS, REMEDY, WITHOUT_DATA
from soundcharts_pipeline.jobs import FULL_SYNC, OPERATIONS
from soundcharts_pipeline.partitions import ChartSpan
from soundcharts_pipeline.progress import shown_progress
from soundcharts_pipeline.run_requests import CHART_TAG, TRIGGER_TAG, asset_key
from soundcharts_pipeline.storage.errors import StorageUnavailable
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.troubleshooting import trouble_of

# Dagster's own log goes to its storage, where the UI shows it; the terminal has the progress bars.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
# In the metadata of a step: what it cost, `calls` or, of a range, `calls_of_30_days`.
CALLS = "calls"


@dataclass(frozen=True, slots=True)
class StepFailure:
    """A step that failed: the asset, what went wrong, and the name of the error. `cause` is the part of the message
    that other steps may have in common."""

    asset: str
    message: str
    kind: str
    cause: str = ""


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


def prepare_home(environment: Environment) -> Path:
    """Make Dagster's home usable and point this process and its children to it."""
    home = environment.dagster_home
    config = project_folder(package=Path(__file__).parent, current_folder=Path.cwd()) / "dagster.yaml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if config.exists() and not (home / "dagster.yaml").exists():
            shutil.copy(config, home / "dagster.yaml")
    except OSError as error:
        raise StorageUnavailable(
            f"Dagster's folder {home} cannot be written ({error.strerror}); set DAGSTER_HOME or "
            "SOUNDCHARTS_DATA_DIR to a folder that can"
        ) from None
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def make_tables(*, upgrade: bool = False) -> None:
    """Dagster's own tables, where they are new: programs that are started together would all make them, and fail.
    `upgrade`: those of an older version of Dagster are brought up to date, too."""
    with open_instance() as instance:
        # Each storage makes its own on first use.
        instance.run_storage, instance.event_log_storage, instance.schedule_storage  # noqa: B018
        if upgrade:
            instance.upgrade()


@contextmanager
def open_instance() -> Iterator[dg.DagsterInstance]:
    """The instance in Dagster's home."""
    try:
        instance = dg.DagsterInstance.get()
    except Exception as error:  # whatever its configuration and its storages raise
        home = os.environ["DAGSTER_HOME"]
        reason = " ".join(str(error).split())
        raise StorageUnavailable(
            f"Dagster's state in {home} cannot be opened ({reason}); correct {home}/dagster.yaml, or set DAGSTER_HOME "
            "to a new folder"
        ) from None
    with instance:
        yield instance


def run_span(
    definitions: dg.Definitions, warehouse: Warehouse, span: ChartSpan, keys: Sequence[str], console: Console
) -> Outcome:
    """One run of the given assets over the span; returns when it has ended, raises KeyboardInterrupt after Ctrl-C."""
    run_id = str(uuid.uuid4())
    with shown_progress(warehouse, run_id, keys, console):
        result = _execute(definitions, FULL_SYNC, run_id, keys, {**span.tags, CHART_TAG: span.slug})
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
    definitions: dg.Definitions, job: str, run_id: str, keys: Sequence[str], tags: Mapping[str, str]
) -> dg.ExecuteInProcessResult:
    with open_instance() as instance:
        try:
            result = definitions.resolve_job_def(job).execute_in_process(
                run_config=QUIET,
                instance=instance,
                asset_selection=[asset_key(key) for key in keys],
                tags={**tags, TRIGGER_TAG: "cli"},
                raise_on_error=False,
                run_id=run_id,
            )
        except (KeyboardInterrupt, DagsterExecutionInterruptedError):
            run = instance.get_run_by_id(run_id)
            if run and not run.is_finished:
                instance.report_run_canceled(run)
            raise KeyboardInterrupt from None
    if any(_is_interruption(event) for event in result.all_events):
        raise KeyboardInterrupt
    return result


def _outcome(result: dg.ExecuteInProcessResult, keys: Sequence[str]) -> Outcome:
    events = result.all_events
    failures = [step_failure(event) for event in events if event.is_step_failure]
    begun = {asset_of(event) for event in events if event.is_step_start}
    not_run = [key for key in keys if key not in begun] if failures else []
    return Outcome(result.run_id, result.success, failures, sum(_calls(events).values()), not_run, _notes(events))


def _is_interruption(event: dg.DagsterEvent) -> bool:
    """Dagster caught Ctrl-C, and has recorded the run as failed."""
    return event.is_job_failure and event.job_failure_data.failure_reason == RunFailureReason.UNEXPECTED_TERMINATION


def _calls(events: Sequence[dg.DagsterEvent]) -> dict[str, int]:
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


def _notes(events: Sequence[dg.DagsterEvent]) -> list[str]:
    """What Soundcharts does not have or does not give, by asset, each with what it means."""
    notes: dict[str, None] = {}  # every day of a range tells the same
    for event in events:
        asset = asset_of(event)
        if event.is_step_materialization:
            facts = event.step_materialization_data.materialization.metadata
            counts = {name.partition("_of_")[0]: value.value for name, value in facts.items()}
            if NOT_FOUND_MEANS in facts:
                notes[f"{asset}: {counts['not_found']} not found. {facts[NOT_FOUND_MEANS].value}"] = None
            if refused := counts.get("not_in_plan"):
                notes[f"{asset}: {refused} refused: not in the plan. {trouble_of(NotInPlan.__name__).remedy}"] = None
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if REMEDY in check.metadata:
                notes[f"{asset}: no data at all. {check.metadata[REMEDY].value}"] = None
            elif WITHOUT_DATA in check.metadata:
                notes[f"{asset}: no {check.metadata[WITHOUT_DATA].value} at all"] = None
    return list(notes)


def asset_of(event: dg.DagsterEvent) -> str:
    """The asset of a step's event: `track_audience__spotify` is the step of `track_audience/spotify`."""
    return (event.step_key or "").replace("__", "/")


def step_failure(event: dg.DagsterEvent) -> StepFailure:
    """What a failed step left in Dagster's records."""
    data = event.step_failure_data
    asset = asset_of(event)
    user = data.user_failure_data
    if user is None:
        cause = data.error.cause if data.error and data.error.cause else data.error
        return StepFailure(asset, cause.message.strip() if cause else "unknown error", "")
    kind, why = (str(found.value) if (found := user.metadata.get(name)) else "" for name in (KIND, CAUSE))
    return StepFailure(asset, user.description or "", kind, why)

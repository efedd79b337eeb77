"""Run chart-days through Dagster from a terminal: in this process, recorded like any other run, with a progress bar."""

import os
import shutil
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from soundcharts_pipeline.environment import Environment, project_folder
from soundcharts_pipeline.failures import KIND
from soundcharts_pipeline.jobs import FULL_SYNC
from soundcharts_pipeline.partitions import ChartSpan
from soundcharts_pipeline.run_requests import CHART_TAG, TRIGGER_TAG, asset_key
from soundcharts_pipeline.storage import worklists
from soundcharts_pipeline.storage.warehouse import Warehouse

POLL_SECONDS = 0.2
# Dagster's own log goes to its storage, where the UI shows it; the terminal has the progress bars.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class StepFailure:
    """A step that failed: the asset, what went wrong, and the name of the error."""

    asset: str
    message: str
    kind: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    run_id: str
    succeeded: bool
    failures: Sequence[StepFailure]


def prepare_home(environment: Environment) -> Path:
    """Make Dagster's home usable and point this process and its children to it."""
    home = environment.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    config = project_folder(package=Path(__file__).parent, current_folder=Path.cwd()) / "dagster.yaml"
    if config.exists() and not (home / "dagster.yaml").exists():
        shutil.copy(config, home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def run_span(
    definitions: dg.Definitions, warehouse: Warehouse, span: ChartSpan, keys: Sequence[str], console: Console
) -> Outcome:
    """One run of the given assets over the span; returns when it has ended."""
    job = definitions.resolve_job_def(FULL_SYNC)
    run_id = str(uuid.uuid4())
    with dg.DagsterInstance.get() as instance, _progress(warehouse, run_id, keys, console):
        result = job.execute_in_process(
            run_config=QUIET,
            instance=instance,
            asset_selection=[asset_key(key) for key in keys],
            tags={**span.tags, CHART_TAG: span.slug, TRIGGER_TAG: "cli"},
            raise_on_error=False,
            run_id=run_id,
        )
    return Outcome(run_id, result.success, [_failure(e) for e in result.all_events if e.is_step_failure])


def _failure(event: dg.DagsterEvent) -> StepFailure:
    data = event.step_failure_data
    asset = (event.step_key or "").replace("__", "/")
    user = data.user_failure_data
    if user is None:
        cause = data.error.cause if data.error and data.error.cause else data.error
        return StepFailure(asset, cause.message.strip() if cause else "unknown error", "")
    kind = user.metadata.get(KIND)
    return StepFailure(asset, user.description or "", str(kind.value) if kind else "")


@contextmanager
def _progress(warehouse: Warehouse, run_id: str, keys: Sequence[str], console: Console) -> Iterator[None]:
    """A bar per asset, fed from what the steps save of their progress."""
    bars = Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
        console=console,
    )
    units = {key: _unit(key) for key in keys}
    tasks = {key: bars.add_task(key, total=None, start=False, unit=units[key]) for key in keys}
    over = threading.Event()

    def show() -> None:
        with warehouse.read() as conn:
            steps = worklists.progress_of(conn, run_id)
        for key, (done, total) in steps.items():
            bars.start_task(tasks[key])
            # Nothing to ask is as done as done can be.
            bars.update(tasks[key], total=total or 1, completed=done if total else 1)

    def follow() -> None:
        while not over.wait(POLL_SECONDS):
            show()

    warehouse.prepare()
    with bars:
        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            show()


def _unit(key: str) -> str:
    if key == "chart_rankings":
        return "rankings"
    return "batches of ten" if key.endswith("_metadata") else "series windows"

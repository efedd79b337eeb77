"""The Dagster UI and daemon on this project's data, with a simulator when there are no credentials."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from soundcharts_pipeline.environment import project_folder, read_environment
from soundcharts_pipeline.launch import prepare_home
from soundcharts_pipeline.local_simulator import has_credentials, simulator_process, use_simulator
from soundcharts_pipeline.settings import Refused, load_settings
from soundcharts_pipeline.supervisor import check_free

SIMULATOR_LATENCY = 0.05
SIMULATOR_RATE = 10_000
STOP_SECONDS = 30
# `dagster dev` recommends a command of another package at every start.
SUPERSEDED = "ignore:Function `dev_command` is superseded"


def run_dev(port: int, console: Console) -> int:
    """Runs until it is interrupted; the children end with it. Returns Dagster's exit code."""
    environment = read_environment(os.environ)
    load_settings(environment.charts_file)
    workspace = workspace_file()
    check_free("127.0.0.1", port)
    home = prepare_home(environment)
    with ExitStack() as stack:
        if has_credentials(environment):
            console.print(f"Soundcharts: {environment.base_url}, with your credentials", soft_wrap=True)
        else:
            url = stack.enter_context(simulator_process(latency=SIMULATOR_LATENCY, rate=SIMULATOR_RATE))
            use_simulator(url, calls_per_minute=environment.calls_per_minute)
            console.print(
                f"No credentials are set: a local simulator answers at {url}, its data is made up.", soft_wrap=True
            )
        console.print(f"Dagster UI: http://127.0.0.1:{port}  (state in {home}; Ctrl-C ends it)", soft_wrap=True)
        command = [sys.executable, "-W", SUPERSEDED, "-m", "dagster", "dev", "-w", str(workspace)]
        # A session of its own: Ctrl-C reaches us alone, and the child is told to end exactly once.
        process = subprocess.Popen(  # noqa: S603  # our own interpreter
            [*command, "-h", "127.0.0.1", "-p", str(port)], start_new_session=True
        )
        try:
            return process.wait()
        finally:
            _stop(process)


def workspace_file() -> Path:
    """The project's workspace.yaml."""
    workspace = project_folder(package=Path(__file__).parent, current_folder=Path.cwd()) / "workspace.yaml"
    if not workspace.exists():
        raise Refused(f"{workspace} is missing; run this in the project's folder")
    return workspace


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the child with its own children, which it needs a moment for."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

"""The Dagster UI and daemon on this project's data, with a simulator when there are no credentials."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from soundcharts_pipeline.environment import project_folder, read_environment
from soundcharts_pipeline.launch import prepare_home
from soundcharts_pipeline.local_simulator import has_credentials, simulator_process, use_simulator
from soundcharts_pipeline.settings import SettingsError, load_settings

SIMULATOR_LATENCY = 0.05
SIMULATOR_RATE = 10_000


def run_dev(port: int, console: Console) -> int:
    """Runs until it is interrupted; the children end with it. Returns Dagster's exit code."""
    environment = read_environment(os.environ)
    load_settings(environment.charts_file)
    workspace = project_folder(package=Path(__file__).parent, current_folder=Path.cwd()) / "workspace.yaml"
    if not workspace.exists():
        raise SettingsError(f"{workspace} is missing; run this in the project's folder")
    with ExitStack() as stack:
        if has_credentials(environment):
            console.print(f"Soundcharts: {environment.base_url}, with your credentials")
        else:
            url = stack.enter_context(simulator_process(latency=SIMULATOR_LATENCY, rate=SIMULATOR_RATE))
            use_simulator(url, calls_per_minute=environment.calls_per_minute)
            console.print(f"No credentials are set: a local simulator answers at {url}, its data is made up.")
        home = prepare_home(environment)
        console.print(f"Dagster UI: http://127.0.0.1:{port}  (state in {home})")
        command = [sys.executable, "-m", "dagster", "dev", "-w", str(workspace), "-h", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(command)  # noqa: S603  # our own interpreter
        try:
            return process.wait()
        except KeyboardInterrupt:
            # Ctrl-C reached the child too; it needs a moment to end its own children.
            return process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()

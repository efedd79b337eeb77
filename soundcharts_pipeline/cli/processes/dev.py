"""The Dagster UI and daemon on this project's data, with a simulator when there are no credentials."""

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from ruamel.yaml import YAML

from soundcharts_pipeline.admin.state.code_reload import CodeReload
from soundcharts_pipeline.admin.state.dagster_client import Dagster, DagsterUnreachable
from soundcharts_pipeline.cli.processes.simulator import (
    has_credentials,
    simulator_process,
    unread_env_file,
    use_simulator,
)
from soundcharts_pipeline.cli.processes.supervisor import Program, check_free, run_together
from soundcharts_pipeline.config.environment import PACKAGE_FOLDER, Environment, project_folder, read_environment
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.config.settings import BadUse, SettingsError
from soundcharts_pipeline.orchestration.dagster_home import make_tables, prepare_home
from soundcharts_pipeline.wording import program

LOCAL = "127.0.0.1"
FOLLOW_SECONDS = 2.0
DEFINITIONS, LOCATION = "soundcharts_pipeline.definitions", "soundcharts_pipeline"
SIMULATOR_LATENCY = 0.05
SIMULATOR_RATE = 10_000


def run_dev(port: int, console: Console) -> None:
    """Runs until it is interrupted; the children end with it."""
    environment = read_environment(os.environ)
    load_settings(environment.charts_file, environment.clock)
    workspace = workspace_file()
    check_free("127.0.0.1", port)
    home = prepare_home(environment)
    make_tables()
    ui = f"http://127.0.0.1:{port}"

    def say(line: str) -> None:
        console.print(line, soft_wrap=True, markup=False)

    with ExitStack() as stack:
        if has_credentials(environment):
            say(f"Soundcharts: {environment.base_url}, with your credentials")
        else:
            simulator = simulator_process(latency=SIMULATOR_LATENCY, rate=SIMULATOR_RATE, now=environment.now)
            url = stack.enter_context(simulator)
            use_simulator(url, calls_per_minute=environment.calls_per_minute)
            say(f"No credentials are set{unread_env_file()}: a local simulator answers at {url}, its data is made up.")
        say("Starting Dagster's webserver and its daemon ...")
        ready = f"Dagster UI: {ui}  (state in {home}; Ctrl-C ends it)"
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="soundcharts-")))

        def begin() -> None:
            say(ready)
            threading.Thread(target=_follow_charts, args=[environment, ui, say], daemon=True).start()

        run_together(dagster_programs(workspace, folder, ui), say, ready=begin)


def _follow_charts(environment: Environment, ui: str, say: Callable[[str], None]) -> None:
    """Has Dagster load charts.yaml again when it has changed, as the process of the dashboard does in `serve`."""
    dagster, said = Dagster(ui), ""
    code = CodeReload(dagster)
    while True:
        time.sleep(FOLLOW_SECONDS)
        version, mistake = "", ""
        try:
            version = load_settings(environment.charts_file, environment.clock).version
        except SettingsError as error:
            mistake = str(error)
        try:
            problem = mistake or code.problem(dagster.deployment(), version) or ""
        except DagsterUnreachable:
            continue  # it starts, or ends
        if problem and problem != said:
            say(problem)
        said = problem


def dagster_programs(workspace: Path, folder: Path, ui: str, *, host: str = LOCAL) -> Sequence[Program]:
    """Dagster's webserver, which answers at the address of `ui`, and its daemon; both on one code server, so that they
    go by the same charts.yaml. `folder` holds their workspace file while they live."""
    shared, server = _shared_code(workspace, folder)
    port = ui.rpartition(":")[2]
    of_dagster = [
        Program(
            "Dagster's webserver", "dagster_webserver", ["-w", shared, "-h", host, "-p", port], url=ui, after=server
        ),
        Program("Dagster's daemon", "soundcharts_pipeline.orchestration.daemon", ["run", "-w", shared], after=server),
    ]
    return [server, *of_dagster] if server else of_dagster


def _shared_code(workspace: Path, folder: Path) -> tuple[str, Program | None]:
    """A workspace file in which our code has a server of its own, and that server; the user's own file and none when
    our code is loaded in another way."""
    yaml = YAML(typ="safe")
    content = yaml.load(workspace)
    places = content.get("load_from", []) if isinstance(content, dict) else []
    for place in places:
        module = place.get("python_module") if isinstance(place, dict) else None
        name = module.get("module_name") if isinstance(module, dict) else module
        if name == DEFINITIONS:
            location = module.get("location_name", LOCATION) if isinstance(module, dict) else LOCATION
            port = _free_port()
            place.clear()
            place["grpc_server"] = {"host": LOCAL, "port": port, "location_name": location}
            shared = folder / "workspace.yaml"
            yaml.dump(content, shared)
            arguments = ["code-server", "start", "-m", DEFINITIONS, "-h", LOCAL, "-p", str(port)]
            url = f"http://{LOCAL}:{port}"
            return str(shared), Program(
                "the code server", "dagster", [*arguments, "--location-name", location], url=url
            )
    return str(workspace), None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        port: int = probe.getsockname()[1]
        return port


def workspace_file() -> Path:
    """The project's workspace.yaml. Raises BadUse when there is none."""
    workspace = project_folder(package=PACKAGE_FOLDER, current_folder=Path.cwd()) / "workspace.yaml"
    if not workspace.exists():
        raise BadUse(f"{workspace} is missing; run this in the project's folder, or make one with `{program()} init`")
    return workspace

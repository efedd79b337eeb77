"""Everything that operates the product under one supervisor: Dagster's UI, its daemon, the internal API."""

import os
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from soundcharts_pipeline.admin.access.tokens import ADMIN_VARIABLE, HOW_TO_MAKE, check_tokens
from soundcharts_pipeline.cli.processes.dev import (
    LOCAL,
    SIMULATOR_LATENCY,
    SIMULATOR_RATE,
    dagster_programs,
    workspace_file,
)
from soundcharts_pipeline.cli.processes.simulator import (
    has_credentials,
    simulator_process,
    unread_env_file,
    use_simulator,
)
from soundcharts_pipeline.cli.processes.supervisor import Program, check_free, run_together
from soundcharts_pipeline.config.environment import Environment, read_environment
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.config.settings import BadUse
from soundcharts_pipeline.orchestration.dagster_home import make_tables, prepare_home


def serve_all(host: str, port: int, ui_port: int, console: Console) -> None:
    """Runs until it is interrupted; the children end with it, also when it is killed. Raises BadUse for ports and
    options that cannot be used."""
    environment = read_environment(os.environ)
    check_tokens(environment)
    load_settings(environment.charts_file, environment.clock)
    workspace = workspace_file()
    if port == ui_port:
        raise BadUse(f"both ports are {port}; choose another one with --port or --ui-port")
    check_free(host, port)
    check_free(host, ui_port, "--ui-port")
    home = prepare_home(environment)
    make_tables()
    with ExitStack() as stack:
        if not has_credentials(environment):
            simulator = simulator_process(latency=SIMULATOR_LATENCY, rate=SIMULATOR_RATE, now=environment.now)
            url = stack.enter_context(simulator)
            use_simulator(url, calls_per_minute=environment.calls_per_minute)
            _say(
                console,
                f"No credentials are set{unread_env_file()}: a local simulator answers at {url}, its data is made up.",
            )
        ui = f"http://{_reachable(host)}:{ui_port}"
        api = f"http://{_reachable(host)}:{port}"
        _link_to(ui)
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="soundcharts-")))
        programs = [
            *dagster_programs(workspace, folder, ui, host=host),
            Program(
                "the internal API",
                "soundcharts_pipeline",
                ["serve", "--alone", "--host", host, "--port", str(port), "--dagster-url", ui],
                url=api,
            ),
        ]

        def ready() -> None:
            _say(console, f"Dagster UI:   {ui}  (state in {home})")
            _say(console, f"Dashboard:    {api}/admin/soundcharts/  (the internal API too; Ctrl-C ends all)")
            _say_tokens(environment, console)

        _say(console, "Starting Dagster's webserver, its daemon and the internal API ...")
        run_together(programs, lambda line: _say(console, line), ready=ready)


def serve_alone(host: str, port: int, dagster_url: str, console: Console) -> None:
    """The internal API beside a Dagster that somebody else runs, until it is interrupted."""
    from soundcharts_pipeline.admin.serve import run_app

    _link_to(dagster_url)
    environment: Environment = read_environment(os.environ)
    check_tokens(environment)
    check_free(host, port)
    _say_tokens(environment, console)
    with suppress(KeyboardInterrupt):  # which ends it well, and is raised again then
        run_app(environment, host=host, port=port, dagster_url=dagster_url)


def _say_tokens(environment: Environment, console: Console) -> None:
    if environment.admin_token is None:
        what = "nothing can be triggered" if environment.read_token else "the internal API refuses every call"
        _say(console, f"{ADMIN_VARIABLE} is not set: {what}. Set it to what {HOW_TO_MAKE} prints, and start again.")


def _link_to(ui: str) -> None:
    """Links of pages and messages lead to this UI, unless the environment names an address that people reach."""
    if not os.environ.get("SOUNDCHARTS_UI_URL", "").strip():
        os.environ["SOUNDCHARTS_UI_URL"] = ui


def _reachable(host: str) -> str:
    """An address of this machine that reaches what listens there."""
    return LOCAL if host in ("0.0.0.0", "") else host  # noqa: S104  # compared, not bound


def _say(console: Console, line: str) -> None:
    console.print(line, soft_wrap=True, markup=False)

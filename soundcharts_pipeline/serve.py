"""Everything that operates the product under one supervisor: Dagster's UI, its daemon, the internal API."""

import os
from contextlib import ExitStack

from rich.console import Console

from soundcharts_pipeline.dev import SIMULATOR_LATENCY, SIMULATOR_RATE, workspace_file
from soundcharts_pipeline.environment import Environment, read_environment
from soundcharts_pipeline.launch import make_tables, prepare_home
from soundcharts_pipeline.local_simulator import has_credentials, simulator_process, use_simulator
from soundcharts_pipeline.settings import Refused, load_settings
from soundcharts_pipeline.supervisor import Program, check_free, run_together

LOCAL = "127.0.0.1"
NO_TOKEN = (
    "SOUNDCHARTS_ADMIN_TOKEN is not set: the internal API refuses every call. "  # noqa: S105  # no token, but its absence
    "Set it to a long random text, such as $(openssl rand -hex 32), and start again."
)


def serve_all(host: str, port: int, ui_port: int, console: Console) -> None:
    """Runs until it is interrupted; the children end with it, also when it is killed."""
    environment = read_environment(os.environ)
    load_settings(environment.charts_file)
    workspace = str(workspace_file())
    if port == ui_port:
        raise Refused(f"both ports are {port}; choose another one with --port or --ui-port")
    check_free(host, port)
    check_free(host, ui_port, "--ui-port")
    home = prepare_home(environment)
    make_tables()
    with ExitStack() as stack:
        if not has_credentials(environment):
            url = stack.enter_context(simulator_process(latency=SIMULATOR_LATENCY, rate=SIMULATOR_RATE))
            use_simulator(url, calls_per_minute=environment.calls_per_minute)
            _say(console, f"No credentials are set: a local simulator answers at {url}, its data is made up.")
        ui = f"http://{_reachable(host)}:{ui_port}"
        api = f"http://{_reachable(host)}:{port}"
        _link_to(ui)
        programs = [
            Program(
                "Dagster's webserver", "dagster_webserver", ["-w", workspace, "-h", host, "-p", str(ui_port)], url=ui
            ),
            Program("Dagster's daemon", "dagster._daemon", ["run", "-w", workspace]),
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
            if environment.admin_token is None:
                _say(console, NO_TOKEN)

        _say(console, "Starting Dagster's webserver, its daemon and the internal API ...")
        run_together(programs, lambda line: _say(console, line), ready=ready)


def serve_alone(host: str, port: int, dagster_url: str, console: Console) -> None:
    """The internal API beside a Dagster that somebody else runs, until it is interrupted."""
    from soundcharts_pipeline.admin.serve import run_app

    _link_to(dagster_url)
    environment: Environment = read_environment(os.environ)
    check_free(host, port)
    if environment.admin_token is None:
        _say(console, NO_TOKEN)
    run_app(environment, host=host, port=port, dagster_url=dagster_url)


def _link_to(ui: str) -> None:
    """Links of pages and messages lead to this UI, unless the environment names an address that people reach."""
    if not os.environ.get("SOUNDCHARTS_UI_URL", "").strip():
        os.environ["SOUNDCHARTS_UI_URL"] = ui


def _reachable(host: str) -> str:
    """An address of this machine that reaches what listens there."""
    return LOCAL if host in ("0.0.0.0", "") else host  # noqa: S104  # compared, not bound


def _say(console: Console, line: str) -> None:
    console.print(line, soft_wrap=True, markup=False)

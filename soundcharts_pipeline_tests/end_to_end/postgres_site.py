"""The PostgreSQL instance that deploy/ describes, on this host: its roles, its dagster.yaml and workspace, and the
processes of compose.yaml by the commands that stand there."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from ruamel.yaml import YAML
from sqlalchemy import URL, create_engine, text

from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.admin.site import TOKEN, Client, free_port, processes_of, wait_for
from soundcharts_pipeline_tests.support import dagster_site
from soundcharts_pipeline_tests.support.command_line import COMMAND, run, user_environ
from soundcharts_pipeline_tests.support.dagster_site import PROGRAMS, PROJECT
from soundcharts_pipeline_tests.support.postgres import installed_server, url_of
from soundcharts_pipeline_tests.support.today import TODAY

DEPLOY = PROJECT / "deploy"
SETTINGS = DEPLOY / "postgres"
SERVICES = ("code", "webserver", "daemon", "admin")
SLUG, OTHER = "viral-50-global", "viral-50-in"
FAST_SECONDS = 0.02
CHARTS = """
defaults:
  schedule: "0 0 1 1 *"
  first_date: {first_date}
  history_days: 7
  heal_days: 0
  track_audience_platforms: [spotify]
  artist_audience_platforms: [instagram]
charts:
  - slug: viral-50-global
  - slug: viral-50-in
"""
WAREHOUSE, DAGSTER = "soundcharts", "dagster"
OWNER, APP, READER = "soundcharts_owner", "soundcharts_app", "soundcharts_reader"
# Letters that a URL has to spell in another way.
PASSWORDS = {OWNER: "owner's p@ss", APP: "app/p:ss", READER: "reader-%41", DAGSTER: "dagster#?"}
VARIABLES = {
    OWNER: "SOUNDCHARTS_OWNER_PASSWORD",
    APP: "SOUNDCHARTS_APP_PASSWORD",
    READER: "SOUNDCHARTS_READER_PASSWORD",
    DAGSTER: "DAGSTER_PASSWORD",
}


def compose() -> dict[str, Any]:
    """The services by name, and what else compose.yaml has."""
    found: dict[str, Any] = YAML(typ="safe").load(DEPLOY / "compose.yaml")
    return found


def health_check(service: str) -> list[str]:
    """The command that says whether a service is well: its own, or else the image's."""
    own = compose()["services"][service].get("healthcheck")
    if own is not None:
        words: list[str] = own["test"]
        return words[1:]
    found = re.search(
        r"^HEALTHCHECK .*?CMD (\[.*?\])$", (DEPLOY / "Containerfile").read_text(), re.DOTALL | re.MULTILINE
    )
    assert found is not None
    of_image: list[str] = json.loads(found[1])
    return of_image


def variables_of(file: Path) -> dict[str, str]:
    """What an environment file sets."""
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def url_as(server: Path, role: str, database: str, *, password: str | None = None) -> URL:
    return url_of(server, database).set(username=role, password=password or PASSWORDS[role])


def make_roles(server: Path, *names: str) -> None:
    """What roles.sql makes; `names` are arguments of psql. The roles then have to give their passwords."""
    environ = {**os.environ, **{VARIABLES[role]: password for role, password in PASSWORDS.items()}}
    command = [
        str(installed_server() / "bin" / "psql"),
        "--no-psqlrc",
        "-h",
        str(server),
        "-U",
        "postgres",
        "-d",
        "postgres",
    ]
    done = subprocess.run(
        [*command, *names, "-f", str(SETTINGS / "roles.sql")], env=environ, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    rules = server / "data" / "pg_hba.conf"
    ours = f"local all {','.join(PASSWORDS)} scram-sha-256\n"
    if not rules.read_text().startswith(ours):
        rules.write_text(ours + rules.read_text())
    ask(url_of(server, "postgres"), "SELECT pg_reload_conf()")


def ask(url: URL, statement: str) -> list[tuple[Any, ...]]:
    """The rows of one statement in a transaction of its own."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


@dataclass(frozen=True, slots=True)
class Deployment:
    """A running PostgreSQL instance in a folder of its own; `owner_environ` is that of `migrate`."""

    server: Path
    site: dagster_site.Site
    owner_environ: Mapping[str, str]
    client: Client
    folder: Path
    replaced: Mapping[str, str]
    processes: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)

    @property
    def newest(self) -> date:
        day = self.site.simulator.world.newest_day(SLUG)
        assert day is not None
        return day

    def here(self, command: list[str]) -> list[str]:
        """A command of compose.yaml with the addresses of this deployment."""
        words = list(command)
        for there, here in self.replaced.items():
            words = [here if word == there else word.replace(f":{there}/", f":{here}/") for word in words]
        first = COMMAND if words[0] == "soundcharts-pipeline" else (str(PROGRAMS / words[0]),)
        return [*first, *words[1:]]

    def start(self, *services: str) -> None:
        for service in services:
            with (self.folder / "processes.log").open("a") as log:
                self.processes[service] = subprocess.Popen(
                    self.here(compose()["services"][service]["command"]),
                    cwd=self.folder,
                    env=self.site.environ,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )

    def kill(self, service: str) -> None:
        """With whatever it has started, runs too."""
        os.killpg(self.processes[service].pid, signal.SIGKILL)
        self.processes[service].wait()

    def problems(self) -> str:
        return " ".join(self.client.status(SLUG)["problems"])

    def wait_until_well(self) -> None:
        wait_for(f"end of {self.problems()}\n{self.log}", lambda: not self.problems())

    def is_asking(self, slug: str, task_id: str) -> bool:
        """Whether the task is at its tracks, with some calls made and more to come."""
        return (self.client.task(slug, task_id)["step"] or "").startswith("track")

    def wait_for_task(self, slug: str, task_id: str, *states: str) -> dict[str, Any]:
        """The task, once it is in one of these states."""
        wait_for(
            f"task in {states}, it is {self.client.task(slug, task_id)}\n{self.log}",
            lambda: self.client.task(slug, task_id)["status"] in states,
        )
        return self.client.task(slug, task_id)

    def reason(self, slug: str, task_id: str) -> str:
        """Why the task failed, which shows a moment after that it did."""
        wait_for("reason", lambda: self.client.task(slug, task_id)["error"])
        said: str = self.client.task(slug, task_id)["error"]["message"]
        return said

    @property
    def log(self) -> str:
        return (self.folder / "processes.log").read_text()[-3000:]


@contextmanager
def deployed(server: Path, folder: Path) -> Iterator[Deployment]:
    """Roles, migration, every process; all of it as docs/production.md says, and gone at the end."""
    make_roles(server)
    with Simulator(today=TODAY, latency=FAST_SECONDS) as simulator, pytest.MonkeyPatch.context() as patched:
        environ = _environ(server, simulator, folder)
        # The test looks into Dagster's state by the same file.
        patched.setenv("DAGSTER_POSTGRES_URL", environ["DAGSTER_POSTGRES_URL"])
        owner = {**environ, **variables_of(SETTINGS / "owner.example")}
        owner["SOUNDCHARTS_DATABASE_URL"] = url_as(server, OWNER, WAREHOUSE).render_as_string(hide_password=False)
        migrated = run(owner, "migrate")
        assert migrated.code == 0, migrated.text
        ui_port, port = free_port(), free_port()
        replaced = {
            "0.0.0.0": "127.0.0.1",  # noqa: S104  # of the containers
            "http://webserver:3000": f"http://127.0.0.1:{ui_port}",
            "4000": environ["DAGSTER_CODE_PORT"],
            "3000": str(ui_port),
            "3001": str(port),
        }
        with dg.DagsterInstance.from_config(environ["DAGSTER_HOME"]) as instance:
            settings = load_settings(Path(environ["SOUNDCHARTS_CHARTS"]))
            site = dagster_site.Site(simulator, environ, settings, instance, folder / "processes.log")
            client = Client(f"http://127.0.0.1:{port}")
            deployment = Deployment(server, site, owner, client, folder, replaced)
            try:
                deployment.start(*SERVICES)
                wait_for("answer", lambda: dagster_site.answers(f"{client.url}/admin/soundcharts/health/"))
                yield deployment
            finally:
                for pid in processes_of(environ):
                    os.kill(pid, signal.SIGKILL)
                for process in deployment.processes.values():
                    process.wait()


def _environ(server: Path, simulator: Simulator, folder: Path) -> dict[str, str]:
    """The example's variables with the values of this host, and the files that the image has in its working folder."""
    home = folder / "dagster"
    home.mkdir()
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(SETTINGS / name, home if name == "dagster.yaml" else folder)
    charts = folder / "charts.yaml"
    charts.write_text(CHARTS.format(first_date=simulator.world.today - timedelta(days=30)))
    of_user = user_environ(simulator, folder)
    environ = {**of_user, **variables_of(SETTINGS / "environment.example"), **of_user}
    warehouse, dagster = url_as(server, APP, WAREHOUSE), url_as(server, DAGSTER, DAGSTER)
    return environ | {
        "SOUNDCHARTS_DATABASE_URL": warehouse.set(drivername="postgresql").render_as_string(hide_password=False),
        "DAGSTER_POSTGRES_URL": dagster.render_as_string(hide_password=False),
        "SOUNDCHARTS_CHARTS": str(charts),
        "SOUNDCHARTS_ADMIN_TOKEN": TOKEN,
        "DAGSTER_CODE_PORT": str(free_port()),
    }

"""The wheel where there is no checkout: in an empty folder, and in a project that Dagster's own tools have made."""

import json
import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests

from soundcharts_pipeline.monitoring.health import ENDED
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.admin.site import TOKEN, Client, free_port, wait_for
from soundcharts_pipeline_tests.support.command_line import Done, end, read_until, user_environ
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.installed import CHECKOUT, PROJECT_FILES, Installed, install
from soundcharts_pipeline_tests.support.today import TODAY

COMPONENT = "soundcharts_pipeline.embedding.SoundchartsComponent"
# Fifty places, two platforms, one week: a chart-day in a second.
CHARTS = f"""\
defaults:
  first_date: 2026-01-01
  track_audience_platforms: [spotify]
  artist_audience_platforms: [instagram]
  history_days: 7
charts:
  - slug: {SLUG}
"""
# Dagster's programs would read it by themselves, and put it above all else.
FOR_A_SHELL = """\
SOUNDCHARTS_APP_ID=
SOUNDCHARTS_API_KEY=
SOUNDCHARTS_BASE_URL=http://127.0.0.1:1
SOUNDCHARTS_DATA_DIR=elsewhere
DAGSTER_HOME={folder}/elsewhere/dagster
"""
# Beside the charts, in a group of a name that ours have too.
OF_THE_TEAM = """\
import dagster as dg


@dg.asset(group_name="analytics")
def sales() -> None:
    pass
"""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder whose user has the wheel, and the simulator's credentials."""

    path: Path
    installed: Installed
    simulator: Simulator
    environ: dict[str, str]

    def run(self, *command: str) -> Done:
        done = self.installed.run(self.path, self.environ, *command)
        assert done.code == 0, done.out + done.err
        return done

    @property
    def chart_day(self) -> str:
        return f"{SLUG}|{self.simulator.world.newest_day(SLUG)}"

    def places(self) -> int:
        """How many places of rankings are in the database."""
        with closing(sqlite3.connect(self.path / "data" / "soundcharts.db")) as database:
            found: int = database.execute("SELECT count(*) FROM chart_rankings").fetchone()[0]
        return found

    def assets(self) -> dict[str, Any]:
        """What `dg` lists, by asset key."""
        listed = json.loads(self.run("dg", "list", "defs", "--json").out)
        return {asset["asset_key"]: asset for asset in listed["assets"]}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(tmp_path_factory.mktemp("wheel"))


@contextmanager
def _open_folder(installed: Installed, path: Path) -> Iterator[Folder]:
    with Simulator(today=TODAY) as simulator:
        environ = user_environ(simulator, path)
        del environ["SOUNDCHARTS_DATA_DIR"], environ["DAGSTER_HOME"]
        yield Folder(path, installed, simulator, environ)


@pytest.fixture
def project(installed: Installed, tmp_path: Path) -> Iterator[Folder]:
    """A folder that was empty, in which a project was begun."""
    with _open_folder(installed, tmp_path) as folder:
        folder.run("soundcharts-pipeline", "init")
        yield folder


def test_a_new_project_begins_with_what_the_checkout_has(project: Folder) -> None:
    begun = {path.name: path.read_text() for path in project.path.iterdir()}
    assert {name: begun.pop(name) for name in PROJECT_FILES} == {
        name: (CHECKOUT / name).read_text() for name in PROJECT_FILES
    }
    assert begun.keys() == {"definitions.py", "dg.toml"}
    assert project.run("soundcharts-pipeline", "charts", "list").says("global-28", "tiktok-weekly-songs")


def test_a_chart_is_synced_from_there(project: Folder) -> None:
    (project.path / "charts.yaml").write_text(CHARTS)

    project.run("soundcharts-pipeline", "sync", SLUG)

    assert project.places() == 50
    assert list((project.path / "data" / "reports").rglob("*.xlsx"))
    assert (project.path / "data/dagster/dagster.yaml").read_text() == (CHECKOUT / "dagster.yaml").read_text()
    assert project.run("soundcharts-pipeline", "status").says(SLUG, "healthy")
    assert project.run("soundcharts-pipeline", "doctor").says(
        f"{project.path}/charts.yaml: 1 chart", "tables are up to"
    )


def test_the_programs_of_dagster_work_there(project: Folder) -> None:
    (project.path / "charts.yaml").write_text(CHARTS)

    assert project.run("dg", "check", "defs").says("All definitions loaded successfully")
    assert "track_audience/spotify" in project.assets()
    project.run("dg", "launch", "--assets", "key:chart_rankings", "--partition", project.chart_day)
    assert project.places() == 50
    assert project.run("dagster", "job", "list", "-w", "workspace.yaml").says("full_sync")


def test_pages_simulator_and_runs_are_served_from_there_whatever_a_file_for_shells_says(project: Folder) -> None:
    (project.path / "charts.yaml").write_text(CHARTS)
    elsewhere = project.path / "elsewhere"
    (elsewhere / "dagster").mkdir(parents=True)
    (project.path / ".env").write_text(FOR_A_SHELL.format(folder=project.path))
    for name in ("BASE_URL", "AUTH_URL", "APP_ID", "API_KEY"):
        del project.environ[f"SOUNDCHARTS_{name}"]
    project.environ["SOUNDCHARTS_ADMIN_TOKEN"] = TOKEN
    ports = {"--port": free_port(), "--ui-port": free_port()}
    options = [text for name, port in ports.items() for text in (name, str(port))]
    with subprocess.Popen(
        [project.installed.home / "bin" / "soundcharts-pipeline", "serve", *options],
        cwd=project.path,
        env=project.installed.environ(project.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        lines = read_until(process, "Dashboard:")
        url = f"http://127.0.0.1:{ports['--port']}"
        page = requests.get(f"{url}/admin/soundcharts/", timeout=30)
        styles = re.findall(r'href="([^"]+\.css[^"]*)"', page.text)
        assert styles
        assert [requests.get(url + style, timeout=30).status_code for style in styles] == [200] * len(styles)
        client = Client(url)
        assert client.trigger(SLUG).status_code == 202
        wait_for("end of the run", lambda: [task["status"] in ENDED for task in client.status(SLUG)["tasks"]] == [True])
        (task,) = client.status(SLUG)["tasks"]
        code, printed = end(process, signal.SIGTERM)
    assert ".env is read by a shell alone" in lines[0]
    assert "a local simulator answers" in lines[0]
    assert task["status"] == "complete", printed
    assert project.places() == 50
    assert list(elsewhere.rglob("*")) == [elsewhere / "dagster"]
    assert code == 0, printed


@pytest.fixture(scope="module")
def music(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    """A project that Dagster's own tools have made, with our component and an asset of its team's."""
    with _open_folder(installed, tmp_path_factory.mktemp("team")) as folder:
        folder.run("create-dagster", "project", "music", "--no-uv-sync")
        music = replace(folder, path=folder.path / "music")
        # What an editable installation of the project does.
        (installed.packages / "music.pth").write_text(str(music.path / "src"))
        music.run("dg", "scaffold", "defs", COMPONENT, "audience")
        defs = music.path / "src" / "music" / "defs"
        assert (defs / "audience" / "charts.yaml").read_text() == (CHECKOUT / "charts.yaml").read_text()
        (defs / "audience" / "charts.yaml").write_text(CHARTS)
        (defs / "sales.py").write_text(OF_THE_TEAM)
        yield music


def test_the_tools_of_another_project_know_the_component(music: Folder) -> None:
    assert music.run("dg", "list", "components").says(COMPONENT)


def test_another_project_goes_green_with_the_component(music: Folder) -> None:
    assert music.run("dg", "check", "defs").says("All definitions loaded successfully")
    assert {"sales", "chart_rankings", "artist_audience/instagram"} <= music.assets().keys()


def test_a_chart_day_is_launched_from_another_project(music: Folder) -> None:
    music.run("dg", "launch", "--assets", "key:chart_rankings", "--partition", music.chart_day)
    assert music.places() == 50

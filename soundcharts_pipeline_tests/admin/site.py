"""The internal API over real HTTP: in a thread of the test, or all of `serve` as processes."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import requests
import uvicorn

from soundcharts_pipeline.admin.access.connections import Bounds
from soundcharts_pipeline.admin.app import build_app
from soundcharts_pipeline.admin.configuration.change_log import ChangeLog
from soundcharts_pipeline.admin.configuration.editor import Surroundings
from soundcharts_pipeline.admin.serve import server_config
from soundcharts_pipeline.admin.state.dagster_client import Dagster
from soundcharts_pipeline.admin.state.live import Live
from soundcharts_pipeline.clock import standing_still
from soundcharts_pipeline.config.settings import ChartSettings, SettingsError
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.rankings import NotPublished
from soundcharts_pipeline_tests.support.helpers import new_context
from soundcharts_pipeline_tests.support.today import TODAY, noon

TOKEN = "a-token-that-nobody-may-read"
READ_TOKEN = "a-token-that-only-reads"
PREFIX = "/admin/soundcharts"
# Nothing listens there.
NOBODY = "http://127.0.0.1:1"
DEADLINE_SECONDS = 600
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Client:
    """Asks the API as its users do."""

    url: str
    token: str | None = TOKEN

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.ask("GET", path, options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.ask("POST", path, options)

    def status(self, slug: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/chart/{slug}/status/").json()
        return found

    def trigger(self, slug: str, day: date | None = None) -> requests.Response:
        body = {} if day is None else {"json": {"date": str(day)}}
        return self.post(f"/chart/{slug}/trigger-cascade/", **body)

    def task(self, slug: str, task_id: str) -> dict[str, Any]:
        tasks: list[dict[str, Any]] = [task for task in self.status(slug)["tasks"] if task["task_id"] == task_id]
        return tasks[0]

    def ask(self, method: str, path: str, options: dict[str, Any]) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= options.pop("headers", {})
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, self.url + PREFIX + path, headers=headers, timeout=60, **options)


@contextmanager
def serving(
    charts_file: Path,
    database_url: str,
    *,
    token: str | None = TOKEN,
    read_token: str | None = READ_TOKEN,
    dagster_url: str = NOBODY,
    newest_published: Callable[[ChartSettings], date] | None = None,
    simulator: Simulator | None = None,
    root_path: str = "",
    trusted_proxies: Sequence[str] = (),
    bounds: Bounds | None = None,
) -> Iterator[Client]:
    """The app on a free port, in a thread. Without a simulator nothing can be asked of Soundcharts."""
    bounds = bounds or Bounds()
    with closing(Warehouse(database_url, lock_timeout=1.0)) as warehouse:
        live = Live(charts_file, Dagster(dagster_url), warehouse, clock=standing_still(noon(TODAY)))
        newest = newest_published or _nothing_published
        app = build_app(
            live,
            token=token,
            read_token=read_token,
            newest_published=newest,
            surroundings=_surroundings(simulator, warehouse, charts_file.parent / "data"),
            root_path=root_path,
            trusted_proxies=trusted_proxies,
            most_at_once=bounds.answered_at_once,
        )
        server = uvicorn.Server(server_config(app, host="127.0.0.1", port=0, bounds=bounds))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            wait_for("the server", lambda: server.started and live.snapshot.taken_at)
            port = server.servers[0].sockets[0].getsockname()[1]
            yield Client(f"http://127.0.0.1:{port}", token)
        finally:
            server.should_exit = True
            thread.join()


def _surroundings(simulator: Simulator | None, warehouse: Warehouse, data: Path) -> Surroundings:
    def planning() -> SyncContext:
        if simulator is None:
            raise SettingsError("there is no Soundcharts; start one")
        return new_context(simulator, warehouse)

    @contextmanager
    def asking() -> Iterator[SyncContext]:
        yield planning()

    return Surroundings(asking, planning, reserve=0, changes=ChangeLog(data))


def _nothing_published(chart: ChartSettings) -> date:
    raise NotPublished(f"{chart.slug} has no ranking at all yet; try again later")


def wait_for(what: str, condition: Callable[[], object]) -> None:
    """Until it holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {DEADLINE_SECONDS} s"
        pause.wait(LOOK_SECONDS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def processes_of(environ: Mapping[str, str]) -> dict[int, str]:
    """Command lines of the processes that live on this environment's Dagster home."""
    mark = f"DAGSTER_HOME={environ['DAGSTER_HOME']}".encode()
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it ended while we looked, or is another user's
    return found

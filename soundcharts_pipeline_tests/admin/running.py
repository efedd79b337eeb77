"""All of `serve` as processes against the simulator, for tests that meet it as an operator does."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import dagster as dg

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.admin.site import READ_TOKEN, TOKEN, Client, free_port, processes_of, wait_for
from soundcharts_pipeline_tests.support.command_line import COMMAND, user_environ
from soundcharts_pipeline_tests.support.today import TODAY

# Where people of this site find Dagster's UI.
UI = "https://dagster.example"


@dataclass(frozen=True, slots=True)
class Site:
    """A running `serve` in a folder of its own."""

    simulator: Simulator
    environ: Mapping[str, str]
    client: Client
    supervisor: "subprocess.Popen[bytes]"
    log: Path
    dagster_url: str

    def newest(self, slug: str) -> date:
        """The newest published day."""
        day = self.simulator.world.newest_day(slug)
        assert day is not None
        return day

    def pids(self, words: str) -> list[int]:
        """The processes of this site whose command line has these words."""
        found = [pid for pid, line in processes_of(self.environ).items() if words in line]
        assert found, (words, processes_of(self.environ))
        return found

    def pid_of_run(self, run_id: str) -> int:
        """The process that a run is at work in, as the run itself has recorded."""
        with dg.DagsterInstance.from_config(self.environ["DAGSTER_HOME"]) as instance:
            said = [entry.user_message for entry in instance.all_logs(run_id)]
        pids = [int(found[1]) for text in said if (found := re.search(r"in process \(pid: (\d+)\)", text))]
        assert pids, said
        return pids[-1]

    def kill(self, words: str, number: signal.Signals = signal.SIGKILL) -> None:
        for pid in self.pids(words):
            os.kill(pid, number)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """What the processes say during the block is printed, to be read where a test fails."""
        before = self.log.stat().st_size
        try:
            yield
        finally:
            with self.log.open() as log:
                log.seek(before)
                sys.stdout.write(log.read()[-20_000:])

    def watch(self, slug: str, task_id: str) -> list[int]:
        """Every progress that is told until the task is over."""
        told: list[int] = []

        def over() -> bool:
            task = self.client.task(slug, task_id)
            told.append(task["progress"])
            return task["status"] in ("complete", "failed")

        wait_for(f"end of {task_id}:\n{self.log.read_text()[-3000:]}", over)
        return told


@contextmanager
def running_serve(folder: Path, charts: str, **more: str) -> Iterator[Site]:
    """`serve` in the folder, once it is healthy. `{first_date}` in the text of charts.yaml is a month ago, `more` are
    variables."""
    with Simulator(today=TODAY, latency=0.02) as simulator:
        file = folder / "charts.yaml"
        file.write_text(charts.format(first_date=simulator.world.today - timedelta(days=30)))
        environ = user_environ(simulator, folder)
        environ |= {"SOUNDCHARTS_CHARTS": str(file), "SOUNDCHARTS_UI_URL": UI}
        environ |= {"SOUNDCHARTS_ADMIN_TOKEN": TOKEN, "SOUNDCHARTS_READ_TOKEN": READ_TOKEN, **more}
        port, ui_port = free_port(), free_port()
        log = folder / "serve.log"
        with log.open("w") as out:
            supervisor = subprocess.Popen(
                [*COMMAND, "serve", "--port", str(port), "--ui-port", str(ui_port)],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_for(f"address in {log}", lambda: "Dashboard: " in log.read_text() or supervisor.poll() is not None)
            client = Client(f"http://127.0.0.1:{port}")
            wait_for("health", lambda: client.get("/health/").status_code == 200)
            yield Site(simulator, environ, client, supervisor, log, f"http://127.0.0.1:{ui_port}")
        finally:
            for pid in processes_of(environ):
                os.kill(pid, signal.SIGKILL)
            supervisor.wait()

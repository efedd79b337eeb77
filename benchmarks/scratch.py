"""What the benchmarks of the command line share: a project in a folder that is thrown away, its simulator, the truth.

Every run is the command a user types, in a process of its own; calls are what the simulator counted.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import requests

from soundcharts_pipeline.cli.processes.simulator import simulator_process
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.simulator import World
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.postgres import running_server, url_of
from soundcharts_pipeline_tests.support.truth import expected, stored

MAX_IN_FLIGHT = 32
UNLIMITED = 1_000_000
# Every default of charts.yaml, back to the oldest day that any benchmark asks for. Workbooks have a benchmark of their
# own, `exports`: the others are about fetching and storing.
CHARTS = """\
defaults:
  first_date: {first}
  report: false
charts:
{charts}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A command that succeeded."""

    seconds: float
    peak_mb: int
    calls: int


@dataclass(frozen=True, slots=True)
class Scratch:
    """The project: commands run in it until the block of `scratch` ends."""

    url: str
    folder: Path
    started: "list[subprocess.Popen[str]]" = field(default_factory=list)

    def sync(self, slug: str, first: date, last: date) -> Ended:
        """`soundcharts-pipeline sync` to its end."""
        before, started = self.counters()["total"], time.monotonic()
        peak_mb = self.finish(self.start(slug, first, last))
        return Ended(seconds=time.monotonic() - started, peak_mb=peak_mb, calls=self.counters()["total"] - before)

    def start(self, slug: str, first: date, last: date) -> "subprocess.Popen[str]":
        """The same while it runs."""
        command = [sys.executable, "-m", "soundcharts_pipeline", "sync", slug, "--from", str(first), "--to", str(last)]
        with (self.folder / "printed").open("a") as printed:
            process = subprocess.Popen(  # noqa: S603
                command, env=self._environ(), stdin=subprocess.DEVNULL, stdout=printed, stderr=printed, text=True
            )
        self.started.append(process)
        return process

    def finish(self, process: "subprocess.Popen[str]") -> int:
        """Wait for a command, which must succeed; its largest resident memory in MB (Linux counts it in KB)."""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{process.args!r} failed:\n{(self.folder / 'printed').read_text()}")
        return used.ru_maxrss // 1024

    def counters(self) -> dict[str, Any]:
        """What the simulator has counted since the project began."""
        counters: dict[str, Any] = requests.get(f"{self.url}/_simulator/counters", timeout=60).json()
        return counters

    def check(self, days: Mapping[str, Sequence[date]]) -> None:
        """The warehouse holds the truth for these days of these charts, row by row, and nothing else: but for points of
        days between two that are needed, which one window brings along.

        In a process of its own: it needs far more memory than a sync, which must not count as the sync's."""
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            differing = pool.submit(differences, self.database, self.folder / "charts.yaml", days).result()
        if differing:
            raise SystemExit(f"the warehouse differs from the truth: {differing}")

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder / 'data' / 'soundcharts.db'}"

    def _environ(self) -> dict[str, str]:
        ours = ("SOUNDCHARTS_", "DAGSTER_")
        return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
            "SOUNDCHARTS_BASE_URL": self.url,
            "SOUNDCHARTS_APP_ID": "soundcharts",
            "SOUNDCHARTS_API_KEY": "soundcharts",
            "SOUNDCHARTS_DATA_DIR": str(self.folder / "data"),
            "SOUNDCHARTS_CHARTS": str(self.folder / "charts.yaml"),
            "SOUNDCHARTS_CALLS_PER_MINUTE": str(UNLIMITED),
            "SOUNDCHARTS_MAX_IN_FLIGHT": str(MAX_IN_FLIGHT),
        }


@contextmanager
def scratch(*slugs: str, latency: float = 0.0) -> Iterator[Scratch]:
    """An empty project with these charts."""
    with tempfile.TemporaryDirectory() as folder, simulator_process(latency=latency, rate=UNLIMITED) as url:
        charts = "\n".join(f"  - slug: {slug}\n    name: {slug}" for slug in slugs)
        first = newest_day() - timedelta(days=400)
        (Path(folder) / "charts.yaml").write_text(CHARTS.format(first=first, charts=charts))
        project = Scratch(url, Path(folder))
        try:
            yield project
        finally:
            for process in project.started:
                process.kill()
                process.wait()


def newest_day() -> date:
    """The newest day of every daily chart of the simulator."""
    return datetime.now(UTC).date() - timedelta(days=1)


def days_to(last: date, count: int) -> list[date]:
    """So many days that end on that one."""
    return [last - timedelta(days=n) for n in reversed(range(count))]


# Of a track that left its chart and came back, a window runs over the days between: one call is cheaper than two.
BROUGHT_ALONG = ("track_audience", "artist_audience", "artist_audience_geo")


def differences(
    database: str, charts_file: Path, days: Mapping[str, Sequence[date]], today: date | None = None
) -> dict[str, tuple[int, int]]:
    """By table: rows that are missing, and rows that should not be there, on that day (None: the real one)."""
    settings, world = load_settings(charts_file), World(today=today)
    truth: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
    for slug, of_chart in days.items():
        for table, rows in expected(world, settings.chart(slug), of_chart).items():
            truth[table] |= rows
    with closing(Warehouse(database)) as warehouse:
        held = stored(warehouse)
    return {
        table: (len(truth[table] - rows), len(rows - truth[table]))
        for table, rows in held.items()
        if truth[table] - rows or (rows - truth[table] and table not in BROUGHT_ALONG)
    }


def heading(*columns: str) -> None:
    """The first two lines of a Markdown table."""
    row(*columns)
    row(*["---"] * len(columns))


def row(*cells: object) -> None:
    """One line of a Markdown table, shown at once."""
    print(f"| {' | '.join(map(str, cells))} |", flush=True)  # noqa: T201


def peak_mb() -> int:
    """The largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@contextmanager
def empty_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database of this kind."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'soundcharts.db'}"
        return
    with running_server() as home:
        yield url_of(home, "postgres").render_as_string()

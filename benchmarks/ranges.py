"""From asking for a range of days to its first calls: `python -m benchmarks.ranges --help`.

In a terminal (`backfill`), and as Dagster's UI does it: through the web server's GraphQL, the daemon and the queue of
`serve`. Seconds of a core are those of all processes; on a busy machine they say more than the clock does.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from pathlib import Path

import dagster as dg
from dagster_graphql.client.query import LAUNCH_PARTITION_BACKFILL_MUTATION
from sqlalchemy import create_engine, text

from benchmarks.scratch import heading, row
from soundcharts_pipeline.config.cascade import all_keys
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.dagster_home import PLANNED_AS_ONE
from soundcharts_pipeline.orchestration.partitions import keys_of
from soundcharts_pipeline.orchestration.run_requests import IN_FLIGHT
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.admin.site import free_port
from soundcharts_pipeline_tests.support.dagster_site import PROJECT, answers, ask
from soundcharts_pipeline_tests.support.postgres import running_server, url_of

COMMAND = [sys.executable, "-m", "soundcharts_pipeline"]
# A chart for each range: what one of them has left behind is nothing to the next.
SLUGS = {
    "terminal": ["viral-50-global", "viral-50-in", "viral-50-us"],
    "queue": ["viral-50-gb", "viral-50-de", "viral-50-fr"],
}
CHARTS = """\
defaults:
  active: false
  auto_trigger_cascade: false
  first_date: {first}
charts:
  - slug: {slugs}
"""
LATENCY = 0.05
LONGEST_SECONDS = 900.0
LOOK_SECONDS = 0.02
CANCEL = "mutation($id: String!) { cancelPartitionBackfill(backfillId: $id) { __typename } }"
WAY = "run created / queued / taken / at work after (s)"
# What a run that was queued goes through, in this order.
WAYMARKS = (dg.DagsterEventType.RUN_ENQUEUED, dg.DagsterEventType.RUN_STARTING, dg.DagsterEventType.RUN_START)


class Place:
    """A project in a folder of its own, with its simulator and both databases on SQLite or on a server."""

    def __init__(self, folder: Path, simulator: Simulator, server: Path | None, *, as_one: bool) -> None:
        self.simulator, self.folder, self.as_one = simulator, folder, as_one
        charts, home = folder / "charts.yaml", folder / "dagster"
        first = simulator.world.today - timedelta(days=1100)
        charts.write_text(CHARTS.format(first=first, slugs="\n  - slug: ".join(chain(*SLUGS.values()))))
        home.mkdir()
        of_server = {} if server is None else _databases(server)
        shutil.copy(PROJECT / "deploy" / "postgres" / "dagster.yaml" if server else PROJECT / "dagster.yaml", home)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SOUNDCHARTS_", "DAGSTER_"))}
        self.environ = {
            **kept,
            "SOUNDCHARTS_BASE_URL": simulator.url,
            "SOUNDCHARTS_APP_ID": "soundcharts",
            "SOUNDCHARTS_API_KEY": "soundcharts",
            "SOUNDCHARTS_DATA_DIR": str(folder / "data"),
            "SOUNDCHARTS_CHARTS": str(charts),
            "SOUNDCHARTS_CALLS_PER_MINUTE": "100000",
            "SOUNDCHARTS_ADMIN_TOKEN": "of-the-benchmark-alone",
            "DAGSTER_HOME": str(home),
            PLANNED_AS_ONE: "1" if as_one else "",
            **of_server,
        }
        self.settings = load_settings(charts)
        subprocess.run([*COMMAND, "migrate"], env=self.environ, cwd=PROJECT, check=True, capture_output=True)  # noqa: S603

    def span(self, slug: str, days: int) -> ChartDays:
        last = self.simulator.world.newest_day(slug)
        assert last is not None  # noqa: S101
        return ChartDays(slug, last - timedelta(days=days - 1), last)

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        with (self.folder / "printed").open("ab") as log:
            return subprocess.Popen([*COMMAND, *arguments], env=self.environ, cwd=PROJECT, stdout=log, stderr=log)  # noqa: S603

    def until(self, what: str, condition: Callable[[], object]) -> float:
        """When it came true."""
        deadline = time.monotonic() + LONGEST_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise SystemExit(f"no {what}:\n{(self.folder / 'printed').read_text()[-3000:]}")
            time.sleep(LOOK_SECONDS)
        return time.monotonic()

    def until_ranking(self) -> tuple[float, float]:
        """When the first call came, and the first ranking."""
        first = self.until("call", lambda: self.simulator.counters.total)
        return first, self.until("ranking", lambda: self.simulator.counters.calls.get("ranking"))

    def seconds_of_a_core(self) -> float:
        """Of all processes of this place, and of those of theirs that have ended."""
        mark, ticks = f"DAGSTER_HOME={self.environ['DAGSTER_HOME']}".encode(), 0
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    ticks += sum(map(int, (process / "stat").read_text().rpartition(")")[2].split()[11:15]))
            except OSError:
                continue
        return ticks / os.sysconf("SC_CLK_TCK")


def _databases(server: Path) -> dict[str, str]:
    """A new one for the data and one for Dagster's state."""
    engine = create_engine(url_of(server, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in ("soundcharts", "dagster"):
            connection.execute(text(f"CREATE DATABASE {name}"))
        connection.execute(text("ALTER DATABASE dagster SET timezone = 'UTC'"))
    engine.dispose()
    return {
        "SOUNDCHARTS_DATABASE_URL": url_of(server, "soundcharts").render_as_string(),
        "DAGSTER_POSTGRES_URL": url_of(server, "dagster").render_as_string(),
    }


def in_a_terminal(place: Place, slug: str, days: int) -> None:
    span = place.span(slug, days)
    place.simulator.reset()
    began = time.monotonic()
    process = place.start("backfill", span.slug, "--from", str(span.first), "--to", str(span.last))
    try:
        called, ranked = place.until_ranking()
        core = place.seconds_of_a_core()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
    show(place, "terminal", days, "", called - began, ranked - began, core)


def show(place: Place, how: str, days: int, way: str, called: float, ranked: float, core: float) -> None:
    database = "PostgreSQL" if "DAGSTER_POSTGRES_URL" in place.environ else "SQLite"
    planned = "as one" if place.as_one else "one by one"
    row(how, database, planned, days, f"{called:.1f} s", f"{ranked:.1f} s", f"{core:.1f}", way)


@contextmanager
def served(place: Place) -> Iterator[str]:
    """The address of Dagster's web server, once all of `serve` is up."""
    ui_port, port = free_port(), free_port()
    process = place.start("serve", "--port", str(port), "--ui-port", str(ui_port))
    url = f"http://127.0.0.1:{ui_port}"
    try:
        place.until("dashboard", lambda: answers(f"http://127.0.0.1:{port}/admin/soundcharts/health/"))
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def through_the_queue(place: Place, url: str, slug: str, days: int, instance: dg.DagsterInstance) -> None:
    selection = [{"path": key.split("/")} for key in all_keys(place.settings)]
    params = {"assetSelection": selection, "partitionNames": keys_of(place.span(slug, days))}
    place.simulator.reset()
    core, began, clock = place.seconds_of_a_core(), time.monotonic(), time.time()
    launched = ask(url, LAUNCH_PARTITION_BACKFILL_MUTATION, backfillParams=params)["launchPartitionBackfill"]
    called, ranked = place.until_ranking()
    core = place.seconds_of_a_core() - core
    [run] = instance.get_run_records(limit=1)
    log = instance.all_logs(run.dagster_run.run_id, of_type=set(WAYMARKS))
    at = {entry.dagster_event_type: entry.timestamp - clock for entry in log}
    moments = [run.create_timestamp.timestamp() - clock, *(at[mark] for mark in WAYMARKS)]
    show(place, "queue", days, " / ".join(f"{moment:.1f}" for moment in moments), called - began, ranked - began, core)
    ask(url, CANCEL, id=launched["backfillId"])
    in_flight = dg.RunsFilter(statuses=IN_FLIGHT)
    place.until("end of the run", lambda: not instance.get_runs_count(in_flight))


def measure(server: Path | None, options: argparse.Namespace, *, as_one: bool) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, Simulator(latency=LATENCY) as simulator:
        place = Place(Path(name), simulator, server, as_one=as_one)
        if "terminal" in options.how:
            for slug, days in zip(SLUGS["terminal"], options.days, strict=False):
                in_a_terminal(place, slug, days)
        if "queue" in options.how:
            os.environ.update({k: v for k, v in place.environ.items() if k == "DAGSTER_POSTGRES_URL"})
            with dg.DagsterInstance.from_config(place.environ["DAGSTER_HOME"]) as instance, served(place) as url:
                for slug, days in zip(SLUGS["queue"], options.days, strict=False):
                    through_the_queue(place, url, slug, days, instance)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", nargs="+", type=int, default=[30, 200, 730])
    parser.add_argument("--how", nargs="+", choices=["terminal", "queue"], default=["terminal", "queue"])
    parser.add_argument("--databases", nargs="+", choices=["sqlite", "postgresql"], default=["sqlite", "postgresql"])
    parser.add_argument("--planned", nargs="+", choices=["as-one", "one-by-one"], default=["as-one", "one-by-one"])
    options = parser.parse_args()
    heading("how", "database", "planned", "days", "first call", "first ranking", "seconds of a core", WAY)
    for planned in options.planned:
        if "sqlite" in options.databases:
            measure(None, options, as_one=planned == "as-one")
        if "postgresql" in options.databases:
            with running_server() as server:
                measure(server, options, as_one=planned == "as-one")


if __name__ == "__main__":
    main()

"""A chart-day against the arithmetic floor and against peers: `python -m benchmarks.peers --help`.

Ours is `soundcharts-pipeline sync SLUG --date D` into an empty SQLite database, less the same command once more, which
asks nothing: what is left is fetching and storing. The peers' time is fetching and storing alone. The floor is
calls x latency / calls in flight. All of them ask a simulator in a process of its own that has every answer ready, and
what they store is compared: ours with the truth behind the simulator, the peers' with ours.
"""

import argparse
import json
import multiprocessing
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import requests

from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.simulator import serve
from soundcharts_pipeline.simulator.service import gate
from soundcharts_pipeline.simulator.world.world import World
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.truth import expected, stored

CHARTS = {50: "viral-50-global", 200: "global-28", 1000: "soundcloud-top-1000"}
CASES = [(50, 0.05), (50, 0.2), (200, 0.02), (200, 0.05), (200, 0.2), (1000, 0.05), (1000, 0.2)]
# dlt's thousand takes minutes and says nothing that two hundred do not.
MOST_PLACES_OF_DLT = 200
IN_FLIGHT = 32
NO_LIMIT = 1_000_000
HERE = Path(__file__).parent
AUDIENCE = {
    "chart_rankings": "rank_date, position, track_uuid",
    "tracks": "uuid",
    "artists": "uuid",
    "track_artists": "track_uuid, artist_uuid, role, position",
    "track_audience": "track_uuid, platform, metric, identifier, date, value",
    "artist_audience": "artist_uuid, platform, metric, date, value",
    "artist_audience_geo": "artist_uuid, platform, metric, date, country_code, region, city_name, value",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One chart-day at one latency, in a folder of its own."""

    slug: str
    day: date
    latency: float
    folder: Path


def simulate(urls: "Queue[str]") -> None:
    """The simulator with room for every answer: making them takes longer than a call may last."""
    gate._KEPT_BODIES, gate._KEPT_SIZE = 1_000_000, 1 << 30
    serve(rate=NO_LIMIT, quota=NO_LIMIT, log=urls.put)


@dataclass(frozen=True, slots=True)
class Server:
    url: str
    pid: int

    def behave(self, latency: float) -> None:
        """Count from nothing, with this latency."""
        requests.post(f"{self.url}/_simulator/reset", timeout=10).raise_for_status()
        requests.post(f"{self.url}/_simulator/set", json={"latency": latency}, timeout=10).raise_for_status()

    def counters(self) -> dict[str, Any]:
        counters: dict[str, Any] = requests.get(f"{self.url}/_simulator/counters", timeout=10).json()
        return counters

    def calls(self) -> int:
        return int(self.counters()["total"])

    def busy(self) -> float:
        """Seconds of a core so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def server() -> Iterator[Server]:
    spawn = multiprocessing.get_context("spawn")
    urls: Queue[str] = spawn.Queue()
    process = spawn.Process(target=simulate, args=(urls,), daemon=True)
    process.start()
    assert process.pid is not None  # noqa: S101
    try:
        yield Server(urls.get(timeout=60), process.pid)
    finally:
        process.terminate()
        process.join()


def cpu() -> float:
    """Seconds of a core that our finished child processes took so far."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def run(*command: str | Path, **environment: str) -> str:
    """Its output; raises when it fails."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, *map(str, command)], env={**os.environ, **environment}, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def ours(url: str, case: Case) -> dict[str, float]:
    """Cold, less the same again with nothing to ask: seconds, and seconds of a core."""
    charts, data = case.folder / "charts.yaml", case.folder / "data"
    charts.write_text(f"defaults:\n  first_date: {case.day}\ncharts:\n  - slug: {case.slug}\n")
    environment = {
        "SOUNDCHARTS_BASE_URL": url,
        "SOUNDCHARTS_APP_ID": "soundcharts",
        "SOUNDCHARTS_API_KEY": "soundcharts",
        "SOUNDCHARTS_CALLS_PER_MINUTE": str(NO_LIMIT),
        "SOUNDCHARTS_MAX_IN_FLIGHT": str(IN_FLIGHT),
        "SOUNDCHARTS_CHARTS": str(charts),
        "SOUNDCHARTS_DATA_DIR": str(data),
        "DAGSTER_HOME": str(data / "dagster"),
        "SOUNDCHARTS_DATABASE_URL": f"sqlite:///{data / 'soundcharts.db'}",
    }
    seconds, cores = [], []
    for _ in range(2):
        started, spent = time.monotonic(), cpu()
        run("-m", "soundcharts_pipeline", "sync", case.slug, "--date", str(case.day), **environment)
        seconds.append(time.monotonic() - started)
        cores.append(cpu() - spent)
    return {"ours": seconds[0] - seconds[1], "Dagster": seconds[1], "ours, core": cores[0] - cores[1]}


def peer(script: str, url: str, case: Case, place: Path) -> float:
    """Seconds that a peer takes to fetch and store."""
    result = json.loads(run(HERE / script, url, case.slug, str(case.day), place).splitlines()[-1])
    return float(result["fetch"] + result["store"])


def check_ours(case: Case) -> None:
    """Raise when what we stored is not the truth."""
    chart: ChartSettings = load_settings(case.folder / "charts.yaml").charts[case.slug]
    warehouse = Warehouse(f"sqlite:///{case.folder / 'data' / 'soundcharts.db'}")
    world = World(1)
    there, true = stored(warehouse), expected(world, chart, [case.day])
    warehouse.close()
    different = [name for name in true if there[name] != true[name]]
    if different:
        raise RuntimeError(f"{case.slug}: not the truth: {', '.join(different)}")


def check_asyncio(case: Case) -> None:
    """Raise when the peer stored other rows than we did."""
    with closing(sqlite3.connect(case.folder / "asyncio.db")) as conn:
        conn.execute("ATTACH ? AS ours", [str(case.folder / "data" / "soundcharts.db")])
        for table, columns in AUDIENCE.items():
            one, other = f"SELECT {columns} FROM main.{table}", f"SELECT {columns} FROM ours.{table}"  # noqa: S608
            for query in (f"{one} EXCEPT {other}", f"{other} EXCEPT {one}"):
                if row := conn.execute(query).fetchone():
                    raise RuntimeError(f"{case.slug}: the asyncio peer differs in {table}: {row}")


def check_dlt(case: Case) -> None:
    """Raise when dlt stored other numbers of rows than we did."""
    with closing(sqlite3.connect(case.folder / "data" / "soundcharts.db")) as conn:
        wanted = {table: conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in AUDIENCE}  # noqa: S608
    with closing(sqlite3.connect(case.folder / "dlt" / "soundcharts.db")) as conn:
        names = [row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]

        def rows(*wanted: str, column: str = "*") -> int:
            queries = [f"SELECT count({column}) FROM {name}" for name in wanted]  # noqa: S608
            return sum(conn.execute(query).fetchone()[0] for query in queries)

        series = [name for name in names if name.startswith("artist_") and "__" not in name]
        found = {
            "chart_rankings": rows("ranking"),
            "tracks": rows("tracks"),
            "artists": rows("artists"),
            "track_artists": rows("tracks__artists", "tracks__main_artists", "tracks__featured_artists"),
            "track_audience": rows("track_airplay")
            + rows(*(n for n in names if n.startswith("track_") and n.endswith("__plots")), column="value"),
            "artist_audience": rows(*series, column="value"),
            "artist_audience_geo": rows(
                *(n for n in names if n.startswith("artist_") and n.endswith("_plots")), column="value"
            ),
        }
    if found != wanted:
        raise RuntimeError(f"{case.slug}: dlt stored {found}, we stored {wanted}")


def measure(there: Server, slug: str, latency: float, rounds: int, *, with_dlt: bool) -> dict[str, float]:
    """The best of each in a few rounds; who comes first changes nothing, for every answer is ready."""
    best: dict[str, float] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            day = World(1).newest_day(slug)
            assert day is not None  # noqa: S101
            case = Case(slug, day, latency, Path(folder))
            found = _round(there, case, with_dlt=with_dlt)
        best = {name: min(value, best.get(name, value)) for name, value in found.items()}
    return best


def _round(there: Server, case: Case, *, with_dlt: bool) -> dict[str, float]:
    there.behave(0.0)
    peer("asyncio_peer.py", there.url, case, case.folder / "warm.db")
    found: dict[str, float] = {}
    there.behave(case.latency)
    busy = there.busy()
    found |= {**ours(there.url, case), "calls": there.calls()}
    found["simulator, ms a call"] = (there.busy() - busy) / found["calls"] * 1000
    check_ours(case)
    there.behave(case.latency)
    spent = cpu()
    found["asyncio"] = peer("asyncio_peer.py", there.url, case, case.folder / "asyncio.db")
    found["asyncio, core"] = cpu() - spent
    found["calls of asyncio"] = there.calls()
    check_asyncio(case)
    if with_dlt:
        there.behave(case.latency)
        spent = cpu()
        found["dlt"] = peer("dlt_peer.py", there.url, case, case.folder / "dlt")
        found["dlt, core"] = cpu() - spent
        found["calls of dlt"] = there.calls()
        check_dlt(case)
    return found


COLUMNS = [
    *("places", "latency, ms", "calls (asyncio, dlt)", "floor, s", "Dagster, s"),
    *("ours above it, s (/ floor)", "asyncio, s (/ floor)", "dlt, s (/ floor)"),
    *("s of a core: ours, asyncio, dlt", "simulator, ms of a core a call"),
]


def line(places: int, latency: float, best: dict[str, float]) -> str:
    floor = best["calls"] * latency / IN_FLIGHT

    def cell(name: str) -> str:
        return f"{best[name]:.1f} ({best[name] / floor:.2f})" if name in best else "not run"

    calls = ", ".join(f"{best[f'calls of {name}']:,.0f}" for name in ("asyncio", "dlt") if name in best)
    cells = [f"{places:,}", f"{latency * 1000:.0f}", f"{best['calls']:,.0f} ({calls})", f"{floor:.2f}"]
    cells += [f"{best['Dagster']:.1f}", cell("ours"), cell("asyncio"), cell("dlt")]
    cores = [f"{best[key]:.1f}" for key in ("ours, core", "asyncio, core", "dlt, core") if key in best]
    return f"| {' | '.join([*cells, ', '.join(cores)])} | {best['simulator, ms a call']:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--places", type=int, choices=CHARTS, help="this chart alone")
    parser.add_argument("--latency", type=float, help="seconds; alone")
    parser.add_argument("--rounds", type=int, default=1, help="the best of so many counts")
    parser.add_argument("--no-dlt", action="store_true")
    a = parser.parse_args()
    cases = [(p, s) for p, s in CASES if a.places in (None, p) and a.latency in (None, s)]
    if a.places and a.latency:
        cases = [(a.places, a.latency)]
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}")  # noqa: T201
    for places, latency in cases:
        with server() as there:
            with_dlt = not a.no_dlt and places <= MOST_PLACES_OF_DLT
            best = measure(there, CHARTS[places], latency, a.rounds, with_dlt=with_dlt)
        print(line(places, latency, best), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()

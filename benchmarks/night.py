"""Two nights of many charts: `python -m benchmarks.night --help`.

Charts that list the same tracks are all due at the same minute. Dagster's daemon ticks their schedules, its queue (that
of the dagster.yaml we ship) starts their runs, and a simulator in a process of its own answers after 200 ms and lets in
5,000 calls a minute. In the first night everything is new, in the second one day is. Every row is printed after the
warehouse has been compared with the simulator's world. Calls and memory are exact; seconds are those of this machine.
"""

import argparse
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from math import ceil
from multiprocessing import get_context
from pathlib import Path

import dagster as dg
import requests
from sqlalchemy import create_engine, text

from benchmarks.scratch import MAX_IN_FLIGHT, differences, heading, row
from benchmarks.watch import Watch, core_seconds, watching, with_children
from soundcharts_pipeline.cli.processes.simulator import simulator_process, use_simulator
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.models import artist_metrics
from soundcharts_pipeline.orchestration.dagster_home import make_tables
from soundcharts_pipeline.orchestration.dead_runs import PID_TAG
from soundcharts_pipeline.orchestration.run_requests import IN_FLIGHT
from soundcharts_pipeline.simulator import Simulator, World
from soundcharts_pipeline.simulator.world.accounts import Account
from soundcharts_pipeline_tests.support.dagster_site import PROJECT, Site, alive, daemon
from soundcharts_pipeline_tests.support.postgres import running_server, url_of

LATENCY, A_MINUTE = 0.2, 5_000
# The nights' mornings. Counts are the same on every day that the benchmark runs.
FIRST_MORNING = date(2026, 11, 20)
# Until the schedules are due: daemon and code server have to be there by then.
LEAD = timedelta(minutes=2)
# A schedule that has not ticked by then has missed its night.
LATEST_TICK_SECONDS = 900
LOOK_SECONDS = 2.0
CHARTS = """\
defaults:
  first_date: {first}
  schedule: "{due:%M} {due:%H} * * *"
charts:
{charts}
"""
LOCKED = re.compile("database is locked|deadlock|stayed locked|lock timeout|could not obtain lock", re.IGNORECASE)
COLUMNS = [
    *("database", "night", "charts (places)", "calls", "/ questions", "/ floor", "share of the rate, busiest minute"),
    *("first to last call, s", "s of a core a call, a chart-day, the server's a chart-day"),
    *("MB of the largest run, of all", "ticks missed", "runs failed", "locks waited for, errors", "429"),
]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pair of nights takes place; `postgres` is the server's folder, if there is one."""

    kind: str
    site: Site
    simulator: str
    postgres: Path | None
    slugs: tuple[str, ...]

    def write_charts(self, first: date, due: datetime) -> None:
        """charts.yaml with schedules at this minute."""
        charts = "\n".join(f"  - slug: {slug}\n    name: {slug}" for slug in self.slugs)
        self.charts_file.write_text(CHARTS.format(first=first, due=due, charts=charts))

    @property
    def charts_file(self) -> Path:
        return Path(self.site.environ["SOUNDCHARTS_CHARTS"])

    @property
    def database(self) -> str:
        return read_environment(self.site.environ).database_url

    def server_seconds(self) -> float:
        """Seconds of a core of the database server so far."""
        if self.postgres is None:
            return 0.0
        pid = int((self.postgres / "data" / "postmaster.pid").read_text().split()[0])
        return core_seconds(with_children(pid))

    def locks(self) -> tuple[int, int]:
        """How often PostgreSQL saw somebody wait for a lock for a second, and how often a log tells of a lock that was
        not to be had. SQLite tells of no waiting."""
        waits = 0 if self.postgres is None else (self.postgres / "log").read_text().count("still waiting for")
        return waits, len(LOCKED.findall(self.site.log.read_text()))


@contextmanager
def opened(kind: str, slugs: Sequence[str]) -> Iterator[Place]:
    """An empty project on an empty database of this kind, Dagster's state too, and its simulator."""
    before = dict(os.environ)
    first = Simulator(today=FIRST_MORNING)  # never started: the world behind the one that is
    with (
        tempfile.TemporaryDirectory() as folder,
        simulator_process(latency=LATENCY, rate=A_MINUTE, now=_noon(FIRST_MORNING)) as url,
        _server(kind) as postgres,
    ):
        for name in [name for name in os.environ if name.startswith(("SOUNDCHARTS_", "DAGSTER_"))]:
            del os.environ[name]
        use_simulator(url, calls_per_minute=A_MINUTE)
        home = Path(folder) / "dagster"
        home.mkdir()
        settings = PROJECT / ("dagster.yaml" if postgres is None else "deploy/postgres/dagster.yaml")
        shutil.copy(settings, home / "dagster.yaml")
        os.environ |= {
            "DAGSTER_HOME": str(home),
            "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS": "1",
            "SOUNDCHARTS_DATA_DIR": f"{folder}/data",
            "SOUNDCHARTS_CHARTS": f"{folder}/charts.yaml",
            "SOUNDCHARTS_MAX_IN_FLIGHT": str(MAX_IN_FLIGHT),
        }
        if postgres is not None:
            os.environ["SOUNDCHARTS_DATABASE_URL"] = url_of(postgres, "soundcharts").render_as_string()
            os.environ["DAGSTER_POSTGRES_URL"] = url_of(postgres, "dagster").render_as_string()
            os.environ["PGTZ"] = "UTC"
        try:
            make_tables()
            with dg.DagsterInstance.get() as instance:
                log = Path(folder) / "processes.log"
                log.touch()
                site = Site(first, os.environ, Settings({}), instance, log)
                yield Place(kind, site, url, postgres, tuple(slugs))
        finally:
            os.environ.clear()
            os.environ |= before


@contextmanager
def _server(kind: str) -> Iterator[Path | None]:
    """PostgreSQL that logs whoever waits for a lock for a second, with both of our databases; or nothing."""
    if kind == "SQLite":
        yield None
        return
    with running_server() as home:
        engine = create_engine(url_of(home, "postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in (
                "CREATE DATABASE soundcharts",
                "CREATE DATABASE dagster",
                "ALTER SYSTEM SET log_lock_waits = on",
                "SELECT pg_reload_conf()",
            ):
                connection.execute(text(statement))
        engine.dispose()
        yield home


def night(place: Place, name: str, days: Sequence[date]) -> None:
    """The night after which the newest of the days is there; the others are there already. One row."""
    morning = days[-1] + timedelta(days=1)
    world = World(today=morning)
    for path, body in (("set", {"today": str(morning)}), ("reset", {})):
        requests.post(f"{place.simulator}/_simulator/{path}", json=body, timeout=60).raise_for_status()
    os.environ["SOUNDCHARTS_NOW"] = _noon(morning).isoformat()
    due = (datetime.now(UTC) + LEAD).replace(second=0, microsecond=0)
    place.write_charts(days[0], due)
    known, locks = _runs(place), place.locks()
    with daemon(place.site), watching(place.site, place.simulator) as watch:
        time.sleep((due - datetime.now(UTC)).total_seconds())
        before, server_before = core_seconds(alive(place.site)), place.server_seconds()
        missed = len(place.slugs) - wait(place, due)
        cores = core_seconds(alive(place.site)) - before
        server = place.server_seconds() - server_before
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        truth = dict.fromkeys(place.slugs, days)
        differing = pool.submit(differences, place.database, place.charts_file, truth, morning).result()
    runs = {run_id: run for run_id, run in _runs(place).items() if run_id not in known}
    failed = [run_id for run_id, run in runs.items() if run.status != dg.DagsterRunStatus.SUCCESS]
    if differing or failed or missed:
        told = "\n".join(place.site.story(run_id) for run_id in failed[:3])
        print(f"missing and too many rows: {differing}\n{told}\n{place.site.log.read_text()[-3000:]}")  # noqa: T201
    waits, errors = (now - then for now, then in zip(place.locks(), locks, strict=True))
    errors += sum(len(LOCKED.findall(place.site.story(run_id))) for run_id in runs)
    counted = requests.get(f"{place.simulator}/_simulator/counters", timeout=60).json()
    row(
        *(place.kind, name, f"{len(place.slugs)} ({_places(world, place.slugs, days[-1]):,})"),
        *_of_calls(counted, floor(world, place, days), watch),
        *_of_costs(counted["total"], len(place.slugs), cores, server),
        f"{max((watch.peaks.get(int(run.tags.get(PID_TAG, 0)), 0) for run in runs.values()), default=0) // 1024}, "
        f"{watch.peak_of_all // 1024}",
        *(missed, f"{len(failed)} of {len(runs)}", f"{waits}, {errors}", counted["rejected_by_rate"]),
    )
    if differing:
        raise SystemExit(f"the warehouse differs from the truth: {differing}")


def wait(place: Place, due: datetime) -> int:
    """Until every schedule has ticked and every run has ended; how many have ticked."""
    instance, latest = place.site.instance, time.monotonic() + LATEST_TICK_SECONDS
    while True:
        ticked = _ticked(instance, due)
        is_late = time.monotonic() > latest
        if (ticked == len(place.slugs) or is_late) and not instance.get_runs_count(dg.RunsFilter(statuses=IN_FLIGHT)):
            return ticked
        time.sleep(LOOK_SECONDS)


def _ticked(instance: dg.DagsterInstance, due: datetime) -> int:
    """Schedules whose tick of that minute is over."""
    over = ("SUCCESS", "SKIPPED", "FAILURE")
    found = 0
    for state in instance.all_instigator_state():
        if state.instigator_type.value == "SCHEDULE":
            ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, after=due.timestamp() - 1)
            found += any(tick.status.value in over for tick in ticks)
    return found


def _runs(place: Place) -> dict[str, dg.DagsterRun]:
    return {run.run_id: run for run in place.site.instance.get_runs()}


def _of_calls(counted: dict[str, int], least: int, watch: Watch) -> list[str]:
    """Calls, by questions, by the floor; share of what the rate allows in that time, busiest minute; seconds."""
    calls, seconds = counted["total"], watch.last_call - watch.first_call
    questions = f"{calls / counted['questions']:.3f}" if calls else "no call"
    share = calls / (A_MINUTE * seconds / 60) if seconds else 0
    return [
        *(f"{calls:,}", questions, f"{calls / least:.3f} of {least:,}"),
        *(f"{share:.2f}, {counted['busiest_minute'] / A_MINUTE:.2f}", f"{seconds:.0f}"),
    ]


def _of_costs(calls: int, charts: int, cores: float, server: float) -> list[str]:
    """Seconds of a core by call and chart-day."""
    return [f"{cores / max(calls, 1):.3f}, {cores / charts:.1f}, {server / charts:.1f}"]


def floor(world: World, place: Place, days: Sequence[date]) -> int:
    """Distinct questions that can bring something new: of each chart the list of days and its ranking, of all tracks
    and artists together the metadata of those that are new and one window of each series. In the second night not of a
    series that the first night found to be empty."""
    one = load_settings(place.charts_file).chart(place.slugs[0])
    tracks = [_tracks(world, place.slugs, day) for day in days]
    artists = [_artists(world, of_day) for of_day in tracks]
    new_tracks, new_artists = tracks[-1] - set().union(*tracks[:-1]), artists[-1] - set().union(*artists[:-1])
    rankings = sum(ceil(len(world.ranking(slug, days[-1]).entries) / 100) for slug in place.slugs)
    metadata = ceil(len(new_tracks) / 10) + ceil(len(new_artists) / 10)
    return (
        len(place.slugs)
        + rankings
        + metadata
        + sum(_has_news(world, one, uuid, is_new=uuid in new_tracks) for uuid in set().union(*tracks))
        + sum(_artist_has_news(world, one, uuid, is_new=uuid in new_artists) for uuid in set().union(*artists))
    )


def _has_news(world: World, chart: ChartSettings, uuid: str, *, is_new: bool) -> int:
    """Series of a track that are worth a question."""
    accounts = [p == "airplay" or world.track_account(uuid, p) for p in chart.track_audience_platforms]
    return sum(is_new or account is True or isinstance(account, Account) for account in accounts)


def _artist_has_news(world: World, chart: ChartSettings, uuid: str, *, is_new: bool) -> int:
    """Series of an artist that are worth a question."""
    accounts = [
        (world.followers_account if metric == "followers" else world.streaming_account)(uuid, platform)
        for platform in chart.artist_audience_platforms
        for metric in artist_metrics(platform)
    ]
    return sum(is_new or isinstance(account, Account) for account in accounts)


def _tracks(world: World, slugs: Sequence[str], day: date) -> set[str]:
    return {entry.track.uuid for slug in slugs for entry in world.ranking(slug, day).entries}


def _artists(world: World, tracks: set[str]) -> set[str]:
    found = [track for uuid in tracks if (track := world.track(uuid))]
    return {artist.uuid for track in found for artist in track.artists}


def _places(world: World, slugs: Sequence[str], day: date) -> int:
    return sum(len(world.ranking(slug, day).entries) for slug in slugs)


def _noon(day: date) -> datetime:
    return datetime.combine(day, time_of_day(12), UTC)


def smallest_daily(count: int) -> list[str]:
    """The daily charts with the fewest places: 106 of 50, then 72 of 100, then 70 of 200."""
    plans = [plan for plan in World().plans.values() if not plan.weekly]
    return [plan.slug for plan in sorted(plans, key=lambda plan: plan.size)[:count]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--charts", type=int, default=20, help="from 107 on some have 100 places, from 179 on 200")
    parser.add_argument("--database", nargs="+", choices=("SQLite", "PostgreSQL"), default=["SQLite", "PostgreSQL"])
    options = parser.parse_args()
    heading(*COLUMNS)
    for kind in options.database:
        with opened(kind, smallest_daily(options.charts)) as place:
            first = FIRST_MORNING - timedelta(days=1)
            night(place, "first", [first])
            night(place, "second", [first, FIRST_MORNING])


if __name__ == "__main__":
    main()

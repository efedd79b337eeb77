"""What Dagster itself takes for a range of partitions, and what we take above it: `python -m benchmarks.floor`.

The floor is a run of the very same graph (assets, checks, partitions, executor, instance on SQLite) with empty bodies.
Ours is that run with bodies: once cold, less what its calls take on their own, and once more with nothing to ask.
What the calls take on their own is their number by what the client reaches: asked and parsed, 32 in flight, not saved.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import dagster as dg
from rich.console import Console

from benchmarks.peers import IN_FLIGHT, NO_LIMIT, Server, server
from soundcharts_pipeline.api.errors import NotFound
from soundcharts_pipeline.cli.processes.simulator import use_simulator
from soundcharts_pipeline.cli.run_in_process import run_span
from soundcharts_pipeline.config.cascade import allowed_keys
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.embedding.build import build_definitions
from soundcharts_pipeline.models import ChartDays, Window
from soundcharts_pipeline.orchestration.dagster_home import prepare_home
from soundcharts_pipeline.orchestration.jobs import build_jobs
from soundcharts_pipeline.simulator.world.world import World
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.account import open_client

SLUG = "viral-50-global"
LATENCY = 0.05
# A year of every platform is 25,000 calls; one of each kind is enough to see what a partition takes.
ONE_PLATFORM_FROM = 100


def chart(days: int) -> ChartSettings:
    """The default platforms; for a long range one of each kind."""
    newest = World(1).newest_day(SLUG)
    assert newest is not None  # noqa: S101
    first = newest - timedelta(days=days - 1)
    if days < ONE_PLATFORM_FROM:
        return ChartSettings(slug=SLUG, name=SLUG, first_date=first)
    one = ("spotify",)
    return ChartSettings(
        slug=SLUG, name=SLUG, first_date=first, track_audience_platforms=one, artist_audience_platforms=one
    )


def empty(definitions: dg.Definitions, settings: Settings) -> dg.Definitions:
    """The same graph without bodies."""

    def asset(real: dg.AssetsDefinition) -> dg.AssetsDefinition:
        @dg.multi_asset(
            name=real.op.name,
            specs=list(real.specs),
            check_specs=list(real.check_specs),
            backfill_policy=real.backfill_policy,
        )
        def nothing() -> dg.MaterializeResult:  # type: ignore[type-arg]
            passed = [dg.AssetCheckResult(check_name=check.name, passed=True) for check in real.check_specs]
            return dg.MaterializeResult(check_results=passed)

        return nothing

    assets = [
        asset(one) for one in definitions.assets or () if isinstance(one, dg.AssetsDefinition) and one.is_executable
    ]
    return dg.Definitions(assets=assets, jobs=build_jobs(settings))


@contextmanager
def home() -> Iterator[Path]:
    """A new data directory and a new Dagster home, for this process."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "SOUNDCHARTS_DATA_DIR": folder,
            "DAGSTER_HOME": f"{folder}/dagster",
            "SOUNDCHARTS_MAX_IN_FLIGHT": str(IN_FLIGHT),
        }
        os.environ.pop("SOUNDCHARTS_DATABASE_URL", None)
        prepare_home(read_environment(os.environ))
        yield Path(folder)


class Spent(NamedTuple):
    """Seconds, and seconds of a core: those are comparable on a busy machine too."""

    seconds: float
    core: float


@contextmanager
def clock() -> Iterator[Callable[[], Spent]]:
    """What the block took so far."""
    seconds, core = time.monotonic(), time.process_time()
    yield lambda: Spent(time.monotonic() - seconds, time.process_time() - core)


def one_run(definitions: dg.Definitions, chart: ChartSettings, settings: Settings, days: int) -> Spent:
    """One run of the range, in this process."""
    warehouse = Warehouse(read_environment(os.environ).database_url)
    warehouse.prepare()
    span = ChartDays(chart.slug, chart.first_date, chart.first_date + timedelta(days=days - 1))
    keys = allowed_keys(settings, chart)
    with clock() as spent:
        outcome = run_span(definitions, warehouse, span, keys, Console(quiet=True))
        took = spent()
    warehouse.close()
    if not outcome.succeeded:
        raise RuntimeError(f"the run failed: {outcome.failures}")
    return took


def calls_alone(there: Server, chart: ChartSettings, calls: Mapping[str, int]) -> Spent:
    """Seconds that so many calls of each endpoint take through our client, parsed and not saved."""
    world, day = World(1), chart.first_date
    tracks = [track for e in world.ranking(chart.slug, day).entries if (track := world.track(e.track.uuid))]
    artists = list({artist.uuid for track in tracks for artist in track.artists})
    window = Window(day - timedelta(days=chart.history_days - 1), day)
    with home() as folder, closing(Warehouse(f"sqlite:///{folder / 'soundcharts.db'}")) as warehouse:
        client = open_client(read_environment(os.environ), warehouse=warehouse)
        asks: dict[str, list[Callable[[], object]]] = {
            "track_broadcasts": [partial(client.spins, t.uuid, day) for t in tracks],
            "track_audience": [partial(client.track_audience, t.uuid, "spotify", window) for t in tracks],
            "artist_streaming": [partial(client.artist_streaming, uuid, "spotify", window) for uuid in artists],
            "artist_followers": [partial(client.artist_followers, uuid, "spotify", window) for uuid in artists],
        }
        there.behave(0.0)
        _ask([ask for kind in asks.values() for ask in kind])  # the simulator makes its answers
        there.behave(LATENCY)
        rest = sum(count for endpoint, count in calls.items() if endpoint not in asks)
        wanted = {**calls, "track_broadcasts": calls.get("track_broadcasts", 0) + rest}
        all_asks = [ask for kind in asks for ask in islice(cycle(asks[kind]), wanted.get(kind, 0))]
        with clock() as spent:
            _ask(all_asks)
            return spent()


def _ask(asks: Sequence[Callable[[], object]]) -> None:
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        for future in [pool.submit(ask) for ask in asks]:
            if not isinstance(future.exception(), NotFound | None):
                future.result()


def measure(there: Server, days: int) -> list[str]:
    """One line of the table."""
    one = chart(days)
    settings = Settings({one.slug: one})
    real = build_definitions(settings)
    nothing = empty(real, settings)
    assets = len(allowed_keys(settings, one))
    with home():
        one_run(nothing, one, settings, 1)  # imports, and Dagster's tables
        floor = one_run(nothing, one, settings, days)
    with home():
        one_run(nothing, one, settings, 1)
        there.behave(0.0)
        one_run(real, one, settings, days)  # the simulator makes its answers
        again = one_run(real, one, settings, days)
    there.behave(LATENCY)
    with home():
        one_run(nothing, one, settings, 1)
        cold = one_run(real, one, settings, days)
    calls = there.counters()["calls"]
    alone = calls_alone(there, one, calls)
    each = days * assets / 1000
    sum_ = Spent(floor.seconds + alone.seconds, floor.core + alone.core)
    return [
        *(f"{days}", f"{assets}", f"{floor.seconds:.1f}", f"{floor.core / each:.1f}"),
        *(_against(again, floor), f"{(again.core - floor.core) / each:.1f}"),
        *(f"{sum(calls.values()):,}", f"{alone.seconds:.1f}", _against(cold, sum_)),
    ]


def _against(ours: Spent, floor: Spent) -> str:
    return f"{ours.seconds:.1f} ({ours.seconds / floor.seconds:.2f}, {ours.core / floor.core:.2f})"


COLUMNS = [
    *("days", "assets", "floor, s", "ms of a core a partition and asset"),
    *("ours with nothing to ask, s (/ floor, in time of a core)", "ms of a core above it a partition and asset"),
    *("calls cold", "calls alone, s", "ours cold, s (/ floor + calls alone, in time of a core)"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, nargs="*", default=[1, 30, 365])
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}")  # noqa: T201
    with server() as there:
        use_simulator(there.url, calls_per_minute=NO_LIMIT)
        for days in parser.parse_args().days:
            print(f"| {' | '.join(measure(there, days))} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()

"""What a look costs when two years of many charts are there: both sensors, a schedule's tick, `status`, `backfill`.

`python -m benchmarks.history --help`: fills Dagster's tables and the warehouse of a new folder (SQLite), directly, and
prints seconds of a core. Nothing is missing and nothing has changed since the last look, so that a look should cost
little, and no more the more lies behind it.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import dagster as dg
from dagster._core.events import StepMaterializationData
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._serdes import serialize_value

from benchmarks.scratch import heading, row
from benchmarks.served import Filling, fill_runs
from soundcharts_pipeline.config.cascade import all_keys, scheduled_keys
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.config.settings import Settings
from soundcharts_pipeline.embedding.build import build_definitions
from soundcharts_pipeline.orchestration.dagster_home import make_tables, open_instance, prepare_home
from soundcharts_pipeline.orchestration.jobs import FULL_SYNC
from soundcharts_pipeline.orchestration.partitions import partition_key
from soundcharts_pipeline.orchestration.run_requests import asset_key
from soundcharts_pipeline.orchestration.schedules import _requests
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

NOW = datetime.now(UTC)
AT_ONCE = 20_000
# What a materialisation says of itself: a preview, lineage, counts.
SAID = {"preview": "x" * 600}
COMMAND = [sys.executable, "-m", "soundcharts_pipeline"]
CASCADE, HEALING = "cascade_sensor", "healing_sensor"
CHARTS = """\
defaults:
  first_date: {first}
  schedule: "0 0 1 1 *"
charts:
{charts}
"""


def fill_events(instance: dg.DagsterInstance, settings: Settings, days: int) -> None:
    """Every asset materialised on every day of every chart, once."""
    storage = instance.event_log_storage
    for key in all_keys(settings):  # the first of each as Dagster does it, for its table of assets
        made = dg.AssetMaterialization(asset_key(key), partition=partition_key(settings.slugs[0], _day(1)))
        instance.report_runless_asset_event(made)
    events = _events(settings, days)
    with storage.index_connection() as connection:  # type: ignore[attr-defined]
        while some := list(islice(events, AT_ONCE)):
            connection.execute(SqlEventLogStorageTable.insert(), some)


def _events(settings: Settings, days: int) -> Iterator[dict[str, object]]:
    for ago in range(days, 0, -1):
        for slug in settings.slugs:
            partition = partition_key(slug, _day(ago))
            for key in all_keys(settings):
                common = _row(key)
                event = str(common["event"]).replace("c|d", partition)
                yield {**common, "event": event, "partition": partition, "timestamp": _noon(ago).replace(tzinfo=None)}


_ROWS: dict[str, dict[str, object]] = {}


def _row(key: str) -> dict[str, object]:
    """What the rows of an asset have in common."""
    if key not in _ROWS:
        made = StepMaterializationData(dg.AssetMaterialization(asset_key(key), partition="c|d", metadata=SAID), [])
        event = dg.DagsterEvent(dg.DagsterEventType.ASSET_MATERIALIZATION.value, FULL_SYNC, event_specific_data=made)
        entry = dg.EventLogEntry(None, 10, "", "a-run", time.time(), dagster_event=event)  # type: ignore[no-untyped-call]
        _ROWS[key] = {
            "run_id": "a-run",
            "event": serialize_value(entry),
            "dagster_event_type": dg.DagsterEventType.ASSET_MATERIALIZATION.value,
            "asset_key": asset_key(key).to_string(),
        }
    return _ROWS[key]


def fill_warehouse(url: str, settings: Settings, days: int) -> None:
    """Each of these days is published, and its ranking saved."""
    with closing(Warehouse(url)) as warehouse, warehouse.write() as conn:
        for ago in range(days, 0, -1):
            at, day = _noon(ago), _day(ago)
            version = f"{day}T12:00:00+00:00"
            of_day = {"rank_date": day, "published_at": version, "saved_version": version, "checked_at": at}
            rows = [{**of_day, "chart_slug": slug, "saved_at": at} for slug in settings.slugs]
            conn.execute(s.ranking_days.insert(), rows)


def _day(ago: int) -> object:
    return (NOW - timedelta(days=ago)).date()


def _noon(ago: int) -> datetime:
    return (NOW - timedelta(days=ago)).replace(hour=12, minute=0, second=0, microsecond=0)


def measure(folder: Path, charts: int, days: int, runs: int) -> None:
    file = folder / "charts.yaml"
    filling = Filling(charts=charts, runs=runs, points=0)
    file.write_text(CHARTS.format(first=_day(days), charts="\n".join(f"  - slug: {slug}" for slug in filling.slugs)))
    for name in [name for name in os.environ if name.startswith(("SOUNDCHARTS_", "DAGSTER_"))]:
        del os.environ[name]
    os.environ.update(SOUNDCHARTS_DATA_DIR=str(folder), SOUNDCHARTS_CHARTS=str(file))
    environment = read_environment(os.environ)
    prepare_home(environment)
    make_tables()
    settings = load_settings(file)
    fill_warehouse(environment.database_url, settings, days)
    with open_instance() as instance:
        fill_runs(instance, filling)
        fill_events(instance, settings, days)
        looks = Looks(instance, settings)
        cells = [
            *looks.seconds(lambda: looks.sensor(HEALING)),
            *looks.seconds(lambda: looks.sensor(CASCADE)),
            *looks.seconds(looks.tick),
        ]
    span = ["--from", str(_day(min(days, 365))), "--to", str(_day(1))]
    command(["status"])  # makes what Dagster makes at the first sight of a run
    cells += [command(["status"]), command(["backfill", filling.slug(0), *span])]
    row(charts, days, f"{charts * days * len(all_keys(settings)):,}", f"{runs:,}", *(f"{cell:.2f}" for cell in cells))


WHAT = ["healing", "again", "cascade", "again", "tick of a chart", "again", "`status`", "`backfill`, nothing missing"]


class Looks:
    """Evaluations in one process, as a code server makes them."""

    def __init__(self, instance: dg.DagsterInstance, settings: Settings) -> None:
        self._instance, self._settings = instance, settings
        self._definitions = build_definitions(settings)
        seen = instance.event_log_storage.get_maximum_record_id()
        self._cursors: dict[str, str | None] = {CASCADE: json.dumps({"after": seen, "waiting": {}})}

    def sensor(self, name: str) -> None:
        repository = self._definitions.get_repository_def()
        with dg.build_sensor_context(
            self._instance,
            self._cursors.get(name),
            resources=self._definitions.resources,
            repository_def=repository,
        ) as context:
            data = repository.get_sensor_def(name).evaluate_tick(context)
        self._cursors[name] = data.cursor
        assert not data.run_requests, data.run_requests[:3]  # noqa: S101

    def tick(self) -> None:
        """Of the chart in the middle, once it has asked which days are published."""
        chart = self._settings.charts[self._settings.slugs[len(self._settings.slugs) // 2]]
        published = [day for ago in range((NOW.date() - chart.first_date).days, 0, -1) if (day := _day(ago))]
        keys = scheduled_keys(self._settings, chart)
        asked = _requests(self._instance, self._settings, chart, keys, published, [])
        assert isinstance(asked, dg.SkipReason), asked  # noqa: S101

    def seconds(self, look: Callable[[], None]) -> Iterator[float]:
        """Of a core, for the first look and for the next."""
        for _ in range(2):
            began = time.process_time()
            look()
            yield time.process_time() - began


def command(arguments: list[str]) -> float:
    """Seconds of a core of one of our commands."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*COMMAND, *arguments], check=False, capture_output=True)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--charts", nargs="+", type=int, default=[20, 200])
    parser.add_argument("--days", nargs="+", type=int, default=[73, 730])
    parser.add_argument("--runs", type=int, default=4_000)
    options = parser.parse_args()
    heading("charts", "days", "materialisations", "runs", *WHAT)
    for charts in options.charts:
        for days in options.days:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
                measure(Path(name), charts, days, options.runs)


if __name__ == "__main__":
    main()

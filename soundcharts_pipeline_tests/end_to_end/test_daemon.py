"""The daemon for real: a schedule's tick, the cascade sensor and the healing sensor, each by what its runs left behind.

One session shows all three. What the sensors are to find is there before the daemon starts, for they look at once;
the schedule ticks at the next full minute.
"""

import logging
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._daemon import controller
from dagster._daemon.backfill import execute_backfill_iteration_loop

from soundcharts_pipeline.cli.processes.dev import dagster_programs
from soundcharts_pipeline.config.cascade import allowed_keys
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.daemon import LOOK_SECONDS, look_more_often
from soundcharts_pipeline.orchestration.partitions import partition_key, spans_of_tags
from soundcharts_pipeline.orchestration.run_requests import asset_key
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.saves import save_published
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.dagster_site import (
    PROGRAMS,
    PROJECT,
    Site,
    alive,
    check_truth,
    daemon,
    open_site,
    wait_until,
)

CHARTS = """
defaults:
  schedule: "0 0 1 1 *"
  first_date: {first_date}
  history_days: 7
  heal_days: 3
  track_audience_platforms: [spotify]
  artist_audience_platforms: [instagram]
charts:
  - slug: viral-50-global
    schedule: "* * * * *"
    sync_history: false
  - slug: viral-50-in
  - slug: viral-50-us
"""
SCHEDULED, BY_HAND, LOST = "viral-50-global", "viral-50-in", "viral-50-us"


@pytest.fixture
def site(simulator: Simulator, environ: dict[str, str], tmp_path: Path) -> Iterator[Site]:
    charts = CHARTS.format(first_date=simulator.world.today - timedelta(days=30))
    with open_site(simulator, environ, tmp_path, charts) as site:
        yield site


def test_backfills_are_looked_for_every_few_seconds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(controller, "DEFAULT_DAEMON_INTERVAL_SECONDS", controller.DEFAULT_DAEMON_INTERVAL_SECONDS)
    waits: list[float] = []

    class Shutdown(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            return False

    look_more_often()
    with dg.DagsterInstance.ephemeral() as instance:
        workspace: Any = SimpleNamespace(instance=instance)
        loop = execute_backfill_iteration_loop(workspace, logging.getLogger(), Shutdown())
        while not waits:
            next(loop)
    assert 0 < waits[0] <= LOOK_SECONDS
    of_dev = dagster_programs(PROJECT / "workspace.yaml", tmp_path, "http://127.0.0.1:3000")
    assert "soundcharts_pipeline.orchestration.daemon" in [program.module for program in of_dev]


def test_the_daemon_schedules_cascades_and_heals(site: Site) -> None:
    world = site.simulator.world
    newest = world.newest_day(SCHEDULED)
    assert newest is not None
    early = newest - timedelta(days=10)
    _materialize_by_hand(site, BY_HAND, early)
    lost = ChartDays(LOST, newest - timedelta(days=1), newest)
    _know_published(site, lost)

    with daemon(site):
        wait_until(site, "a run of the schedule", lambda: site.has_succeeded("schedule"))
        wait_until(site, "a run of the cascade sensor", lambda: site.has_succeeded("cascade_sensor"))
        wait_until(site, "a run of the healing sensor", lambda: site.has_succeeded("healing_sensor"))
        _check_what_runs_are_forked_from(site)
    assert alive(site) == []

    assert _spans(site, "schedule") == {ChartDays(SCHEDULED, newest, newest)}
    assert _spans(site, "cascade_sensor") == {ChartDays(BY_HAND, early, early)}
    assert _spans(site, "healing_sensor") == {lost}
    for slug, days in ((SCHEDULED, [newest]), (BY_HAND, [early]), (LOST, lost.days)):
        for key in allowed_keys(site.settings, site.chart(slug)):
            made = site.instance.get_materialized_partitions(asset_key(key))
            assert {one for one in made if one.startswith(f"{slug}|")} == {partition_key(slug, day) for day in days}
    check_truth(site, {SCHEDULED: [newest], BY_HAND: [early], LOST: lost.days})


def _check_what_runs_are_forked_from(site: Site) -> None:
    """A process that has loaded all that they need, and has neither a thread nor anything open but its own pipes."""
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in alive(site)}
    forked = {pid for pid, command in commands.items() if b"multiprocessing.forkserver" in command}
    parents = {pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in forked}
    [origin] = [pid for pid, parent in parents.items() if parent not in forked]
    folder = Path(f"/proc/{origin}")
    assert {"numpy"} <= set(re.findall(r"site-packages/(\w+)/", (folder / "maps").read_text()))
    assert len(list((folder / "task").iterdir())) == 1
    held = [str(link.readlink()) for link in (folder / "fd").iterdir()]
    # Where the code server asks it for a run.
    assert len([one for one in held if one.startswith("socket:")]) == 1
    assert not [one for one in held if ".db" in one]


def _spans(site: Site, trigger: str) -> set[ChartDays]:
    return {span for run in site.runs(trigger) for span in spans_of_tags(run.tags, ())}


def _materialize_by_hand(site: Site, slug: str, day: date) -> None:
    command: list[str | Path] = [PROGRAMS / "dg", "launch", "--assets", "chart_rankings"]
    command += ["--partition", partition_key(slug, day)]
    done = subprocess.run(command, cwd=PROJECT, env=site.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _know_published(site: Site, span: ChartDays) -> None:
    """Days that a tick once found published, whose run never came."""
    published = [p for p in site.simulator.world.published_days(span.slug) if p.day in span.days]
    with closing(Warehouse(read_environment(site.environ).database_url)) as warehouse, warehouse.write() as conn:
        save_published(conn, span.slug, published, read_environment(site.environ).clock() - timedelta(hours=1))

"""The daemon for real: a schedule's tick, the cascade sensor and the healing sensor, each by what its runs left behind.

One session shows all three. What the sensors are to find is there before the daemon starts, for they look at once;
the schedule ticks at the next full minute.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

import soundcharts_pipeline
from soundcharts_pipeline.cascade import allowed_keys
from soundcharts_pipeline.environment import read_environment
from soundcharts_pipeline.partitions import ChartSpan, partition_key, span_of_tags
from soundcharts_pipeline.run_requests import TRIGGER_TAG, asset_key
from soundcharts_pipeline.settings import ChartSettings, Settings, load_settings
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.saves import save_published
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.truth import Rows, expected, stored

PROJECT = Path(soundcharts_pipeline.__file__).parent.parent
PROGRAMS = Path(sys.executable).parent
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
# A tick is due within a minute; the rest is what a busy machine with two cores needs for a daemon and three runs.
DEADLINE_SECONDS = 150
LOOK_SECONDS = 0.5
END_SECONDS = 40


@dataclass(frozen=True, slots=True)
class Site:
    """A project in a folder of its own: charts file, Dagster home, warehouse."""

    simulator: Simulator
    environ: Mapping[str, str]
    settings: Settings
    instance: dg.DagsterInstance
    log: Path

    def chart(self, slug: str) -> ChartSettings:
        return self.settings.chart(slug)

    def runs(self, trigger: str) -> list[dg.DagsterRun]:
        """Runs that the schedule or a sensor asked for."""
        return list(self.instance.get_runs(dg.RunsFilter(tags={TRIGGER_TAG: trigger})))

    def has_succeeded(self, trigger: str) -> bool:
        """Whether such a run has come to a good end. One that failed ends the test."""
        runs = self.runs(trigger)
        failed = [run.run_id for run in runs if run.status == dg.DagsterRunStatus.FAILURE]
        assert not failed, f"{trigger}: {[self._story(run_id) for run_id in failed]}"
        return any(run.status == dg.DagsterRunStatus.SUCCESS for run in runs)

    def _story(self, run_id: str) -> str:
        return "\n".join(entry.user_message for entry in self.instance.all_logs(run_id))[-3000:]


@pytest.fixture
def site(simulator: Simulator, environ: dict[str, str], tmp_path: Path) -> Iterator[Site]:
    charts = tmp_path / "charts.yaml"
    charts.write_text(CHARTS.format(first_date=simulator.world.today - timedelta(days=30)))
    home = Path(environ["DAGSTER_HOME"])
    home.mkdir()
    shutil.copy(PROJECT / "dagster.yaml", home)
    environ |= {"SOUNDCHARTS_CHARTS": str(charts)}
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield Site(simulator, environ, load_settings(charts), instance, tmp_path / "daemon.log")


def test_the_daemon_schedules_cascades_and_heals(site: Site) -> None:
    world = site.simulator.world
    newest = world.newest_day(SCHEDULED)
    assert newest is not None
    early = newest - timedelta(days=10)
    _materialize_by_hand(site, BY_HAND, early)
    lost = ChartSpan(LOST, newest - timedelta(days=1), newest)
    _know_published(site, lost)

    with _daemon(site):
        _wait(site, "a run of the schedule", lambda: site.has_succeeded("schedule"))
        _wait(site, "a run of the cascade sensor", lambda: site.has_succeeded("cascade_sensor"))
        _wait(site, "a run of the healing sensor", lambda: site.has_succeeded("healing_sensor"))
    assert _alive(site) == []

    assert _spans(site, "schedule") == {ChartSpan(SCHEDULED, newest, newest)}
    assert _spans(site, "cascade_sensor") == {ChartSpan(BY_HAND, early, early)}
    assert _spans(site, "healing_sensor") == {lost}
    for slug, days in ((SCHEDULED, [newest]), (BY_HAND, [early]), (LOST, lost.days)):
        for key in allowed_keys(site.settings, site.chart(slug)):
            made = site.instance.get_materialized_partitions(asset_key(key))
            assert {one for one in made if one.startswith(f"{slug}|")} == {partition_key(slug, day) for day in days}
    _check_truth(site, {SCHEDULED: [newest], BY_HAND: [early], LOST: lost.days})


def _spans(site: Site, trigger: str) -> set[ChartSpan | None]:
    return {span_of_tags(run.tags) for run in site.runs(trigger)}


def _materialize_by_hand(site: Site, slug: str, day: date) -> None:
    command: list[str | Path] = [PROGRAMS / "dagster", "asset", "materialize", "--select", "chart_rankings"]
    command += ["--partition", partition_key(slug, day), "-m", "soundcharts_pipeline.definitions"]
    done = subprocess.run(command, cwd=PROJECT, env=site.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _know_published(site: Site, span: ChartSpan) -> None:
    """Days that a tick once found published, whose run never came."""
    published = [p for p in site.simulator.world.published_days(span.slug) if p.day in span.days]
    with closing(Warehouse(read_environment(site.environ).database_url)) as warehouse, warehouse.write() as conn:
        save_published(conn, span.slug, published, datetime.now(UTC) - timedelta(hours=1))


def _check_truth(site: Site, days: Mapping[str, list[date]]) -> None:
    wanted: Rows = {}
    for slug, of_chart in days.items():
        for table, rows in expected(site.simulator.world, site.chart(slug), of_chart).items():
            wanted.setdefault(table, set()).update(rows)
    with closing(Warehouse(read_environment(site.environ).database_url)) as warehouse:
        held = stored(warehouse)
    for table in ("chart_rankings", "tracks", "artists", "ranked"):
        assert held[table] == wanted[table], table
    # Tracks and artists that two of the charts share have the days of both.
    for table in ("track_audience", "artist_audience"):
        assert held[table] == wanted[table], table


@contextmanager
def _daemon(site: Site) -> Iterator[None]:
    """The daemon with a code server of its own; both are gone at the end."""
    command: list[str | Path] = [PROGRAMS / "dagster-daemon", "run", "-m", "soundcharts_pipeline.definitions"]
    with site.log.open("w") as log:
        daemon = subprocess.Popen(
            command, cwd=PROJECT, env=site.environ, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield
        assert daemon.poll() is None, _tail(site)
    finally:
        daemon.send_signal(signal.SIGINT)
        try:
            daemon.wait(END_SECONDS)
            _wait(site, "the end of every process", lambda: not _alive(site))
        finally:
            # Only what carries this test's own home in its environment.
            for pid in _alive(site):
                os.kill(pid, signal.SIGKILL)
            daemon.wait()


def _alive(site: Site) -> list[int]:
    """Processes that live on this site's Dagster home, this one excepted."""
    mark = f"DAGSTER_HOME={site.environ['DAGSTER_HOME']}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue  # it ended while we looked, or is another user's
    return found


def _wait(site: Site, what: str, condition: Callable[[], bool]) -> None:
    """Until it holds; fails with the daemon's log when that takes too long."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {DEADLINE_SECONDS} s:\n{_tail(site)}"
        pause.wait(LOOK_SECONDS)


def _tail(site: Site) -> str:
    return site.log.read_text()[-6000:]

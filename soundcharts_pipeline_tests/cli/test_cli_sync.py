"""`sync` on a good day: Dagster runs it, the database is full, and asking again costs nothing.

One story, told once for the module: the newest day, then the same day again, this time on a terminal.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import func, select

from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.orchestration.run_requests import asset_key
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.tables import schema
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.command_line import (
    CHARTS,
    Done,
    open_to_others,
    run,
    run_in_terminal,
    user_environ,
    with_charts,
)
from soundcharts_pipeline_tests.support.helpers import SLUG, asked_keys
from soundcharts_pipeline_tests.support.today import TODAY, noon


@dataclass(frozen=True, slots=True)
class Story:
    """Two commands, what each cost, and what they left behind."""

    environ: dict[str, str]
    simulator: Simulator
    newest: date
    done: Sequence[Done]
    calls: Sequence[int]

    def query(self, statement: Any) -> list[Any]:
        warehouse = Warehouse(read_environment(self.environ).database_url)
        with warehouse.read() as conn:
            rows = list(conn.execute(statement))
        warehouse.close()
        return rows


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The two commands have run."""
    folder: Path = tmp_path_factory.mktemp("sync")
    with Simulator(today=TODAY) as simulator:
        environ = with_charts(user_environ(simulator, folder), folder)
        newest = simulator.world.newest_day(SLUG)
        assert newest is not None
        done, calls = [], []
        for command in (
            partial(run, environ, "sync", SLUG),
            partial(run_in_terminal, environ, 100, "sync", SLUG, "--date", f"{newest}"),
        ):
            simulator.reset()
            done.append(command())
            calls.append(simulator.counters.total)
        yield Story(environ, simulator, newest, done, calls)


@pytest.fixture(scope="module")
def instance(story: Story) -> Iterator[dg.DagsterInstance]:
    """Dagster's own state after the story."""
    with dg.DagsterInstance.from_config(story.environ["DAGSTER_HOME"]) as instance:
        yield instance


def test_every_command_of_the_story_is_complete(story: Story) -> None:
    assert [done.code for done in story.done] == [0, 0], story.done
    assert [done.err for done in story.done] == ["", ""]


def test_whatever_was_made_is_for_its_owner_alone(story: Story) -> None:
    assert open_to_others(story.environ["SOUNDCHARTS_DATA_DIR"], story.environ["DAGSTER_HOME"]) == []


def test_without_a_date_the_newest_published_day_is_synced(story: Story) -> None:
    assert story.done[0].says(f"Viral 50, {story.newest} ")


def test_every_place_of_the_day_is_in_the_database(story: Story) -> None:
    t = schema.chart_rankings
    days = story.query(select(t.c.rank_date, func.count()).group_by(t.c.rank_date).order_by(t.c.rank_date))

    assert [tuple(row) for row in days] == [(story.newest, 50)]
    for table in (schema.tracks, schema.artists, schema.track_audience, schema.artist_audience):
        assert story.query(select(func.count()).select_from(table))[0][0] > 0, table.name


def test_every_step_is_materialised_in_dagster(story: Story, instance: dg.DagsterInstance) -> None:
    settings = load_settings(Path(story.environ["SOUNDCHARTS_CHARTS"]))

    for key in asked_keys(settings):
        assert set(instance.get_materialized_partitions(asset_key(key))) == {f"{SLUG}|{story.newest}"}, key


def test_every_command_is_one_run_that_dagster_knows(instance: dg.DagsterInstance) -> None:
    runs = instance.get_runs()

    assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS] * 2
    assert {run.tags["soundcharts/trigger"] for run in runs} == {"cli"}


def test_a_day_that_is_complete_costs_no_call(story: Story) -> None:
    assert story.calls[1] == 0
    assert story.done[1].says("complete, with 0 calls", "nothing to ask")


def test_the_calls_that_are_told_are_those_that_were_made(story: Story) -> None:
    assert story.calls[0] > 50
    for done, calls in zip(story.done, story.calls, strict=True):
        assert done.says(f"complete, with {calls} call")


def test_a_log_has_a_line_per_step_with_its_units(story: Story) -> None:
    lines = [line.split() for line in story.done[0].out.splitlines()[1:-1]]

    assert {line[0] for line in lines} == {
        *("chart_rankings", "track_metadata", "artist_metadata"),
        *("track_audience/spotify", "artist_audience/instagram", "audience_trends"),
    }
    assert ["track_metadata", "5/5", "batches", "of", "ten"] in [line[:5] for line in lines]


def test_a_terminal_has_a_bar_per_step(story: Story) -> None:
    assert "━━━━━━━━" in story.done[1].out
    assert story.done[1].says("artist_audience/instagram not started")


def test_the_newest_day_may_be_named_though_it_is_still_to_come(
    simulator: Simulator, environ: dict[str, str], tmp_path: Path
) -> None:
    friday = TODAY + timedelta(days=(4 - TODAY.weekday()) % 7)
    today = friday - timedelta(days=4)
    simulator.set(oddities=["dated-ahead"], today=today)
    charts = CHARTS.replace("viral-50-global", "tiktok-weekly-songs").replace("spotify", "airplay")
    ready = with_charts({**environ, "SOUNDCHARTS_NOW": noon(today).isoformat()}, tmp_path, charts)
    named = run(ready, "sync", "tiktok-weekly-songs", "--date", str(friday))
    again = run(ready, "sync", "tiktok-weekly-songs")
    assert (named.code, again.code) == (0, 0)
    assert named.says(f"Viral 50, {friday}", "track_audience/airplay nothing to ask", "complete, with")
    assert again.says(f"Viral 50, {friday}", "complete, with 1 call")

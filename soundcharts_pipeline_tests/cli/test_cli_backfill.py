"""`backfill`: a range in bounded runs, ended halfway and gone on with, never paid for twice."""

import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from soundcharts_pipeline.clock import utc_now
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.orchestration.run_requests import asset_key
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.saves import save_published, save_unpublished
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.command_line import CHARTS, end, run, start, user_environ, with_charts
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.today import TODAY

WEEKLY = "tiktok-weekly-songs"
AIRPLAY = CHARTS.replace("[spotify]", "[airplay]").replace("[instagram]", "[]")


@pytest.fixture
def slow_simulator() -> Iterator[Simulator]:
    """A simulator that leaves time to interrupt a run."""
    with Simulator(today=TODAY, latency=0.05) as simulator:
        yield simulator


def test_a_range_is_run_in_the_parts_that_the_charts_file_allows_and_then_is_complete(
    simulator: Simulator, environ: dict[str, str], tmp_path: Path
) -> None:
    environ = with_charts(environ, tmp_path, CHARTS + "max_partitions_per_run: 2\n")
    first, last = _days(simulator, 3)

    done = run(environ, "backfill", SLUG, "--from", f"{first}", "--to", f"{last}")
    assert done.code == 0, done
    assert done.says(f"{first} to {last}: 3 days in 2 runs", "run 1 of 2", f"run 2 of 2: {last} to {last}")
    assert done.says(f"complete, with {simulator.counters.total:,} calls")
    assert len(_runs(environ)) == 2

    again = run(environ, "backfill", SLUG, "--from", f"{first - timedelta(days=1)}")
    assert again.code == 0, again
    assert again.says("1 day in 1 run, 3 days already complete")
    assert simulator.counters.repeats == 1, "the list of rankings alone, which says how far the range goes"

    nothing = run(environ, "backfill", SLUG, "--from", f"{first}", "--to", f"{last}")
    assert nothing.code == 0
    assert nothing.says("0 days in 0 runs, 3 days already complete", "complete, with 0 calls")


def _backfilled(
    simulator: Simulator, environ: dict[str, str], tmp_path: Path
) -> tuple[dict[str, str], tuple[str, ...]]:
    """A project whose chart is healthy, with three complete days, and these as options."""
    environ = with_charts(environ, tmp_path, CHARTS)
    first, last = _days(simulator, 3)
    span = ("--from", f"{first}", "--to", f"{last}")
    assert run(environ, "backfill", SLUG, *span).code == 0
    assert run(environ, "status", SLUG).code == 0
    return environ, span


def test_a_day_that_is_listed_after_its_run_is_held_against_the_chart_and_fetched(
    simulator: Simulator, environ: dict[str, str], tmp_path: Path
) -> None:
    environ, span = _backfilled(simulator, environ, tmp_path)
    first, _ = _days(simulator, 3)
    listed = [ranking for ranking in simulator.world.published_days(SLUG) if ranking.day == first]
    with closing(Warehouse(read_environment(environ).database_url)) as warehouse, warehouse.write() as conn:
        # What a run leaves behind on a day that the list of rankings leaves out, and the list after that.
        for table in (s.chart_rankings, s.ranking_days):
            conn.execute(table.delete().where(table.c.chart_slug == SLUG, table.c.rank_date == first))
        now = read_environment(environ).clock()
        save_unpublished(conn, SLUG, [first], now)
        save_published(conn, SLUG, listed, now)

    degraded = run(environ, "status", SLUG)
    assert degraded.code == 1
    assert degraded.says("1 published day is not complete", f"{first}")
    assert run(environ, "backfill", SLUG, *span).says("1 day in 1 run, 2 days already complete")
    assert run(environ, "status", SLUG).code == 0


def test_a_day_whose_ranking_alone_was_fetched_anew_is_held_against_the_chart_and_run(
    simulator: Simulator, environ: dict[str, str], tmp_path: Path
) -> None:
    environ, span = _backfilled(simulator, environ, tmp_path)
    _, last = _days(simulator, 3)
    d = s.ranking_days
    with closing(Warehouse(read_environment(environ).database_url)) as warehouse, warehouse.write() as conn:
        # What a run of the rankings alone leaves behind that found another version.
        of_day = (d.c.chart_slug == SLUG, d.c.rank_date == last)
        conn.execute(d.update().where(*of_day).values(changed_at=utc_now(), completed_at=None))

    degraded = run(environ, "status", SLUG)
    assert degraded.code == 1
    assert degraded.says("1 published day is not complete", f"{last}")
    assert run(environ, "backfill", SLUG, *span).says("1 day in 1 run, 2 days already complete")
    assert run(environ, "status", SLUG).code == 0
    assert run(environ, "backfill", SLUG, *span).says("3 days already complete")


def test_days_that_a_restored_backup_knows_nothing_of_are_held_against_the_chart_and_fetched(
    simulator: Simulator, environ: dict[str, str], tmp_path: Path
) -> None:
    environ = with_charts(environ, tmp_path, AIRPLAY)
    first, last = _days(simulator, 2)
    span = ("--from", f"{first}", "--to", f"{last}")
    assert run(environ, "sync", SLUG, "--date", f"{first}").code == 0
    database = tmp_path / "data" / "soundcharts.db"
    copy = database.read_bytes()
    before = simulator.counters.total
    assert run(environ, "sync", SLUG, "--date", f"{last}").code == 0
    paid = simulator.counters.total - before

    # By hand: nothing of ours takes note of it.
    for file in database.parent.glob("soundcharts.db*"):
        file.unlink()
    database.write_bytes(copy)
    lost = run(environ, "status", SLUG)
    assert lost.code == 1
    assert lost.says("1 published day is not complete")
    again = run(environ, "backfill", SLUG, *span)
    assert again.code == 0, again
    assert again.says("1 day in 1 run, 1 day already complete", f"complete, with {paid:,} calls")
    assert run(environ, "status", SLUG).code == 0


def test_a_range_that_is_ended_halfway_keeps_its_complete_days_and_the_rest_is_all_that_is_run_next(
    slow_simulator: Simulator, tmp_path: Path
) -> None:
    simulator = slow_simulator
    environ = with_charts({**user_environ(simulator, tmp_path), "SOUNDCHARTS_MAX_IN_FLIGHT": "4"}, tmp_path, AIRPLAY)
    first, last = _days(simulator, 3)
    process = start(environ, "backfill", SLUG, "--from", f"{first}", "--to", f"{last}")
    pause = threading.Event()
    # The plays of the first day have come in, those of the last have not.
    while simulator.counters.calls.get("track_broadcasts", 0) < 90:
        assert process.poll() is None
        pause.wait(0.02)
    code, printed = end(process, signal.SIGTERM)
    assert code == 143, printed
    assert "what was saved stays" in printed
    days = _materialized(environ, "track_audience/airplay")
    assert first in days
    assert last not in days
    assert _materialized(environ, "chart_rankings") == {first + timedelta(days=n) for n in range(3)}

    assert simulator.counters.repeats == 0
    rest = run(environ, "backfill", SLUG, "--from", f"{first}", "--to", f"{last}")
    assert rest.code == 0, rest
    assert rest.says("3 days in 1 run"), "the trends come last, and no day has them yet"
    assert simulator.counters.repeats == 0, "what was in flight when the run was ended was saved"


def test_a_range_stops_at_a_quota_that_is_used_up_and_says_what_was_not_tried(
    simulator: Simulator, environ: dict[str, str], tmp_path: Path
) -> None:
    environ = with_charts(environ, tmp_path, CHARTS + "max_partitions_per_run: 1\n")
    first, last = _days(simulator, 3)
    simulator.set(quota=20)
    done = run(environ, "backfill", SLUG, "--from", f"{first}", "--to", f"{last}")
    assert done.code == 4
    assert done.says("2 days not tried", "are still to do", "quota is used up")
    assert simulator.counters.answered - simulator.counters.calls["usage"] == 20


def test_a_range_that_ends_before_it_begins_is_refused(environ: dict[str, str], tmp_path: Path) -> None:
    done = run(with_charts(environ, tmp_path), "backfill", SLUG, "--from", "2026-11-02", "--to", "2026-11-01")
    assert done.code == 2
    assert done.says("--from 2026-11-02 is after --to 2026-11-01")


def test_a_range_that_begins_after_the_newest_ranking_says_which_day_that_is(
    simulator: Simulator, environ: dict[str, str], tmp_path: Path
) -> None:
    _, newest = _days(simulator, 1)
    done = run(with_charts(environ, tmp_path), "backfill", SLUG, "--from", f"{newest + timedelta(days=1)}")
    assert done.code == 1
    assert done.says(f"the newest ranking of {SLUG} is of {newest}")


@pytest.mark.parametrize("named", [True, False], ids=["--to", "newest"])
@pytest.mark.parametrize("known", [False, True], ids=["fresh", "gaps"])
def test_the_list_of_rankings_is_read_once_for_all_gaps_of_a_weekly_chart(
    simulator: Simulator, environ: dict[str, str], tmp_path: Path, known: bool, named: bool
) -> None:
    environ = with_charts(environ, tmp_path, CHARTS.replace(SLUG, WEEKLY))
    weeks = [ranking.day for ranking in simulator.world.published_days(WEEKLY)][:5]
    newest, first = weeks[0], weeks[-1]
    for week in [weeks[1], weeks[3]] if known else []:
        assert run(environ, "sync", WEEKLY, "--date", f"{week}").code == 0
    if known:
        # As after a month of syncs: what lies between the weeks was never asked for.
        assert simulator.counters.calls["available_rankings"] == 1
    simulator.reset()

    end_of_range = ("--to", f"{newest}") if named else ()
    done = run(environ, "backfill", WEEKLY, "--from", f"{first}", *end_of_range)
    assert done.code == 0, done
    assert done.says("in 3 runs" if known else "in 1 run")
    assert simulator.counters.calls["available_rankings"] == 1
    assert _materialized(environ, "chart_rankings") == {first + timedelta(days=n) for n in range(29)}


def _days(simulator: Simulator, count: int) -> tuple[date, date]:
    newest = simulator.world.newest_day(SLUG)
    assert newest is not None
    return newest - timedelta(days=count - 1), newest


def _runs(environ: dict[str, str]) -> list[dg.DagsterRun]:
    with dg.DagsterInstance.from_config(environ["DAGSTER_HOME"]) as instance:
        return list(instance.get_runs())


def _materialized(environ: dict[str, str], key: str) -> set[date]:
    with dg.DagsterInstance.from_config(environ["DAGSTER_HOME"]) as instance:
        keys = instance.get_materialized_partitions(asset_key(key))
    return {date.fromisoformat(one.rpartition("|")[2]) for one in keys}

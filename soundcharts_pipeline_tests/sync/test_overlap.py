"""Runs that overlap do not pay twice: what one asks for, the other waits for."""

import subprocess
from collections.abc import Sequence
from datetime import date

import pytest

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage import claims
from soundcharts_pipeline.storage.processes import host_name
from soundcharts_pipeline.storage.tables.bookkeeping import claims as claims_table
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.rankings import sync_rankings
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.today import TODAY
from soundcharts_pipeline_tests.support.truth import expected, stored
from soundcharts_pipeline_tests.sync.one_run import command, run_chart

# Half of the tracks of this chart are in the other one too.
OTHER = "viral-50-in"


@pytest.mark.parametrize("second", [SLUG, OTHER], ids=["same chart", "charts that share artists"])
def test_two_runs_at_once_ask_every_question_once_between_them(database_url: str, second: str) -> None:
    with Simulator(today=TODAY, latency=0.02) as simulator:
        spans = [(SLUG, last_days(simulator, SLUG, 3)), (second, last_days(simulator, second, 2))]
        processes = [subprocess.Popen(command(simulator, database_url, slug, days)) for slug, days in spans]
        assert [process.wait() for process in processes] == [0, 0]
        assert simulator.counters.repeats == 0
        warehouse = Warehouse(database_url)
        for slug, days in spans:
            assert _is_there(simulator, warehouse, slug, days)
        assert _claimed(warehouse) == 0
        before = simulator.counters.total
        run_cascade(new_context(simulator, warehouse), run_chart(), spans[0][1])
        assert simulator.counters.total == before
        warehouse.close()


def test_a_series_found_silent_is_still_asked_for_history_from_before(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    # The other chart's window begins a day later, and an artist of both has a last point on the day before it.
    runs = {OTHER: last_days(simulator, OTHER, 2), SLUG: last_days(simulator, SLUG, 3)}
    for slug, days in runs.items():
        run_cascade(new_context(simulator, sqlite_warehouse), run_chart(slug), days)
    assert _is_there(simulator, sqlite_warehouse, SLUG, runs[SLUG])


def test_a_range_of_the_past_that_is_silent_does_not_hide_the_days_of_now(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    past, now = last_days(simulator, SLUG, 1, before=40), last_days(simulator, SLUG, 1)
    for days in (past, now):
        run_cascade(new_context(simulator, sqlite_warehouse), run_chart(), days)
        assert _is_there(simulator, sqlite_warehouse, SLUG, days)


def test_a_question_that_a_dead_run_had_claimed_is_asked_at_once(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    days = last_days(simulator, SLUG, 1)
    with sqlite_warehouse.write() as conn:
        dead = f"{host_name()}/{process.pid}/1"
        claims.take(conn, [f"published/{SLUG}", f"{SLUG}/{days[0]}"], dead)
    assert sync_rankings(new_context(simulator, sqlite_warehouse), small_chart(), days).rows == 50


def test_a_run_that_stops_halfway_lets_go_of_what_it_has_not_asked(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    days = last_days(simulator, SLUG, 2)
    simulator.set(quota=30)
    with pytest.raises(Exception, match="still to do"):
        run_cascade(new_context(simulator, sqlite_warehouse), small_chart(), days)
    assert _claimed(sqlite_warehouse) == 0


def _is_there(simulator: Simulator, warehouse: Warehouse, slug: str, days: Sequence[date]) -> bool:
    wanted, found = expected(simulator.world, run_chart(slug), days), stored(warehouse)
    return all(set(rows) <= set(found[table]) for table, rows in wanted.items())


def _claimed(warehouse: Warehouse) -> int:
    with warehouse.read() as conn:
        return len(conn.execute(claims_table.select()).all())

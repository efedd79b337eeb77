"""A run is its process's as long as the database says so, by the database's clock."""

import subprocess
import sys
from datetime import timedelta

import pytest

from soundcharts_pipeline.clock import utc_now
from soundcharts_pipeline.storage import claims, leases
from soundcharts_pipeline.storage.leases import Lengths
from soundcharts_pipeline.storage.processes import host_name
from soundcharts_pipeline.storage.warehouse import Warehouse

# Every look counts, and whoever has no lease is over at once.
EVERY = Lengths(between_looks=0, unclaimed=-1)
RUN, OTHER = "run-1", "run-2"
ELSEWHERE, BESIDE = "another-host/1/1", "another-host/2/1"
OVER, LIVING = -60.0, 60.0
# Over from now on, which is after the last look.
AFTER_A_LOOK = 0.0


def _look(warehouse: Warehouse, *, lengths: Lengths = EVERY, runs: tuple[str, ...] = (RUN,)) -> dict[str, str]:
    with warehouse.write() as conn:
        return leases.end_lost(conn, runs, lengths, expected=dict.fromkeys(runs, lengths.unclaimed))


def _take(warehouse: Warehouse, holder: str, seconds: float, run_id: str = RUN) -> None:
    with warehouse.write() as conn:
        leases.take(conn, run_id, holder, seconds=seconds)


def _renew(warehouse: Warehouse, holder: str, seconds: float) -> bool:
    with warehouse.write() as conn:
        return leases.renew(conn, RUN, holder, seconds=seconds)


def test_a_lease_that_is_over_at_two_looks_is_ended_once(warehouse: Warehouse) -> None:
    _take(warehouse, ELSEWHERE, OVER)
    _take(warehouse, BESIDE, LIVING, OTHER)
    assert _look(warehouse, runs=(RUN, OTHER)) == {}
    assert _look(warehouse, runs=(RUN, OTHER)) == {RUN: ELSEWHERE}
    assert _look(warehouse, runs=(OTHER,)) == {}


def test_looks_that_follow_each_other_at_once_count_as_one(warehouse: Warehouse) -> None:
    apart = Lengths(between_looks=3600)
    _take(warehouse, ELSEWHERE, OVER)
    assert [_look(warehouse, lengths=apart) for _ in range(3)] == [{}, {}, {}]


def test_a_lease_that_ran_out_while_the_database_was_away_is_renewed_before_it_is_believed(
    warehouse: Warehouse,
) -> None:
    _look(warehouse)
    _take(warehouse, ELSEWHERE, AFTER_A_LOOK)
    assert _look(warehouse) == {}
    assert _renew(warehouse, ELSEWHERE, LIVING)
    assert [_look(warehouse), _look(warehouse)] == [{}, {}]


def test_what_a_lost_process_was_asking_is_free_at_the_end_of_its_lease(warehouse: Warehouse) -> None:
    _take(warehouse, ELSEWHERE, OVER)
    mine = claims.new_holder()
    with warehouse.write() as conn:
        claims.take(conn, ["a"], "another-host/1/2")
        claims.take(conn, ["b"], "another-host/11/1")
    assert [_look(warehouse), _look(warehouse)] == [{}, {RUN: ELSEWHERE}]
    with warehouse.write() as conn:
        assert claims.take(conn, ["a", "b"], mine) == {"a"}


def test_whoever_comes_back_after_the_end_finds_the_run_lost(warehouse: Warehouse) -> None:
    _take(warehouse, ELSEWHERE, OVER)
    assert [_look(warehouse), _look(warehouse)] == [{}, {RUN: ELSEWHERE}]
    assert not _renew(warehouse, ELSEWHERE, LIVING)
    with warehouse.read() as conn:
        assert not leases.is_held(conn, RUN, ELSEWHERE)


def test_an_end_that_was_not_reported_is_found_again(warehouse: Warehouse) -> None:
    _take(warehouse, ELSEWHERE, OVER)
    assert [_look(warehouse), _look(warehouse)] == [{}, {RUN: ELSEWHERE}]
    assert [_look(warehouse), _look(warehouse)][-1] == {RUN: leases.NOBODY}


def test_a_process_of_this_host_that_is_gone_is_believed_at_the_first_look(warehouse: Warehouse) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    gone = f"{host_name()}/{process.pid}/1"
    _take(warehouse, gone, LIVING)
    _take(warehouse, claims.new_holder(), LIVING, OTHER)
    assert _look(warehouse, runs=(RUN, OTHER)) == {RUN: gone}


def test_a_run_lives_as_long_as_one_of_its_processes(warehouse: Warehouse) -> None:
    _take(warehouse, ELSEWHERE, OVER)
    _take(warehouse, BESIDE, LIVING)
    assert [_look(warehouse), _look(warehouse)] == [{}, {}]
    with warehouse.write() as conn:
        leases.give_back(conn, RUN, BESIDE)
    assert _look(warehouse) == {RUN: ELSEWHERE}


def test_a_run_without_a_lease_has_time_to_take_one(warehouse: Warehouse) -> None:
    patient = Lengths(between_looks=0)
    assert [_look(warehouse, lengths=patient) for _ in range(3)] == [{}, {}, {}]
    _take(warehouse, ELSEWHERE, OVER)
    assert _look(warehouse, lengths=patient) == {RUN: ELSEWHERE}


def test_a_run_of_which_no_process_ever_speaks_is_ended(warehouse: Warehouse) -> None:
    assert [_look(warehouse), _look(warehouse)] == [{}, {RUN: leases.NOBODY}]


@pytest.mark.parametrize("hours", [-24, 24])
def test_the_clock_of_a_host_does_not_decide(postgres_url: str, monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    warehouse = Warehouse(postgres_url)
    _take(warehouse, ELSEWHERE, OVER)
    _take(warehouse, BESIDE, LIVING, OTHER)
    monkeypatch.setattr(claims, "utc_now", lambda: utc_now() + timedelta(hours=hours))
    assert [_look(warehouse, runs=(RUN, OTHER)) for _ in range(2)] == [{}, {RUN: ELSEWHERE}]
    warehouse.close()


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_clock_that_is_set_anew_ends_no_living_run(
    sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    _look(sqlite_warehouse)
    _take(sqlite_warehouse, ELSEWHERE, LIVING)
    monkeypatch.setattr(claims, "utc_now", lambda: utc_now() + timedelta(hours=hours))
    assert _look(sqlite_warehouse) == {}
    assert _renew(sqlite_warehouse, ELSEWHERE, LIVING)
    assert [_look(sqlite_warehouse), _look(sqlite_warehouse)] == [{}, {}]

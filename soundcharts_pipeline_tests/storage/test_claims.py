"""Who asks what: one holder at a time, and nobody waits for the dead."""

import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from soundcharts_pipeline.storage import claims
from soundcharts_pipeline.storage.errors import StorageUnavailable
from soundcharts_pipeline.storage.processes import host_name
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.warehouse import Warehouse

ELSEWHERE = "another-host/1/1"
# Long ago by any clock.
OVER = datetime(2000, 1, 1, tzinfo=UTC)


def test_a_subject_is_one_holders_until_it_is_given_back(warehouse: Warehouse) -> None:
    mine, other = claims.new_holder(), claims.new_holder()
    with warehouse.write() as conn:
        assert claims.take(conn, ["a", "b"], mine) == {"a", "b"}
    with warehouse.write() as conn:
        assert claims.take(conn, ["b", "c"], other) == {"c"}
        assert claims.take(conn, ["a", "b"], mine) == {"a", "b"}
        claims.give_back(conn, ["a", "b"], other)
        assert claims.take(conn, ["a"], other) == set()
        claims.give_back(conn, ["a"], mine)
        assert claims.take(conn, ["a", "b"], other) == {"a"}


def test_what_a_dead_process_of_this_host_held_is_free_at_once(warehouse: Warehouse) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with warehouse.write() as conn:
        claims.take(conn, ["a"], f"{host_name()}/{process.pid}/1")
        assert claims.take(conn, ["a"], claims.new_holder()) == {"a"}


def test_what_another_host_holds_is_free_when_its_lease_is_over_and_not_before(warehouse: Warehouse) -> None:
    mine = claims.new_holder()
    with warehouse.write() as conn:
        claims.take(conn, ["a", "b"], ELSEWHERE)
        assert claims.take(conn, ["a", "b"], mine) == set()
        conn.execute(b.claims.update().where(b.claims.c.subject == "a").values(until=OVER))
        assert claims.take(conn, ["a", "b"], mine) == {"a"}


def test_who_stops_in_the_middle_of_a_transaction_holds_up_nobody(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "LONGEST_TURN", "100ms")
    with closing(Warehouse(postgres_url)) as cut_off, closing(Warehouse(postgres_url, lock_timeout=10)) as another:
        another.prepare()
        with pytest.raises(StorageUnavailable) as lost, cut_off.write() as conn:
            _take_while_the_other_waits(conn, another)
    assert lost.value.is_away


def _take_while_the_other_waits(conn: Connection, another: Warehouse) -> None:
    mine, other = claims.new_holder(), claims.new_holder()
    claims.take(conn, ["a"], mine)
    with another.write() as theirs:
        assert claims.take(theirs, ["a"], other) == {"a"}
    claims.renew(conn, mine)


def test_a_renewed_claim_lasts_for_another_lease(warehouse: Warehouse) -> None:
    with warehouse.write() as conn:
        claims.take(conn, ["a"], ELSEWHERE)
        conn.execute(b.claims.update().values(until=OVER))
        claims.renew(conn, ELSEWHERE)
        assert claims.take(conn, ["a"], claims.new_holder()) == set()

"""Ctrl-C in the middle of a transaction neither cuts it in half nor leaves a lock behind."""

import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest

from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.storage.saves import note_fact
from soundcharts_pipeline.storage.warehouse import Warehouse

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _python_hears_ctrl_c() -> Iterator[None]:
    """A shell starts jobs in the background deaf to SIGINT; these tests are not about that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_in_a_transaction_is_raised_when_it_is_saved(sqlite_url: str) -> None:
    with closing(Warehouse(sqlite_url)) as warehouse, closing(Warehouse(sqlite_url, lock_timeout=0)) as other:
        with pytest.raises(KeyboardInterrupt):
            _save_interrupted(warehouse)

        with other.write() as conn:
            assert worklists.fact(conn, "before") == "saved"


def test_the_handler_of_the_caller_is_back_afterwards(sqlite_url: str) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    with closing(Warehouse(sqlite_url)) as warehouse, pytest.raises(ZeroDivisionError), warehouse.write():
        _ = 1 / 0

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def _save_interrupted(warehouse: Warehouse) -> None:
    with warehouse.write() as conn:
        signal.raise_signal(signal.SIGINT)
        note_fact(conn, "before", "saved", NOW)

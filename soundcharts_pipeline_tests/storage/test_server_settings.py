"""PostgreSQL databases and users whose settings are not the server's defaults: all is saved, or refused for nothing."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, make_url, text

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.errors import StorageUnavailable
from soundcharts_pipeline.storage.housekeeping.backup import back_up, restore
from soundcharts_pipeline.storage.rights import check_encoding
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.preconditions import inside_source
from soundcharts_pipeline_tests.storage.old_rows import NOW, fill_named
from soundcharts_pipeline_tests.support.helpers import (
    SLUG,
    last_days,
    new_context,
    run_cascade,
    small_chart,
    whole_rows,
)
from soundcharts_pipeline_tests.support.truth import expected, stored

SOURCE = "local"
SETTINGS = [
    "default_transaction_isolation = 'repeatable read'",
    "default_transaction_isolation = 'serializable'",
    "default_transaction_deferrable = on",
    "TimeZone = 'Asia/Kathmandu'",
    "DateStyle = 'SQL, DMY'",
    "IntervalStyle = 'sql_standard'",
    "bytea_output = 'escape'",
    "extra_float_digits = -15",
    "client_encoding = 'LATIN1'",
    "standard_conforming_strings = off",
    "transform_null_equals = on",
    "array_nulls = off",
    "row_security = off",
    "session_replication_role = 'origin'",
    "synchronous_commit = off",
    "plan_cache_mode = 'force_generic_plan'",
]


def _set(url: str, setting: str) -> None:
    """What every later connection to the database begins with."""
    _administer(url, f"ALTER DATABASE {make_url(url).database} SET {setting}")


def _administer(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@contextmanager
def database_in(url: str, encoding: str) -> Iterator[str]:
    """An empty database beside this one, of another encoding."""
    name = f"{make_url(url).database}_{encoding.lower()}"
    _administer(url, f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    yield make_url(url).set(database=name).render_as_string()
    _administer(url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("setting", SETTINGS)
def test_whatever_connections_begin_with_all_is_saved_once(
    postgres_url: str, simulator: Simulator, setting: str
) -> None:
    _set(postgres_url, setting)
    simulator.set(oddities=["all"])
    chart, days = small_chart(), last_days(simulator, SLUG, 1)
    with closing(Warehouse(postgres_url)) as warehouse:
        run_cascade(new_context(simulator, warehouse), chart, days)
        assert stored(warehouse) == expected(simulator.world, chart, days)
        before, asked = whole_rows(warehouse), simulator.counters.total
        run_cascade(new_context(simulator, warehouse), chart, days)
        assert (whole_rows(warehouse), simulator.counters.total) == (before, asked)


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1252", "EUC_JP"])
def test_a_database_that_lacks_letters_is_refused_before_it_has_tables(postgres_url: str, encoding: str) -> None:
    told = f"keeps text in {encoding}.*ENCODING 'UTF8' TEMPLATE template0"
    with database_in(postgres_url, encoding) as url, closing(Warehouse(url)) as warehouse:  # noqa: SIM117
        with pytest.raises(StorageUnavailable, match=told):
            warehouse.migrate()


def test_a_database_that_takes_every_byte_is_not_refused(postgres_url: str, simulator: Simulator) -> None:
    chart, days = small_chart(), last_days(simulator, SLUG, 1)
    with database_in(postgres_url, "SQL_ASCII") as url, closing(Warehouse(url)) as warehouse:
        run_cascade(new_context(simulator, warehouse), chart, days)
        assert stored(warehouse) == expected(simulator.world, chart, days)


@pytest.mark.usefixtures("postgres_programs")
def test_what_a_database_that_lacks_letters_holds_is_read_and_brought_over(
    postgres_url: str, simulator: Simulator, tmp_path: Path
) -> None:
    with closing(Warehouse(postgres_url)) as first:
        fill_named(first)
        kept = back_up(first, tmp_path / "first", keep=1, now=NOW).path
        whole = whole_rows(first)
    with database_in(postgres_url, "LATIN1") as url:
        # Earlier versions made tables there.
        restore(make_url(url), kept, replace=False)
        with closing(Warehouse(url)) as old:
            assert whole_rows(old) == whole
            ctx = new_context(simulator, old)
            with pytest.raises(StorageUnavailable, match="keeps text in LATIN1"), inside_source(ctx, SOURCE):
                run_cascade(ctx, small_chart(), last_days(simulator, SLUG, 1))
            assert simulator.counters.total == 0
            again = back_up(old, tmp_path / "second", keep=1, now=NOW).path
    restore(make_url(postgres_url), again, replace=True)
    with closing(Warehouse(postgres_url)) as first, first.read() as conn:
        assert whole_rows(first) == whole
        check_encoding(conn)


@pytest.mark.usefixtures("postgres_programs")
def test_a_backup_holds_letters_that_its_user_s_own_encoding_lacks(postgres_url: str, tmp_path: Path) -> None:
    def name(conn: Connection) -> None:
        conn.execute(text("UPDATE tracks SET name = 'Zażółć 東京'"))

    _set(postgres_url, "client_encoding = 'LATIN1'")
    with closing(Warehouse(postgres_url)) as warehouse:
        fill_named(warehouse)
        warehouse.save(name)
        kept = back_up(warehouse, tmp_path, keep=1, now=NOW).path
        whole = whole_rows(warehouse)
        restore(warehouse.url, kept, replace=True)
        assert whole_rows(warehouse) == whole

"""An installed database equals the schema, however it came about, and other programs' tables are left alone."""

import multiprocessing
from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, make_url, text
from sqlalchemy.exc import DBAPIError

from soundcharts_pipeline.storage import migrations
from soundcharts_pipeline.storage.engine import make_parent_folder
from soundcharts_pipeline.storage.errors import SchemaMismatch
from soundcharts_pipeline.storage.schema import metadata
from soundcharts_pipeline.storage.warehouse import Warehouse

from . import at_once

SPAWN = multiprocessing.get_context("spawn")


def differences(warehouse: Warehouse) -> list[object]:
    """What Alembic would change to get from the database to the schema."""
    options = {"include_name": migrations.ours, "version_table": migrations.VERSION_TABLE, "compare_type": True}
    with warehouse.read() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def test_a_migrated_database_equals_the_schema(warehouse: Warehouse) -> None:
    assert differences(warehouse) == []


def test_a_missing_column_is_a_difference(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        connection.execute(text("ALTER TABLE charts DROP COLUMN web_url"))
    assert [kind for kind, *_ in differences(warehouse)] == ["add_column"]  # type: ignore[misc, has-type]


def test_tables_of_other_programs_are_left_alone(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("CREATE TABLE runs (id INTEGER)"))
    assert differences(warehouse) == []


def test_preparing_again_changes_nothing(database_url: str) -> None:
    created = []
    for _ in range(2):
        with closing(Warehouse(database_url)) as warehouse:
            warehouse.prepare()
            warehouse.prepare()
            with warehouse.read() as connection:
                tables = inspect(connection).get_table_names()
                version = connection.scalars(text("SELECT version_num FROM soundcharts_schema_version")).all()
        created.append((sorted(tables), version))
    assert created == [(sorted([*metadata.tables, "soundcharts_schema_version"]), [migrations.HEAD])] * 2


def test_the_revision_written_down_is_the_last_one(warehouse: Warehouse) -> None:
    with warehouse.read() as connection:
        assert ScriptDirectory.from_config(migrations.config(connection)).get_current_head() == migrations.HEAD


def test_a_database_of_a_newer_version_is_refused(database_url: str) -> None:
    with closing(Warehouse(database_url)) as warehouse, warehouse.write() as connection:
        connection.execute(text("UPDATE soundcharts_schema_version SET version_num = '9999'"))
    with closing(Warehouse(database_url)) as warehouse:
        with pytest.raises(SchemaMismatch, match=r"revision 9999, .* up to 0003; upgrade soundcharts-pipeline"):
            warehouse.prepare()
        with pytest.raises(SchemaMismatch), warehouse.read():
            pytest.fail("a database that is not understood was opened")


def test_a_migration_that_fails_leaves_no_tables(database_url: str) -> None:
    url = make_url(database_url)
    make_parent_folder(url)
    other = create_engine(url)
    with other.begin() as connection:
        connection.execute(text("CREATE TABLE track_audience (id INTEGER)"))
    with closing(Warehouse(database_url)) as warehouse, pytest.raises(DBAPIError, match="track_audience"):
        warehouse.prepare()
    with other.connect() as connection:
        assert inspect(connection).get_table_names() == ["track_audience"]
    other.dispose()


def test_processes_that_prepare_an_empty_database_at_once_agree(database_url: str) -> None:
    count = 8
    barrier, answers = SPAWN.Barrier(count), SPAWN.Queue()
    processes = [SPAWN.Process(target=at_once.prepare, args=(database_url, barrier, answers)) for _ in range(count)]
    for process in processes:
        process.start()
    assert [answers.get(timeout=60) for _ in processes] == [migrations.HEAD] * count
    for process in processes:
        process.join()
    with closing(Warehouse(database_url)) as warehouse:
        assert differences(warehouse) == []

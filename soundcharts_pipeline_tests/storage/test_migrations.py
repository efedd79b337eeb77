"""An installed database equals the schema, however it came about, and other programs' tables are left alone."""

import multiprocessing
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, make_url, select, text
from sqlalchemy.exc import DBAPIError

from soundcharts_pipeline.storage import migrations
from soundcharts_pipeline.storage.bulk import merge
from soundcharts_pipeline.storage.engine import make_parent_folder
from soundcharts_pipeline.storage.errors import SchemaMismatch
from soundcharts_pipeline.storage.tables import schema, view_sql
from soundcharts_pipeline.storage.tables.schema import metadata
from soundcharts_pipeline.storage.tables.views import VIEWS
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


def test_a_migrated_database_has_the_keys_and_indexes_of_the_schema(warehouse: Warehouse) -> None:
    with warehouse.read() as connection:
        found = inspect(connection)
        for name, table in metadata.tables.items():
            key = found.get_pk_constraint(name)
            assert key["constrained_columns"] == [column.name for column in table.primary_key], name
            assert key["name"] == f"pk_{name}"
            indexes = {index["name"]: index["column_names"] for index in found.get_indexes(name)}
            assert indexes == {index.name: [column.name for column in index.columns] for index in table.indexes}, name


def test_rankings_of_an_older_database_stay_and_take_tracks_that_share_a_position(database_url: str) -> None:
    url = make_url(database_url)
    make_parent_folder(url)
    other = create_engine(url)
    day, then = date(2026, 11, 20), datetime(2026, 11, 21, 2, tzinfo=UTC)
    with other.begin() as connection:
        view_sql.drop(connection, VIEWS)
        command.upgrade(migrations.config(connection), "0008")
    of_place = "INSERT INTO chart_rankings (chart_slug, rank_date, position, track_uuid, metric, fetched_at) VALUES "
    of_day = "INSERT INTO ranking_days (chart_slug, rank_date, published_at, checked_at, saved_at) VALUES "
    with other.begin() as connection:
        for place, track in enumerate(("a", "b", "a"), start=1):
            values = {"day": day, "place": place, "track": track, "metric": place << 40, "then": then}
            connection.execute(text(of_place + "('c', :day, :place, :track, :metric, :then)"), values)
        for number, saved in ((0, then), (1, None)):
            values = {"day": day - timedelta(days=number), "stamp": f"stamp {number}", "then": then, "saved": saved}
            connection.execute(text(of_day + "('c', :day, :stamp, :then, :saved)"), values)
    other.dispose()

    with closing(Warehouse(database_url)) as warehouse:
        r, d = schema.chart_rankings, schema.ranking_days.c
        with warehouse.write() as connection:
            merge(
                connection,
                r,
                [("c", day, 2, "c", then)],
                columns=["chart_slug", "rank_date", "position", "track_uuid", "fetched_at"],
            )
        with warehouse.read() as connection:
            columns = (r.c.position, r.c.track_uuid, r.c.metric, r.c.fetched_at)
            assert [tuple(row) for row in connection.execute(select(*columns).order_by(*r.primary_key))] == [
                (1, "a", 1 << 40, then),
                (2, "b", 2 << 40, then),
                (2, "c", None, then),
                (3, "a", 3 << 40, then),
            ]
            days = select(d.published_at, d.saved_at, d.saved_version, d.changed_at).order_by(d.published_at)
            assert [tuple(row) for row in connection.execute(days)] == [
                ("stamp 0", then, "stamp 0", None),
                ("stamp 1", None, None, None),
            ]
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
        with pytest.raises(
            SchemaMismatch, match=rf"revision 9999, .* up to {migrations.HEAD}; upgrade soundcharts-pipeline"
        ):
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

"""What a column means is said once, and told in the database, in Dagster's UI and in the documentation."""

from contextlib import closing

import pytest
from sqlalchemy import Table, text

from soundcharts_pipeline.definitions import defs
from soundcharts_pipeline.storage.tables import meanings
from soundcharts_pipeline.storage.tables.schema import metadata
from soundcharts_pipeline.storage.tables.views import VIEWS
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support import tables_page
from soundcharts_pipeline_tests.support.tables_page import TABLES

# Every table and view of the database, and every column of them, with what is said of it.
SAID = """
SELECT c.relname, a.attname, col_description(c.oid, a.attnum), obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
"""


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: str(table.name))
def test_every_column_is_described(table: Table) -> None:
    assert [column.name for column in table.c if not (column.comment or "").strip()] == []
    assert table.comment


def test_no_words_are_left_of_a_column_that_is_gone() -> None:
    for name, columns in meanings.OF_TABLE.items():
        assert columns.keys() <= set(TABLES[name].c.keys()), name
    assert meanings.EVERYWHERE.keys() <= {column.name for table in TABLES.values() for column in table.c}


def test_dagster_shows_what_every_column_means() -> None:
    schemas = {
        spec.key.to_user_string(): spec.metadata["dagster/column_schema"]
        for spec in defs.resolve_all_asset_specs()
        if "dagster/column_schema" in spec.metadata
    }
    assert {"chart_rankings", "artist_audience/spotify", "audience_trends", "storage_report"} <= schemas.keys()
    silent = [
        f"{asset}.{one.name}" for asset, schema in schemas.items() for one in schema.columns if not one.description
    ]
    assert silent == []


def test_postgresql_says_what_every_table_view_and_column_means(postgres_url: str) -> None:
    with closing(Warehouse(postgres_url)) as warehouse, warehouse.read() as connection:
        rows = connection.execute(text(SAID)).all()
    assert {table for table, *_ in rows} == {*TABLES, "soundcharts_schema_version"}
    assert [f"{table}.{column}" for table, column, of_column, of_table in rows if not (of_column and of_table)] == []
    words = {(table, column): of_column for table, column, of_column, _ in rows}
    assert {(name, column.name): column.comment for name, table in TABLES.items() for column in table.c}.items() <= (
        words.items()
    )


def test_an_installed_database_takes_other_words_by_migrate_and_by_no_other_command(postgres_url: str) -> None:
    said = text("SELECT obj_description('charts'::regclass), col_description('track_overview'::regclass, 1)")
    with closing(Warehouse(postgres_url)) as warehouse, warehouse.write() as connection:
        connection.execute(text("COMMENT ON TABLE charts IS 'as an older version had it'"))
        connection.execute(text("COMMENT ON COLUMN track_overview.uuid IS NULL"))
    with closing(Warehouse(postgres_url)) as warehouse:
        with warehouse.read() as connection:
            assert connection.execute(said).one() == ("as an older version had it", None)
        warehouse.migrate()
        with warehouse.read() as connection:
            assert connection.execute(said).one() == (TABLES["charts"].comment, TABLES["track_overview"].c.uuid.comment)


def test_nothing_is_written_where_the_words_are_there(postgres_url: str) -> None:
    changed = text("SELECT xmin::text, objoid, objsubid FROM pg_description ORDER BY 2, 3")
    with closing(Warehouse(postgres_url)) as warehouse:
        with warehouse.read() as connection:
            before = connection.execute(changed).all()
        warehouse.migrate()
        with warehouse.read() as connection:
            assert connection.execute(changed).all() == before


def test_the_documentation_has_the_columns_of_every_table_and_view() -> None:
    """After a change: `python -m soundcharts_pipeline_tests.support.tables_page`."""
    page = tables_page.FILE.read_text()
    assert tables_page.sections(page).keys() == {*metadata.tables, *(view.table.name for view in VIEWS)}
    assert page == tables_page.with_columns(page)

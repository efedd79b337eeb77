"""Views, keys and functions of others hang on our tables: nothing of it is lost, and whoever is in the way is named."""

from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, make_url, text

from soundcharts_pipeline.storage import migrations
from soundcharts_pipeline.storage.engine import make_parent_folder
from soundcharts_pipeline.storage.errors import BuiltOnOurs
from soundcharts_pipeline.storage.housekeeping.backup import back_up, restore
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.storage.old_rows import NOW, fill
from soundcharts_pipeline_tests.support.command_line import run_here
from soundcharts_pipeline_tests.support.helpers import whole_rows

# Everything that DROP ... CASCADE would take without a word, with the name it is told by.
BUILT = {
    "view analyst.top": "CREATE VIEW analyst.top AS SELECT * FROM public.current_charts WHERE position < 11",
    "view analyst.best": "CREATE VIEW analyst.best AS SELECT * FROM analyst.top WHERE position = 1",
    "materialized view analyst.days": "CREATE MATERIALIZED VIEW analyst.days AS SELECT rank_date FROM chart_rankings",
    "constraint notes_track_fkey on table analyst.notes": (
        "CREATE TABLE analyst.notes (note text, track text REFERENCES public.tracks (uuid))"
    ),
    "function analyst.name_of(tracks)": (
        "CREATE FUNCTION analyst.name_of(tracks) RETURNS text LANGUAGE sql AS 'SELECT $1.name'"
    ),
}
ALONE = [
    "CREATE SCHEMA analyst",
    "CREATE TABLE analyst.apart (uuid text)",
    "CREATE VIEW analyst.of_it AS SELECT * FROM analyst.apart",
]
OLD = "CREATE VIEW chart_history AS SELECT chart_slug, track_uuid FROM chart_rankings"


def older(url: str, revision: str, *statements: str) -> None:
    """A database of an older version, and what somebody did there."""
    make_parent_folder(make_url(url))
    engine = create_engine(url)
    with engine.begin() as conn:
        command.upgrade(migrations.config(conn), revision)
        for statement in statements:
            conn.execute(text(statement))
    engine.dispose()


@pytest.mark.parametrize("revision", ["0008", "0014"])
def test_a_migration_names_the_views_that_hang_on_ours_and_goes_on_without_them(
    postgres_url: str, environ: dict[str, str], revision: str
) -> None:
    mine, on_it = "CREATE VIEW mine AS SELECT * FROM chart_history", "CREATE VIEW theirs AS SELECT 1 FROM mine"
    older(postgres_url, revision, OLD, mine, on_it)

    done = run_here({**environ, "SOUNDCHARTS_DATABASE_URL": postgres_url}, "migrate")

    assert done.code == 1
    assert done.says(
        "what others have built on its tables and views would go with them: view mine, view theirs.",
        "`pg_dump --schema-only --table=NAME`",
        "Nothing was changed",
    )
    assert "Traceback" not in done.text
    engine = create_engine(postgres_url)
    with engine.begin() as conn:
        assert conn.scalar(text("SELECT version_num FROM soundcharts_schema_version")) == revision
        conn.execute(text("DROP VIEW theirs; DROP VIEW mine"))
    engine.dispose()
    with closing(Warehouse(postgres_url)) as warehouse:
        warehouse.migrate()
        with warehouse.write() as conn:
            conn.execute(text(mine))


def test_a_migration_leaves_what_hangs_on_tables_alone(postgres_url: str) -> None:
    older(
        postgres_url,
        "0014",
        *ALONE,
        *(sql for sql in BUILT.values() if "current_charts" not in sql and "top" not in sql),
    )
    with closing(Warehouse(postgres_url)) as warehouse:
        warehouse.migrate()
        with warehouse.read() as conn:
            assert conn.scalar(text("SELECT count(*) FROM analyst.days")) == 0


def test_a_key_that_a_migration_exchanges_and_others_refer_to_is_named(postgres_url: str) -> None:
    key = "chart_slug, rank_date, position"
    columns = "chart_slug text, rank_date date, position int"
    older(postgres_url, "0008", f"CREATE TABLE theirs ({columns}, FOREIGN KEY ({key}) REFERENCES chart_rankings)")
    with closing(Warehouse(postgres_url)) as warehouse, pytest.raises(BuiltOnOurs, match=r"table theirs depends on"):
        warehouse.migrate()


def test_views_of_others_outlive_a_migration_of_sqlite(sqlite_url: str) -> None:
    mine = "CREATE VIEW mine AS SELECT h.track_uuid FROM chart_history h JOIN chart_rankings USING (chart_slug)"
    older(sqlite_url, "0008", OLD, mine)
    with closing(Warehouse(sqlite_url)) as warehouse:
        warehouse.migrate()
        with warehouse.read() as conn:
            assert conn.execute(text("SELECT * FROM mine")).all() == []


@pytest.mark.usefixtures("postgres_programs")
def test_a_restore_names_all_that_would_go_and_takes_nothing(postgres_url: str, tmp_path: Path) -> None:
    with closing(Warehouse(postgres_url)) as warehouse:
        fill(warehouse)
        path, before = back_up(warehouse, tmp_path, keep=1, now=NOW).path, whole_rows(warehouse)
        with warehouse.write() as conn:
            for statement in ALONE:
                conn.execute(text(statement))
        restore(warehouse.url, path, replace=True)
        for name, statement in BUILT.items():
            with warehouse.write() as conn:
                conn.execute(text(statement))
            if name == "view analyst.best":
                continue  # not without the one below it
            with pytest.raises(BuiltOnOurs, match="would go with them: ") as raised:
                restore(warehouse.url, path, replace=True)
            assert name in str(raised.value)
        with pytest.raises(BuiltOnOurs) as raised:
            restore(warehouse.url, path, replace=True)
        assert f"with them: {', '.join(BUILT)}. Keep" in str(raised.value)
        assert whole_rows(warehouse) == before
        with warehouse.write() as conn:
            conn.execute(text("DROP SCHEMA analyst CASCADE"))
        restore(warehouse.url, path, replace=True)
        assert whole_rows(warehouse) == before

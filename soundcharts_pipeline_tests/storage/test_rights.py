"""Users of a PostgreSQL database who may not do everything: each is told what is lacking, and nobody to make tables."""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, make_url, select, text

from soundcharts_pipeline.analysis import connect
from soundcharts_pipeline.storage.errors import MonthDetached, RightsMissing
from soundcharts_pipeline.storage.housekeeping.backup import back_up, restore
from soundcharts_pipeline.storage.rights import check_rights
from soundcharts_pipeline.storage.tables import months
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.storage.old_rows import NOW, fill_named
from soundcharts_pipeline_tests.support.command_line import run_here, with_charts
from soundcharts_pipeline_tests.support.helpers import SLUG

ROLE = "one_with_rights"
READ = ("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",)
SAVE = (
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
)
NEEDED = "SELECT, INSERT, UPDATE and DELETE on all tables"


@pytest.fixture
def filled(postgres_url: str) -> Iterator[Warehouse]:
    with closing(Warehouse(postgres_url)) as warehouse:
        fill_named(warehouse)
        yield warehouse


@contextmanager
def user_of(warehouse: Warehouse, grants: Sequence[str]) -> Iterator[str]:
    """The URL of somebody with these rights."""

    def administer(*statements: str) -> None:
        with warehouse.write() as conn:
            for statement in statements:
                conn.execute(text(statement.format(role=ROLE)))

    administer("CREATE ROLE {role} LOGIN", *grants)
    try:
        yield warehouse.url.set(username=ROLE).render_as_string()
    finally:
        administer("DROP OWNED BY {role}", "DROP ROLE {role}")


def _checked(url: str) -> None:
    with closing(Warehouse(url)) as warehouse, warehouse.read() as conn:
        check_rights(conn)


def test_who_may_save_lacks_nothing(filled: Warehouse, sqlite_url: str) -> None:
    _checked(filled.url.render_as_string())
    _checked(sqlite_url)
    with user_of(filled, SAVE) as url:
        _checked(url)


@pytest.mark.parametrize(
    ("grants", "lacking"),
    [
        (
            READ,
            rf"lacks INSERT, UPDATE, DELETE on (\d+) of \1 tables; USAGE on the sequences;.*{NEEDED}",
        ),
        ((*SAVE, "REVOKE DELETE ON points FROM {role}"), "lacks DELETE on 1 of"),
        (SAVE[:1], "lacks USAGE on the sequences;"),
        (
            (*SAVE, "ALTER ROLE {role} SET default_transaction_read_only = on"),
            r"lacks transactions that write \(default_transaction_read_only is on\)",
        ),
    ],
)
def test_what_a_user_lacks_to_save_is_known_before_a_save(
    filled: Warehouse, grants: Sequence[str], lacking: str
) -> None:
    with user_of(filled, grants) as url, pytest.raises(RightsMissing, match=lacking):
        _checked(url)


def test_a_save_without_the_right_is_told_the_rights_and_not_to_make_tables(filled: Warehouse) -> None:
    with user_of(filled, READ) as url, closing(Warehouse(url)) as reader:
        with pytest.raises(RightsMissing, match=f"permission denied for table genres; .*{NEEDED}") as raised:
            _save_a_genre(reader)
        assert "migrate" not in str(raised.value)
        with reader.read() as conn:
            assert conn.execute(select(s.tracks)).first()


def _save_a_genre(warehouse: Warehouse) -> None:
    with warehouse.write() as conn:
        conn.execute(insert(s.genres), {"root": "x", "name": ""})


def test_who_may_not_read_is_told_that_and_not_to_sync(filled: Warehouse) -> None:
    with (
        user_of(filled, ["GRANT USAGE ON SCHEMA public TO {role}"]) as url,
        pytest.raises(RightsMissing, match=r"permission denied .*needs SELECT on all tables"),
    ):
        connect(url).close()


@pytest.mark.parametrize(
    "command", [("sync", SLUG), ("plan", SLUG, "--date", "2026-11-20"), ("archive",), ("backup",), ("doctor",)]
)
def test_a_command_of_a_user_who_may_only_read_says_what_to_grant(
    filled: Warehouse,
    environ: dict[str, str],
    tmp_path: Path,
    postgres_programs: Path,
    command: tuple[str, ...],
) -> None:
    user = {**with_charts(environ, tmp_path), "PATH": f"{postgres_programs}{os.pathsep}{environ['PATH']}"}
    with user_of(filled, READ) as url:
        done = run_here({**user, "SOUNDCHARTS_DATABASE_URL": url}, *command)
    assert done.code == 1, done.text
    needed = "a backup needs SELECT on all tables" if command == ("backup",) else NEEDED
    assert done.says(needed, "docs/production.md, Roles")
    for wrong in ("migrate", "start the server", "CREATE"):
        assert wrong not in done.text, done.text


@pytest.mark.parametrize("denied", ["REVOKE CONNECT ON DATABASE {database} FROM PUBLIC", "ALTER ROLE {role} NOLOGIN"])
def test_who_is_not_let_in_is_told_the_rights_and_not_to_start_the_server(filled: Warehouse, denied: str) -> None:
    denied = denied.replace("{database}", str(filled.url.database))
    with (
        user_of(filled, [*SAVE, denied]) as url,
        closing(Warehouse(url)) as warehouse,
        pytest.raises(RightsMissing, match=r"needs LOGIN, and CONNECT on the database. Let their owner") as raised,
    ):
        warehouse.prepare()
    assert not raised.value.is_away
    assert "server runs" not in str(raised.value)


@pytest.mark.parametrize(
    ("grants", "said"),
    [
        (SAVE, r"must be owner of .*Nothing was changed; restore as the user that owns"),
        (
            (*READ, "ALTER ROLE {role} SET default_transaction_read_only = on"),
            r"read-only transaction.*Nothing was changed; restore as the user that owns .*, on the primary",
        ),
    ],
)
def test_a_restore_by_who_does_not_own_the_tables_is_told_who_may(
    filled: Warehouse,
    tmp_path: Path,
    postgres_programs: Path,  # noqa: ARG001
    grants: Sequence[str],
    said: str,
) -> None:
    path = back_up(filled, tmp_path, keep=1, now=NOW).path
    with user_of(filled, grants) as url, pytest.raises(RightsMissing, match=said):
        restore(make_url(url), path, replace=True)


def test_a_restore_that_meets_a_month_that_was_taken_out_names_it(
    filled: Warehouse,
    tmp_path: Path,
    postgres_programs: Path,  # noqa: ARG001
) -> None:
    path = back_up(filled, tmp_path, keep=1, now=NOW).path
    month = months.name_of("points", date(2024, 2, 1))
    with filled.write() as conn:
        _take_out(conn, month)

    with pytest.raises(MonthDetached, match=f"{month} was taken out of points") as raised:
        restore(filled.url, path, replace=True)
    with filled.write() as conn:
        conn.execute(text(str(raised.value).split("`")[1]))
    restore(filled.url, path, replace=True)

    with filled.read() as conn:
        assert month in months.made(conn, "points")


def _take_out(conn: Connection, month: str) -> None:
    conn.execute(text(f"ALTER TABLE points DETACH PARTITION {month}"))

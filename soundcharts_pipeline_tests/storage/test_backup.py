"""Backup, drop, restore: row for row, and a failure leaves what was there."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import NullPool, create_engine, make_url, text

from soundcharts_pipeline.storage import files, migrations
from soundcharts_pipeline.storage.bulk import merge
from soundcharts_pipeline.storage.errors import StorageError, StorageFull, StorageUnavailable
from soundcharts_pipeline.storage.files import FileDamaged
from soundcharts_pipeline.storage.housekeeping import postgres_backup, sqlite_backup
from soundcharts_pipeline.storage.housekeeping.backup import HoldsData, back_up, restore
from soundcharts_pipeline.storage.housekeeping.holders import others_at
from soundcharts_pipeline.storage.housekeeping.postgres_backup import ProgramMissing
from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.storage.old_rows import fill
from soundcharts_pipeline_tests.storage.wide import widen
from soundcharts_pipeline_tests.support.helpers import whole_rows

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("postgres_programs")


def drop(warehouse: Warehouse) -> None:
    """The database is lost."""
    warehouse.close()
    if warehouse.dialect == "sqlite":
        for path in Path(warehouse.url.database or "").parent.glob("soundcharts.db*"):
            path.unlink()
        return
    with warehouse.write() as conn:
        conn.execute(text(f"DROP TABLE {', '.join([*s.metadata.tables, migrations.VERSION_TABLE])} CASCADE"))


def backup_of(warehouse: Warehouse, folder: Path, *, hours: int = 0, keep: int = 3) -> Path:
    return back_up(warehouse, folder, keep=keep, now=NOW + timedelta(hours=hours)).path


def rows_now(warehouse: Warehouse) -> dict[str, list[tuple[object, ...]]]:
    """What another process would read."""
    with closing(Warehouse(warehouse.url.render_as_string(hide_password=False))) as other:
        return whole_rows(other)


def test_a_lost_database_comes_back_row_for_row(warehouse: Warehouse, tmp_path: Path) -> None:
    fill(warehouse)
    with warehouse.write() as conn:
        merge(conn, s.genres, [(7, "pop", "k-pop"), (9, "pop", "")], columns=["id", "root", "name"])
    # Beside the rows it has the database's name, which the backup gave it.
    path, before = backup_of(warehouse, tmp_path / "backups"), whole_rows(warehouse)
    drop(warehouse)

    restore(warehouse.url, path, replace=False)

    assert rows_now(warehouse) == before
    # Numbers that the database gives go on where they were.
    with closing(Warehouse(warehouse.url.render_as_string(hide_password=False))) as other, other.write() as conn:
        conn.execute(s.genres.insert().values(root="rock", name=""))


def test_a_database_that_holds_data_is_replaced_only_when_asked(warehouse: Warehouse, tmp_path: Path) -> None:
    fill(warehouse)
    path, before = backup_of(warehouse, tmp_path), whole_rows(warehouse)
    with warehouse.write() as conn:
        conn.execute(s.chart_rankings.delete())
        conn.execute(audience.points.update().values(value=1))
    changed = whole_rows(warehouse)

    with pytest.raises(HoldsData, match=r"holds 120 rankings, tracks and points.*--yes"):
        restore(warehouse.url, path, replace=False)
    assert rows_now(warehouse) == changed
    restore(warehouse.url, path, replace=True)
    assert rows_now(warehouse) == before
    # Connections that were open go on with the restored data.
    assert whole_rows(warehouse) == before


def test_a_backup_of_an_older_version_is_brought_up_to_date(warehouse: Warehouse, tmp_path: Path) -> None:
    fill(warehouse)
    with warehouse.write() as conn:
        widen(conn)
        for table in (b.archived_months, b.storage_sizes, b.alerts, b.endpoint_states, s.audience_trends):
            conn.execute(text(f"DROP TABLE {table.name}"))
        for column in ("saved_version", "changed_at", "completed_at"):
            conn.execute(text(f"ALTER TABLE ranking_days DROP COLUMN {column}"))
        conn.execute(text("ALTER TABLE sync_progress DROP COLUMN calls"))
        conn.execute(text(f"UPDATE {migrations.VERSION_TABLE} SET version_num = '0004'"))
    path = _dump_as_it_is(warehouse, tmp_path / "older")
    with closing(Warehouse(warehouse.url.render_as_string(hide_password=False))) as now:
        now.prepare()
        before = whole_rows(now)

    restore(warehouse.url, path, replace=True)

    assert rows_now(warehouse) == before


VERSION = migrations.VERSION_TABLE
# What is done to a database of ours, one after the other, and what is said of a backup that was made then.
NOT_OURS = [
    (["ALTER TABLE sync_progress DROP COLUMN calls"], r"it lacks sync_progress\.calls\. Nothing"),
    (["DROP TABLE points"], r"it lacks points, sync_progress\.calls\. Nothing"),
    (
        [f"DROP TABLE {name}" for name in s.metadata.tables if name != "points"],
        rf"is no whole database of revision {migrations.HEAD}: it lacks \w+, \w+, \w+ and \d+ more\. Nothing",
    ),
    ([f"UPDATE {VERSION} SET version_num = '9999'"], r"has tables of revision 9999, .* up to .*; upgrade"),
    ([f"UPDATE {VERSION} SET version_num = 'x'"], "has tables of revision x, "),
    ([f"INSERT INTO {VERSION} VALUES ('0001')"], "is no database of this program"),
    ([f"DELETE FROM {VERSION}"], "is no database of this program"),
    ([f"DROP TABLE {VERSION}"], "is no database of this program"),
]


def test_a_backup_of_something_else_is_refused_and_nothing_changes(warehouse: Warehouse, tmp_path: Path) -> None:
    fill(warehouse)
    before = whole_rows(warehouse)
    path = tmp_path / "other"
    with _altered(warehouse, tmp_path) as alter:
        for statements, said in NOT_OURS:
            alter(statements, path)
            with pytest.raises(StorageError, match=f"^{path} {said}|^{path} .* {said}") as refusal:
                restore(warehouse.url, path, replace=True)
            assert str(refusal.value).endswith("Nothing was changed")
            assert rows_now(warehouse) == before
    assert not list(tmp_path.rglob("*-raw*"))


@contextmanager
def _altered(warehouse: Warehouse, folder: Path) -> Iterator[Callable[[Sequence[str], Path], None]]:
    """Alters a copy of the warehouse and backs it up, as often as asked."""
    if warehouse.dialect == "sqlite":
        copy = folder / "altered.db"
        with closing(sqlite3.connect(str(warehouse.url.database))) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            for (view,) in target.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall():
                target.execute(f"DROP VIEW {view}")

            def alter_file(statements: Sequence[str], path: Path) -> None:
                for statement in statements:
                    target.execute(statement)
                target.commit()
                with pa.CompressedOutputStream(str(path), "zstd") as packed:
                    packed.write(target.serialize())

            yield alter_file
        return
    name = f"{warehouse.url.database}_altered"
    engines = [create_engine(warehouse.url.set(database=one), poolclass=NullPool) for one in ("postgres", name)]
    program = postgres_backup.find_program("pg_dump", postgres_backup.server_version(warehouse.url))
    warehouse.close()
    with engines[0].connect().execution_options(isolation_level="AUTOCOMMIT") as server:
        server.execute(text(f"CREATE DATABASE {name} TEMPLATE {warehouse.url.database}"))

        def alter_server(statements: Sequence[str], path: Path) -> None:
            with engines[1].begin() as conn:
                for statement in statements:
                    conn.execute(text(statement + (" CASCADE" if "DROP" in statement else "")))
            where = f"postgresql:///{name}?host={warehouse.url.query['host']}&user={warehouse.url.username}"
            subprocess.run([program, "--format=custom", f"--file={path}", f"--dbname={where}"], check=True)

        yield alter_server
        server.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def _dump_as_it_is(warehouse: Warehouse, path: Path) -> Path:
    if warehouse.dialect == "sqlite":
        sqlite_backup.dump(warehouse.url, path)
    else:
        # The file is whole, and says nothing of tables that are not there.
        with pytest.raises(FileDamaged, match=r"lacks the rows of .*archived_months"):
            postgres_backup.dump(warehouse.url, path)
    return path


def test_the_newest_backups_are_kept(sqlite_warehouse: Warehouse, tmp_path: Path) -> None:
    fill(sqlite_warehouse)
    (tmp_path / "mine.db.zst").write_text("not ours")
    (tmp_path / "soundcharts-20261101T000000Z.db.zst.tmp-raw").write_text("of a process that was killed")

    paths = [backup_of(sqlite_warehouse, tmp_path, hours=n, keep=2) for n in range(4)]

    assert {path.name for path in tmp_path.iterdir()} == {
        *(".lock", "data", "mine.db.zst"),
        *(path.name for path in paths[2:]),
        *(f"{path.name}.sha256" for path in paths[2:]),
    }


def test_others_may_write_while_a_backup_is_made(sqlite_warehouse: Warehouse, tmp_path: Path) -> None:
    before = fill(sqlite_warehouse)
    with closing(Warehouse(str(sqlite_warehouse.url))) as other, other.write() as conn:
        conn.execute(s.chart_rankings.delete())
        path = backup_of(sqlite_warehouse, tmp_path)
    restore(sqlite_warehouse.url, path, replace=True)

    assert rows_now(sqlite_warehouse)["chart_rankings"] == sorted(before["chart_rankings"], key=repr)


def test_whoever_else_has_the_database_open_is_named(warehouse: Warehouse) -> None:
    warehouse.prepare()
    if warehouse.dialect == "postgresql":
        with warehouse.read() as conn:
            pid = conn.scalar(text("SELECT pg_backend_pid()"))
            found = others_at(warehouse.url)
        assert f"session {pid} of postgres (soundcharts-pipeline)" in found
        warehouse.close()
        return
    program = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM charts'); print(); input()"
    )
    path = str(warehouse.url.database)
    assert others_at(warehouse.url) == []
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        [said] = others_at(warehouse.url)
        other.communicate(b"\n")
    assert said.startswith(f"process {other.pid} (python")
    assert others_at(warehouse.url) == []


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 99] = bytes(99)
    path.write_bytes(content)


def _flip(path: Path) -> None:
    """One bit, which may be one of a number that is stored."""
    content = bytearray(path.read_bytes())
    content[len(content) * 2 // 3] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(("harm", "checksum"), [(_flip, True), (_cut, False), (_halve, False), (_spoil, False)])
def test_a_damaged_backup_leaves_the_database_as_it_is(
    warehouse: Warehouse, tmp_path: Path, harm: Callable[[Path], None], checksum: bool
) -> None:
    fill(warehouse)
    path = backup_of(warehouse, tmp_path)
    if not checksum:
        path.with_name(f"{path.name}.sha256").unlink()
    with warehouse.write() as conn:
        conn.execute(audience.points.delete())
    before = whole_rows(warehouse)
    harm(path)

    with pytest.raises(FileDamaged, match=f"(?i){path}.* nothing was changed"):
        restore(warehouse.url, path, replace=True)
    assert rows_now(warehouse) == before


def test_a_damaged_database_is_moved_aside(sqlite_warehouse: Warehouse, tmp_path: Path) -> None:
    before = fill(sqlite_warehouse)
    path = backup_of(sqlite_warehouse, tmp_path)
    sqlite_warehouse.close()
    database = Path(sqlite_warehouse.url.database or "")
    database.write_bytes(b"no database, " * 1000)

    with pytest.raises(StorageUnavailable, match="is damaged or no SQLite file"):
        restore(sqlite_warehouse.url, path, replace=False)
    restore(sqlite_warehouse.url, path, replace=True)

    assert rows_now(sqlite_warehouse)["artist_audience"] == sorted(before["artist_audience"], key=repr)
    assert database.with_name("soundcharts.db.damaged").read_bytes().startswith(b"no database")


def test_what_is_no_backup_is_named(sqlite_url: str, postgres_url: str, tmp_path: Path) -> None:
    wrong, dump = tmp_path / "holiday.jpg", tmp_path / "soundcharts.dump"
    wrong.write_bytes(b"\xff\xd8\xff\xe0")
    dump.write_bytes(b"PGDMP")

    for path, said in (
        (wrong, "is no backup of this program"),
        (tmp_path / "nowhere", "there is no file"),
        (dump, "is a backup of PostgreSQL and the warehouse is the SQLite database .* set SOUNDCHARTS_DATABASE_URL"),
    ):
        with pytest.raises(StorageUnavailable, match=said):
            restore(make_url(sqlite_url), path, replace=True)
    with pytest.raises(FileDamaged, match="is no whole dump"):
        restore(make_url(postgres_url), dump, replace=True)


def test_a_full_disk_is_one_message(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.prepare()
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    dump = sqlite_backup.dump if warehouse.dialect == "sqlite" else postgres_backup.dump

    with pytest.raises(StorageFull, match=r"no space left for .*SOUNDCHARTS_DATA_DIR"), files.explained_files(tmp_path):
        dump(warehouse.url, full)


def _program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_without_pg_dump_the_package_to_install_is_named(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with (
        closing(Warehouse(postgres_url)) as warehouse,
        pytest.raises(ProgramMissing, match=r"pg_dump is not on the PATH; install .*postgresql-client-18"),
    ):
        backup_of(warehouse, tmp_path)


def test_a_pg_dump_older_than_the_server_is_refused_with_both_versions(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path / "bin", "pg_dump", 'echo "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"')
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    with (
        closing(Warehouse(postgres_url)) as warehouse,
        pytest.raises(ProgramMissing, match=r"pg_dump is of version 15 and the server of version 18; install"),
    ):
        backup_of(warehouse, tmp_path)


def test_no_password_is_on_a_command_line_or_in_a_message(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"
    _program(
        tmp_path / "bin",
        "pg_dump",
        f'if [ "$1" = --version ]; then echo "pg_dump (PostgreSQL) 99.1"; exit; fi\n'
        f'echo "$@" > {said}; cat "$PGSERVICEFILE" >> {said}; echo "password is $PGPASSWORD" > {said}.secret; exit 1',
    )
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    url = make_url(postgres_url).set(password="p@ss/word")
    with (
        closing(Warehouse(url.render_as_string(hide_password=False))) as warehouse,
        pytest.raises(StorageUnavailable) as caught,
    ):
        backup_of(warehouse, tmp_path / "backups")
    assert Path(f"{said}.secret").read_text() == "password is p@ss/word\n"
    assert "--dbname=service=warehouse" in said.read_text()
    assert "p@ss" not in said.read_text() + str(caught.value)
    assert not list((tmp_path / "backups").glob("soundcharts*"))

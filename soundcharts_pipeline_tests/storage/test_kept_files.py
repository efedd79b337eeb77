"""An SQLite database whose files may not be written: each that is in the way is named, until the last one may."""

from contextlib import closing
from pathlib import Path

import pytest

from soundcharts_pipeline.cli.doctor import Finding, examine
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.storage.errors import StorageUnavailable
from soundcharts_pipeline.storage.tables.schema import tracks
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.command_line import with_charts
from soundcharts_pipeline_tests.support.unprivileged import somebody


def look(url: str) -> None:
    with closing(Warehouse(url)) as warehouse, warehouse.read() as conn:
        conn.execute(tracks.select())


def write(url: str) -> None:
    with closing(Warehouse(url)) as warehouse, warehouse.write() as conn:
        conn.execute(tracks.update().values(name="x"))


def found_by_doctor(environ: dict[str, str]) -> Finding:
    return next(finding for finding in examine(read_environment(environ)) if finding.subject == "database")


def test_the_files_beside_a_database_are_named_and_doctor_finds_them(
    sqlite_url: str, environ: dict[str, str], tmp_path: Path
) -> None:
    write(sqlite_url)
    user, database = with_charts(environ, tmp_path), tmp_path / "data" / "soundcharts.db"
    # Before it is somebody else, who may not load modules that are root's.
    assert found_by_doctor(user).fine
    with somebody(tmp_path):
        assert found_by_doctor(user).fine
        database.chmod(0o400)
        with pytest.raises(StorageUnavailable, match=f"; make {database}.* writable, or set"):
            write(sqlite_url)
        look(sqlite_url)
        database.chmod(0o600)
        with pytest.raises(StorageUnavailable) as raised:
            write(sqlite_url)
        finding = found_by_doctor(user)

        # SQLite made them with the rights that the database had.
        beside = [path for end in ("-wal", "-shm") if (path := Path(f"{database}{end}")).exists()]
        beside = [path for path in beside if not path.stat().st_mode & 0o200]
        named = " and ".join(map(str, beside))
        assert named
        assert f"; make {named} writable, or set SOUNDCHARTS_DATA_DIR" in str(raised.value)
        assert not finding.fine
        assert f"{database} cannot be opened for writing" in finding.text
        assert f"make {named} writable" in finding.text
        for path in beside:
            path.chmod(0o600)
        write(sqlite_url)
        assert found_by_doctor(user).fine

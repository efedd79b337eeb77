"""Audience rows of an older database move into series and points: whole, a step at a time, whatever ends it."""

import multiprocessing
import os
import signal
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, inspect, make_url, select, text

from soundcharts_pipeline.storage import migrations
from soundcharts_pipeline.storage.errors import RowsLost, StorageFull
from soundcharts_pipeline.storage.migrations import narrow
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.storage.test_migrations import differences

from .wide import fill_wide

SPAWN = multiprocessing.get_context("spawn")
ENTITIES, DAYS = 12, 40


@pytest.fixture
def old(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A database of the last revision with wide tables, whose rows take many steps."""
    monkeypatch.setattr(narrow, "STEP", 100)
    engine = create_engine(make_url(database_url))
    if engine.dialect.name == "sqlite":
        Path(engine.url.database or "").parent.mkdir(parents=True, exist_ok=True)
    fill_wide(engine, ENTITIES, DAYS)
    return engine


def rows_of(url: str) -> dict[str, set[tuple[object, ...]]]:
    with closing(Warehouse(url)) as warehouse, warehouse.read() as conn:
        return {view.name: {tuple(row) for row in conn.execute(select(view))} for view in s.AUDIENCE}


def expected() -> dict[str, set[tuple[object, ...]]]:
    """What the views say of `fill_wide`'s rows: moments to the second."""
    fetched = datetime(2026, 1, 2, 3, 4, 59, tzinfo=UTC)
    days = [date(2025, 12, 10) + timedelta(days=n) for n in range(DAYS)]
    names = [f"{n:02}" for n in range(ENTITIES)]
    return {
        "track_audience": {
            (f"t{name}", "spotify", "streams", f"é {i}", day, -n if i else 2**62 + n, fetched)
            for name in names
            for n, day in enumerate(days)
            for i in range(2)
        },
        "artist_audience": {
            (f"a{name}", "youtube", "views", day, n, fetched) for name in names for n, day in enumerate(days)
        },
        "artist_audience_geo": {
            (f"a{name}", "youtube", "views", day, "FR", "", city, n)
            for name in names
            for n, day in enumerate(days)
            for city in ("", "Paris")
        },
    }


def test_every_row_moves_in_steps(old: Engine, database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    assert rows_of(database_url) == expected()
    with closing(Warehouse(database_url)) as warehouse:
        assert differences(warehouse) == []
    [told] = caplog.messages
    assert told.startswith("2,400 audience rows move into narrow tables: about 1 min")
    with old.connect() as conn:
        assert narrow.PROGRESS not in inspect(conn).get_table_names()


def migrate_and_die(url: str, steps: int) -> None:
    """Migrate, and be killed in the middle of a step after so many."""
    narrow.STEP = 100
    move = narrow._move

    def dying(*given: object) -> int:
        nonlocal steps
        moved = move(*given)  # type: ignore[arg-type]
        steps -= 1
        if steps < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return moved

    narrow._move = dying  # type: ignore[assignment]
    with closing(Warehouse(url)) as warehouse:
        warehouse.prepare()


def test_a_process_that_is_killed_halfway_is_gone_on_from(old: Engine, database_url: str) -> None:
    process = SPAWN.Process(target=migrate_and_die, args=(database_url, 9))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with old.connect() as conn:
        assert conn.scalar(text(f"SELECT version_num FROM {migrations.VERSION_TABLE}")) == migrations.BESIDE
        moved = conn.scalar(text("SELECT count(*) FROM points"))
        assert moved == conn.scalar(text(f"SELECT sum(rows) FROM {narrow.PROGRESS}")) == 1320
        assert conn.scalar(text("SELECT count(*) FROM track_audience")) == 960, "the old rows stay until the end"
    assert rows_of(database_url) == expected()


def test_rows_that_an_older_version_changes_meanwhile_are_noticed(old: Engine, database_url: str) -> None:
    process = SPAWN.Process(target=migrate_and_die, args=(database_url, 9))
    process.start()
    process.join()
    with old.begin() as conn:
        conn.execute(text("UPDATE track_audience SET value = 5 WHERE track_uuid = 't00' AND value = 0"))
    with closing(Warehouse(database_url)) as warehouse, pytest.raises(RowsLost, match=r"track_audience has changed"):
        warehouse.prepare()
    with old.connect() as conn:
        assert conn.scalar(text("SELECT count(*) FROM track_audience")) == 960


def test_a_disk_without_room_is_told_before_anything_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrow, "STEP", 100)
    monkeypatch.setitem(narrow.BYTES_A_ROW, "sqlite", 1 << 60)
    url = f"sqlite:///{tmp_path / 'soundcharts.db'}"
    fill_wide(create_engine(url), 2, DAYS)
    with closing(Warehouse(url)) as warehouse, pytest.raises(StorageFull, match=r"moving 400 audience rows needs"):
        warehouse.prepare()
    monkeypatch.undo()
    assert len(rows_of(url)["track_audience"]) == 160

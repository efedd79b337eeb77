"""The totals of the dashboard are those of the tables; a large PostgreSQL table is estimated."""

import pytest
from sqlalchemy import text

from soundcharts_pipeline.storage.queries import chart_states as module
from soundcharts_pipeline.storage.queries.chart_states import totals
from soundcharts_pipeline.storage.tables.schema import artists, tracks
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.storage.rows import MONDAY, points, save_points


def test_an_empty_warehouse_has_a_size_and_nothing_else(warehouse: Warehouse) -> None:
    with warehouse.read() as conn:
        found = totals(conn)

    assert (found.tracks, found.artists, found.audience_points) == (0, 0, 0)
    assert found.database_bytes > 10_000


def test_totals_are_counted(warehouse: Warehouse) -> None:
    save_points(warehouse, points(*range(20)))
    with warehouse.write() as conn:
        track = {"name": "A", "first_seen_at": MONDAY, "artists_extracted": True, "genres_extracted": True}
        conn.execute(tracks.insert(), [{"uuid": f"track-{n}", **track} for n in range(3)])
        conn.execute(
            artists.insert(), [{"uuid": f"artist-{n}", "name": "B", "first_seen_at": MONDAY} for n in range(2)]
        )
    with warehouse.read() as conn:
        found = totals(conn)

    assert (found.tracks, found.artists, found.audience_points) == (3, 2, 20)


def test_a_large_postgresql_table_is_as_large_as_its_statistics_say(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ESTIMATED_FROM", 10)
    warehouse = Warehouse(postgres_url)
    save_points(warehouse, points(*range(20)))
    with warehouse.write() as conn:
        conn.execute(text("ANALYZE points"))
    save_points(warehouse, points(*range(28)))
    with warehouse.read() as conn:
        assert totals(conn).audience_points == 20
    warehouse.close()

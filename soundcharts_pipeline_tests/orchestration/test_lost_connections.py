"""Connections to PostgreSQL that are lost, one at a time, whatever a run is doing."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Connection, Engine, event, make_url

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.orchestration.sensed import small
from soundcharts_pipeline_tests.support.project import Project, open_project
from soundcharts_pipeline_tests.support.truth import expected, stored

# So many statements between two losses: a step that begins anew comes further than that.
APART = 60


@pytest.fixture
def project(
    simulator: Simulator, environ: dict[str, str], postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    environ["SOUNDCHARTS_DATABASE_URL"] = postgres_url
    settings = small(track_audience_platforms=("spotify", "airplay"), artist_audience_platforms=("instagram",))
    with open_project(simulator, environ, monkeypatch, settings) as project:
        yield project


@pytest.mark.parametrize("first", [0, APART // 2])
def test_a_run_goes_on_whatever_the_connection_was_used_for(project: Project, postgres_url: str, first: int) -> None:
    with _losing(project.simulator, postgres_url, first) as lost:
        result = project.run(project.span(1))
    assert result.success
    assert len(lost) > 3
    chart = project.settings.chart(project.span(1).slug)
    assert stored(project.warehouse) == expected(project.simulator.world, chart, project.span(1).days)
    assert project.simulator.counters.repeats == 0


@contextmanager
def _losing(simulator: Simulator, url: str, first: int) -> Iterator[list[str]]:
    """From the run's first call on; the statements that were lost."""
    lost: list[str] = []
    statements = iter(range(-first, 1_000_000))
    with closing(psycopg2.connect(make_url(url).set(drivername="postgresql").render_as_string(False))) as killer:
        killer.autocommit = True

        def lose(conn: Connection, _cursor: object, statement: str, *_: Any) -> None:
            is_main = threading.current_thread() is threading.main_thread()
            is_ours = is_main and conn.engine.url == make_url(url) and simulator.counters.total > 0
            if is_ours and next(statements) % APART == 0:
                pid = conn.connection.dbapi_connection.info.backend_pid  # type: ignore[union-attr]
                with killer.cursor() as cursor:
                    cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
                lost.append(statement)

        event.listen(Engine, "before_cursor_execute", lose)
        try:
            yield lost
        finally:
            event.remove(Engine, "before_cursor_execute", lose)

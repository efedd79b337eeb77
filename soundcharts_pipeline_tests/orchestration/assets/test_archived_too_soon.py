"""Days that went to the archive before all of them was fetched, and days that look back on the archive."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from soundcharts_pipeline.config.cascade import RANKINGS, TRACK_METADATA, track_audience_key
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.housekeeping.archive import FOLDER, archive, restore
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline_tests.orchestration.assets.recorded import failures_of
from soundcharts_pipeline_tests.orchestration.assets.test_operations import last_month
from soundcharts_pipeline_tests.storage.old_rows import held
from soundcharts_pipeline_tests.support.helpers import asked_keys
from soundcharts_pipeline_tests.support.project import Project, chart, open_project


@pytest.fixture
def project(simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with open_project(simulator, environ, monkeypatch, hasty=True) as project:
        yield project


def _archive(project: Project, folder: Path) -> int:
    """Rows of the months before this one that went there."""
    now = project.now
    done = archive(project.warehouse, folder, before=now.date(), now=now, on_progress=lambda _: None)
    return sum(done.removed.values())


def _begin(project: Project, span: ChartDays, how: str) -> None:
    """A part of the cascade of these days."""
    if how == "one platform fails":
        project.simulator.script("artist_followers", ["500"] * 400)
        assert not project.run(span).success
        project.simulator.reset()
    else:
        assert project.run(span, [RANKINGS, TRACK_METADATA, track_audience_key("spotify")]).success


@pytest.mark.parametrize("how", ["one platform fails", "some assets are launched"])
def test_what_is_left_of_an_archived_day_is_refused_until_it_is_brought_back(
    project: Project, tmp_path: Path, how: str
) -> None:
    span = last_month(project.now.date())
    _begin(project, span, how)
    assert _archive(project, tmp_path)
    project.simulator.reset()

    refused = project.run(span)

    assert not refused.success
    assert any(f"{span.first} to {span.last} went to the archive" in text for text in failures_of(refused).values())
    assert any("restore-archive --from" in text for text in failures_of(refused).values())
    assert not project.days(asked_keys(project.settings)[-1])
    assert project.simulator.counters.total == 0

    restore(project.warehouse, tmp_path, on_progress=lambda _: None)
    assert project.run(span).success
    assert all(held(project.warehouse).values())
    assert _archive(project, tmp_path)
    project.simulator.reset()
    assert project.run(span).success
    assert project.simulator.counters.total == 0


def test_a_day_whose_parts_came_in_two_runs_is_complete(project: Project, tmp_path: Path) -> None:
    span, keys = last_month(project.now.date()), asked_keys(project.settings)
    first = [RANKINGS, TRACK_METADATA, track_audience_key("spotify")]
    assert project.run(span, first).success
    assert project.run(span, [key for key in keys if key not in first]).success
    assert _archive(project, tmp_path)
    assert project.run(span).success


def test_trends_of_a_day_that_is_run_again_look_back_on_archived_months(
    simulator: Simulator, environ: dict[str, str], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {**environ, "SOUNDCHARTS_DATABASE_URL": database_url}
    trends = select(s.audience_trends)
    with open_project(simulator, here, monkeypatch, chart(history_days=40)) as project:
        assert project.run(project.span(1)).success
        with project.warehouse.read() as conn:
            before = set(conn.execute(trends))
        folder = Path(environ["SOUNDCHARTS_DATA_DIR"]) / FOLDER
        assert _archive(project, folder)

        assert project.run(project.span(1)).success
        with project.warehouse.read() as conn:
            assert set(conn.execute(trends)) == before
        assert any(row.difference_28 is not None for row in before)

        folder.rename(folder.with_name("elsewhere"))
        (failure,) = failures_of(project.run(project.span(1))).values()
        assert str(folder) in failure
        with project.warehouse.read() as conn:
            assert set(conn.execute(trends)) == before

"""Days that Dagster has and the warehouse has not, or not all of: an older backup was restored, by whatever means."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from soundcharts_pipeline.config.cascade import scheduled_keys
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.housekeeping.backup import back_up, restore
from soundcharts_pipeline_tests.orchestration.sensed import HEALING_SENSOR, METADATA, SLUG, small, spans
from soundcharts_pipeline_tests.support.project import Project, asset_names, open_project, open_project_in_files
from soundcharts_pipeline_tests.support.truth import expected, stored

SCHEDULE = "sync_viral_50_global"


@pytest.fixture
def project(simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with open_project(simulator, environ, monkeypatch, small(first_date=simulator.world.newest_day(SLUG))) as project:
        yield project


def test_what_was_fetched_after_the_backup_is_fetched_again_and_nothing_else(project: Project, tmp_path: Path) -> None:
    span = project.span(1)
    keys = scheduled_keys(project.settings, project.settings.chart(SLUG))
    assert project.run(span, METADATA).success
    backup = back_up(project.warehouse, tmp_path, keep=1, now=project.now).path
    before = project.simulator.counters.total
    assert project.run(span, keys).success
    paid = project.simulator.counters.total - before
    assert paid > 0
    assert project.evaluate(HEALING_SENSOR).requests == []

    _restore(project, backup)
    tick = project.evaluate(HEALING_SENSOR)
    assert [asset_names(request) for request in tick.requests] == [keys[1:]]
    assert project.perform(tick.requests[0]).success
    assert project.simulator.counters.total - before == 2 * paid
    assert stored(project.warehouse) == expected(project.simulator.world, project.settings.chart(SLUG), span.days)
    assert project.evaluate(HEALING_SENSOR).requests == []


def test_a_day_that_the_backup_knows_nothing_of_is_requested_by_the_schedule(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    followed = small(first_date=simulator.world.newest_day(SLUG))
    with open_project_in_files(simulator, environ, monkeypatch, followed) as project:
        span = project.span(1)
        backup = back_up(project.warehouse, tmp_path / "backups", keep=1, now=project.now).path
        assert project.run(span).success
        assert project.tick(SCHEDULE).requests == []

        _restore(project, backup)
        assert spans(project.tick(SCHEDULE)) == [span]
        assert project.run(span).success
        assert stored(project.warehouse) == expected(project.simulator.world, followed, span.days)
        assert project.tick(SCHEDULE).requests == []


def _restore(project: Project, backup: Path) -> None:
    project.warehouse.close()
    restore(make_url(project.warehouse.url), backup, replace=True)

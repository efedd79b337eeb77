"""Housekeeping through Dagster: what is recorded, what it costs, and that nothing archived is paid for again."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from soundcharts_pipeline.config.cascade import (
    CHART_CATALOG,
    CHART_REPORT,
    DATABASE_BACKUP,
    RANKING_ARCHIVE,
    STORAGE_REPORT,
)
from soundcharts_pipeline.config.settings import Housekeeping
from soundcharts_pipeline.embedding.build import build_definitions
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.assets.recording import ARCHIVED
from soundcharts_pipeline.orchestration.jobs import OPERATIONS
from soundcharts_pipeline.orchestration.partitions import spans_of_tags
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.housekeeping.archive import restore
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline_tests.orchestration.assets.recorded import checks_of, facts_of, failures_of
from soundcharts_pipeline_tests.storage.old_rows import held
from soundcharts_pipeline_tests.support.command_line import open_to_others
from soundcharts_pipeline_tests.support.helpers import SLUG, asked_keys
from soundcharts_pipeline_tests.support.project import Project, open_project


@pytest.fixture
def project(simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project that archives every month but this one, and keeps two backups; its process lets others read files."""
    with open_project(simulator, environ, monkeypatch) as project:
        operations = Housekeeping(archive_after_days=0, keep_backups=2)
        settings = replace(project.settings, operations=operations)
        yield replace(project, settings=settings, definitions=build_definitions(settings))


def launch(project: Project, asset: str) -> dg.ExecuteInProcessResult:
    return project.definitions.resolve_job_def(OPERATIONS[asset]).execute_in_process(
        instance=project.instance,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )


def recorded(project: Project, asset: str) -> dict[str, object]:
    """Metadata of a run of the asset."""
    result = launch(project, asset)
    assert result.success, failures_of(result)
    [event] = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def last_month(today: date) -> ChartDays:
    """The last two days of a month that is over, and long enough ago for them to be published."""
    last = (today - timedelta(days=5)).replace(day=1) - timedelta(days=1)
    return ChartDays(SLUG, last - timedelta(days=1), last)


def test_archived_days_cost_no_call_whoever_runs_them_again_and_say_where_they_are(project: Project) -> None:
    span = last_month(project.now.date())
    assert project.run(span).success
    before = held(project.warehouse)
    assert all(len(before[table]) for table in before)

    facts = recorded(project, RANKING_ARCHIVE)
    assert facts["rows_moved"] == sum(map(len, before.values()))
    assert not any(held(project.warehouse).values())
    assert open_to_others(str(facts["folder"])) == []
    assert str(facts["archive"]).startswith("| table | rows | bytes | files | first month | last month |")

    project.simulator.reset()
    again = project.run(span)
    assert again.success
    assert project.simulator.counters.total == 0
    assert all(checks_of(again).values())
    of_assets = {key: told for key, told in facts_of(project, again).items() if key[0] != CHART_REPORT}
    assert of_assets.keys() == {(key, str(day)) for key in asked_keys(project.settings) for day in span.days}
    for told in of_assets.values():
        assert (told["dagster/partition_row_count"], told["empty"]) == (0, ARCHIVED)

    restore(project.warehouse, Path(str(facts["folder"])), on_progress=print)
    assert held(project.warehouse) == before
    project.simulator.reset()
    assert "empty" not in facts_of(project, project.run(span))["chart_rankings", str(span.last)]
    assert project.simulator.counters.total == 0


def test_the_healing_sensor_and_the_schedule_leave_archived_days_alone(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A tick wants an instance that other processes could open.
    with dg.instance_for_test() as instance, open_project(simulator, environ, monkeypatch, instance=instance) as found:
        span = last_month(found.now.date())
        chart = replace(found.settings.chart(SLUG), heal_days=60, first_date=span.first)
        settings = replace(found.settings, charts={SLUG: chart}, operations=Housekeeping(archive_after_days=0))
        project = replace(found, settings=settings, definitions=build_definitions(settings))
        project.publish(span)
        assert project.run(span).success
        recorded(project, RANKING_ARCHIVE)
        simulator.reset()

        assert project.evaluate("healing_sensor").requests == []
        assert simulator.counters.total == 0
        [request] = project.tick("sync_viral_50_global").requests
        [requested] = spans_of_tags(request.tags, ())
        assert requested.first > span.last


def test_a_backup_tells_its_file_and_older_ones_make_room(project: Project) -> None:
    folder = Path(project.warehouse.url.database or "").parent / "backups"
    older = [folder / f"soundcharts-2026010{day}T030000Z.db.zst" for day in (1, 2)]
    folder.mkdir(parents=True)
    for path in older:
        path.touch()

    facts = recorded(project, DATABASE_BACKUP)

    made = Path(str(facts["file"]))
    assert made.stat().st_size == facts["bytes"]
    assert facts["removed"] == older[0].name
    assert set(folder.glob("*.zst")) == {older[1], made}


def test_a_storage_report_has_a_table_a_picture_and_the_growth(project: Project) -> None:
    first = recorded(project, STORAGE_REPORT)
    assert first["forecast"] == "needs two reports, a day or more apart"
    assert project.run(project.span(1)).success
    with project.warehouse.write() as conn:
        t = b.storage_sizes
        conn.execute(t.update().values(reported_at=project.now - timedelta(days=10)))
    second = recorded(project, STORAGE_REPORT)

    rows = len(held(project.warehouse)["chart_rankings"])
    [line] = [line for line in str(second["tables"]).splitlines() if line.startswith("| chart_rankings ")]
    cells = [cell.strip().replace(",", "") for cell in line.strip("|").split("|")]
    assert (cells[1], cells[4]) == (str(rows), str(rows))
    assert int(str(second["bytes_in_90_days"])) > int(str(second["bytes"])) > int(str(first["bytes"]))
    assert second["disk_free_bytes"]
    assert str(second["size"]).startswith("![Size of the warehouse](data:image/svg+xml;base64,")
    assert "worklist: tracks ranked on a day" in str(second["slowest_queries"])


def test_the_catalog_costs_what_its_description_says(project: Project) -> None:
    facts = recorded(project, CHART_CATALOG)

    with project.warehouse.read() as conn:
        charts = [row.platform for row in conn.execute(s.charts.select())]
    platforms = {platform: charts.count(platform) for platform in charts}
    assert facts["dagster/row_count"] == len(charts) > 100
    expected = 1 + sum(-(-count // 100) for count in platforms.values())
    assert facts["calls"] == project.simulator.counters.total == expected


def test_what_the_disk_refuses_is_a_failure_with_one_message(project: Project) -> None:
    folder = Path(project.warehouse.url.database or "").parent
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("archive", "backups"):
        (folder / name).write_text("in the way")

    for asset in (RANKING_ARCHIVE, DATABASE_BACKUP):
        said = failures_of(launch(project, asset))[asset]
        assert "cannot be used" in said
        assert "SOUNDCHARTS_DATA_DIR" in said


def test_every_schedule_of_the_housekeeping_is_off(project: Project) -> None:
    schedules = project.definitions.get_repository_def().schedule_defs
    ours = {schedule.name: schedule for schedule in schedules if schedule.job_name in OPERATIONS.values()}
    assert ours.keys() == {f"{asset}_schedule" for asset in OPERATIONS}
    assert {schedule.default_status for schedule in ours.values()} == {dg.DefaultScheduleStatus.STOPPED}

"""Workbooks through Dagster: which days get one, what is recorded, and that none costs a call."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from soundcharts_pipeline.config.cascade import ANALYTICS, AUDIENCE_TRENDS, CHART_REPORT, RANKINGS, TRACK_METADATA
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.assets.chart_report import CHECK, FOLDER, NOT_NOW
from soundcharts_pipeline.reports.workbook.read_back import read_back
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.storage.tables import schema
from soundcharts_pipeline_tests.orchestration.assets.recorded import checks_of, facts_of, failures_of
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.project import Project, chart, open_project

FETCHING = (RANKINGS, TRACK_METADATA, AUDIENCE_TRENDS, CHART_REPORT)


@pytest.fixture
def project(simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A chart whose runs write workbooks."""
    with open_project(simulator, environ, monkeypatch, chart(report=True)) as project:
        yield project


def folder_of(project: Project) -> Path:
    return Path(project.warehouse.url.database or "").parent / FOLDER / SLUG


def test_a_chart_day_ends_in_a_workbook_that_reads_back(project: Project) -> None:
    span = project.span(1)
    result = project.run(span)
    assert result.success, failures_of(result)
    facts = facts_of(project, result)[CHART_REPORT, str(span.first)]
    path = folder_of(project) / f"{SLUG}_{span.first}.xlsx"
    assert facts["path"] == str(path)
    assert facts["bytes"] == path.stat().st_size
    assert facts["dagster/partition_row_count"] == 50
    rows = read_back(path).rows
    for sheet in ("Ranking", "Tracks", "Artists", "Audience", "Trends", "Notes"):
        assert f"| {sheet} | {rows[sheet]} |" in str(facts["sheets"])
    assert rows["Trends"] > rows["Tracks"]
    assert checks_of(result)[f"{CHART_REPORT}: {CHECK}"]

    project.simulator.reset()
    again = project.run(span, [CHART_REPORT])
    assert again.success
    assert project.simulator.counters.total == 0


def test_a_workbook_is_written_anew_when_it_would_show_something_else_and_only_then(project: Project) -> None:
    span = project.span(1)
    assert project.run(span).success
    path = folder_of(project) / f"{SLUG}_{span.first}.xlsx"

    def written() -> tuple[int, int] | None:
        # Not the whole stat: reading a file changes its time of access.
        return (path.stat().st_ino, path.stat().st_mtime_ns) if path.exists() else None

    def run_again() -> tuple[bool, object]:
        before = written()
        result = project.run(span, [CHART_REPORT])
        assert result.success, failures_of(result)
        facts = facts_of(project, result)[CHART_REPORT, str(span.first)]
        assert (facts["path"], facts["bytes"]) == (str(path), path.stat().st_size)
        assert checks_of(result)[f"{CHART_REPORT}: {CHECK}"]
        return written() != before, facts["sheets"]

    is_new, sheets = run_again()
    assert not is_new
    whole = path.read_bytes()
    for damage in (path.unlink, lambda: path.write_bytes(whole[:-9]), lambda: path.write_bytes(whole[:99] + whole)):
        damage()
        assert run_again() == (True, sheets)
    with project.warehouse.write() as conn:
        conn.execute(schema.tracks.update().values(isrc="another"))
    assert run_again() == (True, sheets)
    assert run_again() == (False, sheets)


def test_a_range_that_fetches_writes_the_newest_day_and_one_of_analytics_writes_all(project: Project) -> None:
    span = project.span(3)
    result = project.run(span, FETCHING)
    assert result.success, failures_of(result)
    facts = facts_of(project, result)
    old, new = span.days[:2], span.days[2:]
    assert [facts[CHART_REPORT, str(day)].get("left_out") for day in old] == [NOT_NOW] * 2
    assert "path" in facts[CHART_REPORT, str(new[0])]
    assert {path.name for path in folder_of(project).iterdir()} == {f"{SLUG}_{day}.xlsx" for day in new}

    alone = project.run(span, sorted(ANALYTICS))
    assert alone.success, failures_of(alone)
    assert {path.name for path in folder_of(project).iterdir()} == {f"{SLUG}_{day}.xlsx" for day in span.days}


def test_a_range_that_ends_without_a_ranking_writes_the_newest_there_is(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    weekly = chart("tiktok-weekly-songs", report=True)
    with open_project(simulator, environ, monkeypatch, weekly) as project:
        newest = project.newest(weekly.slug)
        span = ChartDays(weekly.slug, newest - timedelta(days=9), newest - timedelta(days=2))
        result = project.run(span, FETCHING)
        assert result.success, failures_of(result)
        facts = facts_of(project, result)
        [with_path] = [day for day in span.days if "path" in facts[CHART_REPORT, str(day)]]
        assert with_path == newest - timedelta(days=7)
        assert "empty" in facts[CHART_REPORT, str(span.last)]


def test_a_chart_without_reports_gets_one_only_when_it_is_launched_alone(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, chart(report=False)) as project:
        span = project.span(1)
        result = project.run(span, FETCHING)
        facts = facts_of(project, result)[CHART_REPORT, str(span.first)]
        assert facts == {"left_out": "report is false", "calls": 0}
        assert not folder_of(project).exists()
        assert project.run(span, [CHART_REPORT]).success
        assert len(list(folder_of(project).iterdir())) == 1


def test_a_day_without_its_ranking_fails_with_what_is_missing_and_writes_nothing(project: Project) -> None:
    result = project.run(project.span(1), [CHART_REPORT])
    assert "is not stored, so there is nothing to report" in failures_of(result)[CHART_REPORT]
    assert not folder_of(project).exists()
    with project.warehouse.read() as conn:
        assert worklists.progress_of(conn, result.run_id) == {CHART_REPORT: (0, 1)}


def test_a_dry_run_writes_nothing(project: Project) -> None:
    span = project.span(1)
    assert project.run(span, [RANKINGS, TRACK_METADATA]).success
    dry = {"soundcharts": {"config": {"dry_run": True}}}
    result = project.run(span, [CHART_REPORT], resources=dry)
    assert result.success, failures_of(result)
    assert not folder_of(project).exists()
    assert project.days(CHART_REPORT) == []


def test_a_folder_in_the_way_is_a_failure_that_says_so(project: Project) -> None:
    span = project.span(1)
    assert project.run(span, [RANKINGS, TRACK_METADATA]).success
    folder_of(project).parent.write_text("in the way")
    said = failures_of(project.run(span, [CHART_REPORT]))[CHART_REPORT]
    assert "cannot be used" in said
    assert "SOUNDCHARTS_DATA_DIR" in said

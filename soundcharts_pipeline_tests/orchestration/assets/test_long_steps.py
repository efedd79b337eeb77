"""A step that goes on for long: what it tells on the way, and what it leaves behind when it is killed."""

from datetime import timedelta

import dagster as dg
import pytest

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.assets import day_record
from soundcharts_pipeline.orchestration.partitions import keys_of
from soundcharts_pipeline.sync import fanout, pace
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.project import Project


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every moment is long enough."""
    monkeypatch.setattr(day_record, "RECORD_SECONDS", 0.0)
    monkeypatch.setattr(pace, "LINE_SECONDS", 0.0)
    monkeypatch.setattr(fanout, "LINE_SECONDS", 0.01)


@pytest.mark.usefixtures("hurried")
def test_days_are_recorded_as_they_are_complete_and_the_log_says_how_far_it_is(project: Project) -> None:
    span = project.span(3)
    assert project.run(span, ["chart_rankings", "track_metadata"]).success
    result = project.run(span, ["track_audience/airplay"])
    assert result.success
    events = project.instance.all_logs(result.run_id)
    materialized = [
        entry.asset_materialization.partition
        for entry in events
        if entry.dagster_event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and entry.asset_materialization
    ]
    # Each day when it was complete, the oldest first, and once more at the end: that one Dagster makes.
    assert materialized[:3] == keys_of(span)
    assert set(materialized[3:]) == set(keys_of(span))
    lines = [entry.user_message for entry in events if "audience windows" in entry.user_message]
    assert any(f"{SLUG} {span.first} to {span.last}: " in line and "calls/s" in line for line in lines)


@pytest.mark.usefixtures("hurried")
def test_a_day_that_is_not_out_yet_is_never_among_them(project: Project) -> None:
    newest = project.newest()
    span = ChartDays(SLUG, newest - timedelta(days=1), newest + timedelta(days=1))
    assert not project.run(span, ["chart_rankings"]).success
    assert project.days("chart_rankings") == span.days[:-1]

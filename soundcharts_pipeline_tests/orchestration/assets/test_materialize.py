"""Chart-days through the assets, in real runs on a real instance: what is recorded, what it costs, how it fails."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from soundcharts_pipeline.config.cascade import CHART_REPORT, all_keys
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.assets.table_metadata import as_markdown
from soundcharts_pipeline.orchestration.checks import CHART_DAYS
from soundcharts_pipeline.orchestration.freshness import latest_key
from soundcharts_pipeline.orchestration.partitions import partition_key
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.queries.summaries import Preview
from soundcharts_pipeline_tests.orchestration.assets.recorded import checks_of, everything_recorded, facts_of, lines_of
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.project import Project, chart, open_project
from soundcharts_pipeline_tests.support.truth import expected, stored

NO_WORKBOOK = {"left_out": "report is false", "calls": 0}


def test_a_chart_day_goes_through_all_assets_and_the_second_time_costs_nothing(project: Project) -> None:
    span = project.span(1)
    day = str(span.first)
    world, chart_settings = project.simulator.world, project.settings.chart(SLUG)

    first = project.run(span)
    assert first.success
    recorded = facts_of(project, first)
    assert recorded.keys() == {(key, day) for key in all_keys(project.settings)}
    assert recorded.pop((CHART_REPORT, day)) == NO_WORKBOOK
    held = stored(project.warehouse)
    assert held == expected(world, chart_settings, span.days)
    counters = project.simulator.counters
    assert sum(int(str(facts["calls"])) for facts in recorded.values()) == counters.total
    assert counters.repeats == 0
    for (key, _), facts in recorded.items():
        assert int(str(facts["dagster/partition_row_count"])) > 0, key
        assert int(str(facts["quota_left"])) >= 500_000 - counters.billed, key
        assert str(facts["preview"]).startswith("| "), key
    said = lines_of(project, first)
    assert f"{span}: asked: 1, calls: 2, rows saved: {len(held['chart_rankings'])}" in said
    rows = {key: facts["dagster/partition_row_count"] for (key, _), facts in recorded.items()}
    assert rows["chart_rankings"] == len(held["chart_rankings"])
    assert rows["track_metadata"] == len(held["tracks"])
    assert rows["artist_metadata"] == len(held["artists"])
    for platform in ("spotify", "airplay"):
        points = [row for row in held["track_audience"] if row[1] == platform]
        assert rows[f"track_audience/{platform}"] == len(points)
    for platform in ("spotify", "instagram"):
        points = [row for row in held["artist_audience"] if row[1] == platform]
        assert rows[f"artist_audience/{platform}"] == len(points)
    checks = checks_of(first)
    assert len(checks) == 2 * len(recorded) + 1
    assert all(checks.values()), checks

    second = project.run(span)
    assert second.success
    assert project.simulator.counters.total == counters.total
    assert stored(project.warehouse) == held
    again = facts_of(project, second)
    assert again.pop((CHART_REPORT, day)) == NO_WORKBOOK
    assert {name: facts["calls"] for name, facts in again.items()} == dict.fromkeys(recorded, 0)
    assert {key: facts["dagster/partition_row_count"] for (key, _), facts in again.items()} == rows
    assert all(checks_of(second).values())
    assert lines_of(project, second) == []


def test_every_asset_shows_its_table_its_columns_and_where_they_come_from(project: Project) -> None:
    graph = project.definitions.resolve_asset_graph()
    tables = {key for key in graph.materializable_asset_keys if graph.get(key).is_partitioned}
    for key in tables - {dg.AssetKey(CHART_REPORT)}:
        facts = graph.get(key).metadata
        columns = facts["dagster/column_schema"].columns
        assert columns, key
        assert all(column.type for column in columns), key
        lineage = facts["dagster/column_lineage"].deps_by_column
        assert lineage.keys() <= {column.name for column in columns}, key
        assert bool(lineage) == (key.to_user_string() != "chart_rankings"), key
        for sources in lineage.values():
            for source in sources:
                upstream = graph.get(source.asset_key).metadata["dagster/column_schema"].columns
                assert source.column_name in {column.name for column in upstream}, key


def test_a_range_of_days_is_one_run_with_the_facts_of_every_day(project: Project) -> None:
    span = project.span(5)
    result = project.run(span)
    assert result.success
    assert len(project.instance.get_runs()) == 1
    recorded = facts_of(project, result)
    assert recorded.keys() == {(key, str(day)) for key in all_keys(project.settings) for day in span.days}
    held = stored(project.warehouse)
    assert held == expected(project.simulator.world, project.settings.chart(SLUG), span.days)
    for day in span.days:
        ranked = {row for row in held["chart_rankings"] if row[1] == day}
        facts = recorded["chart_rankings", str(day)]
        assert facts["dagster/partition_row_count"] == len(ranked)
        top = next(row for row in ranked if row[2] == 1)
        name = next(row[1] for row in held["tracks"] if row[0] == top[3])
        assert f"| 1 | {name} |" in str(facts["preview"])
    # A track that stays is one question for all five days, radio plays one for each.
    calls = project.simulator.counters.calls
    tracks = len(held["tracks"])
    assert calls["track_audience"] == tracks
    assert calls["ranking"] == 5
    assert all(checks_of(result).values())
    about = {str(check.metadata[CHART_DAYS].value) for check in result.get_asset_check_evaluations()}
    assert about == {str(span)}


def test_a_day_between_the_rankings_of_a_weekly_chart_is_done_with_no_rows_and_the_reason(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    weekly = chart("tiktok-weekly-songs")
    with open_project(simulator, environ, monkeypatch, weekly) as project:
        friday = project.newest(weekly.slug)
        span = ChartDays(weekly.slug, friday - timedelta(days=7), friday)
        result = project.run(span, ["chart_rankings"])
        assert result.success
        recorded = facts_of(project, result)
        assert len(recorded) == 8
        for (_, day), facts in recorded.items():
            is_friday = date.fromisoformat(day) in (span.first, span.last)
            assert facts["dagster/partition_row_count"] == (50 if is_friday else 0)
            assert ("empty" in facts) is not is_friday
        assert simulator.counters.calls == {"available_rankings": 1, "ranking": 2}


def test_an_asset_that_the_settings_leave_out_says_so_and_makes_no_call(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    modest = chart(
        "viral-50-in",
        trigger_artist_metadata=False,
        track_audience_platforms=("airplay",),
        artist_audience_platforms=(),
    )
    with open_project(simulator, environ, monkeypatch, chart(), modest) as project:
        span = project.span(2, "viral-50-in")
        left_out = ["artist_metadata", "track_audience/spotify", "artist_audience/instagram"]
        result = project.run(span, left_out)
        assert result.success
        assert simulator.counters.total == 0
        reasons = {key: facts["left_out"] for (key, _), facts in facts_of(project, result).items()}
        assert reasons == {
            "artist_metadata": "trigger_artist_metadata is false",
            "track_audience/spotify": "spotify is not in track_audience_platforms",
            "artist_audience/instagram": "instagram is not in artist_audience_platforms",
        }
        assert len(facts_of(project, result)) == 6


def test_a_run_records_no_secret_and_no_preview_reads_one(project: Project) -> None:
    result = project.run(project.span(1), ["chart_rankings", "track_metadata"])
    assert result.success
    text = everything_recorded(project, result.run_id)
    assert "x-api-key" not in text.lower()
    assert "'soundcharts', 'soundcharts'" not in text


def test_a_run_lets_go_of_the_database(project: Project) -> None:
    span = project.span(1)
    assert project.run(span, ["chart_rankings"]).success
    project.warehouse.close()
    database = project.warehouse.url.database
    assert database is not None
    opened = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert [str(path) for path in opened if str(path).startswith(database)] == []


def test_names_with_markup_stay_text_in_a_preview() -> None:
    name = "<img src=x onerror=alert(1)> | A & B\nC"
    shown = as_markdown(Preview(["position", "track"], [(1, name), (2000, None)])).value
    assert shown.splitlines() == [
        "| position | track |",
        "| --- | --- |",
        "| 1 | &lt;img src=x onerror=alert(1)&gt; &#124; A &amp; B C |",
        "| 2,000 |  |",
    ]


def test_a_preview_of_a_run_shows_markup_in_a_track_name_as_text(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, span = project.simulator.world, project.span(1)
    top = world.ranking(SLUG, span.first).entries[0].track
    index = world.catalog.track_index[top.uuid]
    track = world.catalog.track(index)
    named = replace(track, name="<b>Bold</b> | <script>x</script>")
    monkeypatch.setitem(world.catalog._tracks, index, named)
    world._whole_ranking.cache_clear()
    result = project.run(span, ["chart_rankings", "track_metadata"])
    assert result.success
    for facts in facts_of(project, result).values():
        preview = str(facts["preview"])
        assert "&lt;b&gt;Bold&lt;/b&gt; &#124; &lt;script&gt;" in preview
        assert "<" not in preview
        assert len({line.count("|") for line in preview.splitlines()}) == 1


def test_a_chart_is_reported_fresh_when_its_newest_ranking_is_saved_and_not_before(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, chart(), chart("viral-50-in", active=False)) as project:
        newest = project.newest()
        assert project.run(project.span(2, "viral-50-in"), ["chart_rankings"]).success
        assert project.instance.get_latest_materialization_event(latest_key("viral-50-in")) is None

        # The list of rankings, asked here, names the newest one.
        assert project.run(project.span(2, ago=1), ["chart_rankings"]).success
        assert project.instance.get_latest_materialization_event(latest_key(SLUG)) is None
        with_today = ChartDays(SLUG, newest, newest + timedelta(days=1))
        assert not project.run(with_today, ["chart_rankings"]).success
        entry = project.instance.get_latest_materialization_event(latest_key(SLUG))
        assert entry is not None
        assert entry.asset_materialization is not None
        assert entry.asset_materialization.metadata["day"].value == str(newest)


def test_partitions_are_recorded_under_the_key_of_their_chart_and_day(project: Project) -> None:
    span = project.span(1)
    assert project.run(span, ["chart_rankings"]).success
    records = project.instance.get_materialized_partitions(dg.AssetKey("chart_rankings"))
    assert records == {partition_key(SLUG, span.first)}

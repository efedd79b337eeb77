"""Chart-days through the assets, in real runs on a real instance: what is recorded, what it costs, how it fails."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from soundcharts_pipeline.assets.metadata import as_markdown
from soundcharts_pipeline.cascade import all_keys
from soundcharts_pipeline.freshness import latest_key
from soundcharts_pipeline.partitions import ChartSpan, partition_key
from soundcharts_pipeline.simulator import Fault, Simulator
from soundcharts_pipeline.storage.summaries import Preview
from soundcharts_pipeline_tests.helpers import SLUG
from soundcharts_pipeline_tests.project import Project, chart, open_project
from soundcharts_pipeline_tests.truth import expected, stored

SECRET = "a-secret-that-nobody-may-read"


@pytest.fixture
def project(simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with open_project(simulator, environ, monkeypatch) as project:
        yield project


def _recorded(project: Project, result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], dict[str, object]]:
    """Metadata by asset and day, as the instance keeps it."""
    found: dict[tuple[str, str], dict[str, object]] = {}
    for entry in project.instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        made = entry.asset_materialization
        assert made is not None
        if made.partition is not None:
            day = made.partition.rpartition("|")[2]
            key = (made.asset_key.to_user_string(), day)
            assert key not in found, f"{key} is recorded twice"
            found[key] = {name: value.value for name, value in made.metadata.items()}
    return found


def _failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Message of every failed step, by asset."""
    return {str(e.step_key).replace("__", "/"): _message(e) for e in result.all_events if e.is_step_failure}


def _message(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    assert data.user_failure_data is not None, data.error
    return data.user_failure_data.description or ""


def _checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {f"{c.asset_key.to_user_string()}: {c.check_name}": c.passed for c in result.get_asset_check_evaluations()}


def _everything_recorded(project: Project, run_id: str) -> str:
    return "\n".join(str(entry) for entry in project.instance.all_logs(run_id))


def test_a_chart_day_goes_through_all_assets_and_the_second_time_costs_nothing(project: Project) -> None:
    span = project.span(1)
    day = str(span.first)
    world, chart_settings = project.simulator.world, project.settings.chart(SLUG)

    first = project.run(span)
    assert first.success
    recorded = _recorded(project, first)
    assert recorded.keys() == {(key, day) for key in all_keys(project.settings)}
    held = stored(project.warehouse)
    assert held == expected(world, chart_settings, span.days)
    counters = project.simulator.counters
    assert sum(int(str(facts["calls"])) for facts in recorded.values()) == counters.total
    assert counters.repeats == 0
    for (key, _), facts in recorded.items():
        assert int(str(facts["dagster/partition_row_count"])) > 0, key
        assert int(str(facts["quota_left"])) >= 500_000 - counters.billed, key
        assert str(facts["preview"]).startswith("| "), key
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
    checks = _checks(first)
    assert len(checks) == 2 * len(all_keys(project.settings))
    assert all(checks.values()), checks

    second = project.run(span)
    assert second.success
    assert project.simulator.counters.total == counters.total
    assert stored(project.warehouse) == held
    again = _recorded(project, second)
    assert {name: facts["calls"] for name, facts in again.items()} == dict.fromkeys(recorded, 0)
    assert {key: facts["dagster/partition_row_count"] for (key, _), facts in again.items()} == rows
    assert all(_checks(second).values())


def test_every_asset_shows_its_table_its_columns_and_where_they_come_from(project: Project) -> None:
    graph = project.definitions.resolve_asset_graph()
    for key in graph.materializable_asset_keys:
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
    recorded = _recorded(project, result)
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
    assert all(_checks(result).values())


def test_a_day_that_is_not_out_fails_and_the_other_days_of_the_range_are_recorded(project: Project) -> None:
    newest = project.newest()
    span = ChartSpan(SLUG, newest - timedelta(days=2), newest + timedelta(days=1))
    result = project.run(span)
    assert not result.success
    message = _failures(result)["chart_rankings"]
    assert f"{SLUG} has no ranking for {span.last} yet" in message
    assert f"the newest published day is {newest}" in message
    published = span.days[:-1]
    assert project.days("chart_rankings") == published
    assert {day for _, day in _recorded(project, result)} == set(map(str, published))
    assert stored(project.warehouse)["ranked"] == {(SLUG, day) for day in published}
    assert project.days("track_metadata") == []


def test_a_day_that_is_not_out_fails_when_it_is_asked_for_alone(project: Project) -> None:
    tomorrow = project.newest() + timedelta(days=1)
    result = project.run(ChartSpan(SLUG, tomorrow, tomorrow))
    assert not result.success
    assert f"the newest published day is {project.newest()}" in _failures(result)["chart_rankings"]
    assert _recorded(project, result) == {}


def test_a_day_between_the_rankings_of_a_weekly_chart_is_done_with_no_rows_and_the_reason(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    weekly = chart("tiktok-weekly-songs")
    with open_project(simulator, environ, monkeypatch, weekly) as project:
        friday = project.newest(weekly.slug)
        span = ChartSpan(weekly.slug, friday - timedelta(days=7), friday)
        result = project.run(span, ["chart_rankings"])
        assert result.success
        recorded = _recorded(project, result)
        assert len(recorded) == 8
        for (_, day), facts in recorded.items():
            is_friday = date.fromisoformat(day) in (span.first, span.last)
            assert facts["dagster/partition_row_count"] == (50 if is_friday else 0)
            assert ("empty" in facts) is not is_friday
        assert simulator.counters.calls == {"available_rankings": 1, "ranking": 2}


def test_a_platform_that_fails_leaves_the_others_and_is_all_that_a_rerun_asks_for(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, hasty=True) as project:
        span = project.span(1)
        simulator.script("artist_streaming", [Fault.SERVER_ERROR] * 3)
        result = project.run(span)
        assert not result.success
        failures = _failures(result)
        assert failures.keys() == {"artist_audience/spotify"}
        message = failures["artist_audience/spotify"]
        assert message.startswith("3 of ")
        assert "audience windows are still to do" in message
        assert "the server answered 500" in message
        others = set(all_keys(project.settings)) - failures.keys()
        assert {key for key, _ in _recorded(project, result)} == others
        before = simulator.counters

        rerun = project.run(span)
        assert rerun.success
        assert simulator.counters.total - before.total == 3
        assert simulator.counters.repeats == 0
        assert stored(project.warehouse) == expected(simulator.world, project.settings.chart(SLUG), span.days)


def test_days_of_a_range_that_are_complete_when_a_platform_fails_are_recorded(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, hasty=True) as project:
        assert project.run(project.span(2, ago=1), ["chart_rankings", "track_metadata"]).success
        assert project.run(project.span(1, ago=1), ["track_audience/airplay"]).success
        simulator.script("track_broadcasts", [Fault.SERVER_ERROR])
        result = project.run(project.span(2, ago=1), ["track_audience/airplay"])
        assert _failures(result).keys() == {"track_audience/airplay"}
        complete = project.span(1, ago=1)
        assert [day for _, day in _recorded(project, result)] == [str(complete.last)]


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
        reasons = {key: facts["left_out"] for (key, _), facts in _recorded(project, result).items()}
        assert reasons == {
            "artist_metadata": "trigger_artist_metadata is false",
            "track_audience/spotify": "spotify is not in track_audience_platforms",
            "artist_audience/instagram": "instagram is not in artist_audience_platforms",
        }
        assert len(_recorded(project, result)) == 6


def test_an_unknown_chart_is_told_the_nearest_ones(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, environ, monkeypatch, chart("viral-50-globl")) as project:
        day = project.newest()
        result = project.run(ChartSpan("viral-50-globl", day, day))
        message = _failures(result)["chart_rankings"]
        assert "Soundcharts has no chart 'viral-50-globl'" in message
        assert "viral-50-global" in message
        assert "charts.yaml" in message


@pytest.mark.parametrize(
    "credentials",
    [
        {"SOUNDCHARTS_API_KEY": SECRET},
        {"SOUNDCHARTS_API_KEY": "", "SOUNDCHARTS_CLIENT_ID": "me", "SOUNDCHARTS_CLIENT_SECRET": SECRET},
        {"SOUNDCHARTS_API_KEY": ""},
    ],
    ids=["wrong key", "wrong client secret", "none"],
)
def test_credentials_that_do_not_work_are_named_and_never_shown(
    credentials: Mapping[str, str], simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, {**environ, **credentials}, monkeypatch) as project:
        result = project.run(project.span(1))
        assert not result.success
        failure = next(event.step_failure_data for event in result.all_events if event.is_step_failure)
        assert failure.user_failure_data is not None
        assert failure.user_failure_data.metadata["error"].value == "AuthenticationError"
        names = {name for name in credentials if credentials[name]} or {"SOUNDCHARTS_APP_ID", "SOUNDCHARTS_API_KEY"}
        assert names <= set((failure.user_failure_data.description or "").replace(",", " ").replace(";", " ").split())
        assert SECRET not in _everything_recorded(project, result.run_id)
        assert simulator.counters.total <= 1


def test_a_run_records_no_secret_and_no_preview_reads_one(project: Project) -> None:
    result = project.run(project.span(1), ["chart_rankings", "track_metadata"])
    assert result.success
    text = _everything_recorded(project, result.run_id)
    assert "x-api-key" not in text.lower()
    assert "'soundcharts', 'soundcharts'" not in text


def test_a_quota_that_is_used_up_says_how_much_is_left_to_do_and_a_later_run_resumes(project: Project) -> None:
    simulator, span = project.simulator, project.span(1)
    simulator.set(quota=20)
    result = project.run(span)
    assert not result.success
    answered = simulator.counters.answered
    assert answered == 20
    failed = [event for event in result.all_events if event.is_step_failure]
    assert failed
    for event in failed:
        data = event.step_failure_data.user_failure_data
        assert data is not None
        assert data.metadata["error"].value == "QuotaExhausted"
        left = int(str(data.metadata["still_to_do"].value))
        assert left > 0
        assert f"{left} of " in str(data.description)
        assert "a later run" in str(data.description) or "run it again" in str(data.description)

    simulator.set(quota=500_000)
    assert project.run(span).success
    assert simulator.counters.repeats == 0
    assert stored(project.warehouse) == expected(simulator.world, project.settings.chart(SLUG), span.days)


def test_a_run_lets_go_of_the_database(project: Project) -> None:
    span = project.span(1)
    assert project.run(span, ["chart_rankings"]).success
    project.warehouse.close()
    database = project.warehouse.url.database
    assert database is not None
    opened = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert [str(path) for path in opened if str(path).startswith(database)] == []


def test_made_up_and_real_data_do_not_mix(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    span = project.span(1)
    assert project.run(span, ["chart_rankings"]).success
    monkeypatch.setenv("SOUNDCHARTS_BASE_URL", "https://customer.api.soundcharts.example")
    result = project.run(span, ["track_metadata"])
    assert "this database holds data of 'local'" in _failures(result)["track_metadata"]


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
    index = world.catalogue.track_index[top.uuid]
    track = world.catalogue.track(index)
    named = replace(track, name="<b>Bold</b> | <script>x</script>")
    monkeypatch.setitem(world.catalogue._tracks, index, named)
    world._whole_ranking.cache_clear()
    result = project.run(span, ["chart_rankings", "track_metadata"])
    assert result.success
    for facts in _recorded(project, result).values():
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
        with_today = ChartSpan(SLUG, newest, newest + timedelta(days=1))
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

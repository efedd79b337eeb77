"""How long an asset may go without a materialisation: no chart that does what it promises is ever late."""

from datetime import timedelta

import dagster as dg
import pytest

from soundcharts_pipeline.config.cascade import CHART_REPORT, RANKINGS, TRACK_METADATA, all_keys, scheduled_keys
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.embedding.build import build_definitions
from soundcharts_pipeline.orchestration.freshness import policy_of
from soundcharts_pipeline_tests.support.helpers import small_chart


def _settings(*charts: ChartSettings) -> Settings:
    return Settings({chart.slug: chart for chart in charts})


def _days(settings: Settings, key: str = RANKINGS) -> tuple[float, float] | None:
    """After how many days without a materialisation Dagster warns, and calls it a failure."""
    policy = policy_of(key, settings)
    if policy is None:
        return None
    assert isinstance(policy, dg.FreshnessPolicy)
    windows = [getattr(policy, name).to_timedelta() / timedelta(days=1) for name in ("warn_window", "fail_window")]
    return windows[0], windows[1]


@pytest.mark.parametrize(
    ("schedules", "days"),
    [
        (["0 * * * *"], (10.5, 17.5)),  # it may be published weekly, which only the warehouse knows
        (["0 2 * * *"], (10.5, 17.5)),
        (["0 2 * * 1-5"], (10.5, 17.5)),
        (["0 6 * * 1"], (10.5, 17.5)),
        (["0 2 1 * *"], (46.5, 77.5)),
        (["0 2 * * *", "0 2 1 * *"], (46.5, 77.5)),  # the slowest alone keeps the asset fresh
    ],
)
def test_an_asset_is_late_when_its_slowest_chart_would_have_run_twice(
    schedules: list[str], days: tuple[float, float]
) -> None:
    settings = _settings(*(small_chart(f"chart-{n}", schedule=cron) for n, cron in enumerate(schedules)))
    assert _days(settings) == days


def test_charts_whose_schedule_does_not_run_the_asset_do_not_count() -> None:
    asleep = small_chart("asleep", active=False, schedule="0 2 1 1 *")
    no_cascade = small_chart("no-cascade", auto_trigger_cascade=False, schedule="0 2 1 * *")
    whole = small_chart("whole", report=True, schedule="0 2 * * *")
    settings = _settings(asleep, no_cascade, whole)
    assert _days(settings, TRACK_METADATA) == (46.5, 77.5)
    assert _days(settings, CHART_REPORT) == (10.5, 17.5)
    assert {_days(_settings(asleep), key) for key in all_keys(settings)} == {None}


def test_every_asset_that_a_schedule_runs_has_a_policy_and_no_other() -> None:
    chart, other = small_chart(), small_chart("other", active=False, track_audience_platforms=("shazam",))
    settings = _settings(chart, other)
    specs = {spec.key.to_user_string(): spec for spec in build_definitions(settings).resolve_all_asset_specs()}
    with_policy = {key for key, spec in specs.items() if spec.freshness_policy}
    assert with_policy == {*scheduled_keys(settings, chart), f"latest_ranking/{chart.slug}"}

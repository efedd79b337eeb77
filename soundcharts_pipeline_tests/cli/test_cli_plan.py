"""`plan` as a user types it: a table or JSON, no billed call, and then `sync` costs what it said."""

import json
from datetime import date
from pathlib import Path

import pytest

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.support.command_line import CHARTS, run, with_charts
from soundcharts_pipeline_tests.support.helpers import SLUG


@pytest.fixture
def user(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """With a small chart."""
    return with_charts(environ, tmp_path)


@pytest.fixture
def newest(simulator: Simulator) -> date:
    """The newest day of the chart."""
    day = simulator.world.newest_day(SLUG)
    assert day is not None
    return day


def test_a_plan_is_a_table_and_sync_then_costs_that(user: dict[str, str], simulator: Simulator, newest: date) -> None:
    rough = run(user, "plan", SLUG, "--date", f"{newest}")

    assert (rough.code, rough.err) == (0, "")
    assert rough.says(
        "Rough: 1 of the rankings must be fetched first", "--fetch-rankings", "Quota: 500,000 billed calls left"
    )
    assert simulator.counters.billed == 0
    assert simulator.counters.calls == {"usage": 1}

    fetched = run(user, "plan", SLUG, "--date", f"{newest}", "--fetch-metadata")

    assert fetched.says(
        "Fetching first: about", "7 billed calls made", "chart_rankings 0 rankings 0", "Time: within a minute"
    )
    assert "Rough" not in fetched.out
    assert simulator.counters.billed == 7

    exact = json.loads(run(user, "plan", SLUG, "--json").out)

    assert not exact["estimate"]
    assert simulator.counters.total == 8, "the quota was seen today"
    simulator.reset()
    assert run(user, "sync", SLUG, "--date", f"{newest}").code == 0
    assert simulator.counters.total == exact["calls"] > 50

    stamp = simulator.publish_again(SLUG, newest)
    again = json.loads(run(user, "plan", SLUG, "--refresh", "--json").out)
    assert not again["estimate"]
    simulator.reset()
    done = run(user, "sync", SLUG, "--date", f"{newest}", "--refresh")
    assert done.says(f"{newest} published again at {stamp}: 2 places moved, the number one is now")
    assert simulator.counters.total == again["calls"] > exact["calls"], "the list, the ranking and metadata, too"


def test_a_chart_of_unknown_size_is_not_priced_too_low(
    environ: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    named = CHARTS.replace("slug: viral-50-global", "slug: global-28").replace("Viral 50", "Our big one")
    user = with_charts(environ, tmp_path, named)
    day = ("--date", f"{simulator.world.newest_day('global-28')}")

    blind = run(user, "plan", "global-28", *day)
    blind_json = json.loads(run(user, "plan", "global-28", *day, "--json").out)
    cost = json.loads(run(user, "plan", "global-28", *day, "--fetch-metadata", "--json").out)
    billed = simulator.counters.billed

    assert blind.says(
        "Assumed: a chart of 200 places", "`soundcharts-pipeline catalog` finds out, with 1 call and 1 per"
    )
    assert blind_json["assumed_places"] == 200
    assert blind_json["calls"] >= 0.95 * (cost["calls"] + billed)
    assert cost["assumed_places"] is None


def test_calls_that_are_announced_and_made_are_both_billed_ones(
    user: dict[str, str], simulator: Simulator, newest: date
) -> None:
    # With a reserve the quota is asked before anything else, which is a free call.
    careful = {**user, "SOUNDCHARTS_QUOTA_RESERVE": "10"}
    fetched = run(careful, "plan", SLUG, "--date", f"{newest}", "--fetch-rankings")

    assert fetched.says("Fetching first: about 2 billed calls", "2 billed calls made")
    assert "Assumed" not in fetched.text
    assert simulator.counters.calls["usage"] == 1


def test_a_quota_that_is_too_small_is_said_with_what_fits(user: dict[str, str], newest: date) -> None:
    days = ("--from", f"{newest.replace(day=newest.day - 2)}", "--to", f"{newest}")
    assert run(user, "plan", SLUG, *days, "--fetch-rankings").code == 0
    whole = json.loads(run(user, "plan", SLUG, *days, "--json").out)
    reserve = whole["quota_left"] - whole["calls"] + 1

    done = run({**user, "SOUNDCHARTS_QUOTA_RESERVE": f"{reserve}"}, "plan", SLUG, *days)

    assert done.code == 0
    assert done.says(
        "WARNING: the quota lacks 1 of these calls; the first 2 of 3 days fit", f"{reserve:,} of them kept in reserve"
    )


def test_a_plan_without_a_day_needs_a_stored_ranking(user: dict[str, str], simulator: Simulator) -> None:
    done = run(user, "plan", SLUG)

    assert done.code == 2
    assert done.says("no ranking of viral-50-global is stored", "--date")
    assert simulator.counters.total == 0


def test_a_plan_is_made_without_credentials(user: dict[str, str], newest: date) -> None:
    poor = {name: value for name, value in user.items() if name not in ("SOUNDCHARTS_APP_ID", "SOUNDCHARTS_API_KEY")}

    done = run(poor, "plan", SLUG, "--date", f"{newest}")

    assert done.code == 0
    assert done.says("how many billed calls are left is not known", "total about")

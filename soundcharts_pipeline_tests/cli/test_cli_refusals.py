"""`sync` on a bad day: what Soundcharts or the network refuses is one message with its remedy and its exit code, and
what was saved before stays.

Two chart-days are saved first, once for the module; every test then fails at another day.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.tables import schema
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.command_line import Done, run, run_each, run_here, user_environ, with_charts
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.today import TODAY

# What is shorter may be said again.
SENTENCE_WORDS = 4
SECRET = "a-key-that-nobody-may-read"
# Days that cannot be meant, and words of the message.
NO_DAYS = {
    "--date 2026-02-30": ["'2026-02-30' is no day", "write it like 2026-11-20"],
    "--date 2026-W47-1": ["'2026-W47-1' is no day", "write it like 2026-11-20"],
    "--date 20261120": ["'20261120' is no day", "write it like 2026-11-20"],
    "--from 2026-11-01 --to 2026W471": ["'2026W471' is no day"],
    "--date 2026-11-01 --from 2026-11-01": ["give --date, or --from and --to, not both"],
    "--from 2026-11-01": ["give both --from and --to"],
    "--from 2026-11-02 --to 2026-11-01": ["--from 2026-11-02 is after --to 2026-11-01"],
    "--date 2999-01-01": ["2999-01-01 is in the future", "the last day that can be synced is"],
    "--date 2025-12-31": [f"{SLUG} is synced since 2026-01-01", "first_date in", "charts.yaml"],
}


@dataclass(frozen=True, slots=True)
class Saved:
    """A database that holds the two newest chart-days."""

    environ: dict[str, str]
    simulator: Simulator
    newest: date

    def sync(self, days_ago: int, changes: Mapping[str, str] | None = None) -> Done:
        """Sync the day so long before the newest one, with changes to the environment."""
        done = run({**self.environ, **(changes or {})}, "sync", SLUG, "--date", f"{self.day(days_ago)}")
        sentences = [one for one in re.split(r"[.;:] ", done.text) if one.count(" ") >= SENTENCE_WORDS]
        assert len(set(sentences)) == len(sentences), f"said twice: {sorted(sentences)}"
        assert ("What to do: " in done.text) == (done.code != 0)
        return done

    def day(self, days_ago: int) -> date:
        return self.newest - timedelta(days=days_ago)

    def rows(self) -> dict[str, int]:
        """What the saved days consist of, by table."""
        with closing(Warehouse(read_environment(self.environ).database_url)) as warehouse, warehouse.read() as conn:
            counts = {
                table.name: conn.scalar(select(func.count()).select_from(table)) or 0
                for table in (schema.tracks, schema.artists, schema.track_audience, schema.artist_audience)
            }
            t = schema.chart_rankings
            places = select(func.count()).select_from(t).where(t.c.rank_date >= self.day(1))
            return {**counts, "places": conn.scalar(places) or 0}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Saved]:
    """The two newest days are saved, as a range."""
    folder = tmp_path_factory.mktemp("refusals")
    with Simulator(today=TODAY) as simulator:
        newest = simulator.world.newest_day(SLUG)
        assert newest is not None
        saved = Saved(with_charts(user_environ(simulator, folder), folder), simulator, newest)
        done = run(saved.environ, "sync", SLUG, "--from", f"{saved.day(1)}", "--to", f"{saved.day(0)}")
        assert done.code == 0
        assert done.says(f"Viral 50, {saved.day(1)} to {saved.day(0)}", "2/2 rankings", "complete")
        assert saved.rows()["places"] == 100
        yield saved


@pytest.fixture
def saved(filled: Saved) -> Iterator[Saved]:
    """The database of the module, which the test may add to and takes nothing from."""
    before = filled.rows()
    assert before["places"] == 100
    filled.simulator.reset()
    yield filled
    after = filled.rows()
    assert after["places"] == 100
    assert all(after[table] >= count for table, count in before.items())


def test_a_day_that_is_not_published_yet_names_the_newest_that_is(saved: Saved) -> None:
    done = saved.sync(-1)

    assert done.code == 1
    assert done.says(f"no ranking for {saved.day(-1)} yet", f"the newest published day is {saved.newest}")
    assert done.says("chart_rankings: ", "Not complete: run ", "dev` shows it in the Dagster UI")


def test_a_chart_that_begins_after_its_newest_ranking_is_told_so_and_not_that_nothing_is_broken(saved: Saved) -> None:
    file = Path(saved.environ["SOUNDCHARTS_CHARTS"])
    late = file.with_name("late.yaml")
    late.write_text(file.read_text().replace("2026-01-01", f"{saved.day(-1)}"))

    done = run(saved.environ | {"SOUNDCHARTS_CHARTS": str(late)}, "sync", SLUG)

    assert done.code == 2
    assert done.says(f"the newest ranking of {SLUG} is of {saved.newest}, before its first_date {saved.day(-1)}")
    assert "Nothing is broken" not in done.text


def test_an_exhausted_quota_says_what_remains_and_that_a_later_run_resumes(saved: Saved) -> None:
    saved.simulator.set(quota=20)

    done = saved.sync(2)

    saved.simulator.set(quota=500_000)
    assert done.code == 4
    assert done.says("audience windows are still to do", "0 billed calls are left", "what was saved stays", "resumes")
    resumed = saved.sync(2)
    assert resumed.code == 0
    assert {question.split("?")[0] for question in saved.simulator.counters.repeated} <= {"GET /api/v2/team/usage"}


def test_a_spent_budget_is_told_once_with_what_remains_of_each_asset_and_a_later_run_resumes(saved: Saved) -> None:
    billed = saved.simulator.counters.billed

    done = run(saved.environ, "sync", SLUG, "--date", f"{saved.day(6)}", "--budget", "15")

    assert done.code == 4
    assert saved.simulator.counters.billed - billed == 15
    assert done.says("track_audience/spotify: ", "artist_audience/instagram: ", "audience windows are still to do")
    assert done.text.count("the budget of this run is spent: 15 of 15 billed calls") == 1
    assert done.text.count("Not complete") == 1
    assert saved.sync(6).code == 0
    assert saved.simulator.counters.repeats == 0


def test_a_rate_limit_that_does_not_end_names_the_variable_to_lower(saved: Saved) -> None:
    def limited(path: str, status: int, body: Any) -> tuple[int, Any]:
        if "/ranking/" not in path:
            return status, body
        return 429, {"errors": [{"code": 429, "message": "You have reached the maximum request count per minute."}]}

    with altered(saved.simulator.url, limited) as url:
        done = saved.sync(3, {"SOUNDCHARTS_BASE_URL": url})

    assert done.code == 4
    assert done.says("1 of 1 rankings are still to do", "lower SOUNDCHARTS_CALLS_PER_MINUTE")


def test_an_answer_without_a_required_field_names_endpoint_and_field(saved: Saved) -> None:
    def shortened(path: str, status: int, body: Any) -> tuple[int, Any]:
        if "/ranking/" in path:
            for item in body["items"]:
                del item["position"]
        return status, body

    with altered(saved.simulator.url, shortened) as url:
        done = saved.sync(4, {"SOUNDCHARTS_BASE_URL": url})

    assert done.code == 1
    assert done.says("chart_rankings: ", "ranking", "position", "1 of 1 rankings are still to do")


def test_a_wrong_key_names_the_variables_and_not_the_key(saved: Saved) -> None:
    done = saved.sync(5, {"SOUNDCHARTS_API_KEY": SECRET})

    assert done.code == 3
    assert done.says("SOUNDCHARTS_APP_ID", "SOUNDCHARTS_API_KEY", "refuses the credentials")
    assert SECRET not in done.text


def test_without_credentials_the_variables_to_set_are_named(saved: Saved) -> None:
    done = run({**saved.environ, "SOUNDCHARTS_API_KEY": ""}, "sync", SLUG)

    assert done.code == 3
    assert done.says("no Soundcharts credentials: set SOUNDCHARTS_APP_ID and SOUNDCHARTS_API_KEY", " demo`")
    assert saved.simulator.counters.total == 0


def test_a_chart_that_soundcharts_does_not_have_is_named(saved: Saved) -> None:
    done = run(saved.environ, "sync", "nowhere-28")

    assert done.code == 1
    assert done.says("Soundcharts has no chart 'nowhere-28'", "charts search", "charts.yaml")


def test_a_database_filled_from_elsewhere_is_left_alone(saved: Saved) -> None:
    done = run({**saved.environ, "SOUNDCHARTS_BASE_URL": "https://soundcharts.invalid"}, "sync", SLUG)

    assert done.code == 1
    assert done.says("'local'", "'soundcharts.invalid'", "SOUNDCHARTS_DATA_DIR or SOUNDCHARTS_DATABASE_URL")


def test_days_that_cannot_be_meant_are_bad_use_and_cost_no_call(saved: Saved) -> None:
    said = run_each({days: (saved.environ, ["sync", SLUG, *days.split()]) for days in NO_DAYS})

    for days, words in NO_DAYS.items():
        assert said[days].code == 2, days
        assert said[days].says(*words)
    assert saved.simulator.counters.total == 0


def test_a_chart_that_is_not_in_the_file_is_bad_use_and_the_nearest_is_named(saved: Saved) -> None:
    done = run(saved.environ, "sync", "viral-50-globe")

    assert done.code == 2
    assert done.says("charts.yaml: no chart 'viral-50-globe'", f"did you mean '{SLUG}'", "charts add viral-50-globe")
    assert "What to do" not in done.text, "nothing of charts.yaml is to be changed"
    assert saved.simulator.counters.total == 0


def test_the_name_of_a_chart_day_is_told_as_options(saved: Saved) -> None:
    day = saved.newest
    as_typed = {
        "sync": f"sync {SLUG} --date {day}",
        "plan": f"plan {SLUG} --date {day}",
        "backfill": f"backfill {SLUG} --from {day} --to {day}",
    }
    for command, wanted in as_typed.items():
        days = ("--from", f"{day}") if command == "backfill" else ()
        done = run_here(saved.environ, command, f"{SLUG}|{day}", *days)
        assert done.code == 2
        assert done.says(f"'{SLUG}|{day}' is a chart and a day; write `soundcharts-pipeline {wanted}`")
        assert "charts add" not in done.text
    other = run_here(saved.environ, "sync", "no|chart")
    assert other.says("charts add 'no|chart'`")
    assert saved.simulator.counters.total == 0


def test_with_the_quota_used_up_and_nothing_stored_the_remedy_can_be_typed(tmp_path: Path) -> None:
    with Simulator(today=TODAY, quota=0) as simulator:
        environ = with_charts(user_environ(simulator, tmp_path), tmp_path)
        done = run(environ, "sync", SLUG)
        assert done.code == 4
        assert done.says(f"`soundcharts-pipeline plan {SLUG} --date YYYY-MM-DD` says how many calls")

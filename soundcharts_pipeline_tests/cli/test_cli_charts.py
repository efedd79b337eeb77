"""`charts`: the file is the user's, the catalog is live, and what a look at it costs is said."""

from pathlib import Path

import pytest

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.command_line import CHARTS, run, run_here, run_in_terminal, with_charts
from soundcharts_pipeline_tests.sync.refusing import refusing


@pytest.fixture
def environ(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The user's environment, with the charts file of `command_line`."""
    return with_charts(environ, tmp_path)


def test_list_shows_every_chart_and_makes_no_call(environ: dict[str, str], simulator: Simulator) -> None:
    done = run(environ, "charts", "list")

    assert done.code == 0
    assert done.says("viral-50-global Viral 50 0 2 * * * yes 2026-01-01 UTC", "nowhere-28")
    assert simulator.counters.total == 0


def test_search_finds_words_in_names_and_says_what_it_cost(environ: dict[str, str], simulator: Simulator) -> None:
    done = run(environ, "charts", "search", "DAILY", "germany")

    assert done.code == 0
    germany = next(
        c for c in simulator.world.charts() if c.platform == "spotify" and c.name == "Germany Daily Top Songs"
    )
    assert done.says(f"{germany.slug} Germany Daily Top Songs spotify DE daily 200")
    assert done.says(f"1 chart, {simulator.counters.total} calls")
    assert simulator.counters.total > 5


def test_search_of_a_platform_and_a_country_asks_that_platform_alone(
    environ: dict[str, str], simulator: Simulator
) -> None:
    done = run(environ, "charts", "search", "--platform", "shazam", "--country", "fr")

    listed = {line.split("│")[1].strip() for line in done.out.splitlines() if "│" in line}
    assert listed == {c.slug for c in simulator.world.charts() if (c.platform, c.country_code) == ("shazam", "FR")}
    assert listed
    assert set(simulator.counters.calls) == {"charts"}


def test_a_search_that_is_refused_is_given_no_advice_on_the_charts_file(
    environ: dict[str, str], simulator: Simulator
) -> None:
    refusal = {"errors": [{"key": "access", "code": 403, "message": "Not in your plan."}]}
    with altered(simulator.url, lambda _path, _status, _body: (403, refusal)) as url:
        done = run(environ | {"SOUNDCHARTS_BASE_URL": url}, "charts", "search", "germany")

    assert done.code == 1
    assert done.says("403", "What to do: Have it added to the plan.")


@pytest.mark.parametrize("refusal", [(403, "Not in your plan."), (404, "Not found.")])
@pytest.mark.parametrize("command", [["charts", "search", "germany"], ["catalog"]])
def test_a_platform_that_is_refused_leaves_the_others(
    environ: dict[str, str], simulator: Simulator, command: list[str], refusal: tuple[int, str]
) -> None:
    with altered(simulator.url, refusing("/by-platform/itunes", *refusal)) as url:
        done = run(environ | {"SOUNDCHARTS_BASE_URL": url}, *command)
    saved = run(environ, "charts", "search", "germany", "--saved")

    assert done.code == 0
    assert ("itunes, which the plan does not hold: left out" in done.text) == (refusal[0] == 403)
    german = [c for c in simulator.world.charts() if "Germany" in c.name]
    assert {c.platform for c in german} > {"itunes", "spotify"}
    assert [c.slug for c in german if (c.slug in saved.text) == (c.platform == "itunes")] == []


def test_search_without_a_match_says_what_to_try(environ: dict[str, str]) -> None:
    done = run(environ, "charts", "search", "--platform", "spotify", "no such chart")

    assert done.code == 0
    assert done.says("0 charts", "try fewer words")


def test_search_of_an_unknown_platform_names_the_nearest(environ: dict[str, str]) -> None:
    done = run(environ, "charts", "search", "--platform", "spotfy")

    assert done.code == 2
    assert done.says("no charts of the platform 'spotfy'; write 'spotify'")


@pytest.mark.parametrize(
    ("country", "said"),
    [
        ("germany", "'germany' is no code of a country; write its two letters, such as DE for Germany"),
        ("DEU", "'DEU' is no code of a country"),
        ("", "'' is no code of a country"),
        ("uk", "the code of 'uk' is GB; write --country GB"),
    ],
)
def test_a_country_that_is_no_code_is_refused_before_a_call(
    environ: dict[str, str], simulator: Simulator, country: str, said: str
) -> None:
    done = run_here(environ, "charts", "search", "daily", "--country", country)

    assert done.code == 2
    assert done.says(said)
    assert simulator.counters.total == 0


def test_search_works_before_there_is_a_charts_file(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "charts.yaml").unlink()

    done = run(environ, "charts", "search", "--platform", "spotify", "global-28")

    assert done.code == 0
    assert done.says("global-28")


def test_add_then_remove_leaves_every_byte_of_the_file(environ: dict[str, str], tmp_path: Path) -> None:
    added = run(environ, "charts", "add", "global-28")

    assert added.code == 0
    assert added.says("added global-28 (Global Daily Top Songs)", "sync global-28")
    item = "  - slug: global-28\n    name: Global Daily Top Songs\n"
    assert (tmp_path / "charts.yaml").read_text() == CHARTS + item

    removed = run(environ, "charts", "remove", "global-28")

    assert removed.code == 0
    assert removed.says("removed global-28", "stays in the database")
    assert (tmp_path / "charts.yaml").read_text() == CHARTS


def test_add_of_an_unknown_slug_names_the_nearest_and_leaves_the_file(environ: dict[str, str], tmp_path: Path) -> None:
    done = run(environ, "charts", "add", "global-29")

    assert done.code == 2
    assert done.says("Soundcharts has no chart 'global-29'", "did you mean global-28", "charts search")
    assert (tmp_path / "charts.yaml").read_text() == CHARTS


@pytest.mark.parametrize(
    ("slug", "problem"), [("viral-50-global", "is there already"), ("a/b", "slug 'a/b' holds more than letters")]
)
def test_add_spends_no_call_on_a_slug_that_the_file_cannot_take(
    environ: dict[str, str], simulator: Simulator, slug: str, problem: str
) -> None:
    done = run(environ, "charts", "add", slug)

    assert done.code == 2
    assert done.says(problem, "charts.yaml")
    assert simulator.counters.total == 0


def test_remove_of_an_unknown_slug_names_the_nearest(environ: dict[str, str]) -> None:
    done = run(environ, "charts", "remove", "viral-50")

    assert done.code == 2
    assert done.says("no chart 'viral-50' to remove; write 'viral-50-global'")


def test_what_is_piped_holds_whole_slugs_and_paths(environ: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / ("a-folder-with-a-name-that-is-long" * 4)
    folder.mkdir()
    long_slug = "a-slug-that-is-longer-than-a-terminal-is-wide-" * 3 + "28"
    environ = with_charts({**environ, "COLUMNS": "60"}, folder, f"charts:\n  - slug: {long_slug}\n")

    assert long_slug in run(environ, "charts", "list").out
    assert f"{folder}/charts.yaml: no chart" in run(environ, "charts", "remove", "other").err


def test_a_narrow_terminal_shows_whole_slugs_and_says_what_it_leaves_out(environ: dict[str, str]) -> None:
    done = run_in_terminal(environ, 60, "charts", "search", "global", "--platform", "youtube")

    assert done.code == 0
    assert "│ youtube-top-songs-global │" in done.out
    assert "left out, for this terminal is narrow: country, frequency, places" in done.out
    assert all(len(line.rstrip()) <= 60 for line in done.out.splitlines() if "│" in line)

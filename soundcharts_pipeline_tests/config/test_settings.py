"""The charts file and the variables: what they mean, and what every mistake in them is answered with."""

import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundcharts_pipeline.clock import DAYS_AHEAD, standing_still
from soundcharts_pipeline.config.chart_keys import (
    ARTIST_AUDIENCE_PLATFORMS,
    KEYS,
    NAME,
    TRACK_AUDIENCE_PLATFORMS,
    ChartKey,
    text_of,
)
from soundcharts_pipeline.config.read_charts import examine, load_settings, parse_settings
from soundcharts_pipeline.config.settings import ChartSettings, Housekeeping, SettingsError, default_of
from soundcharts_pipeline_tests.support.today import TODAY, noon

ONE_CHART = "charts:\n  - slug: global-28\n"
PROJECT = Path(__file__).parents[2]


def mistakes_in(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, source="charts.yaml")
    return str(caught.value).splitlines()


def test_a_chart_alone_has_the_documented_defaults() -> None:
    assert parse_settings(ONE_CHART, source="charts.yaml").chart("global-28") == ChartSettings(
        slug="global-28",
        name="global-28",
        active=True,
        schedule="0 2 * * *",
        sync_history=True,
        timezone="UTC",
        first_date=date(2026, 1, 1),
        fetch_track_metadata=True,
        auto_trigger_cascade=True,
        auto_extract_artists=True,
        auto_extract_genres=True,
        trigger_artist_metadata=True,
        trigger_audience_fetch=True,
        track_audience_platforms=("spotify", "youtube", "shazam", "airplay"),
        artist_audience_platforms=("spotify", "youtube", "instagram", "tiktok"),
        history_days=90,
        follow_days=14,
        recheck_hours=12,
        metadata_refresh_days=30,
        heal_days=14,
        airplay_source="broadcasts",
    )


def test_a_chart_wins_over_the_defaults_and_keeps_the_rest() -> None:
    text = """
defaults: {history_days: 30, active: false, first_date: 2026-03-01}
charts:
  - slug: b
    name: The B chart
    active: true
    track_audience_platforms: [tiktok]
    artist_audience_platforms: []
  - slug: a
    airplay_source: broadcast-groups
endpoints:
  ranking: /api/v3/ranking/{slug}
max_partitions_per_run: 90
"""
    settings = parse_settings(text, source="charts.yaml")
    assert settings.slugs == ("b", "a")
    assert settings.chart("b") == ChartSettings(
        slug="b",
        name="The B chart",
        history_days=30,
        first_date=date(2026, 3, 1),
        track_audience_platforms=("tiktok",),
        artist_audience_platforms=(),
    )
    assert settings.chart("a") == ChartSettings(
        slug="a",
        name="a",
        active=False,
        history_days=30,
        first_date=date(2026, 3, 1),
        airplay_source="broadcast-groups",
    )
    assert settings.endpoints == {"ranking": "/api/v3/ranking/{slug}"}
    assert settings.max_partitions_per_run == 90
    assert settings.track_platforms == ("tiktok", "spotify", "youtube", "shazam", "airplay")
    # Every asset asks for them of every chart: they are looked for once.
    assert settings.track_platforms is settings.track_platforms
    assert settings.artist_platforms == ("spotify", "youtube", "instagram", "tiktok")


def test_the_project_file_loads_and_mentions_every_key() -> None:
    settings = load_settings(PROJECT / "charts.yaml")
    assert settings.slugs == ("global-28", "shazam-top-200-world", "airplay-daily", "tiktok-weekly-songs")
    assert {chart.first_date for chart in settings.charts.values()} == {date(2026, 10, 1)}
    assert settings.chart("tiktok-weekly-songs").schedule == "0 6 * * 1"
    text = (PROJECT / "charts.yaml").read_text(encoding="utf-8")
    keys = ChartSettings.__dataclass_fields__
    assert [key for key in keys if not re.search(rf"^[ -]+{key}:", text, re.MULTILINE)] == []


def test_every_key_is_described_once_and_docs_tell_its_meaning_default_and_calls() -> None:
    described = [key.name for key in (NAME, *KEYS)]
    assert sorted(described) == sorted(ChartSettings.__dataclass_fields__.keys() - {"slug"})
    docs = (PROJECT / "docs" / "charts.md").read_text(encoding="utf-8")
    rows = {
        f"| `{key.name}` | {key.meaning} | {default_in_docs(key)} | {key.cost} |".replace("  ", " ")
        for key in (NAME, *KEYS)
    }
    assert rows - {*docs.splitlines()} == set()


def default_in_docs(key: ChartKey) -> str:
    if key is NAME:
        return "the slug"
    text = text_of(default_of(key.name))
    return f"`[{text}]`" if key.kind == "platforms" else f"`{text}`"


@pytest.mark.parametrize(
    ("ahead", "refused"), [(-1, False), (0, False), (DAYS_AHEAD, False), (DAYS_AHEAD + 1, True), (400, True)]
)
def test_a_first_date_later_than_any_ranking_is_refused_with_what_to_write(ahead: int, refused: bool) -> None:
    for text in (f"{ONE_CHART}    first_date: {{}}\n", f"{ONE_CHART}defaults:\n  first_date: {{}}\n"):
        day = TODAY + timedelta(days=ahead)
        _, mistakes = examine(text.format(day), standing_still(noon(TODAY)))
        latest = TODAY + timedelta(days=DAYS_AHEAD)
        said = (
            f"first_date is '{day}', today is {TODAY}, and no ranking is dated after {latest} yet; "
            f"write 'first_date: {TODAY}', or an earlier day"
        )
        assert [str(mistake) for mistake in mistakes] == ([said] if refused else [])


def test_an_unknown_chart_is_answered_with_the_nearest() -> None:
    settings = parse_settings(ONE_CHART, source="charts.yaml")
    with pytest.raises(SettingsError, match="no chart 'globl-28' in the charts file; write 'global-28'"):
        settings.chart("globl-28")


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("trigger_audience: true", "unknown key 'trigger_audience' in a chart; write 'trigger_audience_fetch'"),
        ("xyz: true", "unknown key 'xyz' in a chart; write one of: slug, name, active, schedule"),
        ("active: 'yes'", "active is 'yes', neither true nor false; write 'active: true' or 'active: false'"),
        ("active: yes", "write 'active: true' or 'active: false'"),
        ("active:", "active is empty, neither true nor false"),
        ("active: [true]", "active is a list, neither true nor false"),
        ("name: 100", "name is '100', not a text; write name: \"100\""),
        ("name: ''", "name is '', not a text"),
        ("schedule: '0 25 * * *'", "bad schedule '0 25 * * *': hour '25' is not within 0 to 23; write a cron string"),
        ("schedule: '0 2 * *'", "a cron string has 5 fields (minute, hour, day of month, month, day of week), not 4"),
        ("schedule: '0 0 0 2 * *'", "not 6; write a cron string such as '0 2 * * *', 'hourly'"),
        ("schedule: every day", "bad schedule 'every day': the phrase is not understood; write a cron string"),
        ("schedule: daily at 25:00", "25:00 is not a time of day"),
        ("schedule: weekly on mondy at 06:00", "'mondy' is not a day of the week"),
        ("schedule: every 25 hours", "25 hours is not within 1 to 24"),
        ("schedule: 5", "schedule is '5', not a text; write schedule: \"5\""),
        ("timezone: Europe/Pariss", "unknown timezone 'Europe/Pariss'; write 'Europe/Paris'"),
        ("timezone: utc+99", "write"),
        ("timezone: Z", "unknown timezone 'Z'; write 'UTC' or a name such as"),
        ("timezone: GMT+2", "unknown timezone 'GMT+2'; write 'Etc/GMT-2', whose sign is the other way round, or"),
        ("timezone: UTC-05:00", "write 'Etc/GMT+5', whose sign"),
        ("timezone: '+0530'", "write 'UTC' or a name such as"),
        ("timezone: UTC+15", "write 'UTC' or a name such as"),
        ("timezone: Europe", "unknown timezone 'Europe'; write"),
        ("timezone: ../../etc/passwd", "unknown timezone '../../etc/passwd'; write 'UTC' or a name such as"),
        ("first_date: 2026-02-30", "first_date is '2026-02-30', not a day of the calendar; write 'first_date: YYYY-"),
        ("first_date: 2026-02-03T10:00:00", "not a day of the calendar"),
        ("first_date: 01/02/2026", "not a day of the calendar"),
        ("first_date: 20260101", "not a day of the calendar"),
        ("track_audience_platforms: [spotfy]", "unknown track audience platform 'spotfy' in track_audience_platforms"),
        ("track_audience_platforms: [spotfy]", "write 'spotify'"),
        ("artist_audience_platforms: [airplay]", "unknown artist audience platform 'airplay'"),
        ("artist_audience_platforms: [x]", "write one of: spotify, youtube, instagram"),
        ("track_audience_platforms: spotify", "is 'spotify', not a list; write 'track_audience_platforms: [spotify]'"),
        ("track_audience_platforms:", "is empty, not a list; write 'track_audience_platforms: [spotify, youtube]'"),
        ("track_audience_platforms: [spotify, spotify]", "'spotify' stands twice in track_audience_platforms; write"),
        ("history_days: 0", "history_days is '0', not a whole number from 1 to 36500; write for example 'history_days"),
        ("history_days: '90'x", "cannot be read as YAML"),
        ("follow_days: -1", "follow_days is '-1', not a whole number from 0 to 36500"),
        ("recheck_hours: 1.5", "recheck_hours is '1.5', not a whole number"),
        ("metadata_refresh_days: 99999999999999999999", "not a whole number from 1 to 36500"),
        ("heal_days: true", "heal_days is 'true', not a whole number"),
        ("airplay_source: broadcast", "airplay_source is 'broadcast', which is not known; write 'broadcasts'"),
    ],
)
def test_a_mistake_on_a_chart_gives_file_line_and_remedy(line: str, answer: str) -> None:
    (mistake,) = mistakes_in(f"# a comment\ndefaults:\n  active: true\n\n{ONE_CHART}    {line}\n")
    assert mistake.startswith("charts.yaml:7: ")
    assert answer in mistake
    assert "; " in mistake


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "charts.yaml:1: there are no charts; write '  - slug: global-28' under 'charts:'"),
        ("defaults:\n  active: true\ncharts:\n", "charts.yaml:3: there are no charts; write"),
        ("\ncharts: []\n", "charts.yaml:2: there are no charts; write"),
        ("charts: global-28\n", "charts.yaml:1: charts is 'global-28', not a list of charts; write"),
        ("charts:\n  - global-28\n", "charts.yaml:2: a chart is 'global-28', not 'key: value' lines; write '- slug"),
        ("charts:\n  - name: x\n", "charts.yaml:2: a chart has no slug; write '- slug: global-28'"),
        (f"{ONE_CHART}  - slug: global-28\n", "charts.yaml:3: chart 'global-28' stands already in line 2; remove"),
        (f"{ONE_CHART}    slug: b\n", "charts.yaml:3: key 'slug' stands already in line 2; keep one of the two lines"),
        (f"{ONE_CHART}chart: 1\n", "charts.yaml:3: unknown key 'chart' in the charts file; write 'charts'"),
        (f"{ONE_CHART}active: true\n", "charts.yaml:3: unknown key 'active' in the charts file; write it on a chart"),
        (f"defaults: 1\n{ONE_CHART}", "charts.yaml:1: defaults is '1', not 'key: value' lines; write 'active: true'"),
        (f"defaults:\n  slug: x\n{ONE_CHART}", "charts.yaml:2: unknown key 'slug' in defaults; write it on a chart"),
        (f"defaults:\n  activ: true\n{ONE_CHART}", "charts.yaml:2: unknown key 'activ' in defaults; write 'active'"),
        (f"{ONE_CHART}endpoints:\n  ranking: api/v3\n", "charts.yaml:4: endpoint ranking is 'api/v3', not a path"),
        (f"{ONE_CHART}max_partitions_per_run: 0\n", "charts.yaml:3: max_partitions_per_run is '0', not"),
        (f"{ONE_CHART}max_partitions_per_run: all\n", "charts.yaml:3: max_partitions_per_run is 'all', not"),
        (
            f"defaults:\n  max_partitions_per_run: 9\n{ONE_CHART}",
            "charts.yaml:2: unknown key 'max_partitions_per_run' in defaults; write it at the top level of the file",
        ),
        (
            f"{ONE_CHART}    max_partitions_per_run: 9\n",
            "charts.yaml:3: unknown key 'max_partitions_per_run' in a chart; write it at the top level of the file",
        ),
        (f"{ONE_CHART}endpoints: [1]\n", "charts.yaml:3: endpoints is a list, not 'key: value' lines; write"),
        (f"{ONE_CHART}    name: a: b\n", "charts.yaml:3: cannot be read as YAML (mapping values are not allowed here)"),
        (f"{ONE_CHART}    schedule: * * * * *\n", "charts.yaml:3: cannot be read as YAML"),
        (f"{ONE_CHART}\tname: x\n", "charts.yaml:3: cannot be read as YAML"),
        (f"{ONE_CHART}---\na: 1\n", "charts.yaml:3: cannot be read as YAML"),
        (f"{ONE_CHART}    name: \x01\n", "charts.yaml:3: a character here is not allowed in YAML; remove it"),
        ("just a sentence", "charts.yaml:1: the charts file is 'just a sentence', not 'key: value' lines; write"),
        ("[" * 3000, "charts.yaml: cannot be read as YAML"),
    ],
)
def test_a_mistake_in_the_file_gives_its_line_and_remedy(text: str, mistake: str) -> None:
    (found,) = mistakes_in(text)
    assert found.startswith(mistake)
    assert "; " in found


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = "defaults:\n  activ: true\ncharts:\n  - slug: a|b\n  - slug: c\n    history_days: x\nchart: 1\n"
    assert [mistake.split(": ")[0] for mistake in mistakes_in(text)] == [f"charts.yaml:{n}" for n in (2, 4, 6, 7)]


@pytest.mark.parametrize("slug", ["a|b", "a,b", "a[b", "a]b", "a b", "a...b", "../a", "a/b", "-a", '"a\\tb"'])
def test_a_slug_that_cannot_be_a_partition_key_is_refused(slug: str) -> None:
    (mistake,) = mistakes_in(f"charts:\n  - slug: {slug}\n")
    assert mistake.startswith("charts.yaml:2: slug '")
    assert mistake.endswith("; write the slug as Soundcharts prints it, such as 'global-28'")


def test_a_missing_file_says_how_to_create_one(tmp_path: Path) -> None:
    path = tmp_path / "charts.yaml"
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert str(caught.value).startswith(f"{path}: there is no such file; make one with `")


def test_a_file_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "charts.yaml"
    path.write_bytes(b"charts:\n  - slug: \xff\n")
    with pytest.raises(SettingsError, match=r"charts\.yaml:2: not UTF-8 text; save the file as UTF-8"):
        load_settings(path)
    with pytest.raises(SettingsError, match=r"cannot be read \(Is a directory\); make it a readable file"):
        load_settings(tmp_path)


def test_every_platform_of_the_lists_may_be_asked_for() -> None:
    text = (
        f"{ONE_CHART}    track_audience_platforms: [{', '.join(TRACK_AUDIENCE_PLATFORMS)}]\n"
        f"    artist_audience_platforms: [{', '.join(ARTIST_AUDIENCE_PLATFORMS)}]\n"
    )
    settings = parse_settings(text, source="charts.yaml")
    assert settings.track_platforms == TRACK_AUDIENCE_PLATFORMS
    assert settings.artist_platforms == ARTIST_AUDIENCE_PLATFORMS


PIECES = """charts: |defaults: |endpoints: |- |slug: |a|schedule: |* |&x |*x|[|]|{|}|,|: |'|"|>|#|!!int |!x |? |<<: |
2026-13-01|1e9|~|---|...|%YAML 1.1|first_date: |active: |track_audience_platforms: |  """.replace("\n", "").split("|")
SPACES = ["\n", "\t", "\r\n", "\ufeff", "\x85", "| "]


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES + SPACES), max_size=30).map("".join)))
def test_any_text_gives_settings_or_one_message_a_line_with_a_remedy(text: str) -> None:
    try:
        parse_settings(text, source="charts.yaml")
    except SettingsError as error:
        lines = str(error).split("\n")
    else:
        lines = []
    assert [line for line in lines if not re.fullmatch(r"charts\.yaml(:\d+)?: .+; .+", line)] == []


def test_housekeeping_has_defaults_and_may_be_set() -> None:
    assert parse_settings(ONE_CHART, source="charts.yaml").operations == Housekeeping()
    text = ONE_CHART + "operations:\n  archive_after_days: 400\n  backup_schedule: daily at 01:30\n"
    assert parse_settings(text, source="charts.yaml").operations == Housekeeping(
        archive_after_days=400, backup_schedule="30 1 * * *"
    )


def test_nothing_is_archived_that_a_run_may_still_need() -> None:
    text = "charts:\n  - slug: global-28\n    history_days: 800\n"
    assert parse_settings(text, source="charts.yaml").operations.archive_after_days == 800 + 14 + 15


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("  keep_backup: 3", "unknown key 'keep_backup' in operations; write 'keep_backups'"),
        ("  keep_backups: 0", "keep_backups is '0', not a whole number from 1"),
        ("  report_schedule: sometimes", "bad schedule 'sometimes'"),
        ("  timezone: Mars", "unknown timezone 'Mars'"),
        ("  archive_after_days: 30", "archive_after_days is 30, but runs look up to 119 days back"),
    ],
)
def test_mistakes_of_the_housekeeping_have_their_line(line: str, said: str) -> None:
    [mistake] = mistakes_in(f"{ONE_CHART}operations:\n{line}\n")
    assert mistake.startswith(f"charts.yaml:4: {said}")

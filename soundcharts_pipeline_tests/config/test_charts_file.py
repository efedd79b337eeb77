"""Adding and removing charts: the user's other lines keep every byte, and no mistake reaches the file."""

import difflib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundcharts_pipeline.config.edit_charts import (
    ChangedMeanwhile,
    NotWritable,
    add_chart,
    draft_without_chart,
    remove_chart,
    why_not_writable,
)
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.config.settings import ChartSettings, Settings, SettingsError
from soundcharts_pipeline_tests.support.unprivileged import read_only

PROJECT_FILE = Path(__file__).parents[2] / "charts.yaml"

UNUSUAL_BUT_VALID = """\
# head
charts:   # the list
-   slug:   "b"        # the first
    name:  'It''s b'
    track_audience_platforms:
    - spotify
    -   tiktok

    # belongs to b

# about a
-
    slug: a
# - slug: resting

# about the defaults
defaults: { history_days:   30,
            active: true }   # tail"""


@pytest.fixture
def charts_file(tmp_path: Path) -> Path:
    path = tmp_path / "charts.yaml"
    path.write_bytes(PROJECT_FILE.read_bytes())
    return path


def changed_lines(before: str, after: str) -> list[str]:
    """The lines that differ, with their ends: `+` added, `-` removed."""
    lines = difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
    return [line for line in lines if line[0] in "+-"]


def refusal(path: Path, slug: str, name: str | None = None, **settings: Any) -> str:
    """What adding a chart is answered with; the file must not change, and nothing may lie beside it."""
    before = path.read_bytes()
    with pytest.raises(SettingsError) as caught:
        add_chart(path, slug, name, **settings)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    return str(caught.value)


def test_a_chart_is_added_after_the_last_one_and_nothing_else_changes(charts_file: Path) -> None:
    before = charts_file.read_text(encoding="utf-8")
    settings = add_chart(
        charts_file,
        "top-songs-29",
        "India: Top #1",
        active=False,
        schedule="every 6 hours",
        first_date=date(2026, 10, 1),
        track_audience_platforms=["spotify", "line-music"],
        artist_audience_platforms=[],
        history_days=30,
    )
    after = charts_file.read_text(encoding="utf-8")
    assert after == before + (
        "  - slug: top-songs-29\n"
        "    name: 'India: Top #1'\n"
        "    active: false\n"
        "    schedule: every 6 hours\n"
        "    first_date: 2026-10-01\n"
        "    track_audience_platforms: [spotify, line-music]\n"
        "    artist_audience_platforms: []\n"
        "    history_days: 30\n"
    )
    assert settings == load_settings(charts_file)
    assert settings.chart("top-songs-29") == ChartSettings(
        slug="top-songs-29",
        name="India: Top #1",
        active=False,
        schedule="0 */6 * * *",
        first_date=date(2026, 10, 1),
        track_audience_platforms=("spotify", "line-music"),
        artist_audience_platforms=(),
        history_days=30,
    )


def test_removing_what_was_added_restores_every_byte(charts_file: Path) -> None:
    before = charts_file.read_bytes()
    add_chart(charts_file, "top-songs-29", "India")
    remove_chart(charts_file, "top-songs-29")
    assert charts_file.read_bytes() == before


@pytest.mark.parametrize("slug", ["global-28", "shazam-top-200-world", "airplay-daily", "tiktok-weekly-songs"])
def test_a_chart_is_removed_with_its_own_lines_alone(charts_file: Path, slug: str) -> None:
    before = charts_file.read_text(encoding="utf-8")
    settings = remove_chart(charts_file, slug)
    assert slug not in settings.slugs
    assert len(settings.slugs) == 3
    assert settings == load_settings(charts_file)
    changed = changed_lines(before, charts_file.read_text(encoding="utf-8"))
    assert changed[0] == f"-   - slug: {slug}\n"
    assert all(line.startswith(("-   - slug: ", "-     ")) for line in changed)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_users_layout_is_kept_and_followed(tmp_path: Path, line_end: str) -> None:
    path = tmp_path / "charts.yaml"
    text = UNUSUAL_BUT_VALID.replace("\n", line_end)
    path.write_bytes(text.encode())
    add_chart(path, "c", "See")
    added = path.read_bytes().decode()
    assert changed_lines(text, added) == [f"+ -   slug: c{line_end}", f"+     name: See{line_end}"]
    assert added.index("slug: c") < added.index("# - slug: resting")
    remove_chart(path, "c")
    assert path.read_bytes().decode() == text
    remove_chart(path, "a")
    without_a = path.read_bytes().decode()
    assert changed_lines(text, without_a) == [f"- -{line_end}", f"-     slug: a{line_end}"]
    path.write_bytes(text.encode())
    remove_chart(path, "b")
    without_b = path.read_bytes().decode()
    assert without_b == text[: text.index("-   slug")] + text[text.index(f"{line_end}# about a") :]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "charts:\n  - slug: a\n"),
        ("# mine\ndefaults:\n  active: false", "# mine\ndefaults:\n  active: false\ncharts:\n  - slug: a\n"),
        ("charts:   # none yet\ndefaults:\n", "charts:   # none yet\n  - slug: a\ndefaults:\n"),
        ("charts: []  # none yet\ndefaults:\n", "charts:  # none yet\n  - slug: a\ndefaults:\n"),
        ("charts:\n  - slug: b", "charts:\n  - slug: b\n  - slug: a\n"),
    ],
)
def test_a_file_without_charts_or_last_line_end_takes_one(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "charts.yaml"
    path.write_text(text, encoding="utf-8")
    add_chart(path, "a")
    assert path.read_text(encoding="utf-8") == expected


def test_a_chart_that_is_there_is_not_added_again(charts_file: Path) -> None:
    message = f"{charts_file}: chart 'global-28' is there already; edit its lines, or remove it first"
    assert refusal(charts_file, "global-28") == message


def test_bad_settings_of_a_new_chart_are_all_named(charts_file: Path) -> None:
    answers = refusal(charts_file, "a|b", "x", history_day=3, schedule="0 25 * * *").splitlines()
    assert [answer.split(": ")[1] for answer in answers] == ["chart 'a|b' cannot be added"] * 3
    assert "slug 'a|b' holds more than letters, digits" in answers[0]
    assert answers[1].endswith("unknown key 'history_day' in a chart; write 'history_days'")
    assert "bad schedule '0 25 * * *'" in answers[2]


def test_a_file_with_mistakes_is_not_edited(charts_file: Path) -> None:
    text = charts_file.read_text(encoding="utf-8").replace("heal_days: 14", "heal_days: x")
    charts_file.write_text(text, encoding="utf-8")
    line = text.splitlines().index(next(line for line in text.splitlines() if "heal_days: x" in line)) + 1
    assert refusal(charts_file, "new").startswith(f"{charts_file}:{line}: heal_days is 'x', not a whole number")
    with pytest.raises(SettingsError, match=rf"charts\.yaml:{line}: heal_days is 'x'"):
        remove_chart(charts_file, "global-28")


def test_charts_on_one_line_are_left_to_their_user(charts_file: Path) -> None:
    charts_file.write_text("charts: [{slug: a}, {slug: b}]\n", encoding="utf-8")
    assert "cannot be edited safely; edit it by hand, or write each chart on lines of its own" in refusal(
        charts_file, "c"
    )
    with pytest.raises(SettingsError, match="cannot be edited safely"):
        remove_chart(charts_file, "a")
    assert charts_file.read_text(encoding="utf-8") == "charts: [{slug: a}, {slug: b}]\n"


def test_removing_an_unknown_chart_names_the_nearest(charts_file: Path) -> None:
    with pytest.raises(SettingsError, match="no chart 'global-29' to remove; write 'global-28'"):
        remove_chart(charts_file, "global-29")


def test_the_only_chart_stays(charts_file: Path) -> None:
    charts_file.write_text("charts:\n  - slug: a\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="'a' is the only chart; add another chart first, or switch this one off"):
        remove_chart(charts_file, "a")


def test_a_missing_file_says_how_to_create_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such file; make one with"):
        add_chart(tmp_path / "charts.yaml", "a")


def test_the_file_keeps_its_mode_and_a_link_stays_a_link(charts_file: Path, tmp_path: Path) -> None:
    charts_file.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(charts_file)
    add_chart(link, "new")
    assert link.is_symlink()
    assert charts_file.stat().st_mode & 0o777 == 0o640
    assert "new" in load_settings(charts_file).slugs
    assert sorted(tmp_path.iterdir()) == [charts_file, link]


def test_a_file_that_changed_since_the_draft_is_not_overwritten(charts_file: Path) -> None:
    draft = draft_without_chart(charts_file, charts_file.read_text(encoding="utf-8"), "airplay-daily")
    add_chart(charts_file, "new")
    with pytest.raises(ChangedMeanwhile, match=f"{charts_file}: it was changed meanwhile; look at it"):
        draft.save()
    assert {"new", "airplay-daily"} <= {*load_settings(charts_file).slugs}
    assert list(charts_file.parent.iterdir()) == [charts_file]


def test_a_file_that_is_read_only_is_told_and_left(charts_file: Path) -> None:
    with read_only(charts_file):
        reason = why_not_writable(charts_file)
        assert reason == "the file is read-only for this program"
        with pytest.raises(
            NotWritable, match=rf"cannot be written \({reason}\); make the file and its folder writable"
        ):
            add_chart(charts_file, "new")
    assert charts_file.read_bytes() == PROJECT_FILE.read_bytes()
    assert why_not_writable(charts_file) is None


def test_a_folder_that_takes_no_other_file_is_told(tmp_path: Path) -> None:
    # There is no room in the name for a draft beside it, whoever asks.
    path = tmp_path / f"{'c' * 250}.yaml"
    path.write_bytes(PROJECT_FILE.read_bytes())
    with pytest.raises(NotWritable, match=r"cannot be written \(File name too long\)"):
        add_chart(path, "new")
    assert list(tmp_path.iterdir()) == [path]


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1).filter(
    lambda name: bool(name.strip())
)


@given(
    name=NAMES,
    words=st.sampled_from(["yes", "true", "~", "2026-01-01", "0x1", "- a", "a: b", "# c", "*a", "''", "1_0"]),
)
def test_any_name_comes_back_as_it_was_given(tmp_path_factory: pytest.TempPathFactory, name: str, words: str) -> None:
    path = tmp_path_factory.mktemp("charts") / "charts.yaml"
    path.write_text("charts:\n  - slug: a\n", encoding="utf-8")
    add_chart(path, "named", name)
    settings: Settings = add_chart(path, "worded", words)
    assert settings.chart("named").name == name.strip()
    assert settings.chart("worded").name == words

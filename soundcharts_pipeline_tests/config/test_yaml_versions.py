"""A charts file may say which YAML it is: a value is what it is by its rules, or a mistake, and never a third."""

from datetime import date
from pathlib import Path

import pytest

from soundcharts_pipeline.config.edit_charts import add_chart
from soundcharts_pipeline.config.read_charts import parse_settings
from soundcharts_pipeline.config.settings import ChartSettings, SettingsError

OLD, NEW, NONE = "%YAML 1.1\n---\n", "%YAML 1.2\n---\n", ""
TRUE = ("true", "True", "TRUE")
FALSE = ("false", "False", "FALSE")
OLD_TRUE = ("yes", "Yes", "YES", "on", "On", "ON", "y", "Y")
OLD_FALSE = ("no", "No", "NO", "off", "Off", "OFF", "n", "N")


def _read(head: str, key: str, word: str, place: str = "defaults") -> ChartSettings:
    text = f"defaults:\n  {key}: {word}\ncharts:\n  - slug: a\n"
    if place == "chart":
        text = f"charts:\n  - slug: a\n    {key}: {word}\n"
    return parse_settings(head + text, source="charts.yaml").chart("a")


def _mistake(head: str, key: str, word: str, place: str = "defaults") -> str:
    with pytest.raises(SettingsError) as refused:
        _read(head, key, word, place)
    return str(refused.value)


@pytest.mark.parametrize("place", ["defaults", "chart"])
@pytest.mark.parametrize(
    ("head", "word", "meant"),
    [
        *((head, word, True) for head in (OLD, NEW, NONE) for word in TRUE),
        *((head, word, False) for head in (OLD, NEW, NONE) for word in FALSE),
        *((OLD, word, True) for word in OLD_TRUE),
        *((OLD, word, False) for word in OLD_FALSE),
        *((head, f"!!bool {word}", True) for head in (OLD, NEW, NONE) for word in OLD_TRUE),
    ],
)
def test_a_flag_is_what_its_yaml_says(head: str, word: str, meant: bool, place: str) -> None:
    for key in ("active", "sync_history", "report", "refresh_rankings"):
        assert getattr(_read(head, key, word, place), key) is meant


@pytest.mark.parametrize(
    ("head", "word"),
    [
        *((head, word) for head in (NEW, NONE) for word in (*OLD_TRUE, *OLD_FALSE)),
        *((head, word) for head in (OLD, NEW, NONE) for word in ("~", "", "1", "'yes'", "!!bool maybe", "!!bool ''")),
    ],
)
def test_what_is_no_flag_in_its_yaml_is_a_mistake(head: str, word: str) -> None:
    assert "neither true nor false; write 'active: true' or 'active: false'" in _mistake(head, "active", word)


@pytest.mark.parametrize(
    ("head", "word", "days"),
    [
        *((head, "90", 90) for head in (OLD, NEW, NONE)),
        # What files without a head have always been read as; an old one means another number by it.
        *((head, "010", 10) for head in (NEW, NONE)),
        *((head, "08", 8) for head in (NEW, NONE)),
    ],
)
def test_a_number_is_what_its_yaml_says(head: str, word: str, days: int) -> None:
    assert _read(head, "history_days", word).history_days == days


@pytest.mark.parametrize(
    ("head", "word"),
    [
        *((OLD, word) for word in ("010", "0_10", "-010", "08")),
        *(
            (head, word)
            for head in (OLD, NEW, NONE)
            for word in ("1_0", "0x10", "0o10", "0b1", "1:30", "1e1", "~", "9.0")
        ),
    ],
)
def test_a_number_that_is_another_one_elsewhere_is_a_mistake_with_its_line(head: str, word: str) -> None:
    line = 4 if head else 2
    assert _mistake(head, "history_days", word).startswith(f"charts.yaml:{line}: ")


@pytest.mark.parametrize("head", [OLD, NEW, NONE])
def test_days_are_written_in_one_way(head: str) -> None:
    assert _read(head, "first_date", "2025-01-31").first_date == date(2025, 1, 31)
    for word in ("2025-1-31", "2025-01-31 10:00:00", "20250131", "~"):
        assert "not a day of the calendar" in _mistake(head, "first_date", word)


@pytest.mark.parametrize("word", [*OLD_TRUE, *OLD_FALSE, "010", "1:30", "1_0", "=", "~", "0b1"])
def test_a_word_that_is_no_text_in_an_old_file_is_a_mistake_there_and_can_be_quoted(word: str) -> None:
    for key in ("slug", "name"):
        other = "    slug: a\n" if key == "name" else ""
        with pytest.raises(SettingsError, match=r"charts\.yaml:4: "):
            parse_settings(f"{OLD}charts:\n  - {key}: {word}\n{other}", source="charts.yaml")
    assert _read(OLD, "name", f'"{word}"', "chart").name == word


@pytest.mark.parametrize("head", [OLD, NEW, NONE])
@pytest.mark.parametrize(
    "word", [*OLD_TRUE, *OLD_FALSE, "010", "08", "1:30", "1_0", "=", "~", "0b1", "2025-01-31", "1e3"]
)
def test_a_name_that_is_added_comes_back_in_every_yaml(tmp_path: Path, head: str, word: str) -> None:
    path = tmp_path / "charts.yaml"
    path.write_text(f"{head}charts:\n  - slug: a\n", encoding="utf-8")
    assert add_chart(path, "b", word).chart("b").name == word

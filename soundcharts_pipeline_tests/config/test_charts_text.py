"""Values of one chart are changed in the text of a charts file: whatever its layout, no other line changes a byte."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundcharts_pipeline.clock import standing_still
from soundcharts_pipeline.config.chart_keys import ARTIST_AUDIENCE_PLATFORMS, KEYS, TRACK_AUDIENCE_PLATFORMS, text_of
from soundcharts_pipeline.config.charts_text import Written, block_of, written_keys
from soundcharts_pipeline.config.edit_charts import draft_of_values
from soundcharts_pipeline.config.read_charts import parse_settings
from soundcharts_pipeline.config.settings import SettingsError, default_of
from soundcharts_pipeline_tests.support.today import TODAY, noon

PATH = Path("charts.yaml")
NOW = standing_still(noon(TODAY))
OTHERS = "  - slug: b   # the other\n"


def edited(text: str, changes: Mapping[str, Any], slug: str = "a") -> str:
    return draft_of_values(PATH, text, slug, changes=changes, clock=NOW).after


@pytest.mark.parametrize(
    ("chart", "changes", "expected"),
    [
        # A key that is there: its value alone.
        ("- slug: a\n  heal_days: 3  # why\n", {"heal_days": 4}, "- slug: a\n  heal_days: 4  # why\n"),
        ("- slug: a\n  heal_days:   3\n", {"heal_days": 40}, "- slug: a\n  heal_days:   40\n"),
        ("- heal_days: 3 # x\n  slug: a\n", {"heal_days": 4}, "- heal_days: 4 # x\n  slug: a\n"),
        ("- slug: a\n  'name': \"A: b\" # x\n", {"name": "C, # d"}, "- slug: a\n  'name': 'C, # d' # x\n"),
        ("- slug: a\n  name: A\n    b\n", {"name": "C"}, "- slug: a\n  name: C\n"),
        (
            "- slug: a\n  name: >-\n    A\n    b\n  heal_days: 3\n",
            {"name": "C"},
            "- slug: a\n  name: C\n  heal_days: 3\n",
        ),
        # A key that is not there: behind the last one.
        ("- slug: a\n", {"active": False}, "- slug: a\n  active: false\n"),
        ("-   slug: a # x\n    # y\n", {"active": False}, "-   slug: a # x\n    active: false\n    # y\n"),
        ("-\n  slug: a\n", {"first_date": date(2026, 1, 2)}, "-\n  slug: a\n  first_date: 2026-01-02\n"),
        (
            "- slug: a\n  track_audience_platforms:\n  - spotify # x\n",
            {"active": False},
            "- slug: a\n  track_audience_platforms:\n  - spotify # x\n  active: false\n",
        ),
        # A key that goes: with its comment, and with its line where it is alone in it.
        ("- slug: a\n  heal_days: 3  # why\n  # stays\n", {"heal_days": None}, "- slug: a\n  # stays\n"),
        ("- heal_days: 3\n  slug: a\n", {"heal_days": None}, "-\n  slug: a\n"),
        ("- slug: a\n", {"heal_days": None}, "- slug: a\n"),
        (
            "- slug: a\n  track_audience_platforms:\n    - spotify # x\n    - tiktok\n  heal_days: 3\n",
            {"track_audience_platforms": None},
            "- slug: a\n  heal_days: 3\n",
        ),
        # Lists on one line, and as lines of which those that stay are kept.
        (
            "- slug: a\n  track_audience_platforms: [spotify,   tiktok] # x\n",
            {"track_audience_platforms": ["awa"]},
            "- slug: a\n  track_audience_platforms: [awa] # x\n",
        ),
        (
            "- slug: a\n  track_audience_platforms: # t\n    # main\n    - spotify # x\n    -  tiktok\n",
            {"track_audience_platforms": ["spotify", "awa"]},
            "- slug: a\n  track_audience_platforms: # t\n    # main\n    - spotify # x\n    - awa\n",
        ),
        (
            "- slug: a\n  track_audience_platforms:   # t\n  - spotify\n  heal_days: 3\n",
            {"track_audience_platforms": []},
            "- slug: a\n  track_audience_platforms: []   # t\n  heal_days: 3\n",
        ),
        # In braces.
        ("- {slug: a, heal_days: 3} # x\n", {"heal_days": 4}, "- {slug: a, heal_days: 4} # x\n"),
        ("- {slug: a, } # x\n", {"name": "B, c}"}, "- {slug: a, name: 'B, c}', } # x\n"),
        ("- {heal_days: 3, slug: a}\n", {"heal_days": None}, "- {slug: a}\n"),
        ("- {slug: a, heal_days: 3, active: true}\n", {"heal_days": None}, "- {slug: a, active: true}\n"),
        (
            "- {slug: a, heal_days: 3}\n",
            {"heal_days": None, "track_audience_platforms": ["awa", "line-music"]},
            "- {slug: a, track_audience_platforms: [awa, line-music]}\n",
        ),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("place", ["first", "last", "last without a line end"])
def test_the_lines_of_a_change(chart: str, changes: dict[str, Any], expected: str, line_end: str, place: str) -> None:
    def whole(of_it: str) -> str:
        indented = "".join(f"  {line}" for line in of_it.splitlines(keepends=True))
        text = "# mine\ncharts: # all\n" + (indented + OTHERS if place == "first" else OTHERS + indented)
        return text.replace("\n", line_end)

    before, after = whole(chart), whole(expected)
    if place.endswith("end") and before.endswith(line_end):
        before = before.removesuffix(line_end)
        assert edited(before, changes).removesuffix(line_end) == after.removesuffix(line_end)
    else:
        assert edited(before, changes) == after


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        # What an alias stands for is written out; what others share by an anchor is left alone.
        (
            "charts:\n- slug: b\n  track_audience_platforms: &x []\n- slug: a\n  track_audience_platforms: *x\n",
            {"track_audience_platforms": ["melon"]},
            "charts:\n- slug: b\n  track_audience_platforms: &x []\n- slug: a\n  track_audience_platforms: [melon]\n",
        ),
        (
            "charts:\n- slug: b\n  heal_days: &n 3\n- slug: a\n  heal_days: *n # x\n",
            {"heal_days": None, "active": False},
            "charts:\n- slug: b\n  heal_days: &n 3\n- slug: a\n  active: false\n",
        ),
        ("charts:\n- slug: a\n  heal_days: &n 3\n- slug: b\n  heal_days: *n\n", {"heal_days": 4}, None),
        ("charts:\n- slug: a\n  heal_days: &n 3\n- slug: b\n  heal_days: *n\n", {"heal_days": None}, None),
        (
            "charts:\n- slug: a\n  track_audience_platforms: [\n    awa, # x\n  ]\n",
            {"track_audience_platforms": []},
            None,
        ),
        (
            "charts:\n- slug: a\n  track_audience_platforms: &x\n  - awa\n- slug: b\n  track_audience_platforms: *x\n",
            {"track_audience_platforms": ["melon"]},
            None,
        ),
        ("charts: [{slug: a}, {slug: b}]\n", {"active": False}, "charts: [{slug: a, active: false}, {slug: b}]\n"),
        ("charts: &c\n- slug: a\n", {"active": False}, "charts: &c\n- slug: a\n  active: false\n"),
        ("\ufeffcharts:\n- slug: a\n  heal_days: 3\n", {"heal_days": 4}, "\ufeffcharts:\n- slug: a\n  heal_days: 4\n"),
        ("charts:\n- ? slug\n  : a\n", {"heal_days": 4}, None),
    ],
)
def test_what_is_shared_or_unusual_is_kept_or_refused_with_words(
    text: str, changes: dict[str, Any], expected: str | None
) -> None:
    if expected is None:
        with pytest.raises(SettingsError, match=r"charts\.yaml: the charts are laid out in a way .* edit it by hand"):
            edited(text, changes)
    else:
        assert edited(text, changes) == expected


def test_where_each_value_comes_from_and_where_a_chart_stands() -> None:
    text = (
        "defaults:\n  heal_days: 3\n  track_audience_platforms: [awa, tiktok]\n"
        "charts:\n  # about a\n  - slug: a\n    schedule: daily at 06:00\n    heal_days: 5\n  - slug: b\n"
    )
    assert written_keys(text, "a") == {
        "heal_days": Written("chart", 8, "5"),
        "track_audience_platforms": Written("defaults", 3, "awa, tiktok"),
        "slug": Written("chart", 6, "a"),
        "schedule": Written("chart", 7, "daily at 06:00"),
    }
    assert written_keys(text, None).keys() == {"heal_days", "track_audience_platforms"}
    assert block_of(text, "a") == (6, "  - slug: a\n    schedule: daily at 06:00\n    heal_days: 5\n")


def test_a_mistake_has_the_line_on_which_the_value_would_stand() -> None:
    text = "charts:\n  - slug: a\n    active: true\n  - slug: b\n"
    changes: dict[str, Any] = {"schedule": "sometimes", "first_date": date(2999, 1, 1), "history_days": "many"}
    draft = draft_of_values(PATH, text, "a", changes=changes, clock=NOW)
    assert [mistake.line for mistake in draft.mistakes] == [4, 5, 6]
    with pytest.raises(SettingsError) as caught:
        draft.save()
    first, second, third = str(caught.value).splitlines()
    assert first.startswith("charts.yaml:4: bad schedule 'sometimes': ")
    assert second.startswith("charts.yaml:5: first_date is '2999-01-01', today is ")
    assert third.startswith("charts.yaml:6: history_days is 'many', not a whole number from 1 to 36500; write")


def test_what_a_change_does_to_the_rest_of_the_file_is_a_mistake_there() -> None:
    text = "charts:\n  - slug: a\noperations:\n  archive_after_days: 400\n"
    (mistake,) = draft_of_values(PATH, text, "a", changes={"history_days": 1000}, clock=NOW).mistakes
    assert (mistake.line, str(mistake).split(",")[0]) == (5, "archive_after_days is 400")


WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp"), exclude_characters="\x85"), min_size=1)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "name": WORDS.filter(lambda name: name == name.strip() != ""),
    "active": st.booleans(),
    "schedule": st.sampled_from(["0 2 * * *", "*/5 1 * * *"]),
    "timezone": st.sampled_from(["UTC", "Europe/Paris"]),
    "first_date": st.dates(date(2000, 1, 1), TODAY),
    "history_days": st.integers(1, 36_500),
    "heal_days": st.integers(0, 36_500),
    "track_audience_platforms": st.lists(st.sampled_from(TRACK_AUDIENCE_PLATFORMS), unique=True).map(tuple),
    "artist_audience_platforms": st.lists(st.sampled_from(ARTIST_AUDIENCE_PLATFORMS), unique=True).map(tuple),
    "airplay_source": st.sampled_from(["broadcasts", "broadcast-groups"]),
}
SETTINGS = st.fixed_dictionaries({}, optional=VALUES)
CHANGES = st.fixed_dictionaries({}, optional={key: st.none() | values for key, values in VALUES.items()})


@dataclass(frozen=True, slots=True)
class Layout:
    """How a person happens to have written a file."""

    braces: bool
    list_lines: bool
    dash_alone: bool
    gap: int
    slug_at: int
    line_end: str
    last_line_end: bool
    defaults_first: bool


LAYOUTS = st.builds(
    Layout,
    braces=st.booleans(),
    list_lines=st.booleans(),
    dash_alone=st.booleans(),
    gap=st.integers(1, 3),
    slug_at=st.integers(0, 10),
    line_end=st.sampled_from(["\n", "\r\n"]),
    last_line_end=st.booleans(),
    defaults_first=st.booleans(),
)


def quoted(value: Any, *, flow: bool = False) -> str:
    """YAML of its own making, not by what writes the product's."""
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    text = text_of(value)
    plain = isinstance(value, bool | int | date) or (text.replace(" ", "").isalnum() and text.isascii() and not flow)
    plain = plain and not (isinstance(value, str) and (text[0].isdigit() or text.lower() in WORDS_OF_YAML))
    return text if plain else "'" + text.replace("'", "''") + "'"


WORDS_OF_YAML = ("true", "false", "yes", "no", "on", "off", "null", "nan", "inf")


def chart_lines(slug: str, values: Mapping[str, Any], layout: Layout) -> list[tuple[str, str]]:
    """(key, line) of each line of a chart; '' for a comment between them. Every line is another one."""
    keys = list(values.items())
    keys.insert(min(layout.slug_at, len(keys)), ("slug", slug))
    if layout.braces:
        inside = ", ".join(f"{key}: {quoted(value, flow=True)}" for key, value in keys)
        return [("chart", f"  -{' ' * layout.gap}{{{inside}}} # of {slug}")]
    column = " " * (3 + layout.gap)
    lines = [("", f"  - # {slug}")] if layout.dash_alone else []
    for number, (key, value) in enumerate(keys):
        start = column if number or layout.dash_alone else f"  -{' ' * layout.gap}"
        if isinstance(value, tuple) and value and layout.list_lines:
            lines += [(key, f"{start}{key}: # {slug}"), *((key, f"{column}- {word} # {slug} {key}") for word in value)]
        else:
            lines.append((key, f"{start}{key}: {quoted(value)} # {slug}"))
        lines.append(("", f"{column}# behind {key} of {slug}"))
    return lines


@given(before=SETTINGS, defaults=SETTINGS, other=SETTINGS, changes=CHANGES, layout=LAYOUTS)
def test_whatever_is_changed_the_file_says_so_and_no_other_line_changes(
    before: dict[str, Any], defaults: dict[str, Any], other: dict[str, Any], changes: dict[str, Any], layout: Layout
) -> None:
    defaults.pop("name", None)
    of_defaults = ["# head", "defaults: # d", *(f"  {key}: {quoted(v)} # default" for key, v in defaults.items())]
    charts = [*chart_lines("a", before, layout), ("", "# between"), *chart_lines("b", other, layout)]
    of_charts = ["charts:", *(line for _, line in charts), "# tail"]
    lines = [*of_defaults, *of_charts] if layout.defaults_first else [*of_charts, *of_defaults]
    text = "".join(line + layout.line_end for line in lines)
    text = text if layout.last_line_end else text.removesuffix(layout.line_end)

    after = edited(text, changes)

    settings = parse_settings(text, source="charts.yaml", clock=NOW)
    built_in = {"name": "a", **{key.name: default_of(key.name) for key in KEYS}}
    own = {**before, **changes}
    model = {key: defaults.get(key, built_in[key]) if (value := own.get(key)) is None else value for key in built_in}
    expected = replace(settings.chart("a"), **{key: model[key] for key in changes})
    assert parse_settings(after, source="charts.yaml", clock=NOW).charts == {**settings.charts, "a": expected}
    # What is concerned: lines of the changed keys, or the one line of a chart in braces.
    concerned = {line for key, line in chart_lines("a", before, layout) if key in (*changes, "chart")}
    kept = [line + layout.line_end for line in lines if line not in concerned]
    found = after if after.endswith(layout.line_end) else after + layout.line_end
    assert [line for line in found.splitlines(keepends=True) if line in kept] == kept

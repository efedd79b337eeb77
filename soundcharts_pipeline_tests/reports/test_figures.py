"""Figures hold the values they were given, as well-formed SVG in which text from data is text."""

import itertools
import re
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from soundcharts_pipeline.admin.pages.entity_views import MOST_LINES
from soundcharts_pipeline.reports.pictures.canvas import COLOURS, DRAWN_STYLE, NARROW, WIDE
from soundcharts_pipeline.reports.pictures.curves import Line, Panel, rank_figure, series_figure, spread
from soundcharts_pipeline.reports.pictures.sparklines import HEIGHT, SCALE, WIDTH, parts_of, sparkline
from soundcharts_pipeline.reports.pictures.ticks import date_ticks, short_numbers, value_ticks

FIRST = date(2026, 9, 1)
SVG = "{http://www.w3.org/2000/svg}"
EVIL = "</text><script>alert(1)</script> $x^2$ & \x00\x1b\ud800\u202e\n\"quoted\" 'DejaVu Sans' #010203"
LARGEST_BYTES = 60_000


def points(*values: int | None) -> list[tuple[date, int]]:
    """A value a day; None is a missing day."""
    return [(FIRST + timedelta(days=n), value) for n, value in enumerate(values) if value is not None]


def parsed(svg: str) -> ElementTree.Element:
    assert len(svg.encode()) < LARGEST_BYTES
    return ElementTree.fromstring(svg)  # noqa: S314  # our own


def drawn(root: ElementTree.Element, name: str) -> list[list[tuple[float, float]]]:
    """The vertices of a line, in pixels from the top left, one list for each stretch between gaps."""
    (group,) = [element for element in root.iter(f"{SVG}g") if element.get("id") == name]
    path = group.find(f"{SVG}path")
    assert path is not None
    found: list[list[tuple[float, float]]] = []
    for command, x, y in re.findall(r"([ML])([-\d.]+) ([-\d.]+)", path.get("d", "")):
        if command == "M":
            found.append([])
        found[-1].append((float(x), float(y)))
    return found


def vertices(path: ElementTree.Element) -> list[list[tuple[float, float]]]:
    """Places of a tiny line in pixels, one list for each stretch between gaps."""
    found: list[list[tuple[float, float]]] = []
    for stretch in path.get("d", "").split("M")[1:]:
        begin, _, steps = stretch.replace("h0", "").partition("l")
        numbers = [[int(number) for number in re.findall(r"-?\d+", part)] for part in (begin, steps)]
        x, y = numbers[0]
        places = [(x, y)]
        for dx, dy in zip(numbers[1][::2], numbers[1][1::2], strict=True):
            places.append((places[-1][0] + dx, places[-1][1] + dy))
        found.append([(x / SCALE, y / SCALE) for x, y in places])
    return found


def texts(root: ElementTree.Element) -> list[str]:
    return ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]


def test_every_value_is_in_the_line_at_its_height() -> None:
    values = (100, 300, 200, 200, 500)
    root = parsed(series_figure("Spotify", [Panel("streams", [Line("a", points(*values))])]))

    ((*line,),) = drawn(root, "line-0-0")
    (x0, bottom), top = line[0], line[-1][1]
    heights = [(y - bottom) / (top - bottom) for _, y in line]
    assert heights == pytest.approx([(value - 100) / 400 for value in values], abs=1e-3)
    assert [round((x - x0) / (line[1][0] - x0), 3) for x, _ in line] == [0, 1, 2, 3, 4]
    assert {"Spotify", "streams", "2026-09-01 to 2026-09-05"} <= set(texts(root))


def test_a_missing_day_is_a_gap_and_a_lonely_day_is_a_dot() -> None:
    line = Line("a", points(1, 2, 3, None, 4, 5, None, 6, None, 7, 8, 9, 10))
    root = parsed(series_figure("Spotify", [Panel("streams", [line])]))

    assert [len(part) for part in drawn(root, "line-0-0")] == [3, 2, 1, 4]
    assert len(list(root.iter(f"{SVG}circle"))) == 1
    # A small account has a value every third day: that is its rhythm, and a week without one a gap.
    slow = [(FIRST + timedelta(days=n), n) for n in (0, 3, 6, 10, 13, 20, 23)]
    assert [len(part) for part in parts_of(slow)] == [5, 2]


def test_metrics_have_an_axis_each_and_identifiers_a_line_each() -> None:
    panels = [
        Panel("followers", [Line("", points(5, 6))]),
        Panel("streams", [Line("one", points(1, 2)), Line("two", points(9, 8, 7))]),
    ]
    root = parsed(series_figure("Spotify", panels, width=NARROW))

    assert root.get("width") == str(NARROW)
    assert [len(drawn(root, name)[0]) for name in ("line-0-0", "line-1-0", "line-1-1")] == [2, 2, 3]
    assert {"followers", "streams", "one", "two"} <= set(texts(root))


@pytest.mark.parametrize("deepest", [10, 200])
def test_the_first_place_is_on_top_and_every_label_has_its_own_line(deepest: int) -> None:
    lines = [Line(f"Track {n}", points(deepest - n, n)) for n in range(1, 10)]
    root = parsed(rank_figure("Global", lines))

    ends = [drawn(root, f"line-{n}")[0][-1][1] for n in range(9)]
    assert ends == sorted(ends)
    heights = [
        float(element.get("y", "0")) for element in root.iter(f"{SVG}text") if "Track" in "".join(element.itertext())
    ]
    assert len(heights) == 9
    assert min(after - before for before, after in itertools.pairwise(heights)) >= 12
    assert "1 Track 1" in texts(root)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_names_stay_text_whatever_they_are(width: int) -> None:
    series = series_figure(EVIL, [Panel(EVIL, [Line(EVIL, points(1, 2)), Line("$a$ b", points(2, 1))])], width=width)
    race = rank_figure(EVIL, [Line(EVIL, points(1, 2)), Line("東京 😀", points(2, 1))], width=width)

    for svg in (series, race):
        root = parsed(svg)
        assert not list(root.iter(f"{SVG}script"))
        assert "<script" not in svg
        assert [text for text in texts(root) if text.startswith("</text><script>")]
    assert "$a$ b" in texts(parsed(series))
    assert [text for text in texts(parsed(race)) if "東京" in text]


def test_the_ink_is_that_of_the_page_and_the_ground_is_the_page() -> None:
    svg = series_figure("Spotify", [Panel("streams", [Line("a", points(1, 2, 3))])])
    root = parsed(svg)

    assert set(re.findall(r"#[0-9a-f]{6}", svg)) - set(re.findall(r"#[0-9a-f]{6}", DRAWN_STYLE)) == {COLOURS[0]}
    assert "currentColor" in svg
    assert "prefers-color-scheme:dark" in DRAWN_STYLE
    assert next(element.text for element in root.iter(f"{SVG}style")) == DRAWN_STYLE
    assert [root.findtext(f"{SVG}{tag}") for tag in ("title", "desc")] == [
        "Spotify",
        "streams; 2026-09-01 to 2026-09-03",
    ]
    assert not list(root.iter(f"{SVG}rect"))


@pytest.mark.parametrize(
    ("values", "ticks"), [([0], ["0"]), ([7, 7], ["7"]), ([3_000_000_000], ["3.00B"]), ([1, 2], ["1", "2"])]
)
def test_no_two_ticks_of_values_read_the_same(values: list[int], ticks: list[str]) -> None:
    line = Line("a", [(date(2026, 11, 19) + timedelta(days=n), value) for n, value in enumerate(values)])
    shown = texts(parsed(series_figure("T", [Panel("streams", [line])])))
    assert [text for text in shown if re.fullmatch(r"-?\d[\d.,]*[kMB]?", text)] == ticks


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_few_days_are_ticked_as_days_and_not_as_hours(count: int) -> None:
    days = [date(2026, 11, 19) + timedelta(days=n) for n in range(count)]
    shown = texts(parsed(series_figure("T", [Panel("streams", [Line("a", [(day, 7) for day in days])])])))
    assert not [text for text in shown if ":" in text]
    assert [text[-2:] for text in shown if re.fullmatch(r"(Nov-)?\d\d", text)] == [f"{day:%d}" for day in days]


@pytest.mark.parametrize("ground", ["#ffffff", "#161b22"])
def test_every_colour_reads_on_light_and_dark(ground: str) -> None:
    assert [colour for colour in COLOURS if contrast(colour, ground) < 3] == []


def test_the_same_values_are_the_same_picture_and_a_year_of_the_most_lines_is_small() -> None:
    lines = [
        Line(f"id {n}", points(*(10**9 + n * 10**6 + day * 12_345 for day in range(400)))) for n in range(MOST_LINES)
    ]
    one, other = (series_figure("Spotify", [Panel("streams, total so far", lines)]) for _ in range(2))

    assert one == other
    assert [len(drawn(parsed(one), f"line-0-{n}")[0]) for n in range(MOST_LINES)] == [400] * MOST_LINES


@settings(max_examples=25)
@given(
    values=st.lists(st.one_of(st.none(), st.integers(0, 2**62)), min_size=1, max_size=20).filter(
        lambda found: any(value is not None for value in found)
    )
)
def test_any_values_can_be_drawn(values: list[int | None]) -> None:
    line = points(*values)
    root = parsed(series_figure("Spotify", [Panel("streams", [Line("a", line)])]))

    assert sum(map(len, drawn(root, "line-0-0"))) == len(line)
    stretches = vertices(parsed(sparkline(line))[0])
    assert [len(stretch) for stretch in stretches] == [len(part) for part in parts_of(line)]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for stretch in stretches for x, y in stretch)


def test_a_sparkline_of_positions_has_the_first_on_top() -> None:
    ranks, streams = (
        [y for _, y in vertices(parsed(sparkline(points(5, 1, 3), first_on_top=first_on_top))[0])[0]]
        for first_on_top in (True, False)
    )

    assert ranks == [18, 2, 10]
    assert streams == [2, 18, 10]


def test_numbers_are_short_and_tell_neighbours_apart() -> None:
    assert short_numbers([0, 250_000, 500_000]) == ["0", "250K", "500K"]
    assert short_numbers([1_234_500_000, 1_235_000_000]) == ["1,234.5M", "1,235.0M"]
    assert short_numbers([1_000_000_000, 1_000_000_020]) == ["1,000,000,000", "1,000,000,020"]
    assert short_numbers([2, 4]) == ["2", "4"]
    assert short_numbers([]) == []


@given(wanted=st.lists(st.floats(0, 100), max_size=8).map(sorted))
def test_labels_keep_their_distance_and_order_within_the_bounds(wanted: list[float]) -> None:
    places = spread(wanted, 12, low=0, high=100)

    assert all(after - before >= 12 - 1e-9 for before, after in itertools.pairwise(places))
    assert all(-1e-9 <= place <= 100 for place in places)


@given(low=st.integers(-(2**63), 2**63), more=st.integers(0, 2**63))
def test_values_have_a_few_round_ticks_evenly_spaced(low: int, more: int) -> None:
    ticks = value_ticks(low, low + more)

    assert 1 <= len(ticks) <= 5
    assert low <= ticks[0] <= ticks[-1] <= low + more
    assert len({after - before for before, after in itertools.pairwise(ticks)}) <= 1
    assert len(ticks) == 1 or len(set(short_numbers(ticks))) == len(ticks)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(100, 500, [100, 200, 300, 400, 500]), (3, 16, [5, 10, 15]), (-30, 30, [-20, 0, 20]), (7, 7, [7]), (0, 1, [0, 1])],
)
def test_ticks_of_values(low: int, high: int, ticks: list[int]) -> None:
    assert value_ticks(low, high) == ticks


@given(first=st.dates(), days=st.integers(0, 40_000), most=st.sampled_from([5, 8]))
@example(first=date.min, days=3, most=8)
@example(first=date.max, days=0, most=5)
@example(first=date(9999, 1, 1), days=364, most=5)
@example(first=date.min, days=date.max.toordinal() - 1, most=8)
def test_days_have_a_few_ticks_which_read_differently(first: date, days: int, most: int) -> None:
    last = date.fromordinal(min(first.toordinal() + days, date.max.toordinal()))
    ticks = date_ticks(first, last, most=most)

    assert 1 <= len(ticks) <= most
    assert all(first <= day <= last for day, _ in ticks)
    assert [day for day, _ in ticks] == sorted({day for day, _ in ticks})
    assert all(text != following for (_, text), (_, following) in itertools.pairwise(ticks))


@pytest.mark.parametrize(
    ("first", "last", "texts"),
    [
        ("2026-11-19", "2026-11-21", ["Nov-19", "Nov-20", "Nov-21"]),
        # Mondays.
        ("2026-10-01", "2026-11-11", ["Oct-05", "Oct-12", "Oct-19", "Oct-26", "Nov-02", "Nov-09"]),
        ("2026-08-21", "2027-02-20", ["Sep", "Oct", "Nov", "Dec", "2027", "Feb"]),
        ("2025-06-01", "2027-02-20", ["Jul", "Oct", "2026", "Apr", "Jul", "Oct", "2027"]),
        ("2019-06-01", "2027-02-20", ["2020", "2021", "2022", "2023", "2024", "2025", "2026", "2027"]),
    ],
)
def test_ticks_of_days(first: str, last: str, texts: list[str]) -> None:
    found = date_ticks(date.fromisoformat(first), date.fromisoformat(last), most=8)
    assert [text for _, text in found] == texts


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

"""Tables and bars drawn by hand: what they tell, and that they stay small and well-formed whatever the names are."""

import re
from datetime import date
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundcharts_pipeline.reports.pictures.canvas import (
    DRAWN_STYLE,
    NARROW,
    WIDE,
    fitting,
    share,
    short_number,
    text_width,
)
from soundcharts_pipeline.reports.pictures.drawings import CELLS, TABLE_DAYS, top_movers
from soundcharts_pipeline.reports.pictures.geography import Located, geography_figure
from soundcharts_pipeline.reports.pictures.movers import Mover, MoverGroup, movers_figure
from soundcharts_pipeline.reports.pictures.sparkline_table import Cell, Column, Row, sparkline_table
from soundcharts_pipeline.storage.queries.rankings import ChartRanking, Move, Place
from soundcharts_pipeline_tests.reports.test_figures import EVIL, SVG, contrast, parsed, points, texts, vertices

DAY = date(2026, 11, 22)
MOVED = [
    MoverGroup("Climbed most", 9, [Mover("Song a", "Somebody", 60, 10), Mover("Song b", "", 35, 10)]),
    MoverGroup("Fell most", 1, [Mover("Song c", "Somebody", 5, 25)]),
]
ENTERED = [
    MoverGroup("New", 1, [Mover("Song d", "Somebody", None, 7)]),
    MoverGroup("Back", 1, [Mover("e", "", None, 8)]),
]
WIDTHS = pytest.mark.parametrize("width", [WIDE, NARROW])


def bars(root: ElementTree.Element) -> list[tuple[float, float]]:
    """Begin and width."""
    return [(float(bar.get("x", "")), float(bar.get("width", ""))) for bar in root.iter(f"{SVG}rect")]


@WIDTHS
def test_bars_of_movers_are_as_long_as_their_moves_to_the_right_for_a_climb(width: int) -> None:
    root = parsed(movers_figure("Global", "Places", MOVED, ENTERED, width=width))

    (climb, most), (_, half), (fall, least) = bars(root)
    assert [half / most, least / most] == pytest.approx([0.5, 0.4], abs=0.01)
    assert fall + least == pytest.approx(climb, abs=0.15)
    told = " ".join(texts(root))
    for words in ("Climbed most, 2 of 9", "Fell most", "+50", "+25", "−20", "60 → 10", "5 → 25", "at 7", "Song d"):  # noqa: RUF001
        assert words in told, words
    assert "Song c at 25 from 5" in (root.findtext(f"{SVG}desc") or "")


@WIDTHS
def test_shares_are_of_what_is_listed_also_of_places_that_are_not_drawn(width: int) -> None:
    countries = [("US", 50), ("FR", 30), *((f"C{n}", 2) for n in range(10))]
    located = [Located("Spotify", DAY, countries, [("Paris, FR", 1_234_000)]), Located("TikTok", DAY, [("DE", 0)], [])]
    root = parsed(geography_figure("Where", "Listed places alone.", located, width=width))

    told = texts(root)
    assert [words for words in told if words.endswith(" %")][:3] == ["50 · 50 %", "30 · 30 %", "2 · 2 %"]
    assert {"Countries: 8 of 12 listed", "Cities listed", "Paris, FR", "1.23M · 100 %", f"of {DAY}"} <= set(told)
    (_, most), (_, less), *_ = bars(root)
    assert less / most == pytest.approx(0.6, abs=0.01)


@WIDTHS
def test_a_table_tells_the_newest_value_and_the_change_and_draws_all_lines_over_the_same_days(width: int) -> None:
    columns = [Column("Spotify", "streams a day"), Column("Shazam", "shazams a day")]
    long, short = points(*range(100, 114)), points(5, 4, 3, 2)
    rows = [
        Row(1, "Song a", [Cell(long, 7), Cell(short, None)]),
        Row(2, "Song b", [None, Cell(points(2000, 1000), -1000)]),
        Row(3, "Song c", [Cell(points(4, 4), 0), Cell(points(0, 9), 9)]),
    ]
    root = parsed(sparkline_table("Global", columns, rows, width=width))

    lines = [vertices(path) for path in root.iter(f"{SVG}path") if "stroke" not in path.attrib]
    assert [[len(stretch) for stretch in line] for line in lines] == [[14], [4], [2], [2], [2]]
    ends = [line[-1][-1][0] for line in lines]
    assert ends[1] - 2 == pytest.approx((ends[0] - 2) * 3 / 13, abs=0.3)
    heights = [y for _, y in lines[0][0]]
    assert heights == sorted(heights, reverse=True)
    assert (heights[0], heights[-1]) == (16, 2)
    told = texts(root)
    for words in ("113", "+6.6 %", "2", "1.00K", "−50.0 %", "±0 %", "+9", "streams a day"):  # noqa: RUF001
        assert words in told, words
    assert f"{long[0][0]} to {long[-1][0]}; newest value, change over 7 days" in told


@WIDTHS
def test_names_stay_text_and_the_largest_pictures_stay_small(width: int) -> None:
    name = EVIL * 50
    wild = [points(*(n * 7919 % 9973 * 10**6 for n in range(start, start + TABLE_DAYS))) for start in range(CELLS)]
    columns = [Column("YouTube", "monthly listeners")] * 6
    rows = [Row(n, name, [Cell(wild[n * 6 + m], 10**6) for m in range(6)]) for n in range(CELLS // 6)]
    group = MoverGroup("Climbed most", 9, [Mover(name, name, 200, 1)] * 6)
    places = [(name, 10**9)] * 50
    drawn = [
        movers_figure(name, name[:80], [group] * 2, [group] * 2, width=width),
        sparkline_table(name, columns, rows, width=width),
        geography_figure(name, "Listed.", [Located(name, DAY, places, places)] * 6, width=width),
    ]

    for svg in drawn:
        root = parsed(svg)
        assert len(svg.encode()) * 4 / 3 < 60_000
        assert "<script" not in svg
        assert "\u202e" not in svg
        assert [text for text in texts(root) if text.startswith("</text>")]
        for text in root.iter(f"{SVG}text"):
            assert 0 <= float(text.get("x", "")) <= width
    assert drawn[1] == sparkline_table(name, columns, rows, width=width)


def test_a_ranking_in_which_nobody_moved_has_no_picture_of_movers() -> None:
    def ranking(*moves: Move) -> ChartRanking:
        places = tuple(
            Place(
                position=n,
                move=move,
                track_uuid=str(n),
                name=f"Song {n}",
                credit_name=None,
                artists=(),
                metric=None,
                time_on_chart=None,
                time_on_chart_unit=None,
            )
            for n, move in enumerate(moves, start=1)
        )
        return ChartRanking(day=DAY, day_before=None, metric_type=None, places=places, left=None)

    assert top_movers("Global", None) is None
    assert top_movers("Global", ranking(Move("same", 1, 0))) is None
    drawing = top_movers("Global", ranking(Move("same", 1, 0), Move("new", None, None)))
    assert drawing is not None
    assert f"Places gained or lost on {DAY} since the ranking before" in texts(parsed(drawing.draw(WIDE)))


def test_drawn_text_is_in_the_ink_of_the_page_and_its_colours_read_on_both_grounds() -> None:
    root = parsed(movers_figure("Global", "Places", MOVED, ENTERED))

    assert next(element.text for element in root.iter(f"{SVG}style")) == DRAWN_STYLE
    assert root.findtext(f"{SVG}title") == "Global"
    light, _, dark = DRAWN_STYLE.rpartition("@media")
    for ground, style in (("#ffffff", light), ("#161b22", dark)):
        for colour in re.findall(r"fill:(#\w+)", style):
            assert contrast(colour, ground) >= 4.5, (colour, ground)


@given(text=st.text(max_size=60), pixels=st.floats(30, 400))
def test_a_text_is_whole_where_it_fits_and_else_cut_to_its_room(text: str, pixels: float) -> None:
    shown = fitting(text, pixels, 11)

    assert text_width(shown, 11) <= pixels
    assert shown == fitting(text, 10_000, 11) or shown.endswith("…")


def test_numbers_are_short() -> None:
    numbers = (0, 7, 999, 999.6, 1_234, 12_345, 123_456, 999_600, 10**9, -1_500)
    assert [short_number(n) for n in numbers] == [
        *("0", "7", "999", "1.00K", "1.23K", "12.3K", "123K", "1.00M", "1.00B", "−1.50K")  # noqa: RUF001
    ]
    assert [share(*of) for of in ((1, 3), (1, 1000), (0, 5), (5, 5))] == ["33 %", "<1 %", "0 %", "100 %"]

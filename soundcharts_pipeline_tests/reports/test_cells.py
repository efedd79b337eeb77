"""What may stand in a cell: nothing that is no XML, nothing too long, no link that leads out of the web."""

import math
from datetime import date
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from soundcharts_pipeline.reports.workbook.cells import (
    CUT,
    LONGEST_TEXT,
    MOST_NUMBER,
    as_cell,
    as_written,
    plain_text,
    web_link,
)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


@given(st.text(st.characters(categories=None)))
def test_every_text_becomes_one_that_a_sheet_can_hold(text: str) -> None:
    shown = plain_text(text)
    element = ET.Element("t")
    element.text = shown
    assert (ET.fromstring(ET.tostring(element)).text or "") == shown  # noqa: S314  # our own
    assert plain_text(shown) == shown


@given(st.text("_x04Fg"))
def test_what_looks_like_a_code_is_written_so_that_it_is_read_as_it_was(name: str) -> None:
    assert unescape(as_written(name)) == name


@pytest.mark.parametrize("name", ["=1+1", "+A1", "-1", "@SUM", "\tx", "مرحبا", "🎧", "R&B <b>"])
def test_a_text_that_a_sheet_can_hold_stays_as_it_is(name: str) -> None:
    assert plain_text(name) == name


@pytest.mark.parametrize(("letter", "times"), [("a", LONGEST_TEXT + 1), ("🎧", LONGEST_TEXT // 2 + 1)])
def test_a_text_that_is_too_long_is_cut_with_a_mark_and_never_within_a_character(letter: str, times: int) -> None:
    shown = plain_text(letter * times)
    assert shown.removesuffix(CUT).replace(letter, "") == ""
    assert shown.endswith(CUT)
    assert LONGEST_TEXT - 1 <= _units(shown) <= LONGEST_TEXT
    longest = letter * (LONGEST_TEXT // _units(letter))
    assert plain_text(longest) == longest


@pytest.mark.parametrize(
    ("value", "held"),
    [
        *((None, None), ("", None), ("\x00", None), ("=1", "=1"), (0, 0), (0.5, 0.5)),
        *((MOST_NUMBER, MOST_NUMBER), (MOST_NUMBER + 1, str(MOST_NUMBER + 1)), (-(2**63), str(-(2**63)))),
        *((math.nan, "nan"), (-math.inf, "-inf")),
        *((date(1900, 3, 1), 61), (date(2026, 11, 23), 46_349), (date(1756, 1, 27), "1756-01-27")),
    ],
)
def test_a_cell_holds_the_value_or_its_name(value: object, held: object) -> None:
    assert as_cell(value) == held


def test_what_is_no_value_of_a_cell_is_refused() -> None:
    with pytest.raises(TypeError, match="no cell holds"):
        as_cell([1])


@pytest.mark.parametrize("url", ["https://app.soundcharts.com/app/song/x?a=1&b=2", "http://example.test"])
def test_addresses_of_the_web_are_links(url: str) -> None:
    assert web_link(url) == url


@pytest.mark.parametrize(
    "url",
    [
        *(None, "", "javascript:alert(1)", "file:///etc/passwd", "//example.test/x", "ftp://example.test", "https://"),
        *("mailto:a@example.test", "https://example.test/a b", "https://[bad", f"https://example.test/{'a' * 2_080}"),
    ],
)
def test_everything_else_is_no_link(url: str | None) -> None:
    assert web_link(url) is None

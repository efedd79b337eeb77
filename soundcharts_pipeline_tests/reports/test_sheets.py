"""Sheets in the file: what the writer could take for something else, what it refuses, and what a full disk does."""

import resource
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET
from zipfile import ZipFile

import pytest
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape

from soundcharts_pipeline.reports.workbook.cells import LONGEST_LINK, LONGEST_TEXT, MOST_LINKS, MOST_NUMBER
from soundcharts_pipeline.reports.workbook.read_back import read_back
from soundcharts_pipeline.reports.workbook.sheets import MOST_HEIGHT, Column, Kind, Link, Sheet, add_sheet, new_workbook
from soundcharts_pipeline.reports.workbook.workbook import write_workbook
from soundcharts_pipeline.storage.errors import StorageFull
from soundcharts_pipeline.storage.files import explained_files
from soundcharts_pipeline_tests.reports.conftest import Made

TEXTS = [
    *("<r>", "</r>", "<r></r>", "<r><t>bold</t></r>", "<r>& no XML</r>", "<r>_x0041_x0042_</r>", "<r>\n</r>"),
    *("_x0041_x0042_", "_x0041_x0042_x0043_", "_x0041_" * (LONGEST_TEXT // 7)),
    *("{=1+1}", "=1+1", "http://example.test", "mailto:x@example.test", "internal:Data!A1", "external:other.xlsx"),
    *(" before", "after ", "\n", "true", "0", "1e5", "#REF!"),
]
LINKS = [
    *('https://example.test/?q="quoted"&a=<b>', "https://example.test/a#part", "https://example.test/#a#b"),
    *("https://example.test/100%25?x=%22", "HTTPS://example.test/{id}", "https://example.test/日本語"),
    f"https://example.test/{'a' * (LONGEST_LINK - 21)}",
]
TOO_LONG = [
    *(f"https://example.test/{'a' * (LONGEST_LINK - 20)}", f"https://example.test/{'🎧' * (LONGEST_LINK // 2)}"),
    "https://example.test/" + '"' * (LONGEST_LINK // 3),
]


def written(path: Path, rows: Sequence[Sequence[Any]], *, about: str = "") -> Path:
    """A workbook with one sheet of one column."""
    with new_workbook(path) as workbook:
        add_sheet(workbook, Sheet(name="Data", columns=[Column("Name")], rows=rows), about=about)
    return path


def test_texts_that_look_like_something_else_are_those_texts(tmp_path: Path) -> None:
    sheet: Any = load_workbook(written(tmp_path / "made.xlsx", [(text,) for text in TEXTS]))["Data"]
    cells = [cell for (cell,) in sheet.iter_rows(min_row=2)]
    assert [unescape(cell.value) for cell in cells] == TEXTS
    assert {cell.data_type for cell in cells} == {"s"}
    assert not any(cell.hyperlink for cell in cells)


def test_each_link_is_of_one_cell_and_one_that_is_too_long_is_only_its_text(tmp_path: Path) -> None:
    rows = [(Link(f"name {number}", url),) for number, url in enumerate([*LINKS, *TOO_LONG, "https://a\ud800.test"])]
    sheet: Any = load_workbook(written(tmp_path / "made.xlsx", rows))["Data"]
    cells = [cell for (cell,) in sheet.iter_rows(min_row=2)]
    assert [cell.value for cell in cells] == [link.text for (link,) in rows]
    found = [cell.hyperlink for cell in cells]
    assert found[len(LINKS) :] == [None] * 4
    assert [link.ref for link in found[: len(LINKS)]] == [f"A{row}" for row in range(2, 2 + len(LINKS))]
    # What follows the first # stands beside the rest.
    urls = [link.target + (f"#{link.location}" if link.location else "") for link in found[: len(LINKS)]]
    assert [unquote(url) for url in urls] == [unquote(url) for url in LINKS]


def test_no_column_and_no_row_is_larger_than_a_sheet_takes(tmp_path: Path) -> None:
    prose = Column("Note", Kind.PROSE, widest=20)
    with new_workbook(tmp_path / "made.xlsx") as workbook:
        sheet = Sheet(name="Data", columns=[Column("N" * 300), prose], rows=[("a", "word " * 2_000)])
        add_sheet(workbook, sheet, about="")
    found: Any = load_workbook(tmp_path / "made.xlsx")["Data"]
    assert max(column.width for column in found.column_dimensions.values()) <= 256
    assert found.row_dimensions[2].height <= MOST_HEIGHT


def test_a_sheet_of_more_links_than_it_may_have_keeps_every_name(tmp_path: Path) -> None:
    rows = [(Link(f"name {number}", "https://example.test"),) for number in range(MOST_LINKS + 1)]
    path = written(tmp_path / "made.xlsx", rows)
    assert read_back(path).rows == {"Data": len(rows)}
    with ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    assert sheet.count(b"<hyperlink ") <= MOST_LINKS
    assert f"name {MOST_LINKS}".encode() in sheet


@pytest.mark.parametrize("name", ["R&G", "R&B &[Picture]", "🎧" * 200, "&" * 200, "_x0041_x0042_"])
def test_a_name_stands_above_every_page_as_it_is(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / "made.xlsx", [], about=name)
    with ZipFile(path) as archive:
        sheet = ET.fromstring(archive.read("xl/worksheets/sheet1.xml"))  # noqa: S314  # ours
    above = unescape(sheet.findtext("{*}headerFooter/{*}oddHeader") or "")
    assert above == f"&L{name[:120].replace('&', '&&')}&R&A"
    # What Excel takes.
    assert len(above.encode("utf-16-le")) <= 255 * 2


def test_missing_days_have_no_cell_and_other_missing_values_keep_the_look_of_their_column(
    tmp_path: Path, made: Made
) -> None:
    days = made.report.of.days[:2]
    columns = [Column("Name"), *(Column(day, Kind.WHOLE) for day in days), Column("Released", Kind.DATE)]
    with new_workbook(tmp_path / "made.xlsx") as workbook:
        add_sheet(workbook, Sheet(name="Data", columns=columns, rows=[("", None, 0, None)]), about="")
    sheet: Any = load_workbook(tmp_path / "made.xlsx")["Data"]
    empty, missing, zero, released = sheet[2]
    assert [empty.value, missing.value, zero.value, released.value] == [None, None, 0, None]
    assert [cell.border.bottom.style for cell in sheet[2]] == ["hair", None, None, "hair"]
    assert (zero.number_format, released.number_format) == ("#,##0", "yyyy-mm-dd")
    with ZipFile(tmp_path / "made.xlsx") as archive:
        assert b'r="B2"' not in archive.read("xl/worksheets/sheet1.xml")


def test_every_number_of_a_matrix_stands_under_its_day_also_beside_one_that_is_text(tmp_path: Path) -> None:
    some = [0, -1, 7, MOST_NUMBER, -MOST_NUMBER, MOST_NUMBER + 1, 2**63 - 1, None]
    rows = [("first", *some[turn:], *some[:turn], "last") for turn in range(len(some))]
    days = [Column(date(2026, 11, 1) + timedelta(days=later), Kind.WHOLE) for later in range(len(some))]
    with new_workbook(tmp_path / "made.xlsx") as workbook:
        # Beyond column Z.
        more = [Column(f"Before {number}") for number in range(20)]
        sheet = Sheet(
            name="Data",
            columns=[Column("Name"), *more, *days, Column("UUID")],
            rows=[(row[0], *[None] * len(more), *row[1:]) for row in rows],
        )
        add_sheet(workbook, sheet, about="")
    found: Any = load_workbook(tmp_path / "made.xlsx")["Data"]
    shown = [
        tuple(value if value is None or isinstance(value, str | int) else int(value) for value in row)
        for row in found.iter_rows(min_row=2, values_only=True)
    ]
    as_text = {MOST_NUMBER + 1, 2**63 - 1}
    expected = [tuple(str(value) if value in as_text else value for value in row) for row in sheet.rows]
    assert shown == expected
    assert read_back(tmp_path / "made.xlsx").rows == {"Data": len(rows)}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_is_told_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "made.xlsx").symlink_to("/dev/full")
    with pytest.raises(StorageFull, match=f"no space left for {tmp_path}"), explained_files(tmp_path):
        written(tmp_path / "made.xlsx", [("name",)])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_workbook_that_cannot_be_written_leaves_the_old_one_and_nothing_else(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Somewhere else may be no room at all.
    monkeypatch.setattr(tempfile, "tempdir", "/dev/null")
    path = tmp_path / "reports" / "made.xlsx"
    write_workbook(path, made.report)
    before = path.read_bytes()
    # The rows of a sheet, before they are packed, or only the workbook.
    for longest in (10_000, len(before) - 1):
        with longest_file(longest), pytest.raises(OSError, match="File too large"):
            write_workbook(path, made.report)
        assert path.read_bytes() == before
        assert list(path.parent.iterdir()) == [path]


@contextmanager
def longest_file(size: int) -> Iterator[None]:
    """No file of this process grows longer, in bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

"""One table as a sheet that a person reads, filters and prints: header, widths, number formats, links, page set-up.

Sheets are written row by row, so that memory stays flat whatever they hold.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple, cast

from rich.cells import cell_len
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from soundcharts_pipeline.reports.workbook.cells import MOST_LINKS, as_cell, as_written, exact, plain_text, web_link

HEADER_ROWS = 1
NARROWEST, WIDEST = 6, 44
# What Excel takes, in letters and points.
MOST_WIDTH, MOST_HEIGHT = 255, 409
# Beside the text of a header cell its filter button needs room.
FILTER_BUTTON = 3
LINE_HEIGHT = 15
# Running totals reach eleven digits.
DAY_WIDTH = 15
A4 = 9
LONGEST_HEADER = 120

# Of cells, in the words of XlsxWriter's formats. 7 is a line of dots.
HEADER = {"bold": True, "font_color": "#FFFFFF", "bg_color": "#1F4E79"}
UNDERLINE = {"bottom": 7, "bottom_color": "#C9D2DC"}
LINKED = {"font_color": "#0563C1"}


class Kind(Enum):
    """What a column holds, and so how it is shown."""

    TEXT = "@"
    PROSE = "General"
    WHOLE = "#,##0"
    DECIMAL = "#,##0.00"
    PERCENT = "0.0%"
    CHANGE = '"▲" #,##0;"▼" #,##0;"="'
    GROWTH = "+0.0%;-0.0%;0.0%"
    DATE = "yyyy-mm-dd"
    DURATION = "[m]:ss"


class Link(NamedTuple):
    """A text that leads to a page."""

    text: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column; the heading of a column of a matrix is its day."""

    heading: str | date
    kind: Kind = Kind.TEXT
    widest: int = WIDEST

    @property
    def is_day(self) -> bool:
        return isinstance(self.heading, date)


class Rule(NamedTuple):
    """How cells of these columns (0-based, the last included) look whose value compares so."""

    columns: tuple[int, int]
    criteria: Literal[">", "<", "=="]
    value: str
    look: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One table. `frozen` columns stay in sight; of a wide one the first `printed` columns are printed."""

    name: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    frozen: int = 0
    printed: int | None = None
    rules: Sequence[Rule] = ()


class _Numbers(NamedTuple):
    """Cells of a row that look alike, side by side: the names of their columns and what each holds."""

    columns: Sequence[str]
    numbers: Sequence[int | None]
    look: Format


class _TextSheet(Worksheet):
    """A worksheet of XlsxWriter whose strings are all text, whatever they look like."""

    def add_numbers(self, row: int, column: int, numbers: _Numbers) -> None:
        """Put them into a row, of which a cell before them and one behind them is written by XlsxWriter."""
        self.table[row][column] = numbers

    def _write_cell(self, row: int, col: int, cell: Any) -> None:
        # Three of five cells of a workbook are of its matrix of days: by the cell they took a third of the writing.
        if not isinstance(cell, _Numbers):
            super()._write_cell(row, col, cell)
            return
        look: int = cell.look._get_xf_index()  # type: ignore[no-untyped-call]
        held = zip(cell.columns, cell.numbers, strict=True)
        cells = [f'<c r="{name}{row + 1}" s="{look}"><v>{n}</v></c>' for name, n in held if n is not None]
        self.fh.write("".join(cells))  # type: ignore[attr-defined]

    @staticmethod
    def _escape_control_characters(data: str) -> str:
        # Its own overlooks the second of two codes that share an underscore: `_x0041_x0042_`.
        return as_written(data)

    def _xml_rich_inline_string(self, string: str, attributes: Sequence[tuple[str, object]] = ()) -> None:
        # What begins with <r> and ends with </r> is XML already, it believes, of a text in several fonts: none is here.
        self._xml_inline_string(string, True, attributes)


@contextmanager
def new_workbook(path: Path) -> Iterator[Workbook]:
    """A workbook that is written when the block ends. Until then its rows are in temporary files beside it, so that it
    is one disk that may be full. Raises OSError."""
    with TemporaryDirectory(prefix=f"{path.name}.", dir=path.parent) as folder:
        workbook = Workbook(path, {"constant_memory": True, "tmpdir": folder})
        yield workbook
        try:
            workbook.close()
        except FileCreateError as error:
            raise error.args[0] from None


def new_sheet(workbook: Workbook, name: str, *, about: str, pages_high: int = 0) -> _TextSheet:
    """A sheet that takes rows in their order. It is printed in landscape, as wide as the page (0 pages high: as many as
    it takes), with a line above, which says what it is about, and one below."""
    ws = cast(_TextSheet, workbook.add_worksheet(name, _TextSheet))
    ws.set_landscape()
    ws.set_paper(A4)
    ws.fit_to_pages(1, pages_high)
    ws.set_margins(left=0.4, right=0.4, top=0.75, bottom=0.75)
    ws.set_header("&R&A")
    # In a header & begins a code. `set_header` would look for pictures, and takes a name such as R&&G for one.
    ws.header = f"&L{plain_text(about)[:LONGEST_HEADER].replace('&', '&&')}&R&A"
    ws.set_footer("&LSource: Soundcharts&RPage &P of &N")
    return ws


def add_sheet(workbook: Workbook, sheet: Sheet, *, about: str) -> Worksheet:
    """Write the sheet; `about` stands above every printed page."""
    ws = new_sheet(workbook, sheet.name, about=about)
    last_row, last_column = HEADER_ROWS + len(sheet.rows) - 1, len(sheet.columns) - 1
    ws.freeze_panes(HEADER_ROWS, sheet.frozen)
    ws.autofilter(0, 0, last_row, last_column)
    ws.repeat_rows(0, HEADER_ROWS - 1)
    ws.print_area(0, 0, last_row, min(sheet.printed or len(sheet.columns), len(sheet.columns)) - 1)
    for number, (column, width) in enumerate(zip(sheet.columns, _widths(sheet), strict=True)):
        ws.set_column(number, number, width)
        day = {"num_format": Kind.DATE.value} if column.is_day else {}
        write_cell(ws, 0, number, column.heading, workbook.add_format(HEADER | _aligned(column.kind) | day))
    _write_rows(workbook, ws, sheet)
    for rule in sheet.rules if sheet.rows else ():
        first, last = rule.columns
        look = workbook.add_format(rule.look)
        compared = {"type": "cell", "criteria": rule.criteria, "value": rule.value, "format": look}
        ws.conditional_format(HEADER_ROWS, first, last_row, last, compared)
    return ws


def write_cell(ws: Worksheet, row: int, column: int, value: object, look: Format, linked: Format | None = None) -> None:
    """Put a value into a cell (0-based): a string is text, whatever it begins with. `linked` is how a link looks."""
    url = None
    if isinstance(value, Link):
        # No sheet has two columns of links.
        url, value = web_link(value.url) if row < MOST_LINKS else None, value.text
    held = as_cell(value)
    if held is None:
        ws.write_blank(row, column, None, look)
    elif not isinstance(held, str):
        ws.write_number(row, column, held, look)
    elif url:
        ws.write_url(row, column, url, linked or look, held)
    else:
        ws.write_string(row, column, held, look)


def _write_rows(workbook: Workbook, ws: _TextSheet, sheet: Sheet) -> None:
    linked = workbook.add_format(LINKED | UNDERLINE | _aligned(Kind.TEXT) | {"num_format": Kind.TEXT.value})
    # One for all columns that look alike: XlsxWriter compares every cell of a second one with the first.
    looks = {
        (kind, is_day): workbook.add_format(
            {"num_format": kind.value, **_aligned(kind), **({} if is_day else UNDERLINE)}
        )
        for kind, is_day in {(column.kind, column.is_day) for column in sheet.columns}
    }
    columns = [(place, looks[one.kind, one.is_day]) for place, one in enumerate(sheet.columns)]
    days = [place for place, column in enumerate(sheet.columns) if column.is_day]
    first, end = (days[0], days[-1] + 1) if days else (0, 0)
    names = [xl_col_to_name(place) for place in range(first, end)]
    prose = [(number, column.widest) for number, column in enumerate(sheet.columns) if column.kind is Kind.PROSE]
    for number, row in enumerate(sheet.rows, start=HEADER_ROWS):
        if prose:
            # Not every program makes the room that wrapped text needs.
            lines = max(_lines(str(row[column]), width) for column, width in prose)
            ws.set_row(number, min(LINE_HEIGHT * lines, MOST_HEIGHT))
        for value, (column, look) in zip([*row[:first], *row[end:]], [*columns[:first], *columns[end:]], strict=True):
            write_cell(ws, number, column, value, look, linked)
        if days:
            _write_days(ws, number, first, _Numbers(names, row[first:end], columns[first][1]))


def _write_days(ws: _TextSheet, row: int, first: int, days: _Numbers) -> None:
    """Cells of a matrix; a day without a value has none."""
    if all(number is None or exact(number) == number for number in days.numbers):
        ws.add_numbers(row, first, days)
        return
    for column, number in enumerate(days.numbers, start=first):
        if number is not None:
            write_cell(ws, row, column, number, days.look)


def _aligned(kind: Kind) -> dict[str, Any]:
    if _is_number(kind):
        return {"valign": "top", "align": "right"}
    # A text beside a number would touch it.
    return {"valign": "top", "align": "left", "indent": 1, "text_wrap": kind is Kind.PROSE}


def _widths(sheet: Sheet) -> Iterator[float]:
    """Of each column, in letters."""
    for number, column in enumerate(sheet.columns):
        if column.is_day:
            yield DAY_WIDTH
            continue
        shown = max((_shown_width(value, column.kind) for value in {row[number] for row in sheet.rows}), default=0)
        heading = len(str(column.heading)) + FILTER_BUTTON
        yield min(max(NARROWEST, heading, min(shown + 3, column.widest)), MOST_WIDTH)


def _lines(prose: str, width: int) -> int:
    # A column is as wide as so many digits, and letters are narrower.
    return math.ceil(cell_len(prose) * 0.9 / width)


def _shown_width(value: object, kind: Kind) -> int:
    if value is None:
        return 0
    if isinstance(value, int | float):
        # The arrow or sign of a change, and its space.
        return len(f"{value:,.0f}") + {Kind.DECIMAL: 3, Kind.PERCENT: 3, Kind.GROWTH: 4, Kind.CHANGE: 2}.get(kind, 0)
    text = value.text if isinstance(value, Link) else str(value)
    return max(map(cell_len, text[:1_000].split("\n")))


def _is_number(kind: Kind) -> bool:
    return kind not in (Kind.TEXT, Kind.PROSE)

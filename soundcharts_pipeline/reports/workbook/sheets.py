"""One table as a sheet that a person reads, filters and prints: header, widths, number formats, links, page set-up.

Sheets are written row by row, so that memory stays flat whatever they hold.
"""

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Any, NamedTuple, cast

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.formatting.rule import Rule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet
from rich.cells import cell_len

from soundcharts_pipeline.reports.workbook.cells import as_written, exact, plain_text, web_link

HEADER_ROWS = 1
NARROWEST, WIDEST = 6, 44
# Beside the text of a header cell its filter button needs room.
FILTER_BUTTON = 3
LINE_HEIGHT = 15
# Running totals reach eleven digits.
DAY_WIDTH = 15
A4 = 9

BLUE, LINE = "1F4E79", "C9D2DC"


def font(**look: Any) -> Font:
    """The workbook's face; openpyxl leaves it out of any font that is not the default, and it becomes a serif."""
    return Font(**{"name": "Calibri", "size": 11, **look})


HEADER_FONT = font(bold=True, color="FFFFFF")
HEADER_FILL = PatternFill("solid", start_color=BLUE)
LINK_FONT = font(color="0563C1")
UNDERLINE = Border(bottom=Side("hair", color=LINE))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One table. `frozen` columns stay in sight; of a wide one the first `printed` columns are printed."""

    name: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    frozen: int = 0
    printed: int | None = None
    rules: Callable[[int], Iterable[tuple[str, Rule]]] = field(default=lambda _rows: ())

    @property
    def last_row(self) -> int:
        return HEADER_ROWS + len(self.rows)


def new_sheet(workbook: Workbook, name: str) -> Worksheet:
    """A sheet of a write-only workbook: it takes rows one by one, and the settings of any other."""
    return cast(Worksheet, workbook.create_sheet(name))


def add_sheet(workbook: Workbook, sheet: Sheet, *, about: str) -> Worksheet:
    """Write the sheet; `about` stands above every printed page."""
    ws = new_sheet(workbook, sheet.name)
    printed = get_column_letter(min(sheet.printed or len(sheet.columns), len(sheet.columns)))
    ws.freeze_panes = f"{get_column_letter(sheet.frozen + 1)}{HEADER_ROWS + 1}"
    for letter, width in _widths(sheet):
        ws.column_dimensions[letter].width = width
    set_up_page(ws, about=about)
    ws.append(_header(ws, sheet.columns))
    cells = [_prototype(ws, column) for column in sheet.columns]
    for number, row in enumerate(sheet.rows, start=HEADER_ROWS + 1):
        if lines := _lines_of_prose(sheet.columns, row):
            # Not every program makes the room that wrapped text needs.
            ws.row_dimensions[number].height = LINE_HEIGHT * lines
        # Lazily, so that each cell is written before the next row changes it.
        ws.append(_filled(ws, sheet.columns, cells, row))  # type: ignore[arg-type]  # a generator is one
    ws.auto_filter.ref = f"A1:{get_column_letter(len(sheet.columns))}{sheet.last_row}"
    ws.print_title_rows = f"1:{HEADER_ROWS}"
    ws.print_area = f"A1:{printed}{sheet.last_row}"
    for cells_of_rule, rule in sheet.rules(sheet.last_row) if sheet.rows else ():
        ws.conditional_formatting.add(cells_of_rule, rule)
    return ws


def set_up_page(ws: Worksheet, *, about: str, pages_high: int = 0) -> None:
    """Landscape, as wide as the page (0 pages high: as many as it takes), with a line above and below."""
    ws.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    ws.page_setup.orientation, ws.page_setup.paperSize = "landscape", A4
    ws.page_setup.fitToWidth, ws.page_setup.fitToHeight = 1, pages_high
    ws.page_margins.left = ws.page_margins.right = 0.4
    ws.page_margins.top = ws.page_margins.bottom = 0.75
    ws.page_margins.header = ws.page_margins.footer = 0.3
    # In a header & begins a code.
    above, below = cast(Any, ws.oddHeader), cast(Any, ws.oddFooter)
    above.left.text, above.right.text = as_written(plain_text(about)[:120]).replace("&", "&&"), "&A"
    below.left.text, below.right.text = "Source: Soundcharts", "Page &P of &N"


def fill_cell(cell: Any, value: object) -> None:
    """Put a value into a cell: a string is text, whatever it begins with."""
    if isinstance(value, Link):
        if url := web_link(value.url):
            cell.hyperlink = url
        value = value.text
    if isinstance(value, int):
        value = exact(value)
    if isinstance(value, str):
        cell.value = as_written(plain_text(value)) or None
        if cell.value is not None:
            # openpyxl makes a formula of a leading =, and an error of a text such as #N/A.
            cell.data_type = "s"
    else:
        cell.value = value


def _header(ws: Worksheet, columns: Sequence[Column]) -> list[Any]:
    cells = []
    for column in columns:
        cell = WriteOnlyCell(ws)
        cell.font, cell.fill, cell.alignment = HEADER_FONT, HEADER_FILL, _aligned(column.kind)
        if column.is_day:
            cell.number_format = Kind.DATE.value
        fill_cell(cell, column.heading)
        cells.append(cell)
    return cells


def _prototype(ws: Worksheet, column: Column) -> Any:
    """A cell that every row of its column uses in turn: styling each anew would double the time."""
    cell = WriteOnlyCell(ws)
    cell.number_format, cell.alignment = column.kind.value, _aligned(column.kind)
    if not column.is_day:
        cell.border = UNDERLINE
    return cell


def _aligned(kind: Kind) -> Alignment:
    if _is_number(kind):
        return Alignment(vertical="top", horizontal="right")
    # A text beside a number would touch it.
    return Alignment(vertical="top", horizontal="left", indent=1, wrap_text=kind is Kind.PROSE)


def _filled(
    ws: Worksheet, columns: Sequence[Column], cells: Sequence[Any], row: Sequence[Any]
) -> Generator[Any, None, None]:
    for column, cell, value in zip(columns, cells, row, strict=True):
        if value is None and column.is_day:
            yield None
        elif isinstance(value, Link) and web_link(value.url):
            # A link belongs to one cell: the one that all rows share would lead everywhere to the last page.
            linked = WriteOnlyCell(ws)
            linked.font, linked.border, linked.number_format = LINK_FONT, UNDERLINE, Kind.TEXT.value
            linked.alignment = _aligned(Kind.TEXT)
            fill_cell(linked, value)
            yield linked
        else:
            fill_cell(cell, value)
            yield cell


def _widths(sheet: Sheet) -> Iterator[tuple[str, float]]:
    for number, column in enumerate(sheet.columns):
        if column.is_day:
            yield get_column_letter(number + 1), DAY_WIDTH
            continue
        shown = max((_shown_width(row[number], column.kind) for row in sheet.rows), default=0)
        heading = len(str(column.heading)) + FILTER_BUTTON
        yield get_column_letter(number + 1), max(NARROWEST, heading, min(shown + 3, column.widest))


def _lines_of_prose(columns: Sequence[Column], row: Sequence[Any]) -> int:
    prose = ((cell_len(str(v)), c.widest) for c, v in zip(columns, row, strict=True) if c.kind is Kind.PROSE)
    # A column is as wide as so many digits, and letters are narrower.
    return max((math.ceil(length * 0.9 / width) for length, width in prose), default=0)


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

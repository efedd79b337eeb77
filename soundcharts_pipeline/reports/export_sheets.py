"""Bulk rows as a workbook, written as a stream: the XML of one sheet after the other, packed on its way to the file.

XlsxWriter takes each cell on its own, 60 s of a core for a million rows of six, and keeps them in a second file until
the end, which a killed process leaves behind. Column by column it is a tenth of that, and there is one file.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from math import isfinite
from pathlib import Path
from typing import IO, Any
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

from sqlalchemy import JSON, Boolean, Date, Float, Integer
from sqlalchemy.types import TypeEngine

from soundcharts_pipeline.reports.cells import plain_text
from soundcharts_pipeline.reports.export_values import Columns, Rows, as_json, each
from soundcharts_pipeline.storage.columns import UtcDateTime

# Of a sheet: https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3
SHEET_ROWS = 1_048_576
# Unpacked; one of two gigabytes needs an extension of the format over which Excel offers a repair.
SHEET_BYTES = 1_500_000_000
# Day 0 of a workbook. It takes 1900 for a leap year, so that no earlier day than that March is what it says.
DAY_ZERO, FIRST_DAY = datetime(1899, 12, 30, tzinfo=UTC), date(1900, 3, 1)
DAY_SECONDS = 86_400
WIDEST = 40
# Of the sheet's first batch, to see how wide its columns are.
MEASURED_ROWS = 50
# Level 6 takes as long as all the rest together, for a file a sixth smaller.
PACKING = 1
# A reader takes such letters of a text for a character; this spelling of the underscore keeps them letters.
_LIKE_A_CODE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")

Show = Callable[[Any], str]

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
PARTS = "application/vnd.openxmlformats-officedocument.spreadsheetml"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
HEADING, TEXT = 1, 0
# Of the styles below, the first whose type it is.
LOOKS: Sequence[tuple[type[TypeEngine[Any]], str]] = (
    (UtcDateTime, "yyyy-mm-dd hh:mm:ss"),
    (Date, "yyyy-mm-dd"),
    (Integer, "#,##0"),
    (Float, "#,##0.####"),
)


class XlsxFile:
    """Sheets `Data`, `Data 2` and so on, each as long as a sheet may be."""

    def __init__(self, path: Path, columns: Columns, *, sheet_rows: int = SHEET_ROWS) -> None:
        self._book = ZipFile(path, "w", ZIP_DEFLATED, compresslevel=PACKING)
        self._columns, self._sheet_rows = columns, sheet_rows
        self._cells = [(_letters(number), _cell(kind)) for number, kind in enumerate(columns.values())]
        self._ranges: list[str] = []
        self._sheet: IO[bytes] | None = None

    def write(self, rows: Rows) -> None:
        while rows:
            sheet = self._sheet or self._begin(rows)
            room = self._sheet_rows - self._row
            self._bytes += sheet.write(self._lines(rows[:room]).encode())
            self._row += len(rows[:room])
            rows = rows[room:]
            if self._row == self._sheet_rows or self._bytes > SHEET_BYTES:
                self._end(sheet)

    def close(self) -> None:
        with self._book:
            if self._sheet:
                self._end(self._sheet)
            for name, text in _frame(self._ranges).items():
                self._book.writestr(name, HEAD + text)

    def _begin(self, rows: Rows) -> IO[bytes]:
        number = len(self._ranges) + 1
        self._sheet = sheet = self._book.open(f"xl/worksheets/sheet{number}.xml", "w")
        widths = "".join(
            f'<col min="{column}" max="{column}" width="{width}" customWidth="1"/>'
            for column, width in enumerate(_widths(self._columns, rows[:MEASURED_ROWS]), 1)
        )
        headings = "".join(
            f'<c r="{letters}1"{_text(name, HEADING)}'
            for name, (letters, _) in zip(self._columns, self._cells, strict=True)
        )
        selected = ' tabSelected="1"' if number == 1 else ""
        self._row = 1
        self._bytes = sheet.write(
            f'{HEAD}<worksheet xmlns="{MAIN}"><sheetViews><sheetView{selected} '
            'workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView>'
            f'</sheetViews><sheetFormatPr defaultRowHeight="15"/><cols>{widths}</cols><sheetData>'
            f'<row r="1">{headings}</row>'.encode()
        )
        return sheet

    def _lines(self, rows: Rows) -> str:
        numbers = [str(number) for number in range(self._row + 1, self._row + len(rows) + 1)]
        columns = [[f'<row r="{number}">' for number in numbers]]
        for (letters, show), values in zip(self._cells, zip(*rows, strict=True), strict=True):
            shown = zip(numbers, each(show, values), strict=True)
            columns.append([f'<c r="{letters}{number}"{cell}' if cell else "" for number, cell in shown])
        return "</row>".join(map("".join, zip(*columns, strict=True))) + "</row>"

    def _end(self, sheet: IO[bytes]) -> None:
        self._sheet = None
        last = self._cells[-1][0]
        self._ranges.append(f"$A$1:${last}${self._row}")
        with sheet:
            sheet.write(f'</sheetData><autoFilter ref="A1:{last}{self._row}"/></worksheet>'.encode())


def _widths(columns: Columns, rows: Rows) -> list[int]:
    """In letters; room for a heading's filter is left."""
    shown = [[0 if value is None else len(str(value)) + 2 for value in row] for row in rows]
    return [min(max(pair), WIDEST) for pair in zip([len(name) + 4 for name in columns], *shown, strict=True)]


def _letters(number: int) -> str:
    """The name of a column, counted from 0: A to Z, AA and so on."""
    return (_letters(number // 26 - 1) if number >= 26 else "") + chr(ord("A") + number % 26)


def _cell(kind: TypeEngine[Any]) -> Show:
    """How a value of this type stands in a cell, after the cell's name: nothing is guessed from the value."""
    look = next((style for style, (sql, _) in enumerate(LOOKS, HEADING + 1) if isinstance(kind, sql)), TEXT)
    if isinstance(kind, Boolean):
        return lambda value: f' t="b"><v>{value:d}</v></c>'
    if isinstance(kind, UtcDateTime):
        return lambda value: f' s="{look}"><v>{(value - DAY_ZERO).total_seconds() / DAY_SECONDS!r}</v></c>'
    if isinstance(kind, Date):
        return lambda value: (
            _text(value.isoformat())
            if value < FIRST_DAY
            else f' s="{look}"><v>{(value - DAY_ZERO.date()).days}</v></c>'
        )
    if isinstance(kind, Integer):
        return lambda value: f' s="{look}"><v>{value}</v></c>'
    if isinstance(kind, Float):
        return lambda value: f' s="{look}"><v>{value!r}</v></c>' if isfinite(value) else _text(str(value))
    return (lambda value: _text(as_json(value))) if isinstance(kind, JSON) else _text


def _text(text: str, style: int = TEXT) -> str:
    shown = escape(_LIKE_A_CODE.sub("_x005F_", plain_text(text)))
    # Without this a reader takes blanks at either end for the layout of the XML.
    kept = "" if shown == shown.strip() else ' xml:space="preserve"'
    return f' s="{style}" t="inlineStr"><is><t{kept}>{shown}</t></is></c>'


def _frame(ranges: Sequence[str]) -> dict[str, str]:
    """What holds the sheets together, by the names of the package's parts. The ranges are those of the filters."""
    names = ["Data", *(f"Data {number}" for number in range(2, len(ranges) + 1))]
    numbers = range(1, len(names) + 1)
    sheets = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>'
        for number, name in zip(numbers, names, strict=True)
    )
    filters = "".join(
        f'<definedName name="_xlnm._FilterDatabase" localSheetId="{number}" hidden="1">\'{name}\'!{cells}</definedName>'
        for number, (name, cells) in enumerate(zip(names, ranges, strict=True))
    )
    links = "".join(_link(number, "worksheet", f"worksheets/sheet{number}.xml") for number in numbers)
    types = "".join(_type(f"worksheets/sheet{number}", "worksheet") for number in numbers)
    return {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f"{_type('workbook', 'sheet.main')}{_type('styles', 'styles')}{types}</Types>",
        "_rels/.rels": _links(_link(1, "officeDocument", "xl/workbook.xml")),
        "xl/_rels/workbook.xml.rels": _links(links + _link(len(names) + 1, "styles", "styles.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><bookViews><workbookView/></bookViews>'
        f"<sheets>{sheets}</sheets><definedNames>{filters}</definedNames></workbook>",
        "xl/styles.xml": _styles(),
    }


def _type(part: str, kind: str) -> str:
    return f'<Override PartName="/xl/{part}.xml" ContentType="{PARTS}.{kind}+xml"/>'


def _link(number: int, kind: str, target: str) -> str:
    return f'<Relationship Id="rId{number}" Type="{OFFICE}/{kind}" Target="{target}"/>'


def _links(links: str) -> str:
    return f'<Relationships xmlns="{PACKAGE}/relationships">{links}</Relationships>'


def _styles() -> str:
    """Style 0 is plain, 1 a heading, and the others are the looks in their order."""
    codes = range(164, 164 + len(LOOKS))
    formats = "".join(
        f'<numFmt numFmtId="{code}" formatCode="{look}"/>' for code, (_, look) in zip(codes, LOOKS, strict=True)
    )
    font = '<name val="Calibri"/><family val="2"/>'
    looks = "".join(
        f'<xf numFmtId="{code}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>' for code in codes
    )
    return (
        f'<styleSheet xmlns="{MAIN}"><numFmts count="{len(LOOKS)}">{formats}</numFmts><fonts count="2">'
        f'<font><sz val="11"/>{font}</font><font><b/><sz val="11"/><color rgb="FFFFFFFF"/>{font}</font></fonts>'
        '<fills count="3"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill><fill><patternFill patternType="solid">'
        '<fgColor rgb="FF1F4E79"/><bgColor indexed="64"/></patternFill></fill></fills>'
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        f'<cellXfs count="{len(LOOKS) + 2}"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
        f'<xf numFmtId="0" fontId="1" fillId="2" borderId="0" xfId="0" applyFont="1" applyFill="1"/>{looks}</cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )

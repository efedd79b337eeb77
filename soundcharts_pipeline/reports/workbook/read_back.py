"""What a workbook holds. openpyxl would make an object of every cell, and take several times as long."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import fromstring
from xml.parsers import expat
from zipfile import ZipFile

from soundcharts_pipeline.reports.workbook.sheets import HEADER_ROWS

WORKBOOK, ITS_PARTS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
PART = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"

# Of XML without mistakes, where no text holds a "<".
_ROW, _FORMULA = re.compile(rb'<row r="(\d+)"'), re.compile(rb'<c r="(\w+)"[^>]*><f\b')


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Rows below the header of each sheet, and where formulas stand."""

    rows: Mapping[str, int]
    formulas: Sequence[str]


def read_back(path: Path) -> ReadBack:
    """Every cell of the file. Raises BadZipFile, KeyError, ExpatError or ParseError for a damaged one."""
    rows, formulas = {}, []
    with ZipFile(path) as archive:
        for title, part in _sheets(archive):
            sheet = archive.read(part)
            expat.ParserCreate().Parse(sheet, True)
            rows[title] = max(map(int, _ROW.findall(sheet)), default=0) - HEADER_ROWS
            formulas += [f"{title}!{cell.decode()}" for cell in _FORMULA.findall(sheet)]
    return ReadBack(rows, formulas)


def _sheets(archive: ZipFile) -> Iterator[tuple[str, str]]:
    """The title of each sheet, and the part of the archive that holds it."""
    parts = {
        part.attrib["Id"]: part.attrib["Target"].removeprefix("/xl/")
        for part in fromstring(archive.read(ITS_PARTS))  # noqa: S314  # a file of our own folder
    }
    for sheet in fromstring(archive.read(WORKBOOK)).iterfind(f"{MAIN}sheets/{MAIN}sheet"):  # noqa: S314  # the same
        yield sheet.attrib["name"], f"xl/{parts[sheet.attrib[PART]]}"

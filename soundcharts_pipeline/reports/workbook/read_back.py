"""What a workbook holds. openpyxl would make an object of every cell, and take three times as long."""

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
            found = _Cells()
            with archive.open(part) as sheet:
                found.parser.ParseFile(sheet)
            rows[title] = found.last - HEADER_ROWS
            formulas += [f"{title}!{cell}" for cell in found.formulas]
    return ReadBack(rows, formulas)


def _sheets(archive: ZipFile) -> Iterator[tuple[str, str]]:
    """The title of each sheet, and the part of the archive that holds it."""
    parts = {
        part.attrib["Id"]: part.attrib["Target"].removeprefix("/xl/")
        for part in fromstring(archive.read(ITS_PARTS))  # noqa: S314  # a file of our own folder
    }
    for sheet in fromstring(archive.read(WORKBOOK)).iterfind(f"{MAIN}sheets/{MAIN}sheet"):  # noqa: S314  # the same
        yield sheet.attrib["name"], f"xl/{parts[sheet.attrib[PART]]}"


class _Cells:
    """The number of a sheet's last row, and its formulas."""

    def __init__(self) -> None:
        self.last = 0
        self.formulas: list[str] = []
        self._cell = ""
        self.parser = expat.ParserCreate(namespace_separator="}")
        self.parser.StartElementHandler = self._start

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = tag.rpartition("}")[2]
        if name == "c":
            self._cell = attributes["r"]
        elif name == "row":
            self.last = int(attributes["r"])
        elif name == "f":
            self.formulas.append(self._cell)
